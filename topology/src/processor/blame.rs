//! Which node panicked. Owns one note for each thread, written while a panic unwinds; costs nothing while none does.

use std::cell::RefCell;
use std::sync::Arc;

thread_local! {
    static NODE: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Around a call into a node: dropped only when the call unwinds.
struct Blame<'a>(&'a Arc<str>);

impl Drop for Blame<'_> {
    fn drop(&mut self) {
        // The innermost node unwinds first.
        NODE.with_borrow_mut(|node| {
            node.get_or_insert_with(|| Arc::clone(self.0));
        });
    }
}

/// Calls into the node of this name.
#[inline(always)]
pub(crate) fn blaming<R>(name: &Arc<str>, call: impl FnOnce() -> R) -> R {
    let blame = Blame(name);
    let result = call();
    std::mem::forget(blame);
    result
}

/// The node that panicked on this thread since this was asked last.
pub(crate) fn take_blamed() -> Option<Arc<str>> {
    NODE.with_borrow_mut(Option::take)
}
