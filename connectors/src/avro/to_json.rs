//! Avro of any schema as JSON: for those who pass records on without knowing their type. Knows registries and values.

use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::types::Value;
use serde_json::{Map, Number, Value as Json};

use super::error::AvroError;
use super::once_table::OnceTable;
use super::plan::resolved;
use super::registry::SchemaRegistry;
use super::wire::split;

/// Reads values in Confluent's wire format as JSON.
#[derive(Debug)]
pub(crate) struct AvroToJson {
    registry: Arc<dyn SchemaRegistry>,
    schemas: OnceTable<u32, Schema>,
}

impl AvroToJson {
    pub(crate) fn new(registry: Arc<dyn SchemaRegistry>) -> Self {
        Self { registry, schemas: OnceTable::new() }
    }

    /// The JSON of a value.
    pub(crate) fn read(&self, bytes: &[u8]) -> Result<Json, AvroError> {
        let (id, datum) = split(bytes)?;
        let value = self.schemas.with(
            &id,
            || self.registry.schema(id),
            |schema| resolved(id, datum, schema, None),
        )??;
        Ok(json(value))
    }
}

/// Enums become their symbols, unions their value, bytes an array of numbers; a number that JSON has no word for (NaN,
/// the infinities) becomes null.
fn json(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Bool(value),
        Value::Int(value) | Value::Date(value) | Value::TimeMillis(value) => value.into(),
        Value::Long(value)
        | Value::TimeMicros(value)
        | Value::TimestampMillis(value)
        | Value::TimestampMicros(value)
        | Value::TimestampNanos(value)
        | Value::LocalTimestampMillis(value)
        | Value::LocalTimestampMicros(value)
        | Value::LocalTimestampNanos(value) => value.into(),
        Value::Float(value) => Number::from_f64(f64::from(value)).map_or(Json::Null, Json::Number),
        Value::Double(value) => Number::from_f64(value).map_or(Json::Null, Json::Number),
        Value::String(value) | Value::Enum(_, value) => Json::String(value),
        Value::Union(_, value) => json(*value),
        Value::Array(items) => items.into_iter().map(json).collect(),
        Value::Map(entries) => {
            // Sorted, so that the same value gives the same text.
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort_by(|(one, _), (other, _)| one.cmp(other));
            Json::Object(entries.into_iter().map(|(name, value)| (name, json(value))).collect())
        }
        Value::Record(fields) => {
            Json::Object(fields.into_iter().map(|(name, value)| (name, json(value))).collect::<Map<_, _>>())
        }
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => bytes.into_iter().map(Json::from).collect(),
        Value::Uuid(uuid) => Json::String(uuid.to_string()),
        other => Json::String(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use candlewick::{Serde, Timestamp};
    use candlewick_operators::{Side, Trade};
    use serde_json::json;

    use super::super::{AvroSerde, MemoryRegistry};
    use super::*;

    #[test]
    fn a_trade_becomes_an_object_with_its_schemas_fields() {
        let registry = Arc::new(MemoryRegistry::new());
        let trade = Trade {
            exchange: "simulated".into(),
            symbol: "BTC-USD".into(),
            price: "42000.5".parse().expect("a price"),
            size: "0.25".parse().expect("a size"),
            side: Side::Sell,
            timestamp: Timestamp(1_700_000_000_000),
            id: 9,
        };
        let mut bytes = Vec::new();
        let serde = AvroSerde::<Trade>::new(registry.clone()).expect("a schema");
        serde.serialize("trades", &trade, &mut bytes).expect("written");
        let expected = json!({"symbol": "BTC-USD", "price": 42000.5, "size": 0.25, "side": "SELL",
            "ts": 1_700_000_000_000_i64, "trade_id": 9, "exchange": "simulated"});
        assert_eq!(AvroToJson::new(registry).read(&bytes).expect("read"), expected);
    }
}
