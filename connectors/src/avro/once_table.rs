//! A small table that is written once for each key and read all the time, without a lock for the first keys. Knows
//! nothing of what it holds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

/// More keys than an application has schema ids or topics for one type.
const QUICK: usize = 16;

/// Values by key, made at first sight.
#[derive(Debug)]
pub(super) struct OnceTable<K, V> {
    quick: [OnceLock<(K, V)>; QUICK],
    rest: RwLock<BTreeMap<K, Arc<V>>>,
    making: Mutex<()>,
}

impl<K: Ord, V> OnceTable<K, V> {
    pub(super) fn new() -> Self {
        Self {
            quick: [const { OnceLock::new() }; QUICK],
            rest: RwLock::new(BTreeMap::new()),
            making: Mutex::new(()),
        }
    }

    /// Calls `then` with the value of a key, made by `make` when it is not there; one at a time is made.
    #[inline(always)]
    pub(super) fn with<Q, E, R>(
        &self,
        key: &Q,
        make: impl FnOnce() -> Result<V, E>,
        then: impl FnOnce(&V) -> R,
    ) -> Result<R, E>
    where
        K: std::borrow::Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        match self.quick_get(key) {
            Some(value) => Ok(then(value)),
            None => self.slow(key, make, then),
        }
    }

    #[inline(always)]
    fn quick_get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Ord + ?Sized,
    {
        for slot in &self.quick {
            let (own, value) = slot.get()?;
            if own.borrow() == key {
                return Some(value);
            }
        }
        None
    }

    #[cold]
    fn slow<Q, E, R>(
        &self,
        key: &Q,
        make: impl FnOnce() -> Result<V, E>,
        then: impl FnOnce(&V) -> R,
    ) -> Result<R, E>
    where
        K: std::borrow::Borrow<Q>,
        Q: Ord + ToOwned<Owned = K> + ?Sized,
    {
        // A lock poisoned by a panic elsewhere guards no half-made state here.
        let rest = |table: &Self| {
            table.rest.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(key).map(Arc::clone)
        };
        if let Some(value) = rest(self) {
            return Ok(then(&value));
        }
        let _making = self.making.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(value) = self.quick_get(key) {
            return Ok(then(value));
        }
        if let Some(value) = rest(self) {
            return Ok(then(&value));
        }
        let mut made = (key.to_owned(), make()?);
        for slot in &self.quick {
            match slot.set(made) {
                Ok(()) => return Ok(then(&slot.get().expect("it was set just now").1)),
                Err(back) => made = back,
            }
        }
        let value = Arc::new(made.1);
        let mut table = self.rest.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        table.insert(made.0, Arc::clone(&value));
        drop(table);
        Ok(then(&value))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn each_value_is_made_once_also_beyond_the_quick_places() {
        let table = OnceTable::<u32, String>::new();
        let made = Cell::new(0);
        for _ in 0..3 {
            for key in 0..100_u32 {
                let make = || {
                    made.set(made.get() + 1);
                    Ok::<_, Infallible>(key.to_string())
                };
                let Ok(text) = table.with(&key, make, String::clone);
                assert_eq!(text, key.to_string());
            }
        }
        assert_eq!(made.get(), 100);
    }

    #[test]
    fn what_could_not_be_made_is_tried_again() {
        let table = OnceTable::<u32, ()>::new();
        assert_eq!(table.with(&1, || Err("no"), |()| ()), Err("no"));
        assert_eq!(table.with(&1, || Ok::<_, &str>(()), |()| 5), Ok(5));
    }
}
