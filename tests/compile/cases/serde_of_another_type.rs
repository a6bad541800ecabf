//! A serde of numbers for values of text.
use candlewick::{Consumed, I64Serde, StreamsBuilder, StringSerde};

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream("lines", Consumed::<String, String>::with(StringSerde, I64Serde));
}
