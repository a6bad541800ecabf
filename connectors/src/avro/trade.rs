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
    fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> {
        Ok(Self {
            symbol: Symbol::from(fields.text()?),
            price: decimal(fields)?,
            size: decimal(fields)?,
            side: if fields.symbol()? == 0 { Side::Buy } else { Side::Sell },
            timestamp: Timestamp(fields.long()?),
            id: fields.long()?,
            exchange: Exchange::from(fields.text()?),
        })
    }
}

/// The decimal that a double was made from.
#[inline(always)]
pub(super) fn decimal<'a>(fields: &mut impl AvroFields<'a>) -> Result<Decimal, AvroError> {
    let value = fields.double()?;
    match Decimal::from_f64(value) {
        Ok(decimal) => Ok(decimal),
        // A computed double is rounded to the decimal's places.
        Err(_) => Decimal::from_f64_rounded(value).map_err(|error| fields.fault(&error)),
    }
}
