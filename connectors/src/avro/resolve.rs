//! Which steps read a writer's schema as the reader's, by Avro's rules of schema resolution. Pure: schemas in, a plan or
//! a reason out.

use apache_avro::Schema;
use apache_avro::schema::{EnumSchema, RecordField, UuidSchema};
use apache_avro::schema_compatibility::SchemaCompatibility;
use serde_json::Value as Json;

use super::fields::Kind as DirectKind;
use super::plan::{Default, FIELDS_MAX, Plan, Read, Step};
use super::skip::Skip;

/// Why there are no steps.
enum Obstacle {
    /// The data can never be read as this type.
    Never(String),
    /// The shapes are beyond the steps.
    Beyond,
}

/// The plan for data of `writer` as `reader`; the error says why they cannot be read.
pub(super) fn compile(writer: &Schema, reader: &Schema) -> Result<Plan, String> {
    match steps(writer, reader) {
        Ok(plan) => Ok(plan),
        Err(Obstacle::Never(reason)) => Err(reason),
        Err(Obstacle::Beyond) => {
            SchemaCompatibility::can_read(writer, reader).map_err(|error| error.to_string())?;
            Ok(Plan::Values { writer: Box::new(writer.clone()) })
        }
    }
}

fn steps(writer: &Schema, reader: &Schema) -> Result<Plan, Obstacle> {
    let (Schema::Record(written), Schema::Record(wanted)) = (writer, reader) else {
        return Err(Obstacle::Beyond);
    };
    if wanted.fields.len() > FIELDS_MAX {
        return Err(Obstacle::Beyond);
    }
    let mut taken = vec![false; wanted.fields.len()];
    let mut steps = Vec::with_capacity(written.fields.len());
    for field in &written.fields {
        let found =
            wanted.fields.iter().position(|own| own.name == field.name || own.aliases.contains(&field.name));
        match found.filter(|at| !taken[*at]) {
            Some(at) => {
                taken[at] = true;
                steps.push(Step::Read(at, read(&field.schema, &wanted.fields[at])?));
            }
            None => steps.push(Step::Skip(Skip::of(&field.schema).ok_or(Obstacle::Beyond)?)),
        }
    }
    let missing = wanted.fields.iter().enumerate().filter(|(at, _)| !taken[*at]);
    let defaults: Result<Vec<_>, _> = missing.map(|(at, field)| Ok((at, default(field)?))).collect();
    let defaults = defaults?.into();
    // Where the steps are the reader's first fields in order, the fields without one are those behind them.
    match direct(&steps) {
        Some(kinds) => Ok(Plan::Direct { kinds, added: defaults }),
        None => Ok(Plan::Steps { steps: steps.into(), defaults, fields: wanted.fields.len() }),
    }
}

/// The types of the fields where each step reads the next field without any conversion.
fn direct(steps: &[Step]) -> Option<Box<[DirectKind]>> {
    let kinds = steps.iter().enumerate().map(|(number, step)| match step {
        Step::Read(at, read) if *at == number => match read {
            Read::Boolean => Some(DirectKind::Boolean),
            Read::Long => Some(DirectKind::Long),
            Read::Double => Some(DirectKind::Double),
            Read::Bytes => Some(DirectKind::Bytes),
            Read::Symbol(symbols) => {
                let same = symbols.iter().zip(0..).all(|(symbol, own)| *symbol == Some(own));
                same.then_some(DirectKind::Symbol(u32::try_from(symbols.len()).ok()?))
            }
            _ => None,
        },
        _ => None,
    });
    kinds.collect()
}

fn read(writer: &Schema, field: &RecordField) -> Result<Read, Obstacle> {
    let wanted = &field.schema;
    let (inner, nullable) = match branches(wanted)? {
        Some((_, inner)) => (inner, true),
        None => (wanted, false),
    };
    let mismatch = || {
        let reason = format!("the field {} is {writer:?} in the data and {wanted:?} in the type", field.name);
        Obstacle::Never(reason)
    };
    if matches!(writer, Schema::Null) {
        let fits = nullable || matches!(wanted, Schema::Null);
        return if fits { Ok(Read::Null) } else { Err(mismatch()) };
    }
    match branches(writer)? {
        // Whether a null is allowed is the type's own matter: it answers with an error where it is not.
        Some((null, written)) => {
            let value = plain(written, inner)?.ok_or_else(mismatch)?;
            Ok(Read::Nullable(null, Box::new(value)))
        }
        None => plain(writer, inner)?.ok_or_else(mismatch),
    }
}

