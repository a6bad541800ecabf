//! The serde of types that are Avro records. Owns what is remembered of schema ids and topics; must not know how a
//! registry is reached.

use std::marker::PhantomData;
use std::sync::Arc;

use apache_avro::Schema;
use candlewick::{Format, Serde, SerdeError};

use super::error::AvroError;
use super::once_table::OnceTable;
use super::plan::Plan;
use super::record::AvroRecord;
use super::registry::SchemaRegistry;
use super::wire::{put_header, split};
use super::{registry_error::RegistryError, resolve};

/// Values of `T` as Avro in Confluent's wire format.
///
/// The type's schema is registered under `<topic>-value` when a topic is written for the first time (`<topic>-key` after
/// [`for_keys`](Self::for_keys)); a writer's schema is fetched when its id is seen for the first time, and compiled into
/// a plan. Nothing else blocks, and nothing is allocated for a record but what `T` itself owns.
///
/// ```
/// use candlewick::Serde;
/// use candlewick_connectors::avro::{AvroSerde, MemoryRegistry};
/// # use {candlewick::Timestamp, candlewick_operators::{Decimal, Side}};
/// use candlewick_operators::Trade;
/// use std::sync::Arc;
/// # let trade = Trade { exchange: "kraken".into(), symbol: "BTC-USD".into(), price: Decimal::from_int(100), size: Decimal::ONE, side: Side::Buy, timestamp: Timestamp(0), id: 1 };
/// let serde = AvroSerde::<Trade>::new(Arc::new(MemoryRegistry::new()))?;
/// let mut bytes = Vec::new();
/// serde.serialize("trades", &trade, &mut bytes)?;
/// assert_eq!(serde.deserialize("trades", &bytes)?, trade);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AvroSerde<T> {
    registry: Arc<dyn SchemaRegistry>,
    suffix: &'static str,
    reader: Schema,
    plans: OnceTable<u32, Result<Plan, String>>,
    ids: OnceTable<String, u32>,
    types: PhantomData<fn() -> T>,
}

impl<T: AvroRecord> AvroSerde<T> {
    /// A serde of values.
    ///
    /// ```
    /// use candlewick_connectors::avro::{AvroSerde, CandleRecord, MemoryRegistry};
    /// assert!(AvroSerde::<CandleRecord>::new(std::sync::Arc::new(MemoryRegistry::new())).is_ok());
    /// ```
    ///
    /// # Errors
    /// [`AvroError::BadSchema`] when the type's schema is none.
    pub fn new(registry: Arc<dyn SchemaRegistry>) -> Result<Self, AvroError> {
        let reader = Schema::parse_str(T::schema())
            .map_err(|error| AvroError::BadSchema { reason: error.to_string() })?;
        Ok(Self {
            registry,
            suffix: "-value",
            reader,
            plans: OnceTable::new(),
            ids: OnceTable::new(),
            types: PhantomData,
        })
    }

    /// The same for keys.
    ///
    /// ```
    /// use candlewick::{Serde, Timestamp};
    /// use candlewick_connectors::avro::{AvroSerde, CandleRecord, MemoryRegistry};
    /// # use candlewick_operators::{Candle, Decimal, Interval};
    /// use std::sync::Arc;
    /// # let record = CandleRecord::new("kraken".into(), "BTC-USD".into(), Interval::MINUTE, Timestamp(60_000), &Candle::carried(Decimal::from_int(100)))?;
    /// let file = tempfile::NamedTempFile::new()?;
    /// let registry = Arc::new(MemoryRegistry::in_file(file.path())?);
    /// AvroSerde::new(registry)?.for_keys().serialize("candles", &record, &mut Vec::new())?;
    /// assert!(std::fs::read_to_string(file.path())?.contains("candles-key"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn for_keys(mut self) -> Self {
        self.suffix = "-key";
        self
    }

    fn write(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<(), AvroError> {
        let register = || self.registry.register(&format!("{topic}{}", self.suffix), T::schema());
        let id = self.ids.with(topic, register, |id| *id)?;
        put_header(id, out);
        value.encode(out);
        Ok(())
    }

    #[inline(always)]
    fn read(&self, bytes: &[u8]) -> Result<T, AvroError> {
        let (id, datum) = split(bytes)?;
        let make =
            || -> Result<_, RegistryError> { Ok(resolve::compile(&self.registry.schema(id)?, &self.reader)) };
        self.plans.with(&id, make, |plan| match plan {
            Ok(plan) => plan.decode(id, datum, &self.reader),
            Err(reason) => Err(self.unreadable(id, reason)),
        })?
    }

    #[cold]
    fn unreadable(&self, id: u32, reason: &str) -> AvroError {
        let writer = match self.registry.schema(id) {
            Ok(schema) => schema.canonical_form(),
            Err(error) => error.to_string(),
        };
        let reader = self.reader.canonical_form();
        AvroError::Unreadable { id, reason: reason.to_string(), writer, reader }
    }
}

impl<T: AvroRecord> Serde<T> for AvroSerde<T> {
    fn serialize(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        Ok(self.write(topic, value, out)?)
    }

    #[inline]
    fn deserialize(&self, _: &str, bytes: &[u8]) -> Result<T, SerdeError> {
        match self.read(bytes) {
            Ok(value) => Ok(value),
            Err(error) => Err(error.into()),
        }
    }

    fn format(&self) -> Format {
        avro_format(T::schema())
    }

    fn reads(&self, written: &Format) -> Result<(), SerdeError> {
        readable(written, |writer| resolve::compile(writer, &self.reader).map(drop))
    }
}

/// The format of Avro values by this schema.
pub(super) fn avro_format(schema: &str) -> Format {
    // Without the line breaks and spaces of its source, which are no difference.
    let plain = serde_json::from_str::<serde_json::Value>(schema);
    Format::named(FORMAT).with_schema(&plain.map_or_else(|_| schema.to_owned(), |plain| plain.to_string()))
}

const FORMAT: &str = "Avro";

/// Whether what was written in a format can be read as Avro, by the schema that it names.
pub(super) fn readable(
    written: &Format,
    reads: impl FnOnce(&Schema) -> Result<(), String>,
) -> Result<(), SerdeError> {
    let other = |reason| SerdeError::OtherFormat { written: written.to_string(), reason };
    if written.name() != FORMAT {
        return Err(other(format!("read as {FORMAT} now")));
    }
    let Some(schema) = written.schema() else { return Ok(()) };
    let schema = Schema::parse_str(schema).map_err(|error| other(error.to_string()))?;
    reads(&schema).map_err(other)
}
