//! Fibers: threads that run one at a time on one thread of the operating system, each on a stack of its own, and go from
//! one to the next only where they say so. Owns the switch; must not know who goes next.
#![expect(
    unsafe_code,
    reason = "a fiber reaches its own yielder from deep inside of code that does not pass it on"
)]

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

/// What a fiber is told when it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Go,
    /// It unwinds from where it is, as if its process had been killed; what it holds is dropped.
    Die,
}

/// Why a killed fiber unwinds.
struct Killed;

type Yields = Yielder<Order, ()>;

thread_local! {
    /// The yielder of the fiber that runs, or null.
    static YIELDER: Cell<*const Yields> = const { Cell::new(ptr::null()) };
    /// Stacks of fibers that have ended.
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// Bytes of a fiber's stack; only what is touched is real.
const STACK_BYTES: usize = 1 << 20;
/// Stacks kept for later fibers.
const STACKS_MAX: usize = 32;

/// A fiber; it begins when it is resumed first.
pub(crate) struct Fiber {
    coroutine: Coroutine<Order, (), Option<String>, DefaultStack>,
    yielder: *const Yields,
}

/// How far a fiber has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Paused,
    /// It has ended; with the message of its panic, if it was one of its own.
    Ended(Option<String>),
}

impl Fiber {
    pub(crate) fn new(body: Box<dyn FnOnce()>) -> Self {
        let stack = STACKS.with_borrow_mut(Vec::pop);
        let stack = stack.unwrap_or_else(|| DefaultStack::new(STACK_BYTES).expect("memory for a stack"));
        let coroutine = Coroutine::with_stack(stack, move |yielder: &Yields, first: Order| {
            YIELDER.set(yielder);
            if first == Order::Die {
                return None;
            }
            catch_unwind(AssertUnwindSafe(body)).err().and_then(|panic| told(&*panic))
        });
        Self { coroutine, yielder: ptr::null() }
    }

    pub(crate) fn resume(&mut self, order: Order) -> Progress {
        let outer = YIELDER.replace(self.yielder);
        let result = self.coroutine.resume(order);
        self.yielder = YIELDER.replace(outer);
        match result {
            CoroutineResult::Yield(()) => Progress::Paused,
            CoroutineResult::Return(message) => Progress::Ended(message),
        }
    }

    /// Keeps the stack of a fiber that has ended.
    pub(crate) fn recycle(self) {
        let stack = self.coroutine.into_stack();
        STACKS.with_borrow_mut(|stacks| {
            if stacks.len() < STACKS_MAX {
                stacks.push(stack);
            }
        });
    }
}

/// Lets others run. Does not come back when the fiber is to die; while it unwinds it comes back at once.
pub(crate) fn pause() {
    let yielder = YIELDER.get();
    if std::thread::panicking() || yielder.is_null() {
        return;
    }
    // SAFETY: the yielder lives on the stack of the fiber that runs now, below this call, and only this thread sees it.
    let order = unsafe { &*yielder }.suspend(());
    if order == Order::Die {
        resume_unwind(Box::new(Killed));
    }
}

fn told(panic: &(dyn Any + Send)) -> Option<String> {
    if panic.is::<Killed>() {
        return None;
    }
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    Some(text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;

    #[test]
    fn fibers_take_turns_and_a_killed_one_drops_what_it_holds() {
        let held = Rc::new(());
        let mut fibers: Vec<Fiber> = (0..3)
            .map(|_| {
                let held = Rc::clone(&held);
                Fiber::new(Box::new(move || {
                    let _held = held;
                    pause();
                    pause();
                }))
            })
            .collect();
        fibers.iter_mut().for_each(|fiber| assert_eq!(fiber.resume(Order::Go), Progress::Paused));
        assert_eq!(Rc::strong_count(&held), 4);
        assert_eq!(fibers[1].resume(Order::Die), Progress::Ended(None));
        assert_eq!(fibers[0].resume(Order::Go), Progress::Paused);
        assert_eq!(fibers[0].resume(Order::Go), Progress::Ended(None));
        assert_eq!(fibers[2].resume(Order::Die), Progress::Ended(None));
        assert_eq!(Rc::strong_count(&held), 1);
        let mut wrong = Fiber::new(Box::new(|| resume_unwind(Box::new("told".to_owned()))));
        assert_eq!(wrong.resume(Order::Go), Progress::Ended(Some("told".to_owned())));
    }
}
