//! What a type brings to be read and written as an Avro record without detours. Owns the contract and the encoding of
//! primitives; must not know any particular record.

use super::error::AvroError;
use super::fields::AvroFields;

/// A type with an Avro schema of its own.
///
/// Its schema must be a record; fields of the types null, boolean, int, long, float, double, string, bytes, enum and
/// nullable unions of them are decoded by a compiled plan, others through apache-avro's values.
///
/// ```
/// use candlewick::Serde;
/// use candlewick_connectors::avro::{AvroError, AvroFields, AvroRecord, AvroSerde, MemoryRegistry};
/// use candlewick_connectors::avro::{put_double, put_text};
/// use std::sync::Arc;
///
/// #[derive(Debug, PartialEq)]
/// struct Quote { symbol: String, price: f64 }
///
/// impl AvroRecord for Quote {
///     fn schema() -> &'static str {
///         r#"{"type":"record","name":"Quote","fields":[
///             {"name":"symbol","type":"string"},{"name":"price","type":"double"}]}"#
///     }
///     fn encode(&self, out: &mut Vec<u8>) {
///         put_text(&self.symbol, out);
///         put_double(self.price, out);
///     }
///     fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> {
///         Ok(Self { symbol: fields.text()?.to_string(), price: fields.double()? })
///     }
/// }
///
/// let serde = AvroSerde::<Quote>::new(Arc::new(MemoryRegistry::new()))?;
/// let quote = Quote { symbol: "BTC-USD".into(), price: 42_000.5 };
/// let mut bytes = Vec::new();
/// serde.serialize("quotes", &quote, &mut bytes)?;
/// assert_eq!(serde.deserialize("quotes", &bytes)?, quote);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait AvroRecord: Sized + Send + Sync + 'static {
    /// The schema that values are written with and read as.
    fn schema() -> &'static str;

    /// Appends the fields in the schema's order, by [`put_long`], [`put_double`] and [`put_text`]. An enum is the long of
    /// its symbol's position; a nullable union is the long of its branch and then the value.
    fn encode(&self, out: &mut Vec<u8>);

    /// Makes a value from its fields, all of which must be taken in the schema's order.
    ///
    /// # Errors
    /// When a field has no meaning for this type.
    fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError>;
}

/// Appends an int or long.
///
/// ```
/// use candlewick_connectors::avro::put_long;
/// let mut out = Vec::new();
/// put_long(-1, &mut out);
/// put_long(64, &mut out);
/// assert_eq!(out, [1, 0x80, 1]);
/// ```
#[inline]
pub fn put_long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut buffer = [0_u8; 10];
    let mut len = 0;
    while rest >= 0x80 {
        buffer[len] = (rest & 0x7f) as u8 | 0x80;
        rest >>= 7;
        len += 1;
    }
    buffer[len] = rest as u8;
    out.extend_from_slice(&buffer[..=len]);
}

/// Appends a double.
///
/// ```
/// use candlewick_connectors::avro::put_double;
/// let mut out = Vec::new();
/// put_double(42.5, &mut out);
/// assert_eq!(out, 42.5_f64.to_le_bytes());
/// ```
#[inline]
pub fn put_double(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a string.
///
/// ```
/// use candlewick_connectors::avro::put_text;
/// let mut out = Vec::new();
/// put_text("BTC", &mut out);
/// assert_eq!(out, [6, b'B', b'T', b'C']);
/// ```
#[inline]
pub fn put_text(value: &str, out: &mut Vec<u8>) {
    put_long(i64::try_from(value.len()).expect("no string is longer than an i64 counts"), out);
    out.extend_from_slice(value.as_bytes());
}
