//! How to pass over a value that the reader does not ask for. Knows schemas and cursors only.

use apache_avro::Schema;
use apache_avro::schema::UuidSchema;

use super::cursor::Cursor;

/// What stands in the bytes of a skipped value.
#[derive(Clone, Debug)]
pub(super) enum Skip {
    Nothing,
    Long,
    Bytes,
    Fixed(usize),
    Union(Box<[Skip]>),
    Record(Box<[Skip]>),
    /// Arrays, and maps as arrays of a string and a value.
    Blocks(Box<Skip>),
}

impl Skip {
    /// `None` for schemas that name another one: they may be recursive, and are left to apache-avro.
    pub(super) fn of(schema: &Schema) -> Option<Self> {
        Some(match schema {
            Schema::Null => Self::Nothing,
            Schema::Boolean => Self::Fixed(1),
            Schema::Float => Self::Fixed(4),
            Schema::Double => Self::Fixed(8),
            Schema::Int
            | Schema::Long
            | Schema::Enum(_)
            | Schema::Date
            | Schema::TimeMillis
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => Self::Long,
            Schema::String | Schema::Bytes | Schema::Uuid(UuidSchema::String | UuidSchema::Bytes) => {
                Self::Bytes
            }
            Schema::Fixed(fixed) => Self::Fixed(fixed.size),
            Schema::Union(union) => Self::Union(all(union.variants())?),
            Schema::Record(record) => {
                let fields: Option<Vec<_>> =
                    record.fields.iter().map(|field| Self::of(&field.schema)).collect();
                Self::Record(fields?.into())
            }
            Schema::Array(array) => Self::Blocks(Box::new(Self::of(&array.items)?)),
            Schema::Map(map) => {
                Self::Blocks(Box::new(Self::Record([Self::Bytes, Self::of(&map.types)?].into())))
            }
            _ => return None,
        })
    }

    /// Passes over one value.
    pub(super) fn pass(&self, cursor: &mut Cursor<'_>) -> Option<()> {
        match self {
            Self::Nothing => {}
            Self::Long => {
                cursor.long()?;
            }
            Self::Bytes => {
                cursor.bytes()?;
            }
            Self::Fixed(len) => {
                cursor.take(*len)?;
            }
            Self::Union(branches) => {
                let branch = usize::try_from(cursor.long()?).ok()?;
                branches.get(branch)?.pass(cursor)?;
            }
            Self::Record(fields) => fields.iter().try_for_each(|field| field.pass(cursor))?,
            Self::Blocks(item) => Self::blocks(item, cursor)?,
        }
        Some(())
    }

    fn blocks(item: &Self, cursor: &mut Cursor<'_>) -> Option<()> {
        loop {
            match cursor.long()? {
                0 => return Some(()),
                // A negative count is followed by the block's length in bytes.
                ..0 => {
                    let len = usize::try_from(cursor.long()?).ok()?;
                    cursor.take(len)?;
                }
                // Items without bytes need no turn each: a count of 2⁶² of them is a few bytes long.
                _ if item.is_empty() => {}
                count => {
                    for _ in 0..count {
                        item.pass(cursor)?;
                    }
                }
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Nothing | Self::Fixed(0) => true,
            Self::Record(fields) => fields.iter().all(Self::is_empty),
            _ => false,
        }
    }
}

fn all(schemas: &[Schema]) -> Option<Box<[Skip]>> {
    schemas.iter().map(Skip::of).collect()
}
