//! A join of two sides with different keys.
use candlewick::{Consumed, Joined, Materialized, Nullable, I64Serde, StringSerde, StreamsBuilder};

fn main() {
    let builder = StreamsBuilder::new();
    let customers = builder.table(
        "customers",
        Consumed::<i64, Option<String>>::with(I64Serde, Nullable(StringSerde)),
        Materialized::named("customers"),
    );
    builder
        .stream("orders", Consumed::<String, i64>::default())
        .join(customers, |_, amount, name: &String| format!("{name}: {amount}"), Joined::default());
}
