//! A join: each order is completed with the customer as the table has him when the order is processed. Both topics have the
//! same number of partitions and the same key; `build` and the start refuse everything else.
//!
//! `cargo run -p candlewick-examples --bin 05_join`

use std::time::Duration;

use candlewick::{
    Consumed, I64Serde, Joined, Materialized, Nullable, Produced, StreamsBuilder, StringSerde, Topology,
    TopologyErrors,
};
use candlewick_examples::{Example, Playground};

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let customers = builder.table(
        "customers",
        Consumed::<String, Option<String>>::with(StringSerde, Nullable(StringSerde)),
        Materialized::named("customers"),
    );
    builder
        .stream("orders", Consumed::<String, i64>::default())
        .left_join(
            customers,
            |_, amount, name| format!("{} pays {amount}", name.map_or("somebody", String::as_str)),
            Joined::default(),
        )
        .to("bills", Produced::default());
    builder.build()
}

fn main() -> Example {
    let playground = Playground::new(&["customers", "orders", "bills"])?;
    let customers =
        [("c1", "Ada", 0), ("c2", "Grace", 0)].map(|(id, name, time)| (id.to_owned(), name.to_owned(), time));
    playground.write("customers", (StringSerde, StringSerde), customers)?;
    let orders = [("c1", 30, 10), ("c2", 5, 20), ("c3", 7, 30)]
        .map(|(id, amount, time)| (id.to_owned(), amount, time));
    playground.write("orders", (StringSerde, I64Serde), orders)?;
    let running = playground.start(topology()?, "join")?;
    for (_, bill, _) in playground.read::<String, String>("bills", (StringSerde, StringSerde), 3)? {
        println!("{bill}");
    }
    Ok(running.stop(Duration::from_secs(10))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use candlewick::{Timestamp, TopologyTestDriver};

    use super::*;

    #[test]
    fn an_order_sees_the_customer_as_of_the_records_before_it() {
        let driver = TopologyTestDriver::new(topology().expect("valid"));
        let customers = driver.input_topic("customers", StringSerde, Nullable(StringSerde));
        let orders = driver.input_topic("orders", StringSerde, I64Serde);
        let bills = driver.output_topic::<String, String>("bills", StringSerde, StringSerde);
        enum Step {
            Customer(&'static str, Option<&'static str>),
            Order(&'static str, i64),
        }
        use Step::{Customer, Order};
        let steps = [
            Order("c1", 1),
            Customer("c1", Some("Ada")),
            Order("c1", 2),
            Customer("c1", Some("Augusta")),
            Order("c1", 3),
            Customer("c1", None),
            Order("c1", 4),
            Order("c2", 5),
        ];
        let (mut table, mut expected) = (BTreeMap::new(), Vec::new());
        for (time, step) in (0..).zip(steps) {
            let time = Timestamp(time);
            match step {
                Customer(id, name) => {
                    table.insert(id, name);
                    customers.pipe(id.to_owned(), name.map(str::to_owned), time).expect("processed");
                }
                Order(id, amount) => {
                    let name = table.get(id).copied().flatten().unwrap_or("somebody");
                    expected.push(format!("{name} pays {amount}"));
                    orders.pipe(id.to_owned(), amount, time).expect("processed");
                }
            }
        }
        let found: Vec<String> = bills.read_all().into_iter().map(|(_, bill, _)| bill).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
