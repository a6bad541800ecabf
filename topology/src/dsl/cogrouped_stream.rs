//! Several grouped streams that are gathered into one aggregate.

use std::rc::Rc;

use super::StreamsBuilder;
use super::operation::cogroup::Member;
use super::windowed_stream::WindowKind;

/// Grouped streams whose records all change one aggregate a key. Made by
/// [`KGroupedStream::cogroup`](crate::KGroupedStream::cogroup).
pub struct CogroupedKStream<'b, K, A> {
    pub(super) builder: &'b StreamsBuilder,
    pub(super) members: Vec<Rc<dyn Member<K, A>>>,
}

impl<K, A> Clone for CogroupedKStream<'_, K, A> {
    fn clone(&self) -> Self {
        Self { builder: self.builder, members: self.members.clone() }
    }
}

/// Cogrouped streams whose aggregates are kept per key and window. Made by [`CogroupedKStream::windowed_by`].
pub struct WindowedCogroupedKStream<'b, K, A, W> {
    pub(crate) cogrouped: CogroupedKStream<'b, K, A>,
    pub(crate) windows: W,
}

impl<K, A, W: WindowKind> Clone for WindowedCogroupedKStream<'_, K, A, W> {
    fn clone(&self) -> Self {
        Self { cogrouped: self.cogrouped.clone(), windows: self.windows }
    }
}

impl<'b, K, A> CogroupedKStream<'b, K, A> {
    /// Aggregates within windows instead of over all time.
    #[must_use]
    pub fn windowed_by<W: WindowKind>(self, windows: W) -> WindowedCogroupedKStream<'b, K, A, W> {
        WindowedCogroupedKStream { cogrouped: self, windows }
    }
}
