//! Any type that derives serde's traits as Avro: the convenient way for users' own types, through apache-avro. Owns
//! nothing of the fast way.

use std::marker::PhantomData;
use std::sync::Arc;

use apache_avro::Schema;
use apache_avro::from_value;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema_compatibility::SchemaCompatibility;
use apache_avro::writer::datum::GenericDatumWriter;
use candlewick::{Format, Serde, SerdeError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::AvroError;
use super::once_table::OnceTable;
use super::plan::resolved;
use super::registry::SchemaRegistry;
use super::registry_error::RegistryError;
use super::serde::{avro_format, readable};
use super::wire::{put_header, split};

/// Values of any serde type as Avro of a given schema, in Confluent's wire format.
///
/// ```
/// use candlewick::Serde;
/// use candlewick_connectors::avro::{AvroDatum, MemoryRegistry};
/// use std::sync::Arc;
/// #[derive(serde::Serialize, serde::Deserialize, Debug, PartialEq)]
/// struct Point { x: i64, tags: Vec<String> }
/// let schema = r#"{"type":"record","name":"Point","fields":[
///     {"name":"x","type":"long"},{"name":"tags","type":{"type":"array","items":"string"}}]}"#;
/// let serde = AvroDatum::<Point>::new(Arc::new(MemoryRegistry::new()), schema)?;
/// let point = Point { x: 3, tags: vec!["a".into()] };
/// let mut bytes = Vec::new();
/// serde.serialize("points", &point, &mut bytes)?;
/// assert_eq!(serde.deserialize("points", &bytes)?, point);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AvroDatum<T> {
    registry: Arc<dyn SchemaRegistry>,
    suffix: &'static str,
    text: String,
    schema: Schema,
    writers: OnceTable<u32, Result<Writer, String>>,
    ids: OnceTable<String, u32>,
    types: PhantomData<fn() -> T>,
}

#[derive(Debug)]
struct Writer {
    schema: Schema,
    /// Whether it is our own schema: then no resolution is needed.
    same: bool,
}

impl<T> AvroDatum<T> {
    /// A serde of values with this schema.
    ///
    /// ```
    /// use candlewick_connectors::avro::{AvroDatum, AvroError, MemoryRegistry};
    /// use std::sync::Arc;
    /// let registry = Arc::new(MemoryRegistry::new());
    /// assert!(AvroDatum::<i64>::new(Arc::clone(&registry) as _, "\"long\"").is_ok());
    /// assert!(matches!(AvroDatum::<i64>::new(registry, "longish"), Err(AvroError::BadSchema { .. })));
    /// ```
    ///
    /// # Errors
    /// [`AvroError::BadSchema`] when the text is no schema.
    pub fn new(registry: Arc<dyn SchemaRegistry>, schema: &str) -> Result<Self, AvroError> {
        let parsed =
            Schema::parse_str(schema).map_err(|error| AvroError::BadSchema { reason: error.to_string() })?;
        Ok(Self {
            registry,
            suffix: "-value",
            text: schema.to_string(),
            schema: parsed,
            writers: OnceTable::new(),
            ids: OnceTable::new(),
            types: PhantomData,
        })
    }

    /// The same for keys.
    ///
    /// ```
    /// use candlewick::Serde;
    /// use candlewick_connectors::avro::{AvroDatum, MemoryRegistry};
    /// use std::sync::Arc;
    /// let file = tempfile::NamedTempFile::new()?;
    /// let registry = Arc::new(MemoryRegistry::in_file(file.path())?);
    /// AvroDatum::<i64>::new(registry, "\"long\"")?.for_keys().serialize("trades", &7, &mut Vec::new())?;
    /// assert!(std::fs::read_to_string(file.path())?.contains("trades-key"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn for_keys(mut self) -> Self {
        self.suffix = "-key";
        self
    }
}

impl<T: Serialize + DeserializeOwned> AvroDatum<T> {
    fn write(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<(), AvroError> {
        let register = || self.registry.register(&format!("{topic}{}", self.suffix), &self.text);
        let id = self.ids.with(topic, register, |id| *id)?;
        let start = out.len();
        put_header(id, out);
        let writer = GenericDatumWriter::builder(&self.schema).build();
        let written = writer.and_then(|writer| writer.write_ser(out, value));
        if let Err(error) = written {
            out.truncate(start);
            return Err(AvroError::Unwritable { reason: error.to_string() });
        }
        Ok(())
    }

    fn read(&self, bytes: &[u8]) -> Result<T, AvroError> {
        let (id, datum) = split(bytes)?;
        let make = || -> Result<_, RegistryError> {
            let schema = self.registry.schema(id)?;
            let readable = SchemaCompatibility::can_read(&schema, &self.schema);
            let same = schema.canonical_form() == self.schema.canonical_form();
            Ok(readable.map(|_| Writer { schema, same }).map_err(|error| error.to_string()))
        };
        self.writers.with(&id, make, |writer| match writer {
            Ok(writer) => self.decode(id, datum, writer),
            Err(reason) => Err(AvroError::Unreadable {
                id,
                reason: reason.clone(),
                writer: self
                    .registry
                    .schema(id)
                    .map_or_else(|error| error.to_string(), |s| s.canonical_form()),
                reader: self.schema.canonical_form(),
            }),
        })?
    }

    fn decode(&self, id: u32, mut datum: &[u8], writer: &Writer) -> Result<T, AvroError> {
        let broken = |error: apache_avro::Error| AvroError::Datum { id, reason: error.to_string() };
        if writer.same {
            let reader = GenericDatumReader::builder(&writer.schema).build().map_err(broken)?;
            return reader.read_deser(&mut datum).map_err(broken);
        }
        let value = resolved(id, datum, &writer.schema, Some(&self.schema))?;
        from_value(&value).map_err(broken)
    }
}

impl<T: Serialize + DeserializeOwned + 'static> Serde<T> for AvroDatum<T> {
    fn serialize(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        Ok(self.write(topic, value, out)?)
    }

    fn deserialize(&self, _: &str, bytes: &[u8]) -> Result<T, SerdeError> {
        Ok(self.read(bytes)?)
    }

    fn format(&self) -> Format {
        avro_format(&self.text)
    }

    fn reads(&self, written: &Format) -> Result<(), SerdeError> {
        let reads = |writer: &Schema| SchemaCompatibility::can_read(writer, &self.schema);
        readable(written, |writer| reads(writer).map(drop).map_err(|error| error.to_string()))
    }
}
