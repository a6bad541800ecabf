//! What a serde's bytes are, told so that a later version of a program can be compared with it. Owns the name and the
//! schema; must not know who compares them.

use serde::{Deserialize, Serialize};

/// The format of a serde's bytes: a name, and a schema where there is one.
///
/// ```
/// use candlewick::{Format, I64Serde, Json, Nullable, Serde, StringSerde};
/// assert_eq!(I64Serde.format(), Format::named("I64Serde"));
/// // A null is no bytes at all: the others are those of the serde inside.
/// assert_eq!(Nullable(StringSerde).format(), StringSerde.format());
/// // What the type is, JSON does not say.
/// assert_eq!(Serde::<i64>::format(&Json), Serde::<String>::format(&Json));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Format {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
}

impl Format {
    /// A format of this name, without a schema.
    ///
    /// ```
    /// use candlewick::Format;
    /// assert_eq!(Format::named("CSV").to_string(), "CSV");
    /// assert_eq!(Format::named("CSV").schema(), None);
    /// ```
    #[must_use]
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), schema: None }
    }

    /// The same, with the schema that is written.
    ///
    /// ```
    /// use candlewick::Format;
    /// let format = Format::named("Avro").with_schema(r#""long""#);
    /// assert_eq!((format.name(), format.schema()), ("Avro", Some(r#""long""#)));
    /// ```
    #[must_use]
    pub fn with_schema(self, schema: &str) -> Self {
        Self { schema: Some(schema.to_owned()), ..self }
    }

    /// Its name.
    ///
    /// ```
    /// use candlewick::{Serde, StringSerde};
    /// assert_eq!(StringSerde.format().name(), "UTF-8");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The schema that is written, where the format has one.
    ///
    /// ```
    /// use candlewick::Format;
    /// assert_eq!(Format::named("Avro").with_schema(r#""long""#).schema(), Some(r#""long""#));
    /// ```
    #[must_use]
    pub fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The same inside of another one: a windowed key is a key with a window behind it.
    #[must_use]
    pub(crate) fn within(self, outer: &str) -> Self {
        Self { name: format!("{outer} {}", self.name), ..self }
    }

    /// The name of a type, without the modules it lies in and what it is over: both may change while the bytes do not.
    pub(super) fn of_type<S: ?Sized>() -> Self {
        let whole = std::any::type_name::<S>();
        let plain = whole.split('<').next().unwrap_or(whole);
        Self::named(plain.rsplit("::").next().unwrap_or(plain))
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}
