//! Serialization: how typed keys and values become bytes and back. Owns the [`Serde`] trait, the primitive, JSON and
//! windowed-key formats and Kafka's partitioning hash. Must not know topic configuration, stores or clients.

mod format;
mod json;
pub(crate) mod murmur2;
pub(crate) mod murmur3;
mod nullable;
mod primitive;

pub use format::Format;
pub use json::Json;
pub use murmur2::partition_for_key;
pub use nullable::Nullable;
pub use primitive::{BytesSerde, F64Serde, I32Serde, I64Serde, StringSerde, Utf8, VoidSerde};

/// Why bytes could not become a value, or a value bytes.
///
/// ```
/// use candlewick::{I64Serde, Serde, SerdeError};
/// let error = I64Serde.deserialize("prices", b"abc").expect_err("three bytes");
/// assert!(matches!(error, SerdeError::Malformed { .. }));
/// assert_eq!(error.to_string(), "64-bit integer: 3 bytes instead of 8");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SerdeError {
    /// The bytes are not what the format asks for.
    #[error("{format}: {reason}")]
    Malformed {
        /// The format that was expected.
        format: &'static str,
        /// What is wrong with the bytes.
        reason: String,
    },
    /// A null where the type has no null. Declare the stream with `Option<_>` and [`Nullable`] to admit it.
    #[error("null {what}: declare the type as Option<_> with a Nullable serde to admit nulls")]
    Null {
        /// Key or value.
        what: &'static str,
    },
    /// Bytes that were written in another format than the one they would be read in.
    #[error("written as {written}, and {reason}")]
    OtherFormat {
        /// The format of the bytes.
        written: String,
        /// Why they cannot be read.
        reason: String,
    },
    /// Another library's error.
    #[error("{format}: {source}")]
    Source {
        /// The format that was expected.
        format: &'static str,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Turns values of `T` into bytes and back.
///
/// `topic` names the topic the bytes are read from or written to: a registry serde derives its subject from it.
///
/// ```
/// use candlewick::{Serde, StringSerde};
/// let mut out = Vec::new();
/// StringSerde.serialize("prices", &"BTC".to_string(), &mut out).expect("strings always serialize");
/// assert_eq!(StringSerde.deserialize("prices", &out).expect("valid UTF-8"), "BTC");
/// ```
///
/// A format of your own:
///
/// ```
/// use candlewick::{Serde, SerdeError};
///
/// /// Prices as whole cents, in four bytes; a price of nothing is null.
/// struct Cents;
///
/// impl Serde<f64> for Cents {
///     fn serialize(&self, _: &str, price: &f64, out: &mut Vec<u8>) -> Result<(), SerdeError> {
///         out.extend_from_slice(&((price * 100.0).round() as i32).to_be_bytes());
///         Ok(())
///     }
///
///     fn deserialize(&self, _: &str, bytes: &[u8]) -> Result<f64, SerdeError> {
///         let bytes = bytes.try_into().map_err(|_| SerdeError::Malformed {
///             format: "cents",
///             reason: format!("{} bytes instead of 4", bytes.len()),
///         })?;
///         Ok(f64::from(i32::from_be_bytes(bytes)) / 100.0)
///     }
///
///     fn is_null(&self, price: &f64) -> bool {
///         *price == 0.0
///     }
///
///     fn null(&self) -> Option<f64> {
///         Some(0.0)
///     }
/// }
/// # use candlewick::*;
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::with(StringSerde, Cents)).map_values(|price| price * 2.0).to("out", Produced::with(StringSerde, Cents));
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # for price in [Some(150), None] { driver.input_topic("in", StringSerde, Nullable(I32Serde)).pipe("k".to_owned(), price, Timestamp(0)).expect("processed"); }
/// # let out = driver.output_topic::<String, Option<i32>>("out", StringSerde, Nullable(I32Serde));
/// # let doubled: Vec<Option<i32>> = out.read_all().into_iter().map(|(_, price, _)| price).collect();
/// // Of 150 cents and a null, where prices are doubled:
/// assert_eq!(doubled, [Some(300), None]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not write and read `{T}`",
    label = "a serde of `{T}` is needed here",
    note = "`Json` is a serde of every type that derives serde's `Serialize` and `Deserialize`; `Nullable(serde)` is one of an `Option`"
)]
pub trait Serde<T>: Send + Sync + 'static {
    /// Appends the bytes of `value` to `out`. Never called for a value that [`is_null`](Self::is_null).
    ///
    /// # Errors
    /// When the value has no representation in this format.
    fn serialize(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError>;

    /// Reads a value.
    ///
    /// # Errors
    /// When the bytes are not in this format.
    fn deserialize(&self, topic: &str, bytes: &[u8]) -> Result<T, SerdeError>;

    /// Whether this value stands for null: no bytes at all, a tombstone in a compacted topic.
    fn is_null(&self, value: &T) -> bool {
        let _ = value;
        false
    }

    /// The value that stands for null, where the type has one.
    fn null(&self) -> Option<T> {
        None
    }

    /// How many of a serialized key's `len` bytes, from the first on, tell its partition: all of them, except for windowed
    /// keys, whose windows stay where the key goes.
    fn partitioned_by(&self, len: usize) -> usize {
        len
    }

    /// What the bytes are, for the application's manifest: a version that would read the rows of a store in another format
    /// is refused at its start. The name of the serde's type, unless it says otherwise.
    fn format(&self) -> Format {
        Format::of_type::<Self>()
    }

    /// Whether this serde reads what was written in another format or by another schema. By default it reads its own
    /// format alone.
    ///
    /// ```
    /// use candlewick::{I64Serde, Serde, StringSerde};
    /// assert!(I64Serde.reads(&I64Serde.format()).is_ok());
    /// let error = I64Serde.reads(&StringSerde.format()).expect_err("text is no number");
    /// assert_eq!(error.to_string(), "written as UTF-8, and read as I64Serde now");
    /// ```
    ///
    /// # Errors
    /// [`SerdeError::OtherFormat`] when it cannot.
    fn reads(&self, written: &Format) -> Result<(), SerdeError> {
        let own = self.format();
        if written.name() == own.name() {
            return Ok(());
        }
        let reason = format!("read as {own} now");
        Err(SerdeError::OtherFormat { written: written.to_string(), reason })
    }
}

