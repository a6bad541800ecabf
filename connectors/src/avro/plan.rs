//! The plan by which a datum of one writer's schema is read into the fields of the reader's: compiled once for each
//! schema id, then run on a cursor. Owns the operations; how they are chosen is `resolve`'s.

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;

use super::cursor::Cursor;
use super::error::AvroError;
use super::fields::{Direct, Field, Found, Kind};
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
    /// Straight off the bytes: the writer's layout is the reader's, or the beginning of it.
    Direct { kinds: Box<[Kind]>, added: Box<[(usize, Default)]> },
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
            Self::Direct { kinds, added } => {
                let mut fields = Direct { id, cursor: Cursor::new(datum), kinds, added, at: 0 };
                let value = T::decode(&mut fields)?;
                if fields.is_at_end() { Ok(value) } else { Err(longer(id)) }
            }
            Self::Steps { steps, defaults, fields } if *fields <= FIELDS_FEW => {
                let mut found = [Field::Null; FIELDS_FEW];
                run(id, datum, steps, defaults, &mut found[..*fields])?;
                T::decode(&mut Found { id, fields: &found[..*fields], at: 0 })
            }
            Self::Steps { steps, defaults, fields } => {
                let mut found = [Field::Null; FIELDS_MAX];
                let found = &mut found[..*fields];
                run(id, datum, steps, defaults, found)?;
                T::decode(&mut Found { id, fields: found, at: 0 })
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
    found: &mut [Field<'a>],
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
    fn run<'a>(&self, cursor: &mut Cursor<'a>) -> Option<Field<'a>> {
        Some(match self {
            Self::Long => Field::Long(cursor.long()?),
            Self::Double => Field::Double(cursor.double()?),
            Self::Bytes => Field::Bytes(cursor.bytes()?),
            Self::Symbol(symbols) => {
                let index = usize::try_from(cursor.long()?).ok()?;
                Field::Symbol((*symbols.get(index)?)?)
            }
            Self::Boolean => Field::Boolean(cursor.boolean()?),
            Self::LongAsDouble => Field::Double(cursor.long()? as f64),
            Self::Float => Field::Double(f64::from(cursor.float()?)),
            Self::Fixed(len) => Field::Bytes(cursor.take(*len)?),
            Self::Null => Field::Null,
            Self::Nullable(null, read) => match cursor.long()? {
                branch if branch == *null => Field::Null,
                0 | 1 => read.run(cursor)?,
                _ => return None,
            },
        })
    }
}

impl Default {
    #[inline(always)]
    pub(super) fn field(&self) -> Field<'_> {
        match self {
            Self::Null => Field::Null,
            Self::Boolean(value) => Field::Boolean(*value),
            Self::Long(value) => Field::Long(*value),
            Self::Double(value) => Field::Double(*value),
            Self::Bytes(value) => Field::Bytes(value),
            Self::Symbol(value) => Field::Symbol(*value),
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
    T::decode(&mut Found { id, fields: &found, at: 0 })
}

/// What a decoder of fields can use of a value; nested records and collections are null to it.
fn field_of(value: &Value) -> Field<'_> {
    match value {
        Value::Boolean(value) => Field::Boolean(*value),
        Value::Int(value) | Value::Date(value) | Value::TimeMillis(value) => Field::Long(i64::from(*value)),
        Value::Long(value)
        | Value::TimeMicros(value)
        | Value::TimestampMillis(value)
        | Value::TimestampMicros(value)
        | Value::TimestampNanos(value)
        | Value::LocalTimestampMillis(value)
        | Value::LocalTimestampMicros(value)
        | Value::LocalTimestampNanos(value) => Field::Long(*value),
        Value::Float(value) => Field::Double(f64::from(*value)),
        Value::Double(value) => Field::Double(*value),
        Value::Bytes(value) | Value::Fixed(_, value) => Field::Bytes(value),
        Value::String(value) => Field::Bytes(value.as_bytes()),
        Value::Enum(position, _) => Field::Symbol(*position),
        Value::Union(_, value) => field_of(value),
        _ => Field::Null,
    }
}
