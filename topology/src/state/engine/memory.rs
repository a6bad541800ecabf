//! The engine in memory: tables of rows behind one lock. Owns its tables; gone with the process.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use super::{Batch, Bounds, Keyspace, Visit};
use crate::state::error::StoreError;
use crate::state::rows::{Grouping, RowBytes, RowTable, WARM_MAX};

/// Tables in memory. A reader holds the lock for one view, never longer than a page.
#[derive(Debug, Default)]
pub(crate) struct MemoryEngine {
    tables: RwLock<Tables>,
}

#[derive(Debug, Default)]
pub(crate) struct Tables {
    names: BTreeMap<String, Keyspace>,
    rows: BTreeMap<Keyspace, RowTable<RowBytes>>,
    marks: BTreeMap<String, i64>,
    next: u32,
}

/// Looks at the bytes of a value, which may lie elsewhere.
fn is_touched(value: &RowBytes) -> bool {
    value.first().is_some_and(|byte| *byte > 0)
}

/// Some keys behind each other, each with its end.
#[derive(Default)]
struct Keys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Keys {
    /// Adds a key, which `put` appends.
    fn push(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        put(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| &self.bytes[std::mem::replace(&mut start, *end)..*end])
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Some rows of a batch.
#[derive(Default)]
struct Next {
    keys: Keys,
    values: Vec<Option<RowBytes>>,
}

impl Next {
    fn push(&mut self, key: &[u8], value: Option<RowBytes>) {
        self.keys.push(|bytes| bytes.extend_from_slice(key));
        self.values.push(value);
    }

    fn write(&mut self, table: &mut RowTable<RowBytes>) {
        table.warm_room(self.values.len());
        table.warm(self.keys.iter(), is_touched);
        for (key, value) in self.keys.iter().zip(self.values.drain(..)) {
            match value {
                Some(value) => drop(table.insert(key, value)),
                None => drop(table.remove(key)),
            }
        }
        self.keys.clear();
    }
}

impl MemoryEngine {
    pub(crate) fn view<R>(&self, f: impl FnOnce(&Tables) -> R) -> R {
        f(&self.tables.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<R>(&self, f: impl FnOnce(&mut Tables) -> R) -> R {
        f(&mut self.tables.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn create(&self, name: &str, grouping: Grouping) -> Keyspace {
        self.change(|tables| {
            if let Some(&keyspace) = tables.names.get(name) {
                return keyspace;
            }
            let keyspace = Keyspace(tables.next);
            tables.next += 1;
            tables.names.insert(name.to_owned(), keyspace);
            tables.rows.insert(keyspace, RowTable::new(grouping));
            keyspace
        })
    }

    pub(crate) fn remove(&self, name: &str) {
        // The rows are dropped outside the lock: a large segment takes a while.
        let _rows = self.change(|tables| {
            let keyspace = tables.names.remove(name)?;
            tables.rows.remove(&keyspace)
        });
    }

    pub(crate) fn write(&self, batch: &mut Batch<'_>) {
        self.change(|tables| {
            let mut next = Next::default();
            for (keyspace, rows) in &mut batch.parts {
                let table = tables.rows.get_mut(keyspace).expect("a batch names keyspaces that were created");
                rows.take_each(|key, value| {
                    next.push(key, value);
                    if next.values.len() == WARM_MAX {
                        next.write(table);
                    }
                });
                next.write(table);
            }
            for (name, value) in batch.marks.drain(..) {
                tables.marks.insert(name, value);
            }
        });
    }
}

fn visit_all<'t>(
    mut rows: impl DoubleEndedIterator<Item = (&'t RowBytes, &'t RowBytes)>,
    reverse: bool,
    visit: &mut Visit<'_>,
) -> Result<(), StoreError> {
    while let Some((key, value)) = if reverse { rows.next_back() } else { rows.next() } {
        if !visit(key, value)? {
            break;
        }
    }
    Ok(())
}

impl Tables {
    pub(crate) fn keyspace(&self, name: &str) -> Option<Keyspace> {
        self.names.get(name).copied()
    }

    pub(crate) fn keyspaces(&self, prefix: &str) -> Vec<(String, Keyspace)> {
        let from = self.names.range(prefix.to_owned()..);
        from.take_while(|(name, _)| name.starts_with(prefix))
            .map(|(name, keyspace)| (name.clone(), *keyspace))
            .collect()
    }

    pub(crate) fn get(&self, keyspace: Keyspace, key: &[u8]) -> Option<&[u8]> {
        self.rows.get(&keyspace)?.get(key).map(RowBytes::as_slice)
    }

    /// Touches the memory of the rows of these keys.
    pub(crate) fn warm(&self, keyspace: Keyspace, keys: &mut dyn Iterator<Item = &[u8]>) {
        let Some(table) = self.rows.get(&keyspace) else { return };
        if table.grouping() != Grouping::LengthFirst {
            return table.warm(keys, is_touched);
        }
        let mut rows = Keys::default();
        keys.for_each(|key| rows.push(|bytes| Grouping::put_length_first(key, bytes)));
        table.warm(rows.iter(), is_touched);
    }

    pub(crate) fn scan(
        &self,
        keyspace: Keyspace,
        bounds: Bounds<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let Some(table) = self.rows.get(&keyspace) else { return Ok(()) };
        visit_all(table.range(bounds), reverse, visit)
    }

    pub(crate) fn scan_key(
        &self,
        keyspace: Keyspace,
        key: &[u8],
        bounds: Bounds<'_>,
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        let Some(table) = self.rows.get(&keyspace) else { return Ok(()) };
        visit_all(table.of_key(key, bounds), reverse, visit)
    }

    pub(crate) fn len(&self, keyspace: Keyspace) -> usize {
        self.rows.get(&keyspace).map_or(0, RowTable::len)
    }

    pub(crate) fn mark(&self, name: &str) -> Option<i64> {
        self.marks.get(name).copied()
    }
}
