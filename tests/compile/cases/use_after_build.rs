//! A stream that is used after its builder was built.
use candlewick::{Consumed, Produced, StreamsBuilder};

fn main() {
    let builder = StreamsBuilder::new();
    let lines = builder.stream("lines", Consumed::<String, String>::default());
    let topology = builder.build();
    lines.to("copies", Produced::default());
    drop(topology);
}
