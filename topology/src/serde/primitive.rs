//! Kafka's primitive formats, byte for byte as the JVM's serializers write them. Knows nothing but bytes.

use bytes::Bytes;

use super::{DefaultSerde, Format, Serde, SerdeError};

/// UTF-8 text (Kafka's `StringSerializer`).
///
/// ```
/// use candlewick::{Serde, StringSerde};
/// let mut out = Vec::new();
/// StringSerde.serialize("names", &"Ada".to_owned(), &mut out).expect("text serializes");
/// assert_eq!(out, b"Ada");
/// assert!(StringSerde.deserialize("names", &[0xff]).is_err());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct StringSerde;

/// UTF-8 text for any string type: `Utf8` works for each `T: AsRef<str> + From<&str>`, such as an inline string.
///
/// ```
/// use std::sync::Arc;
/// use candlewick::{Serde, Utf8};
/// let name: Arc<str> = Utf8.deserialize("names", b"Ada").expect("UTF-8");
/// assert_eq!(&*name, "Ada");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Utf8;

/// 64-bit big-endian integer (Kafka's `LongSerializer`).
///
/// ```
/// use candlewick::{I64Serde, Serde};
/// let mut out = Vec::new();
/// I64Serde.serialize("counts", &258, &mut out).expect("numbers serialize");
/// assert_eq!(out, [0, 0, 0, 0, 0, 0, 1, 2]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct I64Serde;

/// 32-bit big-endian integer (Kafka's `IntegerSerializer`).
///
/// ```
/// use candlewick::{I32Serde, Serde};
/// assert_eq!(I32Serde.deserialize("counts", &[0, 0, 1, 2]).expect("four bytes"), 258);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct I32Serde;

/// 64-bit big-endian IEEE 754 number (Kafka's `DoubleSerializer`).
///
/// ```
/// use candlewick::{F64Serde, Serde};
/// let mut out = Vec::new();
/// F64Serde.serialize("prices", &1.5, &mut out).expect("numbers serialize");
/// assert_eq!(F64Serde.deserialize("prices", &out).expect("eight bytes"), 1.5);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct F64Serde;

/// Bytes as they are.
///
/// ```
/// use candlewick::{BytesSerde, Serde};
/// assert_eq!(&BytesSerde.deserialize("raw", &[1, 2]).expect("any bytes do")[..], [1, 2]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BytesSerde;

/// Nothing: the unit value, always null in the log.
///
/// ```
/// use candlewick::{Serde, VoidSerde};
/// assert!(VoidSerde.is_null(&()));
/// assert_eq!(VoidSerde.null(), Some(()));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct VoidSerde;

/// Text is the same whatever type holds it.
const UTF8: &str = "UTF-8";

fn utf8(bytes: &[u8]) -> Result<&str, SerdeError> {
    std::str::from_utf8(bytes).map_err(|source| SerdeError::Source { format: UTF8, source: Box::new(source) })
}

impl Serde<String> for StringSerde {
    fn serialize(&self, _: &str, value: &String, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn deserialize(&self, _: &str, bytes: &[u8]) -> Result<String, SerdeError> {
        utf8(bytes).map(str::to_owned)
    }

    fn format(&self) -> Format {
        Format::named(UTF8)
    }
}

impl<T> Serde<T> for Utf8
where
    T: AsRef<str> + for<'a> From<&'a str> + 'static,
{
    fn serialize(&self, _: &str, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(value.as_ref().as_bytes());
        Ok(())
    }

    fn deserialize(&self, _: &str, bytes: &[u8]) -> Result<T, SerdeError> {
        utf8(bytes).map(T::from)
    }

    fn format(&self) -> Format {
        Format::named(UTF8)
    }
}

macro_rules! big_endian {
    ($serde:ty, $number:ty, $format:literal) => {
        impl Serde<$number> for $serde {
            fn serialize(&self, _: &str, value: &$number, out: &mut Vec<u8>) -> Result<(), SerdeError> {
                out.extend_from_slice(&value.to_be_bytes());
                Ok(())
            }

            fn deserialize(&self, _: &str, bytes: &[u8]) -> Result<$number, SerdeError> {
                let bytes = bytes.try_into().map_err(|_| SerdeError::Malformed {
                    format: $format,
                    reason: format!("{} bytes instead of {}", bytes.len(), size_of::<$number>()),
                })?;
                Ok(<$number>::from_be_bytes(bytes))
            }
        }

        impl DefaultSerde for $number {
            type Serde = $serde;

            fn default_serde() -> Self::Serde {
                <$serde>::default()
            }
        }
    };
}

big_endian!(I64Serde, i64, "64-bit integer");
big_endian!(I32Serde, i32, "32-bit integer");
big_endian!(F64Serde, f64, "64-bit float");

impl Serde<Bytes> for BytesSerde {
    fn serialize(&self, _: &str, value: &Bytes, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        out.extend_from_slice(value);
        Ok(())
    }

    fn deserialize(&self, _: &str, bytes: &[u8]) -> Result<Bytes, SerdeError> {
        Ok(Bytes::copy_from_slice(bytes))
    }
}

impl Serde<()> for VoidSerde {
    fn serialize(&self, _: &str, (): &(), _: &mut Vec<u8>) -> Result<(), SerdeError> {
        Ok(())
    }

    fn deserialize(&self, _: &str, _: &[u8]) -> Result<(), SerdeError> {
        Ok(())
    }

    fn is_null(&self, (): &()) -> bool {
        true
    }

    fn null(&self) -> Option<()> {
        Some(())
    }
}

macro_rules! default_serde {
    ($($value:ty => $serde:ident),*) => {$(
        impl DefaultSerde for $value {
            type Serde = $serde;

            fn default_serde() -> Self::Serde {
                $serde
            }
        }
    )*};
}

default_serde!(String => StringSerde, Bytes => BytesSerde, () => VoidSerde);
