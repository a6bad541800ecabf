//! Where slow work is done, as a node sees it: a workplace has one desk for each slow node, which all tasks of the instance
//! share. Knows pieces of work as opaque boxes.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// One record's work, with the way back to its node inside.
pub(crate) type Piece = Box<dyn Any + Send>;

/// Does several pieces at once. It does not unwind for what is the user's.
pub(crate) type Work = Arc<dyn Fn(Vec<Piece>) + Send + Sync>;

/// How the pieces of a node are done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// Threads at most.
    pub(crate) threads: usize,
    /// Pieces done by one call.
    pub(crate) together_max: usize,
    /// How long the first piece of a call waits for others.
    pub(crate) linger: Duration,
    /// Pieces that may be under way at the same time.
    pub(crate) places: usize,
}

/// Where the slow nodes of an instance have their desks.
pub(crate) trait Workplace: Send + Sync {
    /// The desk of this node: the one who asks first sets it up.
    fn desk(&self, node: &Arc<str>, terms: Terms, work: &Work) -> Arc<dyn Desk>;

    /// Time from an arbitrary start that never goes backwards.
    fn now(&self) -> Duration;

    /// Whether results must go on in one order always, that of the records.
    fn is_orderly(&self) -> bool;

    /// Lets time pass for somebody who has nothing to do but wait for results.
    fn rest(&self);
}

/// Where the pieces of one node are done.
pub(crate) trait Desk: Send + Sync {
    /// Leaves a piece; never waits.
    fn submit(&self, piece: Piece);

    /// Does what was left, where nobody else does it.
    fn settle(&self);

    /// The places for pieces that are under way.
    fn places(&self) -> &Arc<Places>;
}

/// How much may be under way at a desk.
pub(crate) struct Places {
    max: usize,
    taken: AtomicUsize,
    gauge: metrics::Gauge,
}

impl Places {
    pub(crate) fn new(node: &Arc<str>, max: usize) -> Arc<Self> {
        let gauge = metrics::gauge!("candlewick_slow_in_flight", "node" => node.to_string());
        Arc::new(Self { max, taken: AtomicUsize::new(0), gauge })
    }

    /// A place, if there is one.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Place> {
        let more = |taken: usize| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        self.gauge.increment(1.0);
        Some(Place(Arc::clone(self)))
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Acquire)
    }
}

/// A place that is taken, until it is dropped.
pub(crate) struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
        self.0.gauge.decrement(1.0);
    }
}
