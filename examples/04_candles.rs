//! An aggregate of one's own type: trades become candles, each told once when its minute is over.
//!
//! `cargo run -p candlewick-examples --bin 04_candles`

use std::time::Duration;

use candlewick::{
    Consumed, Grouped, Json, Materialized, Produced, StreamsBuilder, StringSerde, TimeWindows, Topology,
    TopologyErrors, WindowedSerde,
};
use candlewick_examples::{Example, Playground};
use serde::{Deserialize, Serialize};

const MINUTE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Trade {
    price: f64,
    size: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Candle {
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
    trades: u64,
}

impl Candle {
    fn add(&mut self, trade: &Trade) {
        if self.trades == 0 {
            (self.open, self.high, self.low) = (trade.price, trade.price, trade.price);
        }
        self.high = self.high.max(trade.price);
        self.low = self.low.min(trade.price);
        self.close = trade.price;
        self.volume += trade.size;
        self.trades += 1;
    }
}

fn topology() -> Result<Topology, TopologyErrors> {
    let builder = StreamsBuilder::new();
    builder
        .stream("trades", Consumed::<String, Trade>::with(StringSerde, Json))
        .group_by_key(Grouped::with(StringSerde, Json))
        .windowed_by(TimeWindows::of_size_with_no_grace(MINUTE))
        .emit_on_window_close()
        .aggregate(
            Candle::default,
            |_, trade, candle| candle.add(trade),
            Materialized::with("candles", StringSerde, Json),
        )
        .to_stream()
        .map_values(|candle| candle.expect("a closed window has a candle"))
        .to("candles", Produced::with(WindowedSerde::new(StringSerde, MINUTE), Json));
    builder.build()
}

/// A trade every two seconds for three minutes.
fn trades() -> Vec<(i64, Trade)> {
    let price = |n: i64| 100.0 + (n * 7 % 13) as f64;
    (0..90).map(|n| (n * 2_000, Trade { price: price(n), size: 0.5 })).collect()
}

fn main() -> Example {
    let playground = Playground::new(&["trades", "candles"])?;
    let records = trades().into_iter().map(|(time, trade)| ("BTC".to_owned(), trade, time));
    playground.write("trades", (StringSerde, Json), records)?;
    let running = playground.start(topology()?, "candles")?;
    // The last minute is still open.
    let candles = playground.read("candles", (WindowedSerde::new(StringSerde, MINUTE), Json), 2)?;
    for (symbol, candle, _) in candles {
        let candle: Candle = candle;
        println!("{} {}: {candle:?}", symbol.key, symbol.window.start);
    }
    Ok(running.stop(Duration::from_secs(10))?)
}

#[cfg(test)]
mod tests {
    use candlewick::{Timestamp, TopologyTestDriver};

    use super::*;

    #[test]
    fn each_minute_that_is_over_has_its_candle_once() {
        let driver = TopologyTestDriver::new(topology().expect("valid"));
        let input = driver.input_topic("trades", StringSerde, Json);
        let serde = WindowedSerde::new(StringSerde, MINUTE);
        let candles = driver.output_topic::<_, Candle>("candles", serde, Json);
        for (time, trade) in trades() {
            input.pipe("BTC".to_owned(), trade, Timestamp(time)).expect("processed");
        }
        let all = trades();
        let minutes: Vec<Vec<&Trade>> = all
            .chunk_by(|a, b| a.0 / 60_000 == b.0 / 60_000)
            .map(|run| run.iter().map(|(_, t)| t).collect())
            .collect();
        let expected: Vec<Candle> = minutes[..minutes.len() - 1]
            .iter()
            .map(|minute| {
                let prices = || minute.iter().map(|trade| trade.price);
                Candle {
                    open: minute[0].price,
                    high: prices().fold(f64::MIN, f64::max),
                    low: prices().fold(f64::MAX, f64::min),
                    close: minute[minute.len() - 1].price,
                    volume: minute.iter().map(|trade| trade.size).sum(),
                    trades: minute.len() as u64,
                }
            })
            .collect();
        let found: Vec<Candle> = candles.read_all().into_iter().map(|(_, candle, _)| candle).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }
}
