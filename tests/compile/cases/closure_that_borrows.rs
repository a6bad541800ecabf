//! A closure that borrows what does not live as long as the topology.
use candlewick::{Consumed, StreamsBuilder};

fn main() {
    let builder = StreamsBuilder::new();
    let limit = 10;
    let _ = builder.stream("numbers", Consumed::<String, i64>::default()).filter(|_, number| *number < limit);
}
