//! State: words are counted in a store. Grouping by the word changes the key, so that records travel through a topic of
//! their own, where all records of a word meet; the topic and the store are named, because their content outlives the program.
//!
//! `cargo run -p candlewick-examples --bin 02_word_count`

use std::collections::BTreeMap;
use std::time::Duration;

use candlewick::{
    Consumed, Grouped, I64Serde, Materialized, Produced, StreamsBuilder, StringSerde, Topology,
    TopologyErrors,
};
use candlewick_examples::{Example, Playground};

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .stream("lines", Consumed::<String, String>::default())
        .flat_map_values(|line| line.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>())
        .group_by(|_, word| word.clone(), Grouped::with(StringSerde, StringSerde).named("by-word"))
        .count(Materialized::named("counts"))
        .to_stream()
        .map_values(|count| count.unwrap_or(0))
        .to("totals", Produced::default());
    builder.build()
}

fn main() -> Example {
    let playground = Playground::new(&["lines", "totals"])?;
    let lines = ["to be or not to be", "that is the question", "to sleep"];
    let records = lines.map(|line| ("hamlet".to_owned(), line.to_owned(), 0));
    playground.write("lines", (StringSerde, StringSerde), records)?;
    let running = playground.start(topology()?, "word-count")?;
    // Updates of a word within one commit are told as one, so there may be fewer than words.
    let distinct = lines.join(" ").split(' ').collect::<std::collections::BTreeSet<_>>().len();
    let totals: BTreeMap<String, i64> = playground
        .read("totals", (StringSerde, I64Serde), distinct)?
        .into_iter()
        .map(|(word, total, _)| (word, total))
        .collect();
    println!("{totals:?}");
    Ok(running.stop(Duration::from_secs(10))?)
}

#[cfg(test)]
mod tests {
    use candlewick::{Timestamp, TopologyTestDriver};

    use super::*;

    #[test]
    fn the_last_total_of_each_word_is_how_often_it_was_said() {
        let driver = TopologyTestDriver::new(topology().expect("valid"));
        let lines = driver.input_topic("lines", StringSerde, StringSerde);
        let totals = driver.output_topic::<String, i64>("totals", StringSerde, I64Serde);
        let input = ["The cat", "the DOG and the cat", "", "cat"];
        let mut expected: BTreeMap<String, i64> = BTreeMap::new();
        for line in input {
            lines.pipe("k".to_owned(), line.to_owned(), Timestamp(0)).expect("processed");
            line.split_whitespace().for_each(|word| *expected.entry(word.to_lowercase()).or_default() += 1);
        }
        let found: BTreeMap<String, i64> =
            totals.read_all().into_iter().map(|(word, total, _)| (word, total)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
