//! The plan by which a datum of one writer's schema is read into the fields of the reader's: compiled once for each
//! schema id, then run on a cursor. Owns the operations; how they are chosen is `resolve`'s.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;

use super::cursor::Cursor;
use super::error::AvroError;
use super::fields::{AvroField, AvroFields};
use super::record::AvroRecord;
use super::skip::Skip;

/// Records of more fields are left to apache-avro.
pub(super) const FIELDS_MAX: usize = 32;
const FIELDS_FEW: usize = 8;

/// How the bytes of one field become a value.
#[derive(Clone, Debug)]
pub(super) enum Read {
    Boolean,
    Long,
    LongAsDouble,
    Double,
    Float,
    Bytes,
    Fixed(usize),
    /// The reader's position for each of the writer's symbols; `None` where the reader does not know it.
    Symbol(Box<[Option<u32>]>),
    Null,
    /// A union of null and one other: the branch that is null.
    Nullable(i64, Box<Read>),
}

/// One step over the writer's fields.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Read into the reader's field of this number.
    Read(usize, Read),
    /// Pass over.
    Skip(Skip),
}

/// A default of the reader's schema, for a field that the writer does not know.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Default {
    Null,
    Boolean(bool),
    Long(i64),
    Double(f64),
    Bytes(Box<[u8]>),
    Symbol(u32),
}

/// How data of one schema id are read.
#[derive(Debug)]
pub(super) enum Plan {
    /// By steps on a cursor.
    Steps { steps: Box<[Step]>, defaults: Box<[(usize, Default)]>, fields: usize },
    /// By apache-avro's resolution, for shapes that have no steps.
    Values { writer: Box<Schema> },
}

impl Plan {
    /// Reads a datum.
    #[inline(always)]
    pub(super) fn decode<T: AvroRecord>(
        &self,
        id: u32,
        datum: &[u8],
        reader: &Schema,
    ) -> Result<T, AvroError> {
        match self {
            Self::Steps { steps, defaults, fields } if *fields <= FIELDS_FEW => {
                let mut found = [AvroField::Null; FIELDS_FEW];
                run(id, datum, steps, defaults, &mut found[..*fields])?;
                T::decode(AvroFields::new(id, &found[..*fields]))
            }
            Self::Steps { steps, defaults, fields } => {
                let mut found = [AvroField::Null; FIELDS_MAX];
                let found = &mut found[..*fields];
                run(id, datum, steps, defaults, found)?;
                T::decode(AvroFields::new(id, found))
            }
            Self::Values { writer } => {
                let value = resolved(id, datum, writer, Some(reader))?;
                from_value(id, &value)
            }
        }
    }
}

#[inline(always)]
fn run<'a>(
    id: u32,
    datum: &'a [u8],
    steps: &[Step],
    defaults: &'a [(usize, Default)],
    found: &mut [AvroField<'a>],
) -> Result<(), AvroError> {
    let mut cursor = Cursor::new(datum);
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Read(at, read) => match read.run(&mut cursor) {
                Some(field) => found[*at] = field,
                None => return Err(broken(id, number)),
            },
            Step::Skip(skip) => skip.pass(&mut cursor).ok_or_else(|| broken(id, number))?,
        }
    }
    for (at, default) in defaults {
        found[*at] = default.field();
    }
    if cursor.is_at_end() { Ok(()) } else { Err(longer(id)) }
}

#[cold]
fn broken(id: u32, number: usize) -> AvroError {
    AvroError::Datum { id, reason: format!("they end or break off in the field number {number}") }
}

#[cold]
fn longer(id: u32) -> AvroError {
    AvroError::Datum { id, reason: "bytes are left behind the last field".to_string() }
}

impl Read {
    #[inline(always)]
    fn run<'a>(&self, cursor: &mut Cursor<'a>) -> Option<AvroField<'a>> {
        Some(match self {
            Self::Long => AvroField::Long(cursor.long()?),
            Self::Double => AvroField::Double(cursor.double()?),
            Self::Bytes => AvroField::Bytes(cursor.bytes()?),
            Self::Symbol(symbols) => {
                let index = usize::try_from(cursor.long()?).ok()?;
                AvroField::Symbol((*symbols.get(index)?)?)
            }
            Self::Boolean => AvroField::Boolean(cursor.boolean()?),
            Self::LongAsDouble => AvroField::Double(cursor.long()? as f64),
            Self::Float => AvroField::Double(f64::from(cursor.float()?)),
            Self::Fixed(len) => AvroField::Bytes(cursor.take(*len)?),
            Self::Null => AvroField::Null,
            Self::Nullable(null, read) => match cursor.long()? {
                branch if branch == *null => AvroField::Null,
                0 | 1 => read.run(cursor)?,
                _ => return None,
            },
        })
    }
}

impl Default {
    fn field(&self) -> AvroField<'_> {
        match self {
            Self::Null => AvroField::Null,
            Self::Boolean(value) => AvroField::Boolean(*value),
            Self::Long(value) => AvroField::Long(*value),
            Self::Double(value) => AvroField::Double(*value),
            Self::Bytes(value) => AvroField::Bytes(value),
            Self::Symbol(value) => AvroField::Symbol(*value),
        }
    }
}

/// A datum as apache-avro's value, resolved to the reader's schema where one is given.
pub(super) fn resolved(
    id: u32,
    mut datum: &[u8],
    writer: &Schema,
    reader: Option<&Schema>,
) -> Result<Value, AvroError> {
    let broken = |error: apache_avro::Error| AvroError::Datum { id, reason: error.to_string() };
    let built = GenericDatumReader::builder(writer).maybe_reader_schema(reader).build().map_err(broken)?;
    let value = built.read_value(&mut datum).map_err(broken)?;
    if datum.is_empty() { Ok(value) } else { Err(longer(id)) }
}

fn from_value<T: AvroRecord>(id: u32, value: &Value) -> Result<T, AvroError> {
    let Value::Record(fields) = value else {
        return Err(AvroError::Datum { id, reason: "it is not a record".to_string() });
    };
    let found: Vec<_> = fields.iter().map(|(_, value)| field_of(value)).collect();
    T::decode(AvroFields::new(id, &found))
}

/// What a decoder of fields can use of a value; nested records and collections are null to it.
fn field_of(value: &Value) -> AvroField<'_> {
    match value {
        Value::Boolean(value) => AvroField::Boolean(*value),
        Value::Int(value) | Value::Date(value) | Value::TimeMillis(value) => {
            AvroField::Long(i64::from(*value))
        }
        Value::Long(value)
        | Value::TimeMicros(value)
        | Value::TimestampMillis(value)
        | Value::TimestampMicros(value)
        | Value::TimestampNanos(value)
        | Value::LocalTimestampMillis(value)
        | Value::LocalTimestampMicros(value)
        | Value::LocalTimestampNanos(value) => AvroField::Long(*value),
        Value::Float(value) => AvroField::Double(f64::from(*value)),
        Value::Double(value) => AvroField::Double(*value),
        Value::Bytes(value) | Value::Fixed(_, value) => AvroField::Bytes(value),
        Value::String(value) => AvroField::Bytes(value.as_bytes()),
        Value::Enum(position, _) => AvroField::Symbol(*position),
        Value::Union(_, value) => field_of(value),
        _ => AvroField::Null,
    }
}
