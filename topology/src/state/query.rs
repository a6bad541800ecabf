//! What a query sees of one store of one task as of its last commit: rows in the order of their keys' bytes, a bounded
//! number at a time. Owns how keys and times become ranges of rows and which rows have expired; must not know tasks or
//! threads, nor what keys and values mean.

use std::cmp::Ordering;
use std::ops::{Bound, RangeBounds};

use super::builder::StoreKind;
use super::engine::Bounds;
use super::error::StoreError;
use super::overlay::WHOLE;
use super::reader::StateSnapshot;
use super::rows::{Grouping, after_prefix};
use super::schema::{session, window};
use crate::time::Timestamp;

/// Rows that one read of one segment looks at, at most: what lies in memory is locked against a commit meanwhile.
const VISITED_MAX: usize = 10_000;

/// Bytes behind the key of a versioned row: since when it holds.
const SINCE_BYTES: usize = 8;

/// How the rows of a store are made of key and time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RowShape {
    /// The key alone.
    Plain,
    /// Key, start of the window, sequence number.
    Windows(window::Retention),
    /// Key, end and start of the session.
    Sessions(window::Retention),
    /// Key, and since when its version holds.
    Versions {
        /// How long versions are kept.
        history_ms: i64,
    },
}

/// The keys that are asked for, as bytes.
#[derive(Clone, Debug)]
pub(crate) enum KeyBytes {
    /// This one.
    One(Vec<u8>),
    /// Those that begin so.
    Prefix(Vec<u8>),
    /// Those between two, both included; an end that is left out is open.
    Between(Option<Vec<u8>>, Option<Vec<u8>>),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) keys: KeyBytes,
    /// First and last time: of windows their start, of sessions any moment, of versions since when they hold.
    pub(crate) times: (Timestamp, Timestamp),
    /// Only what lies behind this row.
    pub(crate) after: Option<Vec<u8>>,
    pub(crate) reverse: bool,
    pub(crate) limit: usize,
}

/// A row: key and value as the store keeps them.
pub(crate) type RawRow = (Box<[u8]>, Box<[u8]>);

/// Rows of one source, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) rows: Vec<RawRow>,
    /// The row that the read went to; there may be more behind it. `None` when all was read.
    pub(crate) stopped: Option<Box<[u8]>>,
}

impl KeyBytes {
    fn contains(&self, key: &[u8]) -> bool {
        match self {
            Self::One(one) => key == one,
            Self::Prefix(prefix) => key.starts_with(prefix),
            Self::Between(from, to) => {
                from.as_ref().is_none_or(|from| key >= &from[..])
                    && to.as_ref().is_none_or(|to| key <= &to[..])
            }
        }
    }
}

impl RowShape {
    /// The shape of a store's rows; `None` for buffers, which nobody queries.
    pub(crate) fn of(kind: StoreKind) -> Option<Self> {
        match kind {
            StoreKind::KeyValue => Some(Self::Plain),
            StoreKind::Window { retention_ms, .. } => {
                Some(Self::Windows(window::Retention::new(retention_ms)))
            }
            StoreKind::Session { retention_ms } => Some(Self::Sessions(window::Retention::new(retention_ms))),
            StoreKind::Versioned { history_ms } => Some(Self::Versions { history_ms }),
            StoreKind::Suppress | StoreKind::JoinBuffer => None,
        }
    }

    /// Which rows belong to one key.
    fn grouping(self) -> Grouping {
        match self {
            Self::Plain => Grouping::Single,
            Self::Windows(_) => Grouping::Suffix(window::SUFFIX_BYTES),
            Self::Sessions(_) => Grouping::Suffix(session::SUFFIX_BYTES),
            Self::Versions { .. } => Grouping::Suffix(SINCE_BYTES),
        }
    }

    /// Splits a row's key into the key, and first and last time; they are one except for sessions, and nought without
    /// time.
    pub(crate) fn split(self, row: &[u8]) -> Option<(&[u8], Timestamp, Timestamp)> {
        match self {
            Self::Plain => Some((row, Timestamp(0), Timestamp(0))),
            Self::Windows(_) => window::split(row).map(|(key, start, _)| (key, start, start)),
            Self::Sessions(_) => session::split(row).map(|(key, end, start)| (key, start, end)),
            Self::Versions { .. } => {
                let (key, since) = row.split_last_chunk::<SINCE_BYTES>()?;
                let since = Timestamp(i64::from_be_bytes(*since));
                Some((key, since, since))
            }
        }
    }

    /// The first and last bytes that may stand behind a key for these times.
    fn suffixes(self, (from, to): (Timestamp, Timestamp)) -> (Vec<u8>, Vec<u8>) {
        let (from, to) = (from.max(Timestamp(0)), to.max(Timestamp(0)));
        match self {
            Self::Plain => (Vec::new(), Vec::new()),
            Self::Windows(_) => (window::suffix(from, 0).into(), window::suffix(to, i32::MAX).into()),
            // Ordered by their ends: a session that began in time may end at any later one.
            Self::Sessions(_) => {
                let last = session::suffix(Timestamp(i64::MAX), Timestamp(i64::MAX));
                (session::suffix(from, Timestamp(0)).into(), last.into())
            }
            Self::Versions { .. } => (from.0.to_be_bytes().into(), to.0.to_be_bytes().into()),
        }
    }

