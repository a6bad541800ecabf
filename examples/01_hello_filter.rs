//! A stateless topology: lines in, warnings in capitals out.
//!
//! `cargo run -p candlewick-examples --bin 01_hello_filter`

use std::time::Duration;

use candlewick::{Consumed, Produced, StreamsBuilder, StringSerde, Topology, TopologyErrors};
use candlewick_examples::{Example, Playground};

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .stream("lines", Consumed::<String, String>::default())
        .filter(|_, line| line.starts_with("warning"))
        .map_values(|line| line.to_uppercase())
        .to("warnings", Produced::default());
    builder.build()
}

fn main() -> Example {
    let playground = Playground::new(&["lines", "warnings"])?;
    let lines = ["started", "warning: disk is full", "warning: really", "stopped"];
    let records = lines.map(|line| ("host-1".to_owned(), line.to_owned(), 0));
    playground.write("lines", (StringSerde, StringSerde), records)?;
    let running = playground.start(topology()?, "hello-filter")?;
    for (host, warning, _) in playground.read("warnings", (StringSerde, StringSerde), 2)? {
        println!("{host}: {warning}");
    }
    Ok(running.stop(Duration::from_secs(10))?)
}

#[cfg(test)]
mod tests {
    use candlewick::{Timestamp, TopologyTestDriver};

    use super::*;

    #[test]
    fn only_warnings_pass_and_they_are_shouted() {
        let driver = TopologyTestDriver::new(topology().expect("valid"));
        let lines = driver.input_topic("lines", StringSerde, StringSerde);
        let warnings = driver.output_topic::<String, String>("warnings", StringSerde, StringSerde);
        let input = ["all is well", "warning: low", "no warning", "warning: lower"];
        for line in input {
            lines.pipe("k".to_owned(), line.to_owned(), Timestamp(0)).expect("processed");
        }
        let expected: Vec<String> =
            input.iter().filter(|line| line.starts_with("warning")).map(|line| line.to_uppercase()).collect();
        let found: Vec<String> = warnings.read_all().into_iter().map(|(_, warning, _)| warning).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
