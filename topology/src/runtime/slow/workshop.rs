//! The threads that do slow work: for each slow node of the topology one desk, which all tasks of the instance share, with
//! threads of its own. Knows pieces as opaque boxes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use crate::processor::{Desk, Piece, Places, Terms, Work, Workplace};
use crate::runtime::threads::{Threads, receive};
use crate::time::Clock;

/// The desks of an instance.
pub(crate) struct Workshop {
    clock: Arc<dyn Clock>,
    threads: Arc<dyn Threads>,
    desks: Mutex<BTreeMap<Arc<str>, Arc<ThreadedDesk>>>,
}

/// The desk of one node.
struct ThreadedDesk {
    node: Arc<str>,
    terms: Terms,
    work: Work,
    places: Arc<Places>,
    clock: Arc<dyn Clock>,
    threads: Arc<dyn Threads>,
    /// Bounded by what all tasks together may have unfinished. None once the workshop is closed.
    pieces: Mutex<Option<Sender<Piece>>>,
    left: Receiver<Piece>,
    is_closed: AtomicBool,
    /// Pieces that nobody has taken up.
    waiting: AtomicUsize,
    /// Threads that were begun, and those of them that wait for a piece.
    begun: AtomicUsize,
    idle: AtomicUsize,
    sizes: metrics::Histogram,
}

/// Nothing is done under these locks that could leave them half way.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Workshop {
    pub(crate) fn new(clock: Arc<dyn Clock>, threads: Arc<dyn Threads>) -> Arc<Self> {
        Arc::new(Self { clock, threads, desks: Mutex::default() })
    }

    /// Nothing more is done; threads end when their calls have.
    pub(crate) fn close(&self) {
        for desk in hold(&self.desks).values() {
            desk.is_closed.store(true, Ordering::Release);
            drop(hold(&desk.pieces).take());
        }
    }
}

impl Workplace for Workshop {
    fn desk(&self, node: &Arc<str>, terms: Terms, work: &Work) -> Arc<dyn Desk> {
        let mut desks = hold(&self.desks);
        let desk = desks.entry(Arc::clone(node)).or_insert_with(|| {
            let (pieces, left) = crossbeam_channel::unbounded();
            Arc::new(ThreadedDesk {
                node: Arc::clone(node),
                terms,
                work: Arc::clone(work),
                places: Places::new(node, terms.places),
                clock: Arc::clone(&self.clock),
                threads: Arc::clone(&self.threads),
                pieces: Mutex::new(Some(pieces)),
                left,
                is_closed: AtomicBool::new(false),
                waiting: AtomicUsize::new(0),
                begun: AtomicUsize::new(0),
                idle: AtomicUsize::new(0),
                sizes: metrics::histogram!("candlewick_slow_batch_records", "node" => node.to_string()),
            })
        });
        Arc::new(AtDesk(Arc::clone(desk)))
    }

    fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    fn is_orderly(&self) -> bool {
        false
    }

    fn rest(&self) {
        self.threads.sleep(Duration::from_millis(1));
    }
}

/// A node's way to its desk.
struct AtDesk(Arc<ThreadedDesk>);

impl Desk for AtDesk {
    fn submit(&self, piece: Piece) {
        let desk = &self.0;
        desk.waiting.fetch_add(1, Ordering::AcqRel);
        if let Some(pieces) = &*hold(&desk.pieces) {
            // The desk has the other end itself.
            let _ = pieces.send(piece);
        }
        if desk.idle.load(Ordering::Acquire) < desk.waiting.load(Ordering::Acquire) {
            begin(desk);
        }
    }

    fn settle(&self) {}

    fn places(&self) -> &Arc<Places> {
        &self.0.places
    }
}

/// Begins one more thread, if there may be one.
fn begin(desk: &Arc<ThreadedDesk>) {
    let more = |begun: usize| (begun < desk.terms.threads).then_some(begun + 1);
    let Ok(index) = desk.begun.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) else { return };
    let own = Arc::clone(desk);
    let run = move || {
        let _counted = Counted(&own.begun);
        own.run();
    };
    if let Err(error) = desk.threads.spawn(format!("slow-{}-{index}", desk.node), Box::new(run)) {
        desk.begun.fetch_sub(1, Ordering::AcqRel);
        tracing::error!(node = %desk.node, %error, "no thread for slow work could be started; the others go on");
    }
}

/// A thread that was begun, until it ends, however it does.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ThreadedDesk {
    fn run(&self) {
        while let Some(pieces) = self.gather() {
            #[expect(clippy::cast_precision_loss, reason = "batches are smaller than 2^52 records")]
            self.sizes.record(pieces.len() as f64);
            (self.work)(pieces);
        }
    }

    /// The pieces of the next call; none when the workshop is closed.
    fn gather(&self) -> Option<Vec<Piece>> {
        self.idle.fetch_add(1, Ordering::AcqRel);
        let first = receive(&*self.threads, &self.left, None);
        self.idle.fetch_sub(1, Ordering::AcqRel);
        let mut pieces = vec![first.ok()?];
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        let until = self.clock.monotonic() + self.terms.linger;
        while pieces.len() < self.terms.together_max {
            let piece = match self.left.try_recv() {
                Ok(piece) => piece,
                Err(_) => {
                    let patience = until.saturating_sub(self.clock.monotonic());
                    if patience.is_zero() {
                        break;
                    }
                    match receive(&*self.threads, &self.left, Some(patience)) {
                        Ok(piece) => piece,
                        Err(_) => break,
                    }
                }
            };
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            pieces.push(piece);
        }
        (!self.is_closed.load(Ordering::Acquire)).then_some(pieces)
    }
}