    /// The range of rows in which these keys lie, and others with them.
    fn bounds(self, wanted: &Wanted) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let (first, last) = self.suffixes(wanted.times);
        let included = |key: &[u8], suffix: &[u8]| Bound::Included([key, suffix].concat());
        let (mut from, mut to) = match &wanted.keys {
            KeyBytes::One(key) => (included(key, &first), included(key, &last)),
            KeyBytes::Prefix(prefix) => (included(prefix, &[]), behind(prefix)),
            KeyBytes::Between(from, to) => (
                from.as_ref().map_or(Bound::Unbounded, |key| included(key, &[])),
                to.as_ref().map_or(Bound::Unbounded, |key| included(key, &vec![0xff; last.len()])),
            ),
        };
        if let Some(after) = &wanted.after {
            *(if wanted.reverse { &mut to } else { &mut from }) = Bound::Excluded(after.clone());
        }
        (from, to)
    }

    /// The first time that has not expired, and the segments that hold the times asked for.
    fn alive(self, observed: Timestamp, (from, to): (Timestamp, Timestamp)) -> (Timestamp, (i64, i64)) {
        match self {
            Self::Plain | Self::Versions { .. } => (from, (WHOLE, WHOLE)),
            Self::Windows(retention) => {
                let from = from.max(retention.first_live(observed)).max(Timestamp(0));
                (from, (retention.segment(from), retention.segment(to)))
            }
            Self::Sessions(retention) => {
                let from = from.max(retention.first_live(observed)).max(Timestamp(0));
                (from, (retention.segment(from), i64::MAX))
            }
        }
    }

    /// Reads what is wanted: one run for each segment.
    pub(crate) fn read(self, snapshot: &StateSnapshot<'_>, wanted: &Wanted) -> Result<Vec<Run>, StoreError> {
        let observed = snapshot.observed()?.unwrap_or(Timestamp::UNKNOWN);
        let (live, (first, last)) = self.alive(observed, wanted.times);
        let times = (live, wanted.times.1);
        let (from, to) = self.bounds(wanted);
        let bounds = (from.as_ref().map(|key| &key[..]), to.as_ref().map(|key| &key[..]));
        let mut runs = Vec::new();
        for segment in snapshot.segments()?.into_iter().filter(|segment| (first..=last).contains(segment)) {
            let (mut run, mut visited) = (Run::default(), 0);
            let place = (segment, self.grouping(), &wanted.keys);
            scan(snapshot, place, bounds, wanted.reverse, |row, value| {
                visited += 1;
                if self.holds(row, wanted, times) {
                    if run.rows.len() == wanted.limit {
                        run.stopped = run.rows.last().map(|(row, _)| row.clone());
                        return Ok(false);
                    }
                    run.rows.push((row.into(), value.into()));
                }
                if visited == VISITED_MAX {
                    run.stopped = Some(row.into());
                }
                Ok(visited < VISITED_MAX)
            })?;
            runs.push(run);
        }
        Ok(runs)
    }

    fn holds(self, row: &[u8], wanted: &Wanted, (from, to): (Timestamp, Timestamp)) -> bool {
        let Some((key, start, end)) = self.split(row) else { return false };
        let is_timely = matches!(self, Self::Plain) || start <= to && end >= from;
        is_timely && wanted.keys.contains(key)
    }

    /// The value's bytes of a key's one row: of the window that starts at `start`, of the session from `start` to `end`, of
    /// the version that held at `start`. As the stores answer themselves, what has expired is not there, and of times
    /// before its history only the latest version is known.
    pub(crate) fn point(
        self,
        snapshot: &StateSnapshot<'_>,
        key: &[u8],
        (start, end): (Timestamp, Timestamp),
    ) -> Result<Option<Box<[u8]>>, StoreError> {
        let observed = snapshot.observed()?.unwrap_or(Timestamp::UNKNOWN);
        let (segment, suffix) = match self {
            Self::Plain => (WHOLE, Vec::new()),
            Self::Windows(retention) | Self::Sessions(retention) if retention.is_expired(end, observed) => {
                return Ok(None);
            }
            Self::Windows(retention) => (retention.segment(start), window::suffix(start, 0).into()),
            Self::Sessions(retention) => (retention.segment(end), session::suffix(end, start).into()),
            Self::Versions { history_ms } => {
                let is_known = start >= observed.minus_millis(history_ms);
                return self.version(snapshot, key, start, is_known);
            }
        };
        Ok(snapshot.get(segment, &[key, &suffix].concat())?.map(Into::into))
    }

    fn version(
        self,
        snapshot: &StateSnapshot<'_>,
        key: &[u8],
        time: Timestamp,
        is_known: bool,
    ) -> Result<Option<Box<[u8]>>, StoreError> {
        let mut wanted = Wanted {
            keys: KeyBytes::One(key.to_vec()),
            times: (Timestamp(0), if is_known { time } else { Timestamp(i64::MAX) }),
            after: None,
            reverse: true,
            limit: 1,
        };
        loop {
            let Some(run) = self.read(snapshot, &wanted)?.pop() else { return Ok(None) };
            if let Some((row, value)) = run.rows.into_iter().next() {
                let has_begun = self.split(&row).is_some_and(|(_, since, _)| since <= time);
                // A deletion is a version without a value.
                return Ok((has_begun && !value.is_empty()).then_some(value));
            }
            // Rows of longer keys may lie between.
            let Some(stopped) = run.stopped else { return Ok(None) };
            wanted.after = Some(stopped.into());
        }
    }
}

