//! How several rows of a key-value store are read at once: a range, a prefix, all. Owns their order, which is that of the
//! keys' bytes; must not know how rows are changed.

use std::hash::Hash;
use std::ops::Bound;

use super::KeyValueStore;
use crate::state::entry::Entry;
use crate::state::error::StoreError;
use crate::state::overlay::WHOLE;
use crate::state::rows::after_prefix;

impl<K, V> KeyValueStore<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + 'static,
{
    /// Appends the entries of a range of keys to `out`, in the order of the keys' bytes.
    ///
    /// ```
    /// use std::ops::Bound;
    /// use candlewick::Timestamp;
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// for (n, word) in (0..).zip(["ant", "bee", "cat", "dog"]) {
    ///     store.put(word.to_owned(), n, Timestamp(n))?;
    /// }
    /// let mut found = Vec::new();
    /// store.range(Bound::Included(&"b".to_owned()), Bound::Included(&"cat".to_owned()), &mut found)?;
    /// let words: Vec<&str> = found.iter().map(|(word, _)| word.as_str()).collect();
    /// assert_eq!(words, ["bee", "cat"]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// When the engine fails, or a key or value cannot be written or read.
    pub fn range(
        &mut self,
        from: Bound<&K>,
        to: Bound<&K>,
        out: &mut Vec<(K, Entry<V>)>,
    ) -> Result<(), StoreError> {
        self.collect(from, to, false, out)
    }

    /// As [`range`](Self::range), against the order of the keys' bytes.
    ///
    /// ```
    /// use std::ops::Bound;
    /// use candlewick::Timestamp;
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// for (n, word) in (0..).zip(["ant", "bee", "cat", "dog"]) {
    ///     store.put(word.to_owned(), n, Timestamp(n))?;
    /// }
    /// let mut found = Vec::new();
    /// store.range_reverse(Bound::Unbounded, Bound::Excluded(&"cat".to_owned()), &mut found)?;
    /// let words: Vec<&str> = found.iter().map(|(word, _)| word.as_str()).collect();
    /// assert_eq!(words, ["bee", "ant"]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// As [`range`](Self::range).
    pub fn range_reverse(
        &mut self,
        from: Bound<&K>,
        to: Bound<&K>,
        out: &mut Vec<(K, Entry<V>)>,
    ) -> Result<(), StoreError> {
        self.collect(from, to, true, out)
    }

    /// Appends all entries to `out`, in the order of the keys' bytes.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// for (n, word) in (0..).zip(["cat", "ant", "bee"]) {
    ///     store.put(word.to_owned(), n, Timestamp(n))?;
    /// }
    /// let (mut found, mut last_first) = (Vec::new(), Vec::new());
    /// store.all(&mut found)?;
    /// store.all_reverse(&mut last_first)?;
    /// assert_eq!((found[0].0.as_str(), last_first[0].0.as_str()), ("ant", "cat"));
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// As [`range`](Self::range).
    pub fn all(&mut self, out: &mut Vec<(K, Entry<V>)>) -> Result<(), StoreError> {
        self.collect(Bound::Unbounded, Bound::Unbounded, false, out)
    }

    /// As [`all`](Self::all), against the order of the keys' bytes.
    ///
    /// ```
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// for (n, word) in (0..).zip(["cat", "ant", "bee"]) {
    ///     store.put(word.to_owned(), n, Timestamp(n))?;
    /// }
    /// let mut found = Vec::new();
    /// store.all_reverse(&mut found)?;
    /// let words: Vec<&str> = found.iter().map(|(word, _)| word.as_str()).collect();
    /// assert_eq!(words, ["cat", "bee", "ant"]);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// As [`range`](Self::range).
    pub fn all_reverse(&mut self, out: &mut Vec<(K, Entry<V>)>) -> Result<(), StoreError> {
        self.collect(Bound::Unbounded, Bound::Unbounded, true, out)
    }

    /// Appends the entries whose key's bytes begin with `prefix` to `out`, in the order of the keys' bytes.
    ///
    /// ```
    /// use candlewick::Timestamp;
    /// # use candlewick::*;
    /// # let builder = StreamsBuilder::new();
    /// # let numbers = Consumed::<String, Option<i64>>::default();
    /// # builder.table("in", numbers, Materialized::<String, i64>::named("s"));
    /// # let driver = TopologyTestDriver::new(builder.build().expect("valid"));
    /// # driver.with_store("s", |store: &mut KeyValueStore<String, i64>| -> Result<(), StoreError> {
    /// for (n, symbol) in (0..).zip(["BTC-EUR", "BTC-USD", "ETH-USD"]) {
    ///     store.put(symbol.to_owned(), n, Timestamp(n))?;
    /// }
    /// let mut found = Vec::new();
    /// store.prefix(b"BTC-", &mut found)?;
    /// assert_eq!(found.len(), 2);
    /// # Ok(())
    /// # }).expect("in memory");
    /// ```
    ///
    /// # Errors
    /// As [`range`](Self::range).
    pub fn prefix(&mut self, prefix: &[u8], out: &mut Vec<(K, Entry<V>)>) -> Result<(), StoreError> {
        if !self.layer.grouping().is_key(prefix) {
            let end = after_prefix(prefix);
            let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            return self.collect_bytes(Bound::Included(prefix), to, false, out);
        }
        self.stage()?;
        let (codec, whole) = (&self.codec, &mut self.bytes);
        whole.clear();
        whole.extend_from_slice(prefix);
        let all = (Bound::Unbounded, Bound::Unbounded);
        self.layer.scan_key(WHOLE, prefix, all, false, &mut |rest, value| {
            whole.truncate(prefix.len());
            whole.extend_from_slice(rest);
            out.push((codec.read_key(whole)?, codec.read(value)?));
            Ok(true)
        })
    }

    fn collect(
        &mut self,
        from: Bound<&K>,
        to: Bound<&K>,
        reverse: bool,
        out: &mut Vec<(K, Entry<V>)>,
    ) -> Result<(), StoreError> {
        let (mut from_bytes, mut to_bytes) = (Vec::new(), Vec::new());
        if let Bound::Included(key) | Bound::Excluded(key) = from {
            self.codec.append_key(key, &mut from_bytes)?;
        }
        if let Bound::Included(key) | Bound::Excluded(key) = to {
            self.codec.append_key(key, &mut to_bytes)?;
        }
        self.collect_bytes(from.map(|_| &from_bytes[..]), to.map(|_| &to_bytes[..]), reverse, out)
    }

    fn collect_bytes(
        &mut self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        reverse: bool,
        out: &mut Vec<(K, Entry<V>)>,
    ) -> Result<(), StoreError> {
        self.stage()?;
        let codec = &self.codec;
        self.layer.scan(WHOLE, (from, to), reverse, &mut |key, value| {
            out.push((codec.read_key(key)?, codec.read(value)?));
            Ok(())
        })
    }
}
