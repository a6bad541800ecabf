//! The session store: values by key and session, kept for a time and dropped in segments by the sessions' ends. Owns
//! expiry, by the store's own observed time; must not know which sessions belong together.

mod durable;

use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Bound;

use foldhash::fast::FixedState;

use super::cache::{Below, Cache, CacheLimits};
use super::codec::Codec;
use super::entry::{Dirty, Entry};
use super::error::StoreError;
use super::overlay::Layer;
use super::schema::session::{split, suffix};
use super::schema::window::Retention;
use super::staging;
use crate::time::Timestamp;

const OBSERVED: &str = "observed";

/// A session's first and last time, both inside.
///
/// ```
/// use candlewick::{Session, Timestamp};
/// let visit = Session { start: Timestamp(10), end: Timestamp(25) };
/// assert!(visit.start <= visit.end);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Session {
    /// The time of its first record.
    pub start: Timestamp,
    /// The time of its last record.
    pub end: Timestamp,
}

/// A change of one session: see [`Dirty`].
///
/// ```
/// use candlewick::{Dirty, DirtySession, Entry, Session, Timestamp};
/// let visit = Session { start: Timestamp(10), end: Timestamp(25) };
/// let new = Some(Entry::new(3, visit.end));
/// let change: DirtySession<&str, i64> = Dirty { key: ("ada", visit), old: None, new, timestamp: visit.end };
/// assert_eq!(change.key.1.start, Timestamp(10));
/// ```
pub type DirtySession<K, V> = Dirty<(K, Session), V>;

/// A store of one value a key and session.
///
/// Its time is the latest end of a session it was given. Sessions that ended at or before that time minus the retention
/// are gone: reads do not see them.
///
/// ```
/// use candlewick::{Entry, Session, Timestamp};
/// # use candlewick::*;
/// # let builder = StreamsBuilder::new();
/// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(std::time::Duration::from_millis(10))).count(Materialized::named("s").retention(std::time::Duration::from_secs(3_600)));
/// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut SessionStore<String, i64>| -> Result<(), StoreError> {
/// let key = "ada".to_owned();
/// let visit = Session { start: Timestamp(10), end: Timestamp(25) };
/// store.put(&key, visit, 3, Timestamp(25))?;
/// assert_eq!(store.get(&key, visit)?, Some(&Entry::new(3, Timestamp(25))));
/// // A session that grows is another one: the former is taken out.
/// assert_eq!(store.remove(&key, visit, Timestamp(30))?, Some(Entry::new(3, Timestamp(25))));
/// store.put(&key, Session { end: Timestamp(30), ..visit }, 4, Timestamp(30))?;
/// assert_eq!(store.get(&key, visit)?, None);
/// # Ok(())
/// # }).expect("in memory");
/// ```
pub struct SessionStore<K, V> {
    cache: Cache<SessionKey<K>, V>,
    codec: Codec<K, V>,
    layer: Layer,
    retention: Retention,
    observed: Timestamp,
    /// Observed time as the engine has it.
    committed: Timestamp,
    segments: Vec<i64>,
    /// Scratch: the bytes of a key or row.
    bytes: Vec<u8>,
}

struct SessionKey<K> {
    key: K,
    session: Session,
}

#[inline]
fn hash_session<K: Hash>(key: &K, session: Session) -> u64 {
    let mut hasher = FixedState::default().build_hasher();
    key.hash(&mut hasher);
    hasher.write_u64(session.start.0.cast_unsigned());
    hasher.write_u64(session.end.0.cast_unsigned());
    hasher.finish()
}

fn hash_slot<K: Hash>(slot: &SessionKey<K>) -> u64 {
    hash_session(&slot.key, slot.session)
}

