//! Sessions: a visitor's clicks belong together until nothing has come from him for five minutes. A late click can make one
//! session of two.
//!
//! `cargo run -p candlewick-examples --bin 06_sessions`

use std::time::Duration;

use candlewick::{
    Consumed, Grouped, I64Serde, Materialized, Produced, SessionWindowedSerde, SessionWindows,
    StreamsBuilder, StringSerde, Topology, TopologyErrors,
};
use candlewick_examples::{Example, Playground};

const GAP: Duration = Duration::from_secs(300);
const MINUTE: i64 = 60_000;

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .stream("clicks", Consumed::<String, String>::default())
        .group_by_key(Grouped::default())
        .windowed_by(SessionWindows::of_inactivity_gap_and_grace(GAP, Duration::from_secs(3_600)))
        .count(Materialized::named("visits"))
        .to_stream()
        // A session that has grown into a larger one is deleted.
        .filter(|_, count| count.is_some())
        .map_values(|count| count.unwrap_or(0))
        .to("visits", Produced::with(SessionWindowedSerde::new(StringSerde), I64Serde));
    builder.build()
}

fn main() -> Example {
    let playground = Playground::new(&["clicks", "visits"])?;
    let minutes = [0, 1, 3, 20, 22];
    let clicks = minutes.map(|minute| ("ada".to_owned(), "click".to_owned(), minute * MINUTE));
    playground.write("clicks", (StringSerde, StringSerde), clicks)?;
    let running = playground.start(topology()?, "sessions")?;
    for (visitor, count, _) in
        playground.read("visits", (SessionWindowedSerde::new(StringSerde), I64Serde), 2)?
    {
        println!("{} from {} to {}: {count} clicks", visitor.key, visitor.window.start, visitor.window.end);
    }
    Ok(running.stop(Duration::from_secs(10))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use candlewick::{Session, SessionStore, Timestamp, TopologyTestDriver};

    use super::*;

    #[test]
    fn sessions_are_the_runs_of_clicks_without_a_long_pause_in_whatever_order_they_come() {
        let driver = TopologyTestDriver::new(topology().expect("valid"));
        let clicks = driver.input_topic("clicks", StringSerde, StringSerde);
        // 9 comes late, and joins what was before and behind it.
        let mut minutes = vec![0, 4, 13, 30, 9, 33];
        for minute in &minutes {
            clicks.pipe("ada".to_owned(), String::new(), Timestamp(minute * MINUTE)).expect("processed");
        }
        minutes.sort_unstable();
        let expected: BTreeMap<(i64, i64), i64> = minutes
            .chunk_by(|a, b| (b - a) * MINUTE <= GAP.as_millis() as i64)
            .map(|run| ((run[0] * MINUTE, run[run.len() - 1] * MINUTE), run.len() as i64))
            .collect();
        let mut kept = Vec::new();
        driver.with_store::<SessionStore<String, i64>, _>("visits", |store| {
            store.find_all(Timestamp(0), &mut kept).expect("in memory");
        });
        let found: BTreeMap<(i64, i64), i64> = kept
            .into_iter()
            .map(|(_, Session { start, end }, count)| ((start.0, end.0), count.value))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
