//! The fields of a record, taken one after the other in the order of the reader's schema. Owns the two ways to them: off
//! the bytes where the writer's layout is the reader's, and from what a plan has found where it is not.

use super::cursor::Cursor;
use super::error::AvroError;
use super::plan::Default;

/// The fields of a record. Each call takes the next one, in the order of the type's own schema.
///
/// ```
/// use candlewick_connectors::avro::{AvroError, AvroFields};
/// /// A nullable double, as a record's `decode` takes it.
/// fn price<'a>(fields: &mut impl AvroFields<'a>) -> Result<Option<f64>, AvroError> {
///     if fields.null() { Ok(None) } else { fields.double().map(Some) }
/// }
/// # use {candlewick::Serde, candlewick_connectors::avro::*};
/// # #[derive(Debug, PartialEq)] struct Quote(Option<f64>);
/// # impl AvroRecord for Quote {
/// #     fn schema() -> &'static str { r#"{"type":"record","name":"Quote","fields":[{"name":"price","type":["null","double"]}]}"# }
/// #     fn encode(&self, out: &mut Vec<u8>) { put_long(self.0.is_some().into(), out); self.0.iter().for_each(|price| put_double(*price, out)); }
/// #     fn decode<'a>(fields: &mut impl AvroFields<'a>) -> Result<Self, AvroError> { price(fields).map(Self) }
/// # }
/// # let serde = AvroSerde::<Quote>::new(std::sync::Arc::new(MemoryRegistry::new()))?;
/// # for quote in [Quote(None), Quote(Some(42.5))] {
/// #     let mut bytes = Vec::new();
/// #     serde.serialize("quotes", &quote, &mut bytes)?;
/// #     assert_eq!(serde.deserialize("quotes", &bytes)?, quote);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait AvroFields<'a> {
    /// Takes an int or long, of any logical type.
    ///
    /// # Errors
    /// When the next field is something else.
    fn long(&mut self) -> Result<i64, AvroError>;

    /// Takes a float or double.
    ///
    /// # Errors
    /// When the next field is something else.
    fn double(&mut self) -> Result<f64, AvroError>;

    /// Takes a boolean.
    ///
    /// # Errors
    /// When the next field is something else.
    fn boolean(&mut self) -> Result<bool, AvroError>;

    /// Takes bytes, a fixed or a string.
    ///
    /// # Errors
    /// When the next field is something else.
    fn bytes(&mut self) -> Result<&'a [u8], AvroError>;

    /// Takes an enum: the position of its symbol in the type's own schema.
    ///
    /// # Errors
    /// When the next field is something else.
    fn symbol(&mut self) -> Result<u32, AvroError>;

    /// Takes the next field if it is null, and says so; otherwise it is still there.
    fn null(&mut self) -> bool;

    /// The error that says what is wrong with the field that was taken last.
    fn fault(&self, what: &dyn std::fmt::Display) -> AvroError;

    /// Takes a string.
    ///
    /// # Errors
    /// When the next field is something else or not UTF-8.
    #[inline(always)]
    fn text(&mut self) -> Result<&'a str, AvroError> {
        let bytes = self.bytes()?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text),
            Err(_) => Err(self.fault(&"it is not UTF-8 text")),
        }
    }
}

/// The type of a field that is read off the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Long,
    Double,
    Bytes,
    /// An enum of this many symbols, in the reader's order.
    Symbol(u32),
}

/// Fields off the bytes of a writer with the reader's layout; those that the reader added behind it are its defaults.
pub(super) struct Direct<'a> {
    pub(super) id: u32,
    pub(super) cursor: Cursor<'a>,
    pub(super) kinds: &'a [Kind],
    pub(super) added: &'a [(usize, Default)],
    pub(super) at: usize,
}

impl<'a> Direct<'a> {
    /// The next field's type; `None` behind the writer's last one.
    #[inline(always)]
    fn kind(&mut self) -> Option<&'a Kind> {
        let kind = self.kinds.get(self.at);
        self.at += 1;
        kind
    }

    /// The default of the field that was taken last.
    #[inline(always)]
    fn default(&self) -> Field<'a> {
        self.added.get(self.at - 1 - self.kinds.len()).map_or(Field::Null, |(_, default)| default.field())
    }

    /// Whether every field was taken and every byte read.
    #[inline(always)]
    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.kinds.len() + self.added.len() && self.cursor.is_at_end()
    }
}

#[cold]
fn fault(id: u32, at: usize, what: &dyn std::fmt::Display) -> AvroError {
    AvroError::Datum { id, reason: format!("field number {at}: {what}") }
}

#[cold]
fn broken(id: u32, at: usize, expected: &str) -> AvroError {
    fault(id, at, &format_args!("it is not {expected}, or the bytes end in it"))
}