/// Visits the rows of a segment within bounds. Of one key's rows it visits no others: they are found without an order of
/// all rows.
fn scan(
    snapshot: &StateSnapshot<'_>,
    (segment, grouping, keys): (i64, Grouping, &KeyBytes),
    (from, to): Bounds<'_>,
    reverse: bool,
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let KeyBytes::One(key) = keys else { return snapshot.range(segment, from, to, reverse, visit) };
    if grouping == Grouping::Single {
        let is_within = RangeBounds::<[u8]>::contains(&(from, to), &key[..]);
        let row = if is_within { snapshot.get(segment, key)? } else { None };
        return row.map_or(Ok(()), |value| visit(key, value).map(drop));
    }
    let of_key = |bound: Bound<&'_ [u8]>| match bound {
        Bound::Included(row) => row.strip_prefix(&key[..]).map(|rest| Bound::Included(rest.to_vec())),
        Bound::Excluded(row) => row.strip_prefix(&key[..]).map(|rest| Bound::Excluded(rest.to_vec())),
        Bound::Unbounded => None,
    };
    // What lies behind the row of another key is told from all rows.
    let (Some(first), Some(last)) = (of_key(from), of_key(to)) else {
        return snapshot.range(segment, from, to, reverse, visit);
    };
    let bounds = (first.as_ref().map(|rest| &rest[..]), last.as_ref().map(|rest| &rest[..]));
    let mut row = key.clone();
    snapshot.of_key(segment, (key, grouping), bounds, reverse, |rest, value| {
        row.truncate(key.len());
        row.extend_from_slice(rest);
        visit(&row, value)
    })
}

/// Everything before the first bytes that do not begin with `prefix`.
fn behind(prefix: &[u8]) -> Bound<Vec<u8>> {
    after_prefix(prefix).map_or(Bound::Unbounded, Bound::Excluded)
}

/// The first rows of all runs, in one order, and the row to go on behind, if there may be more.
pub(crate) fn merge(runs: Vec<Run>, limit: usize, reverse: bool) -> (Vec<RawRow>, Option<Box<[u8]>>) {
    let order = |a: &[u8], b: &[u8]| if reverse { b.cmp(a) } else { a.cmp(b) };
    // Behind the row that the first run stopped at, its rows are not known.
    let stopped = runs.iter().filter_map(|run| run.stopped.clone()).min_by(|a, b| order(a, b));
    let mut rows: Vec<RawRow> = runs.into_iter().flat_map(|run| run.rows).collect();
    if let Some(stopped) = &stopped {
        rows.retain(|(row, _)| order(row, stopped) != Ordering::Greater);
    }
    rows.sort_by(|(a, _), (b, _)| order(a, b));
    if rows.len() > limit {
        rows.truncate(limit);
        let next = rows.last().map(|(row, _)| row.clone());
        return (rows, next);
    }
    (rows, stopped)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What one source answers that has these keys.
    fn run(mut keys: Vec<u8>, after: Option<u8>, limit: usize, reverse: bool) -> Run {
        keys.sort_unstable();
        keys.dedup();
        if reverse {
            keys.reverse();
        }
        let is_behind =
            |key: &u8| after.is_none_or(|after| if reverse { *key < after } else { *key > after });
        let all: Vec<RawRow> =
            keys.into_iter().filter(is_behind).map(|key| ([key].into(), [].into())).collect();
        let stopped = (all.len() > limit).then(|| all[limit - 1].0.clone());
        Run { rows: all.into_iter().take(limit).collect(), stopped }
    }

    proptest! {
        #[test]
        fn pages_of_several_runs_bring_every_row_once_and_in_order(
            sources in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..4),
            limit in 1usize..7,
            reverse: bool,
        ) {
            // A row lies in one source alone.
            let mut seen = std::collections::BTreeSet::new();
            let sources: Vec<Vec<u8>> = sources
                .into_iter()
                .map(|keys| keys.into_iter().filter(|key| seen.insert(*key)).collect())
                .collect();
            let mut expected: Vec<u8> = seen.into_iter().collect();
            if reverse {
                expected.reverse();
            }
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let runs = sources.iter().map(|keys| run(keys.clone(), after, limit, reverse)).collect();
                let (rows, next) = merge(runs, limit, reverse);
                prop_assert!(rows.len() <= limit);
                found.extend(rows.iter().map(|(row, _)| row[0]));
                match next {
                    Some(next) => after = Some(next[0]),
                    None => break,
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
