//! A grouped stream cut into windows, of whichever kind: time windows, sliding windows or sessions.

use super::grouped_stream::KGroupedStream;
use super::session_windows::SessionWindows;
use super::sliding_windows::SlidingWindows;
use super::windows::TimeWindows;

/// A kind of windows: [`TimeWindows`], [`SlidingWindows`] or [`SessionWindows`].
///
/// ```
/// use candlewick::{SlidingWindows, WindowKind};
/// use std::time::Duration;
/// fn is_copied<W: WindowKind>(windows: W) -> (W, W) {
///     (windows, windows)
/// }
/// let (one, other) = is_copied(SlidingWindows::of_time_difference_with_no_grace(Duration::from_secs(1)));
/// assert_eq!(one, other);
/// ```
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
///
/// ```
/// use candlewick::{Consumed, Grouped, Materialized, Produced, StreamsBuilder, TimeWindows};
/// # use candlewick::*;
/// use std::time::Duration;
/// let builder = StreamsBuilder::new();
/// let per_window = builder
///     .stream("in", Consumed::<String, i64>::default())
///     .group_by_key(Grouped::default())
///     .windowed_by(TimeWindows::of_size_with_no_grace(Duration::from_millis(10)));
/// per_window
///     .reduce(|sum, n| sum + n, Materialized::named("sums"))
///     .to_stream()
///     .map(|window, sum| (window.key, sum.unwrap_or(0)))
///     .to("out", Produced::<String, i64>::default());
/// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
/// # let input = driver.input_topic("in", StringSerde, I64Serde);
/// # for n in [1, 9, 11] { input.pipe("k".to_string(), n, Timestamp(n)).expect("processed"); }
/// # let out = driver.output_topic::<String, i64>("out", StringSerde, I64Serde);
/// # let values: Vec<i64> = out.read_all().into_iter().map(|(_, value, _)| value).collect();
/// // Of 1 and 9 in one window and 11 in the next:
/// assert_eq!(values, [1, 10, 11]);
/// ```
pub struct WindowedKStream<'b, K, V, W> {
    pub(crate) grouped: KGroupedStream<'b, K, V>,
    pub(crate) windows: W,
    pub(crate) on_close: bool,
}

/// A grouped stream cut into tumbling, hopping or unlimited windows.
///
/// ```
/// use candlewick::{KTable, Materialized, TimeWindowedKStream, Windowed};
/// /// Any tumbling or hopping windows will do.
/// fn volume<'b>(trades: TimeWindowedKStream<'b, String, i64>) -> KTable<'b, Windowed<String>, i64> {
///     trades.reduce(|sum, size| sum + size, Materialized::named("volume"))
/// }
/// # let _ = volume;
/// ```
pub type TimeWindowedKStream<'b, K, V> = WindowedKStream<'b, K, V, TimeWindows>;
/// A grouped stream cut into sliding windows.
///
/// ```
/// use candlewick::{KTable, Materialized, SlidingWindowedKStream, Windowed};
/// fn highest<'b>(prices: SlidingWindowedKStream<'b, String, i64>) -> KTable<'b, Windowed<String>, i64> {
///     prices.reduce(|one, other| *one.max(other), Materialized::named("highest"))
/// }
/// # let _ = highest;
/// ```
pub type SlidingWindowedKStream<'b, K, V> = WindowedKStream<'b, K, V, SlidingWindows>;
/// A grouped stream cut into sessions.
///
/// ```
/// use candlewick::{KTable, Materialized, SessionWindowedKStream, Windowed};
/// fn visits<'b>(clicks: SessionWindowedKStream<'b, String, i64>) -> KTable<'b, Windowed<String>, i64> {
///     clicks.emit_on_window_close().count(Materialized::named("visits"))
/// }
/// # let _ = visits;
/// ```
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
