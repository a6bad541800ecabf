//! A recording of trades made from a seed, as a CSV file, and its candles computed from the same numbers in whole
//! units: nothing of the product's own arithmetic is used.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::chance::Chance;

/// Prices have two places, sizes four.
const PRICE_UNITS: i64 = 100;
const SIZE_UNITS: i64 = 10_000;

/// One candle as the trades make it, in text as an exchange would print it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields carry the columns' names")]
pub struct ExpectedCandle {
    pub open: String,
    pub high: String,
    pub low: String,
    pub close: String,
    pub volume: String,
    pub quote_volume: String,
    pub trades: u64,
    pub taker_buy_volume: String,
}

struct Trade {
    time: i64,
    symbol: Arc<str>,
    price: i64,
    size: i64,
    buy: bool,
}

/// Trades in order of arrival: somewhat out of order in time, never beyond `disorder_ms`.
pub struct Recording {
    trades: Vec<Trade>,
}

/// A trade of a recording, as an exchange tells it.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields carry the columns' names")]
pub struct RecordedTrade<'a> {
    pub id: i64,
    pub time: i64,
    pub symbol: &'a str,
    pub price: String,
    pub size: String,
    pub buy: bool,
}

impl Recording {
    /// `minutes` of `per_minute` trades of three symbols, from `start` on.
    #[must_use]
    pub fn new(seed: u64, start: i64, minutes: i64, per_minute: i64) -> Self {
        let symbols = [("BTC-USD", 4_200_000), ("ETH-USD", 310_000), ("XRP-USD", 5_800)];
        let symbols = symbols.map(|(symbol, price)| (symbol.into(), price));
        Self::of(symbols.to_vec(), false, seed, start, minutes, per_minute)
    }

    /// The same of as many symbols as are asked for, which trade in turn: with more trades a minute than symbols, none is
    /// without a candle.
    #[must_use]
    pub fn of_many(symbols: i64, seed: u64, start: i64, minutes: i64, per_minute: i64) -> Self {
        let symbols = (0..symbols).map(|n| (format!("S{n:03}-USD").into(), 5_000 + 1_000 * n)).collect();
        Self::of(symbols, true, seed, start, minutes, per_minute)
    }

    fn of(
        mut prices: Vec<(Arc<str>, i64)>,
        in_turn: bool,
        seed: u64,
        start: i64,
        minutes: i64,
        per_minute: i64,
    ) -> Self {
        let mut chance = Chance::new(seed);
        let count = i64::try_from(prices.len()).expect("few symbols");
        let step = 60_000 / per_minute;
        let mut trades = Vec::new();
        for n in 0..minutes * per_minute {
            let number = if in_turn { n % count } else { chance.below(count) };
            let (symbol, price) = &mut prices[usize::try_from(number).expect("small")];
            *price = (*price + chance.below(21) - 10).max(100);
            let late = if chance.below(10) == 0 { chance.below(2_000) } else { 0 };
            trades.push(Trade {
                time: (start + n * step - late).max(start),
                symbol: Arc::clone(symbol),
                price: *price,
                size: chance.below(50_000) + 1,
                buy: chance.below(2) == 0,
            });
        }
        Self { trades }
    }

    /// How many trades.
    #[must_use]
    pub fn len(&self) -> usize {
        self.trades.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.trades.is_empty()
    }

    /// The trades in order of arrival.
    pub fn trades(&self) -> impl Iterator<Item = RecordedTrade<'_>> {
        self.trades.iter().zip(1..).map(|(trade, id)| RecordedTrade {
            id,
            time: trade.time,
            symbol: &trade.symbol,
            price: decimal(trade.price, PRICE_UNITS),
            size: decimal(trade.size, SIZE_UNITS),
            buy: trade.buy,
        })
    }

    /// Writes the recording as CSV.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let mut text = String::from("ts_ms,symbol,price,size,side,trade_id\n");
        for RecordedTrade { id, time, symbol, price, size, buy } in self.trades() {
            let side = if buy { "buy" } else { "sell" };
            let _ = writeln!(text, "{time},{symbol},{price},{size},{side},{id}");
        }
        let path = folder.join("trades.csv");
        std::fs::write(&path, text).expect("the recording is written");
        path
    }

    /// The candles of `interval_ms` by symbol and start. Open and close are first and last by time, ties by arrival.
    #[must_use]
    pub fn candles(&self, interval_ms: i64) -> BTreeMap<(String, i64), ExpectedCandle> {
        let mut windows: BTreeMap<(String, i64), Vec<&Trade>> = BTreeMap::new();
        for trade in &self.trades {
            let start = trade.time - trade.time.rem_euclid(interval_ms);
            windows.entry((trade.symbol.to_string(), start)).or_default().push(trade);
        }
        windows.into_iter().map(|(place, trades)| (place, candle(&trades))).collect()
    }
}

fn candle(trades: &[&Trade]) -> ExpectedCandle {
    let mut by_time: Vec<&&Trade> = trades.iter().collect();
    by_time.sort_by_key(|trade| trade.time); // stable: ties keep their order of arrival
    let price = |trade: Option<&&&Trade>| decimal(trade.expect("a window has trades").price, PRICE_UNITS);
    let size = |keep: &dyn Fn(&Trade) -> bool| {
        decimal(trades.iter().filter(|trade| keep(trade)).map(|trade| trade.size).sum(), SIZE_UNITS)
    };
    let turnover = trades.iter().map(|trade| trade.price * trade.size).sum();
    ExpectedCandle {
        open: price(by_time.first()),
        close: price(by_time.last()),
        high: decimal(trades.iter().map(|trade| trade.price).max().expect("trades"), PRICE_UNITS),
        low: decimal(trades.iter().map(|trade| trade.price).min().expect("trades"), PRICE_UNITS),
        volume: size(&|_| true),
        quote_volume: decimal(turnover, PRICE_UNITS * SIZE_UNITS),
        trades: trades.len() as u64,
        taker_buy_volume: size(&|trade| trade.buy),
    }
}

/// Whole units as decimal text without trailing zeros.
fn decimal(units: i64, scale: i64) -> String {
    let places = scale.ilog10() as usize;
    let text = format!("{}.{:0places$}", units / scale, units % scale);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
