//! A recording of trades made from a seed, as a CSV file, and its candles computed from the same numbers in whole
//! units: nothing of the product's own arithmetic is used.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

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
    symbol: &'static str,
    price: i64,
    size: i64,
    buy: bool,
}

/// Trades in order of arrival: somewhat out of order in time, never beyond `disorder_ms`.
pub struct Recording {
    trades: Vec<Trade>,
}

struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: i64) -> i64 {
        i64::try_from(self.next() % u64::try_from(bound).expect("a positive bound")).expect("below an i64")
    }
}

impl Recording {
    /// `minutes` of `per_minute` trades of three symbols, from `start` on.
    #[must_use]
    pub fn new(seed: u64, start: i64, minutes: i64, per_minute: i64) -> Self {
        let mut chance = Chance(seed);
        let mut prices = [("BTC-USD", 4_200_000), ("ETH-USD", 310_000), ("XRP-USD", 5_800)];
        let step = 60_000 / per_minute;
        let mut trades = Vec::new();
        for n in 0..minutes * per_minute {
            let (symbol, price) = &mut prices[usize::try_from(chance.below(3)).expect("small")];
            *price = (*price + chance.below(21) - 10).max(100);
            let late = if chance.below(10) == 0 { chance.below(2_000) } else { 0 };
            trades.push(Trade {
                time: (start + n * step - late).max(start),
                symbol,
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

    /// Writes the recording as CSV.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let mut text = String::from("ts_ms,symbol,price,size,side,trade_id\n");
        for (id, trade) in self.trades.iter().enumerate() {
            let side = if trade.buy { "buy" } else { "sell" };
            let (price, size) = (decimal(trade.price, PRICE_UNITS), decimal(trade.size, SIZE_UNITS));
            let _ = writeln!(text, "{},{},{price},{size},{side},{}", trade.time, trade.symbol, id + 1);
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
            windows.entry((trade.symbol.to_owned(), start)).or_default().push(trade);
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
