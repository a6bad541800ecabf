//! Sessions: stretches of activity between gaps, and how windowed keys of sessions are written.

use std::sync::Arc;
use std::time::Duration;

use super::windows::{Window, Windowed};
use crate::serde::{Format, Serde, SerdeError};
use crate::state::Session;
use crate::time::{Timestamp, millis};

/// Windows that go on while records of a key come, and end when none comes for longer than the inactivity gap. A record
/// between two sessions makes one of them.
///
/// ```
/// use candlewick::SessionWindows;
/// use std::time::Duration;
/// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(300), Duration::from_secs(10));
/// assert_eq!(visits.inactivity_gap_ms(), 300_000);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionWindows {
    gap: i64,
    grace: i64,
}

impl SessionWindows {
    /// Sessions with gaps longer than `gap`; a record that would belong to a session which ended more than `gap` and
    /// `grace` of stream time ago is dropped.
    ///
    /// ```
    /// # use {candlewick::SessionWindows, std::time::Duration};
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(300), Duration::from_secs(10));
    /// assert_eq!((visits.inactivity_gap_ms(), visits.grace_ms()), (300_000, 10_000));
    /// ```
    #[must_use]
    pub fn of_inactivity_gap_and_grace(gap: Duration, grace: Duration) -> Self {
        Self { gap: millis(gap), grace: millis(grace) }
    }

    /// Sessions with gaps longer than `gap`, which close as soon as the gap is over.
    ///
    /// ```
    /// use candlewick::SessionWindows;
    /// use std::time::Duration;
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(300));
    /// assert_eq!((visits.inactivity_gap_ms(), visits.grace_ms()), (300_000, 0));
    /// ```
    #[must_use]
    pub fn of_inactivity_gap_with_no_grace(gap: Duration) -> Self {
        Self::of_inactivity_gap_and_grace(gap, Duration::ZERO)
    }

    /// The inactivity gap in milliseconds.
    ///
    /// ```
    /// # use {candlewick::SessionWindows, std::time::Duration};
    /// let visits = SessionWindows::of_inactivity_gap_with_no_grace(Duration::from_secs(300));
    /// assert_eq!(visits.inactivity_gap_ms(), 300_000);
    /// ```
    #[must_use]
    pub const fn inactivity_gap_ms(&self) -> i64 {
        self.gap
    }

    /// Grace in milliseconds.
    ///
    /// ```
    /// # use {candlewick::SessionWindows, std::time::Duration};
    /// let visits = SessionWindows::of_inactivity_gap_and_grace(Duration::from_secs(300), Duration::from_secs(10));
    /// assert_eq!(visits.grace_ms(), 10_000);
    /// ```
    #[must_use]
    pub const fn grace_ms(&self) -> i64 {
        self.grace
    }
}

/// A session as the window of a key: its end is its last time, inside.
pub(crate) fn window_of(session: Session) -> Window {
    Window { start: session.start, end: session.end }
}

/// Windowed keys of sessions as the JVM's `SessionWindowedSerializer` writes them: the key's bytes, end and start.
///
/// ```
/// use candlewick::{Serde, SessionWindowedSerde, StringSerde, Timestamp, Window, Windowed};
/// let serde = SessionWindowedSerde::new(StringSerde);
/// let window = Window { start: Timestamp(10), end: Timestamp(25) };
/// let key = Windowed { key: "ada".to_owned(), window };
/// let mut bytes = Vec::new();
/// serde.serialize("visits", &key, &mut bytes).expect("text serializes");
/// assert_eq!(bytes, [&b"ada"[..], &25_i64.to_be_bytes(), &10_i64.to_be_bytes()].concat());
/// assert_eq!(serde.deserialize("visits", &bytes).expect("it reads back"), key);
/// ```
pub struct SessionWindowedSerde<K>(Arc<dyn Serde<K>>);

impl<K> Clone for SessionWindowedSerde<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: 'static> SessionWindowedSerde<K> {
    /// Keys by `inner`.
    ///
    /// ```
    /// use candlewick::{I64Serde, Serde, SessionWindowedSerde, Timestamp, Window, Windowed};
    /// let key = Windowed { key: 7, window: Window { start: Timestamp(10), end: Timestamp(25) } };
    /// let mut bytes = Vec::new();
    /// SessionWindowedSerde::new(I64Serde).serialize("visits", &key, &mut bytes).expect("numbers serialize");
    /// assert_eq!(bytes.len(), 24, "a number, the end and the start");
    /// ```
    pub fn new(inner: impl Serde<K>) -> Self {
        Self(Arc::new(inner))
    }
}

impl<K: 'static> Serde<Windowed<K>> for SessionWindowedSerde<K> {
    fn serialize(&self, topic: &str, value: &Windowed<K>, out: &mut Vec<u8>) -> Result<(), SerdeError> {
        self.0.serialize(topic, &value.key, out)?;
        out.extend_from_slice(&value.window.end.0.to_be_bytes());
        out.extend_from_slice(&value.window.start.0.to_be_bytes());
        Ok(())
    }

    fn deserialize(&self, topic: &str, bytes: &[u8]) -> Result<Windowed<K>, SerdeError> {
        let split = bytes.split_last_chunk::<8>().and_then(|(rest, start)| {
            let (key, end) = rest.split_last_chunk::<8>()?;
            Some((key, i64::from_be_bytes(*end), i64::from_be_bytes(*start)))
        });
        let (key, end, start) = split.ok_or_else(|| SerdeError::Malformed {
            format: "session key",
            reason: format!("{} bytes hold no end and start", bytes.len()),
        })?;
        let window = Window { start: Timestamp(start), end: Timestamp(end) };
        Ok(Windowed { key: self.0.deserialize(topic, key)?, window })
    }

    fn partitioned_by(&self, len: usize) -> usize {
        len.saturating_sub(16)
    }

    fn format(&self) -> Format {
        self.0.format().within("sessions of")
    }
}
