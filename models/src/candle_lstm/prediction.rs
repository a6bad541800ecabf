//! What a prediction says. Owns its fields and their JSON; must not know how it was computed or where it goes.

use std::fmt;

use candlewick::{DefaultSerde, Json, Timestamp};
use candlewick_operators::{Decimal, Symbol};
use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{CandleWindow, Model};

/// The version of a model: sixteen hexadecimal digits.
///
/// ```
/// use candlewick_models::ModelVersion;
/// assert_eq!(ModelVersion::from("0123456789abcdef").to_string(), "0123456789abcdef");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelVersion(CompactString);

impl ModelVersion {
    /// The version as text.
    ///
    /// ```
    /// assert_eq!(candlewick_models::ModelVersion::from("0123456789abcdef").as_str(), "0123456789abcdef");
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ModelVersion {
    fn from(version: &str) -> Self {
        Self(version.into())
    }
}

impl fmt::Display for ModelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The distribution of an instrument's return over a horizon, as a model saw it when a candle closed.
///
/// ```
/// use candlewick::{Json, Serde, Timestamp};
/// use candlewick_models::Prediction;
/// use candlewick_operators::Decimal;
/// let prediction = Prediction {
///     symbol: "BTC-USD".into(),
///     start: Timestamp(0),
///     time: Timestamp(60_000),
///     horizon_ms: 300_000,
///     close: Decimal::from_int(100),
///     levels: vec![0.1, 0.5, 0.9],
///     quantiles: vec![-0.01, 0.0, 0.01],
///     model: "0123456789abcdef".into(),
/// };
/// assert_eq!(prediction.due(), Timestamp(360_000));
/// assert_eq!(prediction.prices()[1], 100.0);
/// let mut json = Vec::new();
/// Json.serialize("predictions", &prediction, &mut json)?;
/// let read: Prediction = Json.deserialize("predictions", &json)?;
/// assert_eq!(read, prediction);
/// # Ok::<(), candlewick::SerdeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prediction {
    /// Of which instrument.
    pub symbol: Symbol,
    /// When the window's last candle starts.
    #[serde(with = "unix_millis")]
    pub start: Timestamp,
    /// When that candle ends: the time at which the prediction is made.
    #[serde(with = "unix_millis")]
    pub time: Timestamp,
    /// From there to the predicted close, in milliseconds.
    pub horizon_ms: i64,
    /// The close from which returns are counted.
    pub close: Decimal,
    /// The levels of the quantiles, rising.
    pub levels: Vec<f64>,
    /// The quantiles of ln(close after the horizon / close), rising.
    pub quantiles: Vec<f64>,
    /// Which model made it.
    pub model: ModelVersion,
}

impl Prediction {
    /// The prediction of `model` from a complete window; `quantiles` is the window's row of the predicted batch.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::*, candlewick_operators::*};
    /// # let candles = (0..200).map(|minute| ClosedCandle { start: Timestamp(minute * 60_000), candle: Candle::carried(Decimal::from_int(100 + minute * minute % 7)) });
    /// # let series = [Series { symbol: "BTC-USD".into(), candles: candles.collect() }];
    /// # let features = FeatureSet::new([Feature::LogReturn])?;
    /// # let config = TrainConfig { features, window: 2, hidden: 2, horizon: 1, epochs_max: 1, ..TrainConfig::default() };
    /// # let model = train(&series, &config, &Progress::hidden())?.model;
    /// let mut window = CandleWindow::new(model.input());
    /// for closed in &series[0].candles[..3] {
    ///     window.push(closed.start, &closed.candle);
    /// }
    /// let prediction = Prediction::new("BTC-USD".into(), &window, &model, &[-0.01, 0.0, 0.01]);
    /// assert_eq!((prediction.time, prediction.horizon_ms), (Timestamp(180_000), 60_000));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(symbol: Symbol, window: &CandleWindow, model: &Model, quantiles: &[f64]) -> Self {
        let (input, target) = (model.input(), &model.manifest().target);
        let start = window.newest_start();
        Self {
            symbol,
            start,
            time: start.plus_millis(input.interval.as_millis()),
            horizon_ms: target.horizon_ms,
            close: window.newest_close(),
            levels: target.quantiles.clone(),
            quantiles: quantiles.to_vec(),
            model: model.version().clone(),
        }
    }

    /// When the predicted close is known.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::Prediction, candlewick_operators::Decimal};
    /// # let (levels, quantiles) = (vec![0.1, 0.5, 0.9], vec![-0.01, 0.0, 0.01]);
    /// let prediction = Prediction {
    ///     time: Timestamp(60_000),
    ///     horizon_ms: 300_000,
    ///     close: Decimal::from_int(100),
    ///     // …
    /// #   symbol: "BTC-USD".into(), start: Timestamp(0), levels, quantiles, model: "0123456789abcdef".into(),
    /// };
    /// assert_eq!(prediction.due(), Timestamp(360_000));
    /// ```
    #[must_use]
    pub fn due(&self) -> Timestamp {
        self.time.plus_millis(self.horizon_ms)
    }

    /// The quantiles as prices, for the eye: close × e^quantile.
    ///
    /// ```
    /// # use {candlewick::Timestamp, candlewick_models::Prediction, candlewick_operators::Decimal};
    /// # let (levels, quantiles) = (vec![0.1, 0.5, 0.9], vec![-0.01, 0.0, 0.01]);
    /// let prediction = Prediction {
    ///     time: Timestamp(60_000),
    ///     horizon_ms: 300_000,
    ///     close: Decimal::from_int(100),
    ///     quantiles,
    /// #   symbol: "BTC-USD".into(), start: Timestamp(0), levels, model: "0123456789abcdef".into(),
    /// };
    /// assert_eq!(prediction.prices()[1], 100.0);
    /// ```
    #[must_use]
    pub fn prices(&self) -> Vec<f64> {
        let close = self.close.to_f64();
        self.quantiles.iter().map(|quantile| close * quantile.exp()).collect()
    }
}

impl DefaultSerde for Prediction {
    type Serde = Json;

    fn default_serde() -> Json {
        Json
    }
}

mod unix_millis {
    use candlewick::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp)
    }
}
