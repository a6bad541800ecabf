//! The bounded history behind a feed. Owns what is kept and what is forgotten; must not know who reads it or when.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::event::FeedEvent;

/// How much a feed remembers.
///
/// ```
/// use candlewick_server::{CandleEvent, Feed, FeedLimits};
/// # let candle = CandleEvent { symbol: "BTC-USD".into(), interval: "1m".into(), ts: 60_000, open: 1.0, high: 3.0, low: 1.0, close: 2.0, volume: 10.0, trades: 4, simulated: true };
/// let feed = Feed::new(FeedLimits { events_per_series_max: 2, ..FeedLimits::default() });
/// for minute in 0..5 {
///     feed.push(CandleEvent { ts: minute * 60_000, ..candle.clone() });
/// }
/// assert_eq!(feed.events().len(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedLimits {
    /// Events of one kind, symbol and interval; beyond it the oldest by time is forgotten.
    pub events_per_series_max: usize,
    /// Series, each of one kind, symbol and interval; beyond it the one that was quiet longest is forgotten.
    pub series_max: usize,
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self { events_per_series_max: 600, series_max: 64 }
    }
}

/// The latest version of each event, by the number it was given.
#[derive(Debug)]
pub(super) struct History {
    limits: FeedLimits,
    latest: u64,
    events: BTreeMap<u64, Arc<FeedEvent>>,
    series: Vec<Series>,
}

#[derive(Debug)]
struct Series {
    kind: &'static str,
    symbol: String,
    interval: String,
    latest: u64,
    by_time: BTreeMap<i64, u64>,
}

impl History {
    /// An empty history whose first event gets the number `start + 1`.
    pub(super) fn new(limits: FeedLimits, start: u64) -> Self {
        Self { limits, latest: start, events: BTreeMap::new(), series: Vec::new() }
    }

    /// Takes an event in and returns its number. It replaces the one of the same series and time.
    pub(super) fn insert(&mut self, event: FeedEvent) -> u64 {
        self.latest += 1;
        let number = self.latest;
        let (kind, symbol, interval, ts) = event.place();
        let known = self
            .series
            .iter()
            .position(|one| one.kind == kind && one.symbol == symbol && one.interval == interval);
        let index = known.unwrap_or_else(|| {
            self.make_room();
            let (symbol, interval) = (symbol.to_owned(), interval.to_owned());
            self.series.push(Series { kind, symbol, interval, latest: number, by_time: BTreeMap::new() });
            self.series.len() - 1
        });
        let series = &mut self.series[index];
        series.latest = number;
        if let Some(replaced) = series.by_time.insert(ts, number) {
            self.events.remove(&replaced);
        }
        self.events.insert(number, Arc::new(event));
        while series.by_time.len() > self.limits.events_per_series_max.max(1) {
            if let Some((_, oldest)) = series.by_time.pop_first() {
                self.events.remove(&oldest);
            }
        }
        number
    }

    fn make_room(&mut self) {
        while self.series.len() >= self.limits.series_max.max(1) {
            let quiet = (0..self.series.len()).min_by_key(|&index| self.series[index].latest);
            let Some(quiet) = quiet else { return };
            for number in self.series.swap_remove(quiet).by_time.into_values() {
                self.events.remove(&number);
            }
        }
    }

    /// The number of the latest event, or where counting started.
    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    /// At most `limit` events after number `since`, in the order of their numbers.
    pub(super) fn after(&self, since: u64, limit: usize) -> Vec<(u64, Arc<FeedEvent>)> {
        let events = self.events.range(since.saturating_add(1)..).take(limit);
        events.map(|(number, event)| (*number, Arc::clone(event))).collect()
    }
}
