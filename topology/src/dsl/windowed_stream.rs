//! A grouped stream cut into windows, of whichever kind: time windows, sliding windows or sessions.

use super::grouped_stream::KGroupedStream;
use super::session_windows::SessionWindows;
use super::sliding_windows::SlidingWindows;
use super::windows::TimeWindows;

/// A kind of windows: [`TimeWindows`], [`SlidingWindows`] or [`SessionWindows`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no kind of windows",
    label = "windows are needed here",
    note = "say how they lie: `TimeWindows::of_size_and_grace(…)`, or `SlidingWindows`, or `SessionWindows`"
)]
pub trait WindowKind: sealed::Sealed + Copy + Send + Sync + 'static {}

impl WindowKind for TimeWindows {}
impl WindowKind for SlidingWindows {}
impl WindowKind for SessionWindows {}

mod sealed {
    /// Windows are of the kinds that Kafka Streams has.
    pub trait Sealed {}

    impl Sealed for super::TimeWindows {}
    impl Sealed for super::SlidingWindows {}
    impl Sealed for super::SessionWindows {}
}

/// A grouped stream whose aggregates are kept per key and window. Made by [`KGroupedStream::windowed_by`].
pub struct WindowedKStream<'b, K, V, W> {
    pub(crate) grouped: KGroupedStream<'b, K, V>,
    pub(crate) windows: W,
    pub(crate) on_close: bool,
}

/// A grouped stream cut into tumbling, hopping or unlimited windows.
pub type TimeWindowedKStream<'b, K, V> = WindowedKStream<'b, K, V, TimeWindows>;
/// A grouped stream cut into sliding windows.
pub type SlidingWindowedKStream<'b, K, V> = WindowedKStream<'b, K, V, SlidingWindows>;
/// A grouped stream cut into sessions.
pub type SessionWindowedKStream<'b, K, V> = WindowedKStream<'b, K, V, SessionWindows>;

impl<K, V, W: WindowKind> Clone for WindowedKStream<'_, K, V, W> {
    fn clone(&self) -> Self {
        Self { grouped: self.grouped.clone(), windows: self.windows, on_close: self.on_close }
    }
}

impl<K, V, W: WindowKind> WindowedKStream<'_, K, V, W> {
    /// Tells each window once, when stream time has passed its end and grace, instead of at every update. Unlike
    /// [`KTable::suppress`](crate::KTable::suppress) it keeps nothing beside the windows' own store.
    ///
    /// ```
    /// use candlewick::{Consumed, Grouped, Materialized, StreamsBuilder, TimeWindows};
    /// use std::time::Duration;
    /// let builder = StreamsBuilder::new();
    /// let minutes = TimeWindows::of_size_and_grace(Duration::from_secs(60), Duration::from_secs(5));
    /// let final_counts = builder
    ///     .stream("trades", Consumed::<String, i64>::default())
    ///     .group_by_key(Grouped::default())
    ///     .windowed_by(minutes)
    ///     .emit_on_window_close()
    ///     .count(Materialized::named("trades-per-minute"));
    /// # let _ = final_counts;
    /// # builder.build().expect("valid");
    /// ```
    #[must_use]
    pub fn emit_on_window_close(mut self) -> Self {
        self.on_close = true;
        self
    }
}
