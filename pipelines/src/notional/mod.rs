//! The notional application: trades of buyers to their notional value. Stateless: decode, filter, map, encode.

use std::sync::Arc;

use candlewick::{Consumed, Produced, StreamsBuilder, Topology, Utf8};
use candlewick_connectors::avro::{
    AvroError, AvroFields, AvroRecord, AvroSerde, SchemaRegistry, put_double, put_long, put_text,
};
use candlewick_operators::{Side, Symbol, Trade};

use crate::error::CommandError;

/// What a buyer paid.
#[derive(Clone, Debug, PartialEq)]
pub struct NotionalRecord {
    /// The exchange's id of the trade.
    pub trade_id: i64,
    /// What was traded.
    pub symbol: Symbol,
    /// Event time, Unix milliseconds.
    pub time_ms: i64,
    /// Price times size.
    pub notional: f64,
}

const SCHEMA: &str = r#"{"type":"record","name":"Notional","fields":[{"name":"trade_id","type":"long"},{"name":"symbol","type":"string"},{"name":"ts","type":"long"},{"name":"notional","type":"double"}]}"#;

impl AvroRecord for NotionalRecord {
    fn schema() -> &'static str {
        SCHEMA
    }

    fn encode(&self, out: &mut Vec<u8>) {
        put_long(self.trade_id, out);
        put_text(self.symbol.as_str(), out);
        put_long(self.time_ms, out);
        put_double(self.notional, out);
    }

    fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> {
        Ok(Self {
            trade_id: fields.long()?,
            symbol: Symbol::from(fields.text()?),
            time_ms: fields.long()?,
            notional: fields.double()?,
        })
    }
}

/// Trades of buyers from `input` to `output`.
///
/// # Errors
/// When the names do not make a topology.
pub fn topology(
    input: &str,
    output: &str,
    registry: &Arc<dyn SchemaRegistry>,
) -> Result<Topology, CommandError> {
    let builder = StreamsBuilder::new();
    let trades = AvroSerde::<Trade>::new(Arc::clone(registry))?;
    builder
        .stream(input, Consumed::<Symbol, Trade>::with(Utf8, trades).named("trades"))
        .filter(|_, trade| trade.side == Side::Buy)
        .map_values(|trade| NotionalRecord {
            trade_id: trade.id,
            time_ms: trade.timestamp.as_millis(),
            notional: trade.price.to_f64() * trade.size.to_f64(),
            symbol: trade.symbol,
        })
        .to(output, Produced::with(Utf8, AvroSerde::new(Arc::clone(registry))?));
    Ok(builder.build()?)
}
