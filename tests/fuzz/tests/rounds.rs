//! What every run of the tests plays of each target, and what was found before.

use std::time::Duration;

use candlewick_fuzz::{ALL, Ledger, Round, play};

#[global_allocator]
static LEDGER: Ledger = Ledger;

#[test]
fn every_target_stands_a_round_of_bad_inputs() {
    let mut failed = Vec::new();
    for target in &ALL {
        // The same inputs each time, unless the machine is very slow.
        let round = Round { from: 1, inputs: target.inputs, limit: Duration::from_secs(20) };
        let begin = std::time::Instant::now();
        match play(target, round) {
            Ok(inputs) => println!("{}: {inputs} inputs in {:?}", target.name, begin.elapsed()),
            Err(failure) => failed.push(format!("{}: {failure:?}", target.name)),
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_target_that_panics_or_allocates_without_bound_is_found() {
    use candlewick_fuzz::Target;
    let seeds = || vec![b"seed".to_vec()];
    let round = Round { from: 1, inputs: 1_000, limit: Duration::from_secs(20) };
    let run = |bytes: &[u8]| assert!(bytes.first() != Some(&0), "nought");
    let panics = Target { name: "panics", seeds, run, inputs: 0, bytes_max: 1 << 20 };
    assert!(play(&panics, round).expect_err("it is found").reason.contains("nought"));
    let run = |bytes: &[u8]| drop(std::hint::black_box(vec![0_u8; usize::from(bytes.len() > 9) << 24]));
    let allocates = Target { name: "allocates", seeds, run, inputs: 0, bytes_max: 1 << 20 };
    assert!(play(&allocates, round).expect_err("it is found").reason.contains("allocates"));
}