/// The branch that is null and the other schema of a union of two; `None` for what is no union.
fn branches(schema: &Schema) -> Result<Option<(i64, &Schema)>, Obstacle> {
    let Schema::Union(union) = schema else { return Ok(None) };
    match union.variants() {
        [Schema::Null, other] if !matches!(other, Schema::Union(_)) => Ok(Some((0, other))),
        [other, Schema::Null] if !matches!(other, Schema::Union(_)) => Ok(Some((1, other))),
        _ => Err(Obstacle::Beyond),
    }
}

/// How a plain value is read as another, with Avro's promotions; `None` where it never is.
fn plain(writer: &Schema, reader: &Schema) -> Result<Option<Read>, Obstacle> {
    Ok(match (kind(writer)?, kind(reader)?) {
        (Kind::Boolean, Kind::Boolean) => Some(Read::Boolean),
        (Kind::Int, Kind::Int) | (Kind::Int | Kind::Long, Kind::Long) => Some(Read::Long),
        (Kind::Int | Kind::Long, Kind::Float | Kind::Double) => Some(Read::LongAsDouble),
        (Kind::Float, Kind::Float | Kind::Double) => Some(Read::Float),
        (Kind::Double, Kind::Double) => Some(Read::Double),
        (Kind::Bytes, Kind::Bytes) => Some(Read::Bytes),
        (Kind::Fixed(one), Kind::Fixed(other)) if one == other => Some(Read::Fixed(one)),
        (Kind::Enum(written), Kind::Enum(wanted)) => Some(Read::Symbol(symbols(written, wanted))),
        (Kind::Null, Kind::Null) => Some(Read::Null),
        _ => None,
    })
}

enum Kind<'a> {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Fixed(usize),
    Enum(&'a EnumSchema),
}

fn kind(schema: &Schema) -> Result<Kind<'_>, Obstacle> {
    Ok(match schema {
        Schema::Null => Kind::Null,
        Schema::Boolean => Kind::Boolean,
        Schema::Int | Schema::Date | Schema::TimeMillis => Kind::Int,
        Schema::Long
        | Schema::TimeMicros
        | Schema::TimestampMillis
        | Schema::TimestampMicros
        | Schema::TimestampNanos
        | Schema::LocalTimestampMillis
        | Schema::LocalTimestampMicros
        | Schema::LocalTimestampNanos => Kind::Long,
        Schema::Float => Kind::Float,
        Schema::Double => Kind::Double,
        Schema::String | Schema::Bytes | Schema::Uuid(UuidSchema::String | UuidSchema::Bytes) => Kind::Bytes,
        Schema::Fixed(fixed) => Kind::Fixed(fixed.size),
        Schema::Enum(symbols) => Kind::Enum(symbols),
        _ => return Err(Obstacle::Beyond),
    })
}

fn symbols(written: &EnumSchema, wanted: &EnumSchema) -> Box<[Option<u32>]> {
    let fallback = wanted.default.as_ref().and_then(|symbol| position(wanted, symbol));
    written.symbols.iter().map(|symbol| position(wanted, symbol).or(fallback)).collect()
}

fn position(wanted: &EnumSchema, symbol: &str) -> Option<u32> {
    let at = wanted.symbols.iter().position(|own| own == symbol)?;
    u32::try_from(at).ok()
}

fn default(field: &RecordField) -> Result<Default, Obstacle> {
    let Some(value) = &field.default else {
        return Err(Obstacle::Never(format!(
            "the data have no field {} and the type has no default for it",
            field.name
        )));
    };
    // The default of a union belongs to its first branch.
    let schema = match &field.schema {
        Schema::Union(union) => union.variants().first().ok_or(Obstacle::Beyond)?,
        other => other,
    };
    match (kind(schema)?, value) {
        (Kind::Null, Json::Null) => Ok(Default::Null),
        (Kind::Boolean, Json::Bool(value)) => Ok(Default::Boolean(*value)),
        (Kind::Int | Kind::Long, Json::Number(value)) => {
            value.as_i64().map(Default::Long).ok_or(Obstacle::Beyond)
        }
        (Kind::Float | Kind::Double, Json::Number(value)) => {
            value.as_f64().map(Default::Double).ok_or(Obstacle::Beyond)
        }
        // Bytes are written in JSON as characters up to 255; only those below 128 are the same as text.
        (Kind::Bytes, Json::String(value)) if matches!(schema, Schema::String) || value.is_ascii() => {
            Ok(Default::Bytes(value.as_bytes().into()))
        }
        (Kind::Enum(wanted), Json::String(value)) => {
            position(wanted, value).map(Default::Symbol).ok_or(Obstacle::Beyond)
        }
        _ => Err(Obstacle::Beyond),
    }
}