impl<'a> AvroFields<'a> for Direct<'a> {
    #[inline(always)]
    fn long(&mut self) -> Result<i64, AvroError> {
        let value = match self.kind() {
            Some(Kind::Long) => self.cursor.long(),
            None => self.default().long(),
            Some(_) => None,
        };
        value.ok_or_else(|| broken(self.id, self.at, "a long"))
    }

    #[inline(always)]
    fn double(&mut self) -> Result<f64, AvroError> {
        let value = match self.kind() {
            Some(Kind::Double) => self.cursor.double(),
            None => self.default().double(),
            Some(_) => None,
        };
        value.ok_or_else(|| broken(self.id, self.at, "a double"))
    }

    #[inline(always)]
    fn boolean(&mut self) -> Result<bool, AvroError> {
        let value = match self.kind() {
            Some(Kind::Boolean) => self.cursor.boolean(),
            None => self.default().boolean(),
            Some(_) => None,
        };
        value.ok_or_else(|| broken(self.id, self.at, "a boolean"))
    }

    #[inline(always)]
    fn bytes(&mut self) -> Result<&'a [u8], AvroError> {
        let value = match self.kind() {
            Some(Kind::Bytes) => self.cursor.bytes(),
            None => self.default().bytes(),
            Some(_) => None,
        };
        value.ok_or_else(|| broken(self.id, self.at, "a string"))
    }

    #[inline(always)]
    fn symbol(&mut self) -> Result<u32, AvroError> {
        let value = match self.kind() {
            Some(Kind::Symbol(count)) => {
                self.cursor.long().and_then(|at| u32::try_from(at).ok()).filter(|at| at < count)
            }
            None => self.default().symbol(),
            Some(_) => None,
        };
        value.ok_or_else(|| broken(self.id, self.at, "a symbol of the enum"))
    }

    #[inline(always)]
    fn null(&mut self) -> bool {
        // The writer's own fields have no null in this way of reading.
        let added = self.at.checked_sub(self.kinds.len()).and_then(|at| self.added.get(at));
        let null = matches!(added, Some((_, Default::Null)));
        self.at += usize::from(null);
        null
    }

    fn fault(&self, what: &dyn std::fmt::Display) -> AvroError {
        fault(self.id, self.at, what)
    }
}

/// The value of one field that a plan has found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Field<'a> {
    Null,
    Boolean(bool),
    Long(i64),
    Double(f64),
    Bytes(&'a [u8]),
    Symbol(u32),
}

/// Fields that a plan has found.
pub(super) struct Found<'s, 'a> {
    pub(super) id: u32,
    pub(super) fields: &'s [Field<'a>],
    pub(super) at: usize,
}

impl<'a> Found<'_, 'a> {
    #[inline(always)]
    fn take(&mut self) -> Field<'a> {
        let field = self.fields.get(self.at).copied().unwrap_or(Field::Null);
        self.at += 1;
        field
    }
}

impl<'a> Field<'a> {
    #[inline(always)]
    fn long(self) -> Option<i64> {
        if let Self::Long(value) = self { Some(value) } else { None }
    }

    #[inline(always)]
    fn double(self) -> Option<f64> {
        if let Self::Double(value) = self { Some(value) } else { None }
    }

    #[inline(always)]
    fn boolean(self) -> Option<bool> {
        if let Self::Boolean(value) = self { Some(value) } else { None }
    }

    #[inline(always)]
    fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(value) = self { Some(value) } else { None }
    }

    #[inline(always)]
    fn symbol(self) -> Option<u32> {
        if let Self::Symbol(value) = self { Some(value) } else { None }
    }
}

impl<'a> AvroFields<'a> for Found<'_, 'a> {
    #[inline(always)]
    fn long(&mut self) -> Result<i64, AvroError> {
        self.take().long().ok_or_else(|| broken(self.id, self.at, "a long"))
    }

    #[inline(always)]
    fn double(&mut self) -> Result<f64, AvroError> {
        self.take().double().ok_or_else(|| broken(self.id, self.at, "a double"))
    }

    #[inline(always)]
    fn boolean(&mut self) -> Result<bool, AvroError> {
        self.take().boolean().ok_or_else(|| broken(self.id, self.at, "a boolean"))
    }

    #[inline(always)]
    fn bytes(&mut self) -> Result<&'a [u8], AvroError> {
        self.take().bytes().ok_or_else(|| broken(self.id, self.at, "a string"))
    }

    #[inline(always)]
    fn symbol(&mut self) -> Result<u32, AvroError> {
        self.take().symbol().ok_or_else(|| broken(self.id, self.at, "a symbol of the enum"))
    }

    #[inline(always)]
    fn null(&mut self) -> bool {
        let null = matches!(self.fields.get(self.at), None | Some(Field::Null));
        self.at += usize::from(null);
        null
    }

    fn fault(&self, what: &dyn std::fmt::Display) -> AvroError {
        fault(self.id, self.at, what)
    }
}
