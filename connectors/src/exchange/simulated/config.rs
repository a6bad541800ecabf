//! What a simulated exchange is made of. Owns the settings and their defaults; nothing moves here.

use candlewick::Timestamp;

/// One market of a simulated exchange.
///
/// ```
/// # use candlewick_connectors::exchange::simulated::{SimulatedExchange, SimulatedSettings, SimulatedSymbol};
/// let symbols = vec![SimulatedSymbol { price_digits: 0, ..SimulatedSymbol::new("BTC-JPY", 9_000_000.0) }];
/// let mut exchange = SimulatedExchange::new(SimulatedSettings { symbols, ..SimulatedSettings::default() });
/// let trade = exchange.next().expect("it trades without end");
/// assert!(!trade.price.to_string().contains('.'), "whole yen");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedSymbol {
    /// Its name, for example `BTC-USD`.
    pub symbol: String,
    /// The first price.
    pub price: f64,
    /// Digits behind the point of a price: the smallest step is `10^-digits`. At most 12.
    pub price_digits: u8,
    /// Digits behind the point of a size. At most 12.
    pub size_digits: u8,
    /// The median size of a trade.
    pub size: f64,
    /// Standard deviation of the logarithmic return of a day in a calm market: 0.03 is 3 %.
    pub daily_volatility: f64,
    /// Its share of all trades, relative to the other markets'.
    pub weight: f64,
}

impl SimulatedSymbol {
    /// A market with usual digits, sizes and volatility.
    ///
    /// ```
    /// # use candlewick_connectors::exchange::simulated::{SimulatedExchange, SimulatedSettings, SimulatedSymbol};
    /// assert_eq!(SimulatedSymbol::new("BTC-USD", 64_000.0).price_digits, 2);
    /// ```
    pub fn new(symbol: impl Into<String>, price: f64) -> Self {
        Self {
            symbol: symbol.into(),
            price,
            price_digits: 2,
            size_digits: 6,
            size: 1_000.0 / price,
            daily_volatility: 0.03,
            weight: 1.0,
        }
    }
}

/// What a [`SimulatedExchange`](super::SimulatedExchange) is made from. The same settings give the same trades.
///
/// ```
/// use candlewick::Timestamp;
/// use candlewick_connectors::exchange::simulated::{SimulatedExchange, SimulatedSettings};
/// let settings = SimulatedSettings { seed: 7, start: Timestamp(1_700_000_000_000), ..Default::default() };
/// let trades: Vec<_> = SimulatedExchange::new(settings.clone()).take(100).collect();
/// assert!(trades.iter().all(|trade| trade.exchange.as_str() == "simulated"));
/// assert_eq!(trades, SimulatedExchange::new(settings).take(100).collect::<Vec<_>>());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedSettings {
    /// All chance comes from here.
    pub seed: u64,
    /// The markets; at least one.
    pub symbols: Vec<SimulatedSymbol>,
    /// Trades a second over all markets, on average and without bursts.
    pub trades_per_second: f64,
    /// The time of the first trade.
    pub start: Timestamp,
    /// How many seconds a regime lasts on average.
    pub regime_seconds: f64,
    /// The share of trades that arrive late, 0 to 1.
    pub late_share: f64,
    /// How late they are at most, in milliseconds.
    pub late_ms_max: u32,
    /// The share of trades that arrive twice, with the same trade id.
    pub duplicate_share: f64,
    /// Bursts an hour and market: many trades on one side within some milliseconds.
    pub bursts_per_hour: f64,
    /// Trades of the longest burst.
    pub burst_trades_max: u32,
}

impl Default for SimulatedSettings {
    /// Five markets, 50 trades a second, one trade in fifty up to 800 ms late, one in two hundred twice.
    fn default() -> Self {
        let market = |symbol: &str, price, digits, size_digits, volatility, weight| SimulatedSymbol {
            price_digits: digits,
            size_digits,
            daily_volatility: volatility,
            weight,
            ..SimulatedSymbol::new(symbol, price)
        };
        Self {
            seed: 1,
            symbols: vec![
                market("BTC-USD", 64_000.0, 2, 8, 0.025, 5.0),
                market("ETH-USD", 3_100.0, 2, 6, 0.032, 4.0),
                market("SOL-USD", 148.0, 3, 4, 0.045, 3.0),
                market("XRP-USD", 0.58, 5, 2, 0.04, 2.0),
                market("DOGE-USD", 0.124, 6, 1, 0.05, 1.0),
            ],
            trades_per_second: 50.0,
            start: Timestamp(0),
            regime_seconds: 420.0,
            late_share: 0.02,
            late_ms_max: 800,
            duplicate_share: 0.005,
            bursts_per_hour: 12.0,
            burst_trades_max: 60,
        }
    }
}
