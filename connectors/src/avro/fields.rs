//! What a decoder found, one place for each field of the reader's schema. Owns the access by type; must not know where
//! the values come from.

use super::error::AvroError;

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AvroField<'a> {
    /// A null, or nothing was found.
    Null,
    /// A boolean.
    Boolean(bool),
    /// An int or long, of any logical type.
    Long(i64),
    /// A float or double.
    Double(f64),
    /// A string, bytes or fixed.
    Bytes(&'a [u8]),
    /// The position of a symbol in the reader's enum.
    Symbol(u32),
}

/// The fields of a record in the order of its own schema.
#[derive(Clone, Copy, Debug)]
pub struct AvroFields<'s, 'a> {
    id: u32,
    fields: &'s [AvroField<'a>],
}

impl<'s, 'a> AvroFields<'s, 'a> {
    pub(super) fn new(id: u32, fields: &'s [AvroField<'a>]) -> Self {
        Self { id, fields }
    }

    /// The field at `index`.
    #[must_use]
    #[inline(always)]
    pub fn get(&self, index: usize) -> AvroField<'a> {
        self.fields.get(index).copied().unwrap_or(AvroField::Null)
    }

    /// A long.
    ///
    /// # Errors
    /// When the field is something else.
    #[inline(always)]
    pub fn long(&self, index: usize) -> Result<i64, AvroError> {
        match self.get(index) {
            AvroField::Long(value) => Ok(value),
            other => Err(self.unexpected(index, "a long", other)),
        }
    }

    /// A double.
    ///
    /// # Errors
    /// When the field is something else.
    #[inline(always)]
    pub fn double(&self, index: usize) -> Result<f64, AvroError> {
        match self.get(index) {
            AvroField::Double(value) => Ok(value),
            other => Err(self.unexpected(index, "a double", other)),
        }
    }

    /// A boolean.
    ///
    /// # Errors
    /// When the field is something else.
    pub fn boolean(&self, index: usize) -> Result<bool, AvroError> {
        match self.get(index) {
            AvroField::Boolean(value) => Ok(value),
            other => Err(self.unexpected(index, "a boolean", other)),
        }
    }

    /// A string.
    ///
    /// # Errors
    /// When the field is something else or not UTF-8.
    #[inline(always)]
    pub fn text(&self, index: usize) -> Result<&'a str, AvroError> {
        let bytes = self.bytes(index)?;
        std::str::from_utf8(bytes).map_err(|_| self.fault(index, "it is not UTF-8 text"))
    }

    /// Bytes.
    ///
    /// # Errors
    /// When the field is something else.
    #[inline(always)]
    pub fn bytes(&self, index: usize) -> Result<&'a [u8], AvroError> {
        match self.get(index) {
            AvroField::Bytes(value) => Ok(value),
            other => Err(self.unexpected(index, "a string", other)),
        }
    }

    /// The position of an enum's symbol.
    ///
    /// # Errors
    /// When the field is something else.
    #[inline(always)]
    pub fn symbol(&self, index: usize) -> Result<u32, AvroError> {
        match self.get(index) {
            AvroField::Symbol(value) => Ok(value),
            other => Err(self.unexpected(index, "an enum", other)),
        }
    }

    /// The error that says what is wrong with the field at `index`.
    #[cold]
    pub fn fault(&self, index: usize, what: impl std::fmt::Display) -> AvroError {
        AvroError::Datum { id: self.id, reason: format!("field {index}: {what}") }
    }

    #[cold]
    fn unexpected(&self, index: usize, expected: &str, found: AvroField<'_>) -> AvroError {
        self.fault(index, format_args!("{found:?} instead of {expected}"))
    }
}
