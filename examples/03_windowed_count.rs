//! Time: clicks are counted by page and minute. A window takes records that are up to ten seconds late, by the stream's own
//! time: the greatest time that it has seen. Later ones are dropped and counted.
//!
//! `cargo run -p candlewick-examples --bin 03_windowed_count`

use std::time::Duration;

use candlewick::{
    Consumed, Grouped, I64Serde, Materialized, Produced, StreamsBuilder, StringSerde, TimeWindows, Topology,
    TopologyErrors, WindowedSerde,
};
use candlewick_examples::{Example, Playground};

const MINUTE: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(10);

fn windowed() -> WindowedSerde<String> {
    WindowedSerde::new(StringSerde, MINUTE)
}

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .stream("clicks", Consumed::<String, String>::default())
        .group_by_key(Grouped::default())
        .windowed_by(TimeWindows::of_size_and_grace(MINUTE, GRACE))
        .count(Materialized::named("clicks-per-minute"))
        .to_stream()
        .map_values(|count| count.unwrap_or(0))
        .to("clicks-per-minute", Produced::with(windowed(), I64Serde));
    builder.build()
}

fn main() -> Example {
    let playground = Playground::new(&["clicks", "clicks-per-minute"])?;
    let clicks = (0..120).map(|second| ("home".to_owned(), "click".to_owned(), second * 1_000));
    playground.write("clicks", (StringSerde, StringSerde), clicks)?;
    let running = playground.start(topology()?, "windowed-count")?;
    for (page, count, _) in playground.read("clicks-per-minute", (windowed(), I64Serde), 2)? {
        println!("{} from {} to {}: {count}", page.key, page.window.start, page.window.end);
    }
    Ok(running.stop(Duration::from_secs(10))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use candlewick::{DropReason, Timestamp, TopologyTestDriver};

    use super::*;

    #[test]
    fn each_click_counts_in_its_minute_unless_it_comes_too_late() {
        let driver = TopologyTestDriver::new(topology().expect("valid"));
        let clicks = driver.input_topic("clicks", StringSerde, StringSerde);
        let counts = driver.output_topic("clicks-per-minute", windowed(), I64Serde);
        // The minute that ends at 60 s closes when the stream has seen 70 s.
        let times = [1_000, 59_999, 60_000, 69_999, 30_000, 70_000, 59_000, 119_000];
        let (mut expected, mut late, mut stream_time) = (BTreeMap::new(), 0, 0);
        for time in times {
            clicks.pipe("home".to_owned(), String::new(), Timestamp(time)).expect("processed");
            stream_time = stream_time.max(time);
            let start = time - time % 60_000;
            if start + 60_000 + 10_000 <= stream_time {
                late += 1;
            } else {
                *expected.entry(start).or_insert(0) += 1;
            }
        }
        let found: BTreeMap<i64, i64> =
            counts.read_all().into_iter().map(|(page, count, _)| (page.window.start.0, count)).collect();
        assert_eq!(found, expected);
        assert_eq!((late, driver.dropped(DropReason::Late)), (1, 1));
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
