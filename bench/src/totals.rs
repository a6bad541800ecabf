//! What must come out, recounted from the trades themselves in the plainest way. Owns the recount; shares no code with
//! either application, and never looks at what they wrote.

use std::collections::BTreeMap;

use candlewick::{Timestamp, partition_for_key};
use serde::Serialize;

use crate::trades::TradeGenerator;
use crate::workload::Application;

const WINDOW_MS: i64 = 60_000;
const GRACE_MS: i64 = 5_000;
/// Closes have two decimal places and notional values four: as whole numbers of this fraction their sums are exact.
const FRACTION: f64 = 10_000.0;

/// Sums over an output topic, equal when the outputs are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Records.
    pub records: u64,
    /// Candles: the sum of their counts of trades. Notional: the sum of the trades' ids.
    pub integers: i64,
    /// Candles: the sum of closes. Notional: the sum of values. In ten-thousandths.
    pub ten_thousandths: i64,
}

impl Totals {
    /// Counts a record in.
    pub(crate) fn add(&mut self, integer: i64, decimal: f64) {
        self.records += 1;
        self.integers += integer;
        self.ten_thousandths += (decimal * FRACTION).round() as i64;
    }

    /// The sum of closes or values.
    #[must_use]
    pub fn decimal(&self) -> f64 {
        self.ten_thousandths as f64 / FRACTION
    }

    /// What `application` must make of the first `records` trades.
    #[must_use]
    pub fn expected(
        application: Application,
        trades: &mut TradeGenerator,
        records: u64,
        partitions: i32,
    ) -> Self {
        match application {
            Application::Candles => candles(trades, records, partitions),
            Application::Notional => notional(trades, records),
        }
    }
}

fn notional(trades: &mut TradeGenerator, records: u64) -> Totals {
    let mut totals = Totals::default();
    for _ in 0..records {
        let trade = trades.next_trade();
        if trade.buy {
            totals.add(trade.id, trade.price * trade.size);
        }
    }
    totals
}

struct Close {
    count: i64,
    time: Timestamp,
    price: f64,
}

/// Windows that have closed by the end: each partition has its own stream time.
fn candles(trades: &mut TradeGenerator, records: u64, partitions: i32) -> Totals {
    let mut stream_times: BTreeMap<i32, Timestamp> = BTreeMap::new();
    let mut windows: BTreeMap<(i64, usize), Close> = BTreeMap::new();
    let partition = |trades: &TradeGenerator, symbol: usize| {
        partition_for_key(trades.name(symbol).as_bytes(), partitions).0
    };
    for _ in 0..records {
        let trade = trades.next_trade();
        let at = partition(trades, trade.symbol);
        let stream_time = stream_times.entry(at).or_insert(Timestamp::UNKNOWN);
        *stream_time = (*stream_time).max(trade.time);
        let start = trade.time.as_millis().div_euclid(WINDOW_MS) * WINDOW_MS;
        if start + WINDOW_MS + GRACE_MS <= stream_time.as_millis() {
            continue;
        }
        let close = windows.entry((start, trade.symbol)).or_insert(Close {
            count: 0,
            time: Timestamp::UNKNOWN,
            price: 0.0,
        });
        close.count += 1;
        if trade.time >= close.time {
            close.time = trade.time;
            close.price = trade.price;
        }
    }
    let mut totals = Totals::default();
    for ((start, symbol), close) in windows {
        let stream_time = stream_times[&partition(trades, symbol)];
        if start + WINDOW_MS + GRACE_MS <= stream_time.as_millis() {
            totals.add(close.count, close.price);
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recount_depends_on_no_start_that_is_a_whole_minute() {
        let expected = |start| {
            let mut trades = TradeGenerator::new(42, Timestamp(start));
            Totals::expected(Application::Candles, &mut trades, 200_000, 4)
        };
        assert_eq!(expected(1_700_000_040_000), expected(1_700_000_100_000));
    }

    /// Kafka Streams 4.3.1 gave these for the first five million trades of seed 42.
    #[test]
    fn recount_of_five_million_trades_is_what_the_jvm_once_gave() {
        let mut trades = TradeGenerator::new(42, Timestamp(1_700_000_040_000));
        let totals = Totals::expected(Application::Candles, &mut trades, 5_000_000, 4);
        assert_eq!((totals.records, totals.integers), (16_635, 4_980_103));
        assert_eq!(format!("{:.2}", totals.decimal()), "5791527.35");
    }
}
