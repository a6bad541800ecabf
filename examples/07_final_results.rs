//! One result instead of many: a windowed count tells every update; `suppress` lets only the last one of each window pass,
//! when nothing can change it any more.
//!
//! `cargo run -p candlewick-examples --bin 07_final_results`

use std::time::Duration;

use candlewick::{
    Consumed, Grouped, I64Serde, Materialized, Produced, StreamsBuilder, StringSerde, Suppressed,
    TimeWindows, Topology, TopologyErrors, WindowedSerde,
};
use candlewick_examples::{Example, Playground};

const HOUR: Duration = Duration::from_secs(3_600);
const GRACE: Duration = Duration::from_secs(60);

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .stream("alarms", Consumed::<String, String>::default())
        .group_by_key(Grouped::default())
        .windowed_by(TimeWindows::of_size_and_grace(HOUR, GRACE))
        .count(Materialized::named("alarms-per-hour"))
        .suppress(Suppressed::until_window_closes("final-alarms"))
        .to_stream()
        .map_values(|count| count.unwrap_or(0))
        .to("alarms-per-hour", Produced::with(WindowedSerde::new(StringSerde, HOUR), I64Serde));
    builder.build()
}

fn main() -> Example {
    let playground = Playground::new(&["alarms", "alarms-per-hour"])?;
    let alarms = (0..30).map(|n| ("door".to_owned(), "open".to_owned(), n * 300_000));
    playground.write("alarms", (StringSerde, StringSerde), alarms)?;
    let running = playground.start(topology()?, "final-results")?;
    let serde = WindowedSerde::new(StringSerde, HOUR);
    // Two and a half hours: two of them are over.
    for (alarm, count, _) in playground.read("alarms-per-hour", (serde, I64Serde), 2)? {
        println!("{} in the hour from {}: {count} times", alarm.key, alarm.window.start);
    }
    Ok(running.stop(Duration::from_secs(10))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use candlewick::{Timestamp, TopologyTestDriver};

    use super::*;

    #[test]
    fn a_window_is_told_once_with_the_records_that_came_late_but_in_time() {
        let driver = TopologyTestDriver::new(topology().expect("valid"));
        let alarms = driver.input_topic("alarms", StringSerde, StringSerde);
        let hours = driver.output_topic("alarms-per-hour", WindowedSerde::new(StringSerde, HOUR), I64Serde);
        let minutes = [1, 59, 60, 58, 100, 121, 119, 190, 250];
        let mut counts: BTreeMap<i64, i64> = BTreeMap::new();
        let (mut stream_time, mut told) = (0, Vec::new());
        for minute in minutes {
            let before = told.len();
            alarms.pipe("door".to_owned(), String::new(), Timestamp(minute * 60_000)).expect("processed");
            stream_time = stream_time.max(minute);
            let hour = minute / 60;
            // An hour is closed a minute after its end.
            if (hour + 1) * 60 + 1 > stream_time {
                *counts.entry(hour).or_default() += 1;
            }
            told.extend(hours.read_all());
            let closed = counts.keys().filter(|hour| (**hour + 1) * 60 < stream_time).count();
            assert_eq!(told.len(), closed, "after minute {minute}, when {before} were told before");
        }
        for (alarm, count, _) in told {
            assert_eq!(count, counts[&(alarm.window.start.0 / 3_600_000)], "{:?}", alarm.window);
        }
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
