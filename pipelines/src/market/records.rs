//! What the application writes beside candles: indicators and predictions, as Avro records that can be read without
//! their keys.

use candlewick::Timestamp;
use candlewick_connectors::avro::{AvroError, AvroFields, AvroRecord, put_double, put_long, put_text};
use candlewick_operators::{Candle, Exchange, Interval, Symbol};

/// A closed candle with its indicators; `None` before an indicator is warm. Prices are plain numbers here: they are
/// computed with, not accounted with.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields carry the indicators' market names")]
pub struct IndicatorRecord {
    pub symbol: Symbol,
    pub exchange: Exchange,
    pub interval: Interval,
    pub start: Timestamp,
    pub trades: i64,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
    pub vwap: f64,
    pub sma20: Option<f64>,
    pub ema12: Option<f64>,
    pub ema26: Option<f64>,
    pub rsi14: Option<f64>,
    pub macd: Option<f64>,
    pub macd_signal: Option<f64>,
    pub macd_histogram: Option<f64>,
    pub bollinger_upper: Option<f64>,
    pub bollinger_middle: Option<f64>,
    pub bollinger_lower: Option<f64>,
    pub atr14: Option<f64>,
    pub roc10: Option<f64>,
    pub obv: Option<f64>,
    pub volatility20: Option<f64>,
}

impl IndicatorRecord {
    /// The record of a candle, before its indicators are known.
    ///
    /// # Errors
    /// [`AvroError::Unwritable`] when a count or volume is out of range.
    pub fn of_candle(
        symbol: Symbol,
        exchange: Exchange,
        interval: Interval,
        start: Timestamp,
        candle: &Candle,
    ) -> Result<Self, AvroError> {
        let trades = i64::try_from(candle.trades).map_err(|_| AvroError::Unwritable {
            reason: format!("{} trades in one candle", candle.trades),
        })?;
        Ok(Self {
            symbol,
            exchange,
            interval,
            start,
            trades,
            open: candle.open.to_f64(),
            high: candle.high.to_f64(),
            low: candle.low.to_f64(),
            close: candle.close.to_f64(),
            volume: candle.volume.to_f64(),
            vwap: candle.vwap().unwrap_or(candle.close).to_f64(),
            sma20: None,
            ema12: None,
            ema26: None,
            rsi14: None,
            macd: None,
            macd_signal: None,
            macd_histogram: None,
            bollinger_upper: None,
            bollinger_middle: None,
            bollinger_lower: None,
            atr14: None,
            roc10: None,
            obv: None,
            volatility20: None,
        })
    }

    fn indicators(&self) -> [Option<f64>; 14] {
        [
            self.sma20,
            self.ema12,
            self.ema26,
            self.rsi14,
            self.macd,
            self.macd_signal,
            self.macd_histogram,
            self.bollinger_upper,
            self.bollinger_middle,
            self.bollinger_lower,
            self.atr14,
            self.roc10,
            self.obv,
            self.volatility20,
        ]
    }
}

const INDICATORS: &str = r#"{"type":"record","name":"Indicators","fields":[{"name":"symbol","type":"string"},{"name":"exchange","type":"string"},{"name":"interval","type":"string"},{"name":"ts","type":"long"},{"name":"trades","type":"long"},{"name":"open","type":"double"},{"name":"high","type":"double"},{"name":"low","type":"double"},{"name":"close","type":"double"},{"name":"volume","type":"double"},{"name":"vwap","type":"double"},{"name":"sma20","type":["null","double"]},{"name":"ema12","type":["null","double"]},{"name":"ema26","type":["null","double"]},{"name":"rsi14","type":["null","double"]},{"name":"macd","type":["null","double"]},{"name":"macd_signal","type":["null","double"]},{"name":"macd_histogram","type":["null","double"]},{"name":"bollinger_upper","type":["null","double"]},{"name":"bollinger_middle","type":["null","double"]},{"name":"bollinger_lower","type":["null","double"]},{"name":"atr14","type":["null","double"]},{"name":"roc10","type":["null","double"]},{"name":"obv","type":["null","double"]},{"name":"volatility20","type":["null","double"]}]}"#;

