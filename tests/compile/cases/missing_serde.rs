//! A stream of values that have no default serde, and are given none.
use candlewick::{Consumed, StreamsBuilder};

#[derive(Clone)]
struct Trade;

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream("trades", Consumed::<String, Trade>::default());
}
