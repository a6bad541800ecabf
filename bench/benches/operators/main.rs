//! What each operator costs for a record, stores in memory, 100,000 keys: `cargo bench -p candlewick-bench --bench
//! operators [name]`. Beside the JVM: `cargo xtask bench operators`. Knows only the command line.

use candlewick_bench::{operator_cost, operators};

fn main() {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    println!("µs a record   operator");
    for operator in operators(&wanted) {
        println!("{:>11.2}   {operator}", operator_cost(operator).us);
    }
}