impl<K, V> SessionStore<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    pub(crate) fn new(
        codec: Codec<K, V>,
        layer: Layer,
        limits: CacheLimits,
        retention: Retention,
    ) -> Result<Self, StoreError> {
        let mut store = Self {
            cache: Cache::new(limits, hash_slot::<K>),
            codec,
            layer,
            retention,
            observed: Timestamp::UNKNOWN,
            committed: Timestamp::UNKNOWN,
            segments: Vec::new(),
            bytes: Vec::new(),
        };
        store.read_marks()?;
        Ok(store)
    }

    fn read_marks(&mut self) -> Result<(), StoreError> {
        self.observed = self.layer.mark(OBSERVED)?.map_or(Timestamp::UNKNOWN, Timestamp);
        self.committed = self.observed;
        Ok(())
    }

    /// The store's name.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(std::time::Duration::from_millis(10))).count(Materialized::named("s").retention(std::time::Duration::from_secs(3_600)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut SessionStore<String, i64>| -> Result<(), StoreError> {
    /// assert_eq!(store.name(), "s");
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.layer.store
    }

    /// Whether [`take_dirty`](Self::take_dirty) brings old values; set it before the first change.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(std::time::Duration::from_millis(10))).count(Materialized::named("s").retention(std::time::Duration::from_secs(3_600)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut SessionStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, visit) = ("ada".to_owned(), Session { start: Timestamp(10), end: Timestamp(25) });
    /// store.capture_old(true);
    /// store.put(&key, visit, 3, Timestamp(25))?;
    /// let mut changes = Vec::new();
    /// store.take_dirty(&mut changes)?;
    /// store.put(&key, visit, 4, Timestamp(25))?;
    /// store.take_dirty(&mut changes)?;
    /// assert_eq!(changes[1].old, Some(Entry::new(3, Timestamp(25))));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    pub fn capture_old(&mut self, capture: bool) {
        self.cache.capture_old(capture);
    }

    #[inline]
    fn resident(&mut self, key: &K, session: Session) -> Result<usize, StoreError> {
        let hash = hash_session(key, session);
        match self.cache.find(hash, |k| k.session == session && k.key == *key) {
            Some(bucket) => Ok(bucket),
            None => self.load(hash, key, session),
        }
    }

    #[cold]
    fn load(&mut self, hash: u64, key: &K, session: Session) -> Result<usize, StoreError> {
        self.make_room()?;
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let read = self.codec.append_key(key, &mut bytes).and_then(|()| {
            bytes.extend_from_slice(&suffix(session.end, session.start));
            let (codec, segment) = (&self.codec, self.retention.segment(session.end));
            self.layer.get(segment, &bytes, |value| value.map(|bytes| codec.read(bytes)).transpose())
        });
        self.bytes = bytes;
        let entry = read?;
        Ok(self.cache.insert_read(hash, SessionKey { key: key.clone(), session }, entry))
    }

    /// The entry of a key's session, also of one that is gone but was not dropped yet.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(std::time::Duration::from_millis(10))).count(Materialized::named("s").retention(std::time::Duration::from_secs(3_600)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut SessionStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, visit) = ("ada".to_owned(), Session { start: Timestamp(10), end: Timestamp(25) });
    /// store.put(&key, visit, 3, Timestamp(25))?;
    /// assert_eq!(store.get(&key, visit)?, Some(&Entry::new(3, Timestamp(25))));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails or its bytes are not a value.
    pub fn get(&mut self, key: &K, session: Session) -> Result<Option<&Entry<V>>, StoreError> {
        let bucket = self.resident(key, session)?;
        Ok(self.cache.entry(bucket))
    }

    /// Puts a session's value; does nothing when the segment it belongs to is gone.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(std::time::Duration::from_millis(10))).count(Materialized::named("s").retention(std::time::Duration::from_secs(3_600)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut SessionStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, visit) = ("ada".to_owned(), Session { start: Timestamp(10), end: Timestamp(25) });
    /// store.put(&key, visit, 3, Timestamp(25))?;
    /// store.put(&key, visit, 4, Timestamp(25))?;
    /// assert_eq!(store.get(&key, visit)?.map(|entry| entry.value), Some(4));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails or its bytes are not a value.
    pub fn put(
        &mut self,
        key: &K,
        session: Session,
        value: V,
        timestamp: Timestamp,
    ) -> Result<(), StoreError> {
        self.observed = self.observed.max(session.end);
        if self.retention.segment(session.end) < self.retention.first_segment(self.observed) {
            return Ok(());
        }
        let hash = hash_session(key, session);
        let bucket = match self.cache.find(hash, |k| k.session == session && k.key == *key) {
            Some(bucket) => bucket,
            None if self.cache.captures_old() => self.load(hash, key, session)?,
            None => {
                self.make_room()?;
                let slot = SessionKey { key: key.clone(), session };
                self.cache.insert(hash, slot, None, Below::Unknown)
            }
        };
        self.cache.change(bucket, timestamp, |entry| *entry = Some(Entry { value, timestamp }));
        Ok(())
    }

    /// Deletes a session and returns what was there.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(std::time::Duration::from_millis(10))).count(Materialized::named("s").retention(std::time::Duration::from_secs(3_600)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut SessionStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, visit) = ("ada".to_owned(), Session { start: Timestamp(10), end: Timestamp(25) });
    /// store.put(&key, visit, 3, Timestamp(25))?;
    /// assert_eq!(store.remove(&key, visit, Timestamp(30))?, Some(Entry::new(3, Timestamp(25))));
    /// assert_eq!(store.remove(&key, visit, Timestamp(30))?, None);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails or its bytes are not a value.
    pub fn remove(
        &mut self,
        key: &K,
        session: Session,
        timestamp: Timestamp,
    ) -> Result<Option<Entry<V>>, StoreError> {
        let bucket = self.resident(key, session)?;
        Ok(self.cache.change(bucket, timestamp, Option::take))
    }

    /// Appends the sessions of a key that end at or after `earliest_end` and start at or before `latest_start` to `out`, by
    /// end and then by start.
    ///
    /// ```
    /// use candlewick::{Session, Timestamp};
    /// # use candlewick::{Consumed, Context, ProcessError, Processor, Record, StreamsBuilder, TopologyTestDriver};
    /// # use candlewick::{I64Serde, SessionStore, StoreError, Stores, StringSerde};
    /// # use std::time::Duration;
    /// # let builder = StreamsBuilder::new();
    /// # builder.add_store(Stores::session::<String, i64>("s", StringSerde, I64Serde, Duration::from_secs(3_600)));
    /// # builder.stream("in", Consumed::<String, String>::default()).process::<String, String, _>(&["s"], |_| Idle);
    /// # struct Idle;
    /// # impl Processor<String, String, String, String> for Idle {
    /// #     fn process(&mut self, _: Record<String, String>, _: &mut Context<'_, String, String>) -> Result<(), ProcessError> { Ok(()) }
    /// # }
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store::<SessionStore<String, i64>, _>("s", |store| -> Result<(), StoreError> {
    /// let key = "ada".to_owned();
    /// let session = |start, end| Session { start: Timestamp(start), end: Timestamp(end) };
    /// for (start, end) in [(0, 10), (100, 150), (300, 310)] {
    ///     store.put(&key, session(start, end), end - start, Timestamp(end))?;
    /// }
    /// // Which sessions would a click at 120 belong to, within 50 of either end?
    /// let mut found = Vec::new();
    /// store.find(&key, Timestamp(120 - 50), Timestamp(120 + 50), &mut found)?;
    /// let sessions: Vec<Session> = found.into_iter().map(|(session, _)| session).collect();
    /// assert_eq!(sessions, [session(100, 150)]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails, or a key or value cannot be written or read.
    pub fn find(
        &mut self,
        key: &K,
        earliest_end: Timestamp,
        latest_start: Timestamp,
        out: &mut Vec<(Session, Entry<V>)>,
    ) -> Result<(), StoreError> {
        self.stage()?;
        let from = self.live_from(earliest_end);
        self.layer.segments(self.retention.segment(from), i64::MAX, &mut self.segments);
        if self.segments.is_empty() {
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let read = self.codec.append_key(key, &mut bytes).and_then(|()| {
            let (codec, end) = (&self.codec, Timestamp(i64::MAX));
            let (first, last) = (suffix(from, Timestamp(0)), suffix(end, end));
            let bounds = (Bound::Included(&first[..]), Bound::Included(&last[..]));
            self.segments.iter().try_for_each(|&segment| {
                self.layer.scan_key(segment, &bytes, bounds, false, &mut |rest, value| {
                    if let Some((_, end, start)) = split(rest)
                        && start <= latest_start
                    {
                        out.push((Session { start, end }, codec.read(value)?));
                    }
                    Ok(true)
                })
            })
        });
        self.bytes = bytes;
        read
    }

    /// Appends the sessions of all keys that end at or after `earliest_end` to `out`: segment by segment, within a segment
    /// in the order of the keys' bytes and then by end and start.
    ///
    /// ```
    /// use candlewick::{Session, Timestamp};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(std::time::Duration::from_millis(10))).count(Materialized::named("s").retention(std::time::Duration::from_secs(3_600)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut SessionStore<String, i64>| -> Result<(), StoreError> {
    /// for (key, start, end) in [("ada", 0, 10), ("grace", 5, 40), ("ada", 50, 60)] {
    ///     let visit = Session { start: Timestamp(start), end: Timestamp(end) };
    ///     store.put(&key.to_owned(), visit, 1, Timestamp(end))?;
    /// }
    /// // Which sessions went on at 40 or later?
    /// let mut found = Vec::new();
    /// store.find_all(Timestamp(40), &mut found)?;
    /// let of: Vec<&str> = found.iter().map(|(key, _, _)| key.as_str()).collect();
    /// assert_eq!(of, ["ada", "grace"]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_all(
        &mut self,
        earliest_end: Timestamp,
        out: &mut Vec<(K, Session, Entry<V>)>,
    ) -> Result<(), StoreError> {
        self.find_kept(self.live_from(earliest_end), out)
    }

    /// As [`find_all`](Self::find_all), also what is hidden as too old but was not dropped yet: a session is so at the very
    /// time before it is over.
    pub(crate) fn find_kept(
        &mut self,
        from: Timestamp,
        out: &mut Vec<(K, Session, Entry<V>)>,
    ) -> Result<(), StoreError> {
        self.stage()?;
        self.layer.segments(self.retention.segment(from), i64::MAX, &mut self.segments);
        let codec = &self.codec;
        self.segments.iter().try_for_each(|&segment| {
            self.layer.scan(segment, (Bound::Unbounded, Bound::Unbounded), false, &mut |row, value| {
                if let Some((key, end, start)) = split(row)
                    && end >= from
                {
                    out.push((codec.read_key(key)?, Session { start, end }, codec.read(value)?));
                }
                Ok(())
            })
        })
    }

    fn live_from(&self, from: Timestamp) -> Timestamp {
        from.max(self.retention.first_live(self.observed)).max(Timestamp(0))
    }

    fn stage(&mut self) -> Result<(), StoreError> {
        let Self { cache, codec, layer, retention, .. } = self;
        staging::stage(cache, codec, layer, |SessionKey { key, session }| {
            (key, suffix(session.end, session.start), retention.segment(session.end))
        })
    }

    /// Appends what changed since the last call to `out`, one change a session, in the order in which they first changed.
    /// The values stay cached; their bytes wait for the changelog and the commit.
    ///
    /// ```
    /// use candlewick::{Entry, Session, Timestamp};
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(std::time::Duration::from_millis(10))).count(Materialized::named("s").retention(std::time::Duration::from_secs(3_600)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut SessionStore<String, i64>| -> Result<(), StoreError> {
    /// let visit = Session { start: Timestamp(10), end: Timestamp(25) };
    /// store.put(&"ada".to_owned(), visit, 3, Timestamp(25))?;
    /// let mut changes = Vec::new();
    /// store.take_dirty(&mut changes)?;
    /// assert_eq!(changes[0].key, ("ada".to_owned(), visit));
    /// assert_eq!(changes[0].new, Some(Entry::new(3, Timestamp(25))));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When a key or value cannot be written.
    pub fn take_dirty(&mut self, out: &mut Vec<DirtySession<K, V>>) -> Result<(), StoreError> {
        self.stage()?;
        out.reserve(self.cache.dirty_len());
        self.cache.settle(|slot, old| {
            let key = (slot.key.key.clone(), slot.key.session);
            out.push(Dirty { key, old, new: slot.entry.clone(), timestamp: slot.timestamp() });
        });
        Ok(())
    }

    /// Whether the owner should call [`take_dirty`](Self::take_dirty) after this record.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default()).windowed_by(SessionWindows::of_inactivity_gap_with_no_grace(std::time::Duration::from_millis(10))).count(Materialized::named("s").retention(std::time::Duration::from_secs(3_600)));
    /// # TopologyTestDriver::new(builder.build().expect("valid")).with_store("s", |store: &mut SessionStore<String, i64>| -> Result<(), StoreError> {
    /// let (key, visit) = ("ada".to_owned(), Session { start: Timestamp(10), end: Timestamp(25) });
    /// store.put(&key, visit, 3, Timestamp(25))?;
    /// // One change does not fill the cache.
    /// assert!(!store.wants_flush());
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    #[inline]
    #[must_use]
    pub fn wants_flush(&self) -> bool {
        self.cache.wants_flush()
    }
}

impl<K, V> std::fmt::Debug for SessionStore<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SessionStore({})", self.layer.store)
    }
}
