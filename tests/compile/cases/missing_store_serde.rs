//! An aggregate that has no default serde, and is given none.
use candlewick::{Consumed, Grouped, Materialized, StreamsBuilder};

#[derive(Clone)]
struct Candle;

fn main() {
    let builder = StreamsBuilder::new();
    builder
        .stream("trades", Consumed::<String, i64>::default())
        .group_by_key(Grouped::default())
        .aggregate(|| Candle, |_, _, _| {}, Materialized::named("candles"));
}
