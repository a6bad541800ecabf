//! Reading the state of a running topology: in the process by typed handles, and from anywhere over HTTP.
//!
//! `cargo run -p candlewick-examples --bin 09_queries`

use std::sync::Arc;
use std::time::Duration;

use candlewick::{
    Consumed, Grouped, KeyValueStore, Keys, Materialized, QueryError, StreamsBuilder, StreamsHandle,
    StringSerde, TimeWindows, Times, Timestamp, Topology, TopologyErrors, WindowStore,
};
use candlewick_examples::{Example, Playground};
use candlewick_server::{Access, Feed, StatusServer, StreamsApplication, install_recorder};

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    let words = builder.stream("words", Consumed::<String, String>::default());
    let grouped = words.group_by_key(Grouped::default());
    grouped.clone().count(Materialized::named("counts"));
    // Windows are forgotten when nothing needs them any more; these are kept for a day, to be asked for.
    let day = Duration::from_secs(86_400);
    grouped
        .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_secs(60)))
        .count(Materialized::named("counts-per-minute").retention(day));
    builder.build()
}

/// The words that begin with `prefix`, with their counts: as new as they can be.
fn counts(streams: &StreamsHandle, prefix: &str) -> Result<Vec<(String, i64)>, QueryError> {
    let counts = streams.store::<KeyValueStore<String, i64>>("counts")?.staleness_max(Duration::ZERO);
    let page = counts.range(Keys::prefix(prefix))?;
    Ok(page.rows.into_iter().map(|(word, count)| (word, count.value)).collect())
}

/// How often a word was said in each minute since `from`.
fn minutes(
    streams: &StreamsHandle,
    word: &str,
    from: Timestamp,
) -> Result<Vec<(Timestamp, i64)>, QueryError> {
    let minutes = streams.store::<WindowStore<String, i64>>("counts-per-minute")?;
    let page = minutes.fetch(Keys::one(word.to_owned()), Times::from(from))?;
    Ok(page.rows.into_iter().map(|(_, start, count)| (start, count.value)).collect())
}

/// Words with their times.
fn words() -> Vec<(String, String, i64)> {
    let text = "sun moon star sun comet sun star";
    let timed = (0..).map(|n| n * 20_000).zip(text.split(' '));
    timed.map(|(time, word)| (word.to_owned(), String::new(), time)).collect()
}

/// Asks until everything is counted: a fresh answer has what was processed, and that may not be all yet.
fn wait_for(streams: &StreamsHandle, expected: i64) -> Example {
    for _ in 0..1_000 {
        match counts(streams, "") {
            Ok(counts) if counts.iter().map(|(_, count)| count).sum::<i64>() == expected => return Ok(()),
            // Tasks are being assigned at first.
            Ok(_) | Err(QueryError::Rebalancing { .. }) => std::thread::sleep(Duration::from_millis(10)),
            Err(error) => return Err(error.into()),
        }
    }
    Err("the words were not counted in time".into())
}

fn main() -> Example {
    let playground = Playground::new(&["words"])?;
    playground.write("words", (StringSerde, StringSerde), words())?;
    let running = playground.start(topology()?, "queries")?;
    let streams = running.handle();
    wait_for(&streams, words().len() as i64)?;
    println!("with s: {:?}", counts(&streams, "s")?);
    println!("the sun by minute: {:?}", minutes(&streams, "sun", Timestamp(0))?);

    let application = Arc::new(StreamsApplication::new(running.handle()));
    let anywhere = ([127, 0, 0, 1], 0).into();
    let server = StatusServer::start(
        anywhere,
        &Access::default(),
        application,
        Arc::new(Feed::default()),
        install_recorder()?,
    )?;
    let url = format!("http://{}/stores/counts?from=m&limit=2", server.local_addr());
    println!("{url}\n{}", reqwest::blocking::get(&url)?.text()?);
    server.stop();
    Ok(running.stop(Duration::from_secs(10))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn what_is_asked_for_is_what_was_written() {
        let playground = Playground::new(&["words"]).expect("topics");
        playground.write("words", (StringSerde, StringSerde), words()).expect("written");
        let running = playground.start(topology().expect("valid"), "queries").expect("started");
        let streams = running.handle();
        wait_for(&streams, words().len() as i64).expect("counted");
        let (mut expected, mut by_minute) = (BTreeMap::new(), BTreeMap::new());
        for (word, _, time) in words() {
            *expected.entry(word.clone()).or_insert(0) += 1;
            if word == "sun" {
                *by_minute.entry(Timestamp(time - time % 60_000)).or_insert(0) += 1;
            }
        }
        expected.retain(|word, _| word.starts_with('s'));
        assert_eq!(counts(&streams, "s").expect("readable"), expected.into_iter().collect::<Vec<_>>());
        let later = by_minute.split_off(&Timestamp(60_000));
        let found = minutes(&streams, "sun", Timestamp(60_000)).expect("readable");
        assert_eq!(found, later.into_iter().collect::<Vec<_>>());
        running.stop(Duration::from_secs(10)).expect("stopped");
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
