//! Windows by their length alone.
use candlewick::{Consumed, Grouped, Materialized, StreamsBuilder};

fn main() {
    let builder = StreamsBuilder::new();
    builder
        .stream("clicks", Consumed::<String, i64>::default())
        .group_by_key(Grouped::default())
        .windowed_by(std::time::Duration::from_secs(60));
    let _ = Materialized::<String, i64>::named("counts");
}
