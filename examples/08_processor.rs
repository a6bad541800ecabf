//! A processor of one's own, with a store and a punctuator: sensors that have been silent for a minute of stream time are
//! reported, once, until they speak again.
//!
//! `cargo run -p candlewick-examples --bin 08_processor`

use std::time::Duration;

use candlewick::{
    Consumed, Context, F64Serde, I64Serde, KeyValueStore, ProcessError, Processor, Produced, Punctuation,
    PunctuationType, Record, StoreHandle, Stores, StreamsBuilder, StringSerde, Timestamp, Topology,
    TopologyErrors,
};
use candlewick_examples::{Example, Playground};

const SILENCE_MS: i64 = 60_000;

struct SilenceDetector {
    /// When each sensor spoke last; a sensor that was reported is forgotten.
    heard: StoreHandle<KeyValueStore<String, i64>>,
}

impl Processor<String, f64, String, i64> for SilenceDetector {
    fn init(&mut self, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
        cx.schedule(Duration::from_secs(10), PunctuationType::StreamTime);
        Ok(())
    }

    fn process(
        &mut self,
        record: Record<String, f64>,
        cx: &mut Context<'_, String, i64>,
    ) -> Result<(), ProcessError> {
        let time = record.timestamp;
        cx.store(self.heard).put(record.key, time.0, time)?;
        Ok(())
    }

    fn punctuate(&mut self, due: Punctuation, cx: &mut Context<'_, String, i64>) -> Result<(), ProcessError> {
        let (now, store) = (due.timestamp, self.heard);
        let mut all = Vec::new();
        cx.store(store).all(&mut all)?;
        for (sensor, last) in all {
            if now.0 - last.value >= SILENCE_MS {
                cx.store(store).delete(&sensor, now)?;
                cx.forward(Record::new(sensor, last.value, now))?;
            }
        }
        Ok(())
    }
}

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder.add_store(Stores::key_value::<String, i64>("heard", StringSerde, I64Serde));
    builder
        .stream("measurements", Consumed::<String, f64>::default())
        .process(&["heard"], |stores| SilenceDetector { heard: stores.get("heard") })
        .to("silent-since", Produced::default());
    builder.build()
}

/// Sensor `a` speaks every ten seconds for three minutes, `b` only in the first one.
fn measurements() -> Vec<(String, f64, i64)> {
    let of_a = (0..18).map(|n| ("a".to_owned(), 20.0, n * 10_000));
    let of_b = (0..6).map(|n| ("b".to_owned(), 30.0, n * 10_000 + 1));
    let mut all: Vec<_> = of_a.chain(of_b).collect();
    all.sort_by_key(|(_, _, time)| *time);
    all
}

fn main() -> Example {
    let playground = Playground::new(&["measurements", "silent-since"])?;
    playground.write("measurements", (StringSerde, F64Serde), measurements())?;
    let running = playground.start(topology()?, "processor")?;
    for (sensor, since, now) in playground.read("silent-since", (StringSerde, I64Serde), 1)? {
        let (sensor, since): (String, i64) = (sensor, since);
        println!("at {now}: {sensor} is silent since {}", Timestamp(since));
    }
    Ok(running.stop(Duration::from_secs(10))?)
}

#[cfg(test)]
mod tests {
    use candlewick::TopologyTestDriver;

    use super::*;

    #[test]
    fn a_sensor_is_reported_once_when_a_minute_has_passed_without_it() {
        let driver = TopologyTestDriver::new(topology().expect("valid"));
        let input = driver.input_topic("measurements", StringSerde, F64Serde);
        let output = driver.output_topic::<String, i64>("silent-since", StringSerde, I64Serde);
        for (sensor, value, time) in measurements() {
            input.pipe(sensor, value, Timestamp(time)).expect("processed");
        }
        let last =
            measurements().iter().filter(|(sensor, _, _)| sensor == "b").map(|(_, _, time)| *time).max();
        let found = output.read_all();
        assert_eq!(found.len(), 1, "{found:?}");
        let (sensor, since, at) = &found[0];
        assert_eq!((sensor.as_str(), Some(*since)), ("b", last));
        // It is looked for every ten seconds.
        let silence = at.0 - since;
        assert!((SILENCE_MS..SILENCE_MS + 10_000).contains(&silence), "{silence}");
        let heard = driver.with_store::<KeyValueStore<String, i64>, _>("heard", |store| {
            store.get(&"b".to_owned()).expect("in memory").is_some()
        });
        assert!(!heard, "who was reported is forgotten");
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
