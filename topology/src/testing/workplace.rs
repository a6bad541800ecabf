//! The workplace of test drivers and backtests: everything is done by the caller, in the order in which it was left, when
//! the task looks for results. Only calls that the user completes elsewhere are waited for, and their results go on in the
//! order of the records whatever was asked for, so that a run is always the same.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::processor::{Desk, Piece, Places, Terms, Work, Workplace};
use crate::time::{Clock, SystemClock};

/// See the module.
#[derive(Default)]
pub(crate) struct InlineWorkplace {
    clock: SystemClock,
    /// Milliseconds that were jumped over, since nothing but waits between attempts was left.
    skipped_ms: AtomicU64,
    desks: Mutex<BTreeMap<Arc<str>, Arc<InlineDesk>>>,
}

struct InlineDesk {
    terms: Terms,
    work: Work,
    places: Arc<Places>,
    left: Mutex<Vec<Piece>>,
}

/// How long one look at results that are made elsewhere waits.
const REST: Duration = Duration::from_micros(200);
/// What is jumped over at a time.
const SKIP_MS: u64 = 50;

/// Nothing is done under these locks that could leave them half way.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Workplace for InlineWorkplace {
    fn desk(&self, node: &Arc<str>, terms: Terms, work: &Work) -> Arc<dyn Desk> {
        let mut desks = hold(&self.desks);
        let desk = desks.entry(Arc::clone(node)).or_insert_with(|| {
            let (work, places) = (Arc::clone(work), Places::new(node, terms.places));
            Arc::new(InlineDesk { terms, work, places, left: Mutex::default() })
        });
        Arc::<InlineDesk>::clone(desk)
    }

    fn now(&self) -> Duration {
        self.clock.monotonic() + Duration::from_millis(self.skipped_ms.load(Ordering::Relaxed))
    }

    fn is_orderly(&self) -> bool {
        true
    }

    fn rest(&self) {
        if hold(&self.desks).values().any(|desk| desk.places.taken() > 0) {
            std::thread::park_timeout(REST);
        } else {
            self.skipped_ms.fetch_add(SKIP_MS, Ordering::Relaxed);
        }
    }
}

impl Desk for InlineDesk {
    fn submit(&self, piece: Piece) {
        hold(&self.left).push(piece);
    }

    fn settle(&self) {
        let mut left = std::mem::take(&mut *hold(&self.left));
        while !left.is_empty() {
            let rest = left.split_off(left.len().min(self.terms.together_max));
            (self.work)(std::mem::replace(&mut left, rest));
        }
    }

    fn places(&self) -> &Arc<Places> {
        &self.places
    }
}
