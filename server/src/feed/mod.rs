//! What the market page shows: a bounded history that the pipeline writes and browsers follow. Owns the numbering and the
//! waking of readers; must not know HTTP, topics or models.

mod event;
mod history;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

pub use event::{CandleEvent, FeedEvent, PredictionEvent};
pub use history::FeedLimits;
use history::History;

/// A live feed of market events, with enough history for a page that has just been opened.
///
/// Writing never waits for a reader: a reader that falls behind sees the latest version of each event only.
///
/// ```
/// use candlewick_server::{CandleEvent, Feed, FeedLimits};
///
/// let feed = Feed::new(FeedLimits::default());
/// let mut candle = CandleEvent {
///     symbol: "BTC-USD".into(), interval: "1m".into(), ts: 60_000,
///     open: 1.0, high: 3.0, low: 1.0, close: 2.0, volume: 10.0, trades: 4, simulated: true,
/// };
/// feed.push(candle.clone());
/// candle.close = 3.0;
/// feed.push(candle.clone());
/// assert_eq!(feed.events(), [candle.into()]);
/// ```
#[derive(Debug)]
pub struct Feed {
    run: u64,
    history: Mutex<History>,
    latest: watch::Sender<u64>,
}

impl Feed {
    /// An empty feed that keeps to `limits`.
    ///
    /// ```
    /// # use candlewick_server::{CandleEvent, Feed, FeedLimits};
    /// assert!(Feed::new(FeedLimits::default()).events().is_empty());
    /// ```
    #[must_use]
    pub fn new(limits: FeedLimits) -> Self {
        // Numbers start at the time in microseconds, so that those of a new process are above those of the one before it
        // and a page that reconnects misses nothing.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let run = u64::try_from(since_1970.as_micros()).unwrap_or(u64::MAX / 2);
        Self { run, history: Mutex::new(History::new(limits, run)), latest: watch::Sender::new(run) }
    }

    /// Takes an event in. It replaces the event of the same kind, symbol, interval and time.
    ///
    /// ```
    /// # use candlewick_server::{CandleEvent, Feed, FeedLimits};
    /// # let candle = CandleEvent { symbol: "BTC-USD".into(), interval: "1m".into(), ts: 60_000, open: 1.0, high: 3.0, low: 1.0, close: 2.0, volume: 10.0, trades: 4, simulated: true };
    /// let feed = Feed::default();
    /// feed.push(CandleEvent { close: 2.5, ..candle.clone() });
    /// // The same minute again:
    /// feed.push(candle);
    /// assert_eq!(feed.events().len(), 1);
    /// ```
    pub fn push(&self, event: impl Into<FeedEvent>) {
        let number = self.history().insert(event.into());
        self.latest.send_replace(number);
    }

    /// All events that are kept, the latest version of each, in the order in which those versions came.
    ///
    /// ```
    /// # use candlewick_server::{CandleEvent, Feed, FeedLimits};
    /// # let candle = CandleEvent { symbol: "BTC-USD".into(), interval: "1m".into(), ts: 60_000, open: 1.0, high: 3.0, low: 1.0, close: 2.0, volume: 10.0, trades: 4, simulated: true };
    /// let feed = Feed::default();
    /// feed.push(CandleEvent { ts: 120_000, ..candle.clone() });
    /// feed.push(candle.clone());
    /// assert_eq!(feed.events()[1], candle.into());
    /// ```
    #[must_use]
    pub fn events(&self) -> Vec<FeedEvent> {
        self.after(0, usize::MAX).into_iter().map(|(_, event)| (*event).clone()).collect()
    }

    /// What tells this process's feed from that of another.
    pub(crate) fn run(&self) -> u64 {
        self.run
    }

    pub(crate) fn latest(&self) -> u64 {
        self.history().latest()
    }

    pub(crate) fn after(&self, since: u64, limit: usize) -> Vec<(u64, Arc<FeedEvent>)> {
        self.history().after(since, limit)
    }

    /// Wakes its holder when an event has come.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.latest.subscribe()
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // The history is whole between any two of its statements that can panic.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new(FeedLimits::default())
    }
}
