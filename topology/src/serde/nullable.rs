//! Nulls: `Option<T>` over any serde of `T`. Owns nothing else.

use super::{DefaultSerde, Format, Serde, SerdeError};

/// `Option<T>` where `None` is Kafka's null, written as no bytes at all.
///
/// ```
/// use candlewick::{Nullable, Serde, StringSerde};
/// let serde = Nullable(StringSerde);
/// assert!(serde.is_null(&None));
/// assert_eq!(serde.deserialize("t", b"x").expect("UTF-8"), Some("x".to_string()));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Nullable<S>(pub S);

impl<T: 'static, S: Serde<T>> Serde<Option<T>> for Nullable<S> {
    fn serialize(&self, topic: &str, value: &Option<T>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        match value {
            Some(value) => self.0.serialize(topic, value, out),
            None => Err(SerdeError::Null { what: "value" }),
        }
    }

    fn deserialize(&self, topic: &str, bytes: &[u8]) -> Result<Option<T>, SerdeError> {
        self.0.deserialize(topic, bytes).map(Some)
    }

    fn is_null(&self, value: &Option<T>) -> bool {
        value.as_ref().is_none_or(|value| self.0.is_null(value))
    }

    fn null(&self) -> Option<Option<T>> {
        Some(None)
    }

    fn partitioned_by(&self, len: usize) -> usize {
        self.0.partitioned_by(len)
    }

    fn format(&self) -> Format {
        self.0.format()
    }

    fn reads(&self, written: &Format) -> Result<(), SerdeError> {
        self.0.reads(written)
    }
}

impl<T: DefaultSerde + 'static> DefaultSerde for Option<T> {
    type Serde = Nullable<T::Serde>;

    fn default_serde() -> Self::Serde {
        Nullable(T::default_serde())
    }
}
