//! A grouped stream cut into time windows.

use super::grouped_stream::KGroupedStream;
use super::windows::TimeWindows;

/// A grouped stream whose aggregates are kept per key and window. Made by [`KGroupedStream::windowed_by`].
#[derive(Clone)]
pub struct TimeWindowedKStream<'b, K, V> {
    pub(crate) grouped: KGroupedStream<'b, K, V>,
    pub(crate) windows: TimeWindows,
}
