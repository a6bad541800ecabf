//! Candles as Avro: the record that stands in a candle topic, readable without its key. Owns its schema; must not know
//! how a candle is made.

use candlewick::Timestamp;
use candlewick_operators::{Candle, Decimal, Exchange, Interval, Symbol};

use super::error::AvroError;
use super::fields::AvroFields;
use super::record::{AvroRecord, put_double, put_long, put_text};
use super::trade::decimal;

const SCHEMA: &str = r#"{"type":"record","name":"Candle","fields":[{"name":"symbol","type":"string"},{"name":"exchange","type":"string"},{"name":"interval","type":"string"},{"name":"ts","type":"long"},{"name":"open","type":"double"},{"name":"high","type":"double"},{"name":"low","type":"double"},{"name":"close","type":"double"},{"name":"volume","type":"double"},{"name":"quote_volume","type":"double"},{"name":"trades","type":"long"},{"name":"taker_buy_volume","type":"double"},{"name":"vwap","type":"double"}]}"#;

/// A candle with the window and instrument it belongs to.
///
/// ```
/// use candlewick::{Serde, Timestamp};
/// use candlewick_connectors::avro::{AvroSerde, CandleRecord, MemoryRegistry};
/// # use candlewick_operators::{Candle, Decimal, Interval};
/// use std::sync::Arc;
/// # let record = CandleRecord::new("kraken".into(), "BTC-USD".into(), Interval::MINUTE, Timestamp(60_000), &Candle::carried(Decimal::from_int(100)))?;
/// let serde = AvroSerde::<CandleRecord>::new(Arc::new(MemoryRegistry::new()))?;
/// let mut bytes = Vec::new();
/// serde.serialize("candles", &record, &mut bytes)?;
/// assert_eq!(serde.deserialize("candles", &bytes)?, record);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandleRecord {
    /// What was traded.
    pub symbol: Symbol,
    /// Where.
    pub exchange: Exchange,
    /// The window's length.
    pub interval: Interval,
    /// The window's start.
    pub start: Timestamp,
    /// Price of the first trade.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Price of the last trade.
    pub close: Decimal,
    /// Base units traded.
    pub volume: Decimal,
    /// Quote units traded.
    pub quote_volume: Decimal,
    /// Number of trades.
    pub trades: u64,
    /// Base units that takers bought.
    pub taker_buy_volume: Decimal,
    /// Volume-weighted average price; the close where nothing was traded.
    pub vwap: Decimal,
}

impl CandleRecord {
    /// The record of a candle.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// use candlewick_connectors::avro::CandleRecord;
    /// use candlewick_operators::{Candle, Decimal, Interval};
    /// let quiet = Candle::carried(Decimal::from_int(100));
    /// let (exchange, symbol) = ("kraken".into(), "BTC-USD".into());
    /// let record = CandleRecord::new(exchange, symbol, Interval::MINUTE, Timestamp(60_000), &quiet)?;
    /// assert_eq!((record.vwap, record.trades), (Decimal::from_int(100), 0));
    /// # Ok::<(), candlewick_connectors::avro::AvroError>(())
    /// ```
    ///
    /// # Errors
    /// [`AvroError::Unwritable`] when the quote volume is out of the range of a decimal.
    pub fn new(
        exchange: Exchange,
        symbol: Symbol,
        interval: Interval,
        start: Timestamp,
        candle: &Candle,
    ) -> Result<Self, AvroError> {
        let quote_volume = candle
            .quote_volume
            .round()
            .map_err(|error| AvroError::Unwritable { reason: error.to_string() })?;
        Ok(Self {
            symbol,
            exchange,
            interval,
            start,
            open: candle.open,
            high: candle.high,
            low: candle.low,
            close: candle.close,
            volume: candle.volume,
            quote_volume,
            trades: candle.trades,
            taker_buy_volume: candle.taker_buy_volume,
            vwap: candle.vwap().unwrap_or(candle.close),
        })
    }
}

impl AvroRecord for CandleRecord {
    fn schema() -> &'static str {
        SCHEMA
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_text(self.symbol.as_str(), out);
        put_text(self.exchange.as_str(), out);
        put_text(&self.interval.to_string(), out);
        put_long(self.start.0, out);
        for price in [self.open, self.high, self.low, self.close, self.volume, self.quote_volume] {
            put_double(price.to_f64(), out);
        }
        put_long(i64::try_from(self.trades).unwrap_or(i64::MAX), out);
        put_double(self.taker_buy_volume.to_f64(), out);
        put_double(self.vwap.to_f64(), out);
    }

    fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> {
        Ok(Self {
            symbol: Symbol::from(fields.text()?),
            exchange: Exchange::from(fields.text()?),
            interval: fields.text()?.parse().map_err(|error| fields.fault(&error))?,
            start: Timestamp(fields.long()?),
            open: decimal(fields)?,
            high: decimal(fields)?,
            low: decimal(fields)?,
            close: decimal(fields)?,
            volume: decimal(fields)?,
            quote_volume: decimal(fields)?,
            trades: u64::try_from(fields.long()?).map_err(|_| fields.fault(&"a count is not negative"))?,
            taker_buy_volume: decimal(fields)?,
            vwap: decimal(fields)?,
        })
    }
}