impl AvroRecord for IndicatorRecord {
    fn schema() -> &'static str {
        INDICATORS
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_text(self.symbol.as_str(), out);
        put_text(self.exchange.as_str(), out);
        put_text(&self.interval.to_string(), out);
        put_long(self.start.0, out);
        put_long(self.trades, out);
        for number in [self.open, self.high, self.low, self.close, self.volume, self.vwap] {
            put_double(number, out);
        }
        for indicator in self.indicators() {
            put_optional(indicator, out);
        }
    }

    fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> {
        Ok(Self {
            symbol: Symbol::from(fields.text()?),
            exchange: Exchange::from(fields.text()?),
            interval: fields.text()?.parse().map_err(|error| fields.fault(&error))?,
            start: Timestamp(fields.long()?),
            trades: fields.long()?,
            open: fields.double()?,
            high: fields.double()?,
            low: fields.double()?,
            close: fields.double()?,
            volume: fields.double()?,
            vwap: fields.double()?,
            sma20: optional(fields)?,
            ema12: optional(fields)?,
            ema26: optional(fields)?,
            rsi14: optional(fields)?,
            macd: optional(fields)?,
            macd_signal: optional(fields)?,
            macd_histogram: optional(fields)?,
            bollinger_upper: optional(fields)?,
            bollinger_middle: optional(fields)?,
            bollinger_lower: optional(fields)?,
            atr14: optional(fields)?,
            roc10: optional(fields)?,
            obv: optional(fields)?,
            volatility20: optional(fields)?,
        })
    }
}

/// A prediction of the next price: a band of quantiles, and the model that made it.
#[derive(Clone, Debug, PartialEq)]
pub struct PredictionRecord {
    /// What was traded.
    pub symbol: Symbol,
    /// Where.
    pub exchange: Exchange,
    /// The candles' length.
    pub interval: Interval,
    /// The start of the newest candle the model saw.
    pub start: Timestamp,
    /// How far ahead of that candle's end the prediction is for, in milliseconds.
    pub horizon_ms: i64,
    /// That candle's close.
    pub close: f64,
    /// The lowest quantile, as a price.
    pub low: f64,
    /// The median, as a price.
    pub mid: f64,
    /// The highest quantile, as a price.
    pub high: f64,
    /// The model's version.
    pub model: String,
}

const PREDICTION: &str = r#"{"type":"record","name":"Prediction","fields":[{"name":"symbol","type":"string"},{"name":"exchange","type":"string"},{"name":"interval","type":"string"},{"name":"ts","type":"long"},{"name":"horizon_ms","type":"long"},{"name":"close","type":"double"},{"name":"low","type":"double"},{"name":"mid","type":"double"},{"name":"high","type":"double"},{"name":"model","type":"string"}]}"#;

impl AvroRecord for PredictionRecord {
    fn schema() -> &'static str {
        PREDICTION
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_text(self.symbol.as_str(), out);
        put_text(self.exchange.as_str(), out);
        put_text(&self.interval.to_string(), out);
        put_long(self.start.0, out);
        put_long(self.horizon_ms, out);
        for price in [self.close, self.low, self.mid, self.high] {
            put_double(price, out);
        }
        put_text(&self.model, out);
    }

    fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> {
        Ok(Self {
            symbol: Symbol::from(fields.text()?),
            exchange: Exchange::from(fields.text()?),
            interval: fields.text()?.parse().map_err(|error| fields.fault(&error))?,
            start: Timestamp(fields.long()?),
            horizon_ms: fields.long()?,
            close: fields.double()?,
            low: fields.double()?,
            mid: fields.double()?,
            high: fields.double()?,
            model: fields.text()?.to_owned(),
        })
    }
}

/// A union of null and double, null first.
fn put_optional(number: Option<f64>, out: &mut Vec<u8>) {
    match number {
        None => put_long(0, out),
        Some(number) => {
            put_long(1, out);
            put_double(number, out);
        }
    }
}

fn optional<'a>(fields: &mut impl AvroFields<'a>) -> Result<Option<f64>, AvroError> {
    if fields.null() { Ok(None) } else { fields.double().map(Some) }
}