impl<T: 'static> Serde<T> for std::sync::Arc<dyn Serde<T>> {
    fn serialize(&self, topic: &str, value: &T, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        (**self).serialize(topic, value, out)
    }

    fn deserialize(&self, topic: &str, bytes: &[u8]) -> Result<T, SerdeError> {
        (**self).deserialize(topic, bytes)
    }

    fn is_null(&self, value: &T) -> bool {
        (**self).is_null(value)
    }

    fn null(&self) -> Option<T> {
        (**self).null()
    }

    fn partitioned_by(&self, len: usize) -> usize {
        (**self).partitioned_by(len)
    }

    fn format(&self) -> Format {
        (**self).format()
    }

    fn reads(&self, written: &Format) -> Result<(), SerdeError> {
        (**self).reads(written)
    }
}

/// Types with a serde everybody expects, so that options need not name it.
///
/// ```
/// use candlewick::{Consumed, DefaultSerde, Json};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Trade { price: f64 }
///
/// impl DefaultSerde for Trade {
///     type Serde = Json;
///
///     fn default_serde() -> Json {
///         Json
///     }
/// }
///
/// // Trades are read as JSON without a word.
/// let consumed = Consumed::<String, Trade>::default();
/// # let _ = consumed;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default serde",
    label = "no serde is named, and `{Self}` has none of its own",
    note = "name the serdes with the option's `with(…)`: `Json` is one of every type that derives serde's `Serialize` and `Deserialize`"
)]
pub trait DefaultSerde: Sized {
    /// The serde used when none is named.
    type Serde: Serde<Self>;

    /// Makes it.
    fn default_serde() -> Self::Serde;
}

/// Reads a value where null is possible.
pub(crate) fn read<T: 'static>(
    serde: &dyn Serde<T>,
    topic: &str,
    what: &'static str,
    bytes: Option<&[u8]>,
) -> Result<T, SerdeError> {
    match bytes {
        Some(bytes) => serde.deserialize(topic, bytes),
        None => serde.null().ok_or(SerdeError::Null { what }),
    }
}
