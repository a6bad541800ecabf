//! How several windows of a store are read at once: of a key, or of a time. Owns their order, which is that of Kafka's
//! stores; must not know how windows are changed.

use std::hash::Hash;
use std::ops::Bound;

use super::WindowStore;
use crate::state::entry::Entry;
use crate::state::error::StoreError;
use crate::state::schema::window::{split, suffix};
use crate::time::Timestamp;

impl<K, V> WindowStore<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// Appends the windows of a key that start in `from..=to` to `out`, by start.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_secs(3_600));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// let key = "BTC".to_owned();
    /// for minute in 0..5 {
    ///     store.put(key.clone(), Timestamp(minute * 60_000), minute, Timestamp(minute * 60_000))?;
    /// }
    /// let mut found = Vec::new();
    /// store.fetch(&key, Timestamp(60_000), Timestamp(180_000), &mut found)?;
    /// let minutes: Vec<i64> = found.iter().map(|(_, entry)| entry.value).collect();
    /// assert_eq!(minutes, [1, 2, 3]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails, or a key or value cannot be written or read.
    pub fn fetch(
        &mut self,
        key: &K,
        from: Timestamp,
        to: Timestamp,
        out: &mut Vec<(Timestamp, Entry<V>)>,
    ) -> Result<(), StoreError> {
        self.fetch_key(key, from, to, false, out)
    }

    /// As [`fetch`](Self::fetch), the latest start first.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// let key = "BTC".to_owned();
    /// for start in [0, 10, 20] {
    ///     store.put(key.clone(), Timestamp(start), start, Timestamp(start))?;
    /// }
    /// let mut found = Vec::new();
    /// store.fetch_reverse(&key, Timestamp(0), Timestamp(10), &mut found)?;
    /// assert_eq!(found[0].0, Timestamp(10));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn fetch_reverse(
        &mut self,
        key: &K,
        from: Timestamp,
        to: Timestamp,
        out: &mut Vec<(Timestamp, Entry<V>)>,
    ) -> Result<(), StoreError> {
        self.fetch_key(key, from, to, true, out)
    }

    fn fetch_key(
        &mut self,
        key: &K,
        from: Timestamp,
        to: Timestamp,
        reverse: bool,
        out: &mut Vec<(Timestamp, Entry<V>)>,
    ) -> Result<(), StoreError> {
        let from = self.live_from(from);
        if to < from {
            return Ok(());
        }
        self.stage()?;
        self.segments_between(from, to, reverse);
        if self.segments.is_empty() {
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let read = self.codec.append_key(key, &mut bytes).and_then(|()| {
            let (codec, first, last) = (&self.codec, suffix(from, 0), suffix(to, i32::MAX));
            let bounds = (Bound::Included(&first[..]), Bound::Included(&last[..]));
            self.segments.iter().try_for_each(|&segment| {
                self.layer.scan_key(segment, &bytes, bounds, reverse, &mut |rest, value| {
                    if let Some((_, start, _)) = split(rest) {
                        out.push((start, codec.read(value)?));
                    }
                    Ok(true)
                })
            })
        });
        self.bytes = bytes;
        read
    }

    /// Appends the windows of all keys that start in `from..=to` to `out`: segment by segment, within a segment in the
    /// order of the keys' bytes and then by start, as Kafka's stores do.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// for (key, start) in [("ETH", 0), ("BTC", 0), ("BTC", 10), ("BTC", 20)] {
    ///     store.put(key.to_owned(), Timestamp(start), 1, Timestamp(start))?;
    /// }
    /// let mut found = Vec::new();
    /// store.fetch_all(Timestamp(0), Timestamp(10), &mut found)?;
    /// assert_eq!(found.len(), 3);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn fetch_all(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        out: &mut Vec<(K, Timestamp, Entry<V>)>,
    ) -> Result<(), StoreError> {
        let from = self.live_from(from);
        if to < from {
            return Ok(());
        }
        self.stage()?;
        self.segments_between(from, to, false);
        let codec = &self.codec;
        for &segment in &self.segments {
            self.layer.scan(segment, (Bound::Unbounded, Bound::Unbounded), false, &mut |row, value| {
                if let Some((key, start, _)) = split(row)
                    && start >= from
                    && start <= to
                {
                    out.push((codec.read_key(key)?, start, codec.read(value)?));
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Appends all windows that are not expired to `out`, in the order of [`fetch_all`](Self::fetch_all).
    ///
    /// ```
    /// # use {candlewick::*, std::time::Duration};
    /// # let (size, kept) = (Duration::from_millis(10), Duration::from_millis(60));
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = builder.stream("in", Consumed::<String, i64>::default()).group_by_key(Grouped::default());
    /// # let windows = numbers.windowed_by(TimeWindows::of_size_with_no_grace(size));
    /// # windows.count(Materialized::named("s").retention(kept));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut WindowStore<String, i64>| -> Result<(), StoreError> {
    /// for (key, start) in [("ETH", 0), ("BTC", 10), ("BTC", 0)] {
    ///     store.put(key.to_owned(), Timestamp(start), 1, Timestamp(start))?;
    /// }
    /// let mut found = Vec::new();
    /// store.all(&mut found)?;
    /// let windows: Vec<(&str, i64)> = found.iter().map(|(key, start, _)| (key.as_str(), start.0)).collect();
    /// assert_eq!(windows, [("BTC", 0), ("BTC", 10), ("ETH", 0)]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn all(&mut self, out: &mut Vec<(K, Timestamp, Entry<V>)>) -> Result<(), StoreError> {
        self.fetch_all(Timestamp(0), Timestamp(i64::MAX), out)
    }

    fn live_from(&self, from: Timestamp) -> Timestamp {
        from.max(self.retention.first_live(self.observed)).max(Timestamp(0))
    }

    fn segments_between(&mut self, from: Timestamp, to: Timestamp, reverse: bool) {
        let (from, to) = (self.retention.segment(from), self.retention.segment(to));
        self.layer.segments(from, to, &mut self.segments);
        if reverse {
            self.segments.reverse();
        }
    }
}
