//! How a processor names its store: a number with a type. Owns the handle and its downcast; made by the plan.

use std::fmt;
use std::marker::PhantomData;

use super::StateStore;

/// A store of type `S` among the stores of a task. `Copy`; valid in every task of the topology it was made for.
///
/// ```
/// use candlewick::{Context, KeyValueStore, StoreError, StoreHandle};
/// /// Handles are copied into every processor that needs the store.
/// fn is_known(
///     seen: StoreHandle<KeyValueStore<String, i64>>,
///     key: &String,
///     cx: &mut Context<'_, String, i64>,
/// ) -> Result<bool, StoreError> {
///     Ok(cx.store(seen).get(key)?.is_some())
/// }
/// # let _ = is_known;
/// ```
pub struct StoreHandle<S> {
    index: u32,
    store: PhantomData<fn() -> S>,
}

impl<S> Clone for StoreHandle<S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for StoreHandle<S> {}

impl<S> fmt::Debug for StoreHandle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreHandle({})", self.index)
    }
}

impl<S: 'static> StoreHandle<S> {
    /// The store at `index` of each task's stores.
    pub(crate) const fn new(index: u32) -> Self {
        Self { index, store: PhantomData }
    }

    /// Its place among the task's stores.
    pub(crate) const fn index(self) -> usize {
        self.index as usize
    }

    /// The store itself.
    #[inline]
    pub(crate) fn get(self, stores: &mut [Box<dyn StateStore>]) -> &mut S {
        stores[self.index()]
            .as_any_mut()
            .downcast_mut()
            .expect("the plan checks the type of each store handle")
    }
}
