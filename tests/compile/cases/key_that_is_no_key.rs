//! A table by a key that cannot be looked up.
use candlewick::{Consumed, F64Serde, I64Serde, Materialized, Nullable, StreamsBuilder};

fn main() {
    let builder = StreamsBuilder::new();
    let consumed = Consumed::<f64, Option<i64>>::with(F64Serde, Nullable(I64Serde));
    builder.table("prices", consumed, Materialized::with("prices", F64Serde, I64Serde));
}
