//! The events of the market page, and their form in JSON. Owns the names of their fields, which the page reads; must not
//! know how they are kept or sent.

use serde::Serialize;

/// An event for the market page. In JSON its kind is the field `type`: `candle` or `prediction`.
///
/// ```
/// use candlewick_server::{CandleEvent, FeedEvent};
/// # let candle = CandleEvent { symbol: "BTC-USD".into(), interval: "1m".into(), ts: 60_000, open: 1.0, high: 3.0, low: 1.0, close: 2.0, volume: 10.0, trades: 4, simulated: true };
/// let json = serde_json::to_value(FeedEvent::Candle(candle))?;
/// assert_eq!((&json["type"], &json["close"]), (&"candle".into(), &2.0.into()));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FeedEvent {
    /// A candle, open or closed.
    Candle(CandleEvent),
    /// What a model expects.
    Prediction(PredictionEvent),
}

/// A candle; a later event with the same symbol, interval and `ts` replaces it.
///
/// ```
/// use candlewick_server::{CandleEvent, Feed};
/// let candle = CandleEvent {
///     symbol: "BTC-USD".into(), interval: "1m".into(), ts: 60_000,
///     open: 1.0, high: 3.0, low: 1.0, close: 2.0, volume: 10.0, trades: 4, simulated: true,
/// };
/// let feed = Feed::default();
/// feed.push(candle.clone());
/// assert_eq!(feed.events(), [candle.into()]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CandleEvent {
    /// The instrument, such as `BTC-USD`.
    pub symbol: String,
    /// The interval's short name, such as `1s` or `1m`.
    pub interval: String,
    /// When the interval starts, in milliseconds since 1970.
    pub ts: i64,
    /// The first price.
    pub open: f64,
    /// The highest price.
    pub high: f64,
    /// The lowest price.
    pub low: f64,
    /// The last price.
    pub close: f64,
    /// The traded volume, in units of the base asset.
    pub volume: f64,
    /// How many trades.
    pub trades: u64,
    /// Whether the trades came from the simulated exchange; the page says so.
    pub simulated: bool,
}

/// A model's expectation of a close, as a band of prices; a later event with the same symbol, interval and `ts` replaces
/// it.
///
/// ```
/// use candlewick_server::{Feed, PredictionEvent};
/// let prediction = PredictionEvent {
///     symbol: "BTC-USD".into(), interval: "1m".into(), ts: 60_000, horizon_ms: 300_000,
///     close: 2.0, low: 1.5, mid: 2.0, high: 2.5, model: "lstm 0123456789abcdef".into(),
/// };
/// let feed = Feed::default();
/// feed.push(prediction.clone());
/// assert_eq!(feed.events(), [prediction.into()]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PredictionEvent {
    /// The instrument.
    pub symbol: String,
    /// The interval of the candles that the model reads.
    pub interval: String,
    /// The `ts` of the last candle that the model has read, in milliseconds since 1970.
    pub ts: i64,
    /// The band is for the close of the candle at `ts + horizon_ms`.
    pub horizon_ms: i64,
    /// The close of the candle at `ts`.
    pub close: f64,
    /// The price at the lowest quantile.
    pub low: f64,
    /// The price at the median.
    pub mid: f64,
    /// The price at the highest quantile.
    pub high: f64,
    /// The model and its version.
    pub model: String,
}

impl FeedEvent {
    /// The kind as it stands in JSON, the symbol, the interval and the time.
    pub(super) fn place(&self) -> (&'static str, &str, &str, i64) {
        match self {
            Self::Candle(candle) => ("candle", &candle.symbol, &candle.interval, candle.ts),
            Self::Prediction(prediction) => {
                ("prediction", &prediction.symbol, &prediction.interval, prediction.ts)
            }
        }
    }
}

impl From<CandleEvent> for FeedEvent {
    fn from(candle: CandleEvent) -> Self {
        Self::Candle(candle)
    }
}

impl From<PredictionEvent> for FeedEvent {
    fn from(prediction: PredictionEvent) -> Self {
        Self::Prediction(prediction)
    }
}
