//! Trades as Avro. Owns their schema and its fields' order; prices and sizes are doubles on the wire and exact decimals
//! here: a decimal of at most 15 digits survives the way there and back.

use candlewick::Timestamp;
use candlewick_operators::{Decimal, Exchange, Side, Symbol, Trade};

use super::error::AvroError;
use super::fields::AvroFields;
use super::record::{AvroRecord, put_double, put_long, put_text};

const SCHEMA: &str = r#"{"type":"record","name":"Trade","fields":[{"name":"symbol","type":"string"},{"name":"price","type":"double"},{"name":"size","type":"double"},{"name":"side","type":{"type":"enum","name":"Side","symbols":["BUY","SELL"]}},{"name":"ts","type":"long"},{"name":"trade_id","type":"long"},{"name":"exchange","type":"string","default":""}]}"#;

impl AvroRecord for Trade {
    fn schema() -> &'static str {
        SCHEMA
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_text(self.symbol.as_str(), out);
        put_double(self.price.to_f64(), out);
        put_double(self.size.to_f64(), out);
        put_long(if self.side == Side::Buy { 0 } else { 1 }, out);
        put_long(self.timestamp.0, out);
        put_long(self.id, out);
        put_text(self.exchange.as_str(), out);
    }

    #[inline(always)]
    fn decode(fields: AvroFields<'_, '_>) -> Result<Self, AvroError> {
        Ok(Self {
            symbol: Symbol::from(fields.text(0)?),
            price: decimal(&fields, 1)?,
            size: decimal(&fields, 2)?,
            side: if fields.symbol(3)? == 0 { Side::Buy } else { Side::Sell },
            timestamp: Timestamp(fields.long(4)?),
            id: fields.long(5)?,
            exchange: Exchange::from(fields.text(6)?),
        })
    }
}

/// The decimal that a double was made from.
#[inline(always)]
pub(super) fn decimal(fields: &AvroFields<'_, '_>, index: usize) -> Result<Decimal, AvroError> {
    let value = fields.double(index)?;
    match Decimal::from_f64(value) {
        Ok(decimal) => Ok(decimal),
        Err(_) => rounded(fields, index, value),
    }
}

/// A computed double is rounded to the decimal's places.
#[cold]
fn rounded(fields: &AvroFields<'_, '_>, index: usize, value: f64) -> Result<Decimal, AvroError> {
    Decimal::from_f64_rounded(value).map_err(|error| fields.fault(index, error))
}
