//! A processor of numbers in a stream of text.
use candlewick::{Consumed, Context, ProcessError, Processor, Record, StreamsBuilder};

struct Doubler;

impl Processor<String, i64, String, i64> for Doubler {
    fn process(&mut self, record: Record<String, i64>, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
        cx.forward(record)
    }
}

fn main() {
    let builder = StreamsBuilder::new();
    builder.stream("lines", Consumed::<String, String>::default()).process::<String, i64, _>(&[], |_| Doubler);
}
