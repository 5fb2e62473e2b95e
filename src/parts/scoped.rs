//! A thread-local that lends out a value for the length of a call.
//!
//! A worker's queues belong to its stack frame; code far below it (a waker, `spawn`) must find
//! them. A thread-local `Rc` would do, but its destructor makes each access test whether the
//! thread is ending, and the value would have to live on the heap.
//!
//! ```text
//!   set(&value, || …)          the slot points to `value` while the closure runs
//!     └─ with(|v| …)           sees it; outside of any `set` it sees nothing
//!
//!   let guard = enter(value)   the same for a guard that owns its value
//! ```
//!
//! A guard may be dropped in the wrong order, or leaked. Its value is then leaked, too: the slot,
//! or a restore further out, may still point to it.
//!
//! Read next: `runtime/worker.rs`.

#![allow(
    unsafe_code,
    reason = "a thread-local pointer whose target outlives the call that set it"
)]

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::thread::LocalKey;

/// The slot; make it a `thread_local!` with a const initialiser.
pub(crate) struct Scoped<T: 'static>(Cell<*const T>);

impl<T: 'static> Scoped<T> {
    /// An empty slot.
    pub(crate) const fn new() -> Self {
        Self(Cell::new(ptr::null()))
    }

    /// Lends `value` to everything that `f` calls on this thread; nests.
    pub(crate) fn set<R>(&self, value: &T, f: impl FnOnce() -> R) -> R {
        struct Restore<'a, T: 'static>(&'a Scoped<T>, *const T);
        impl<T: 'static> Drop for Restore<'_, T> {
            fn drop(&mut self) {
                self.0.0.set(self.1);
            }
        }
        let _restore = Restore(self, self.0.replace(value));
        f()
    }

    /// Shows the value that is lent now, if any.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(Option<&T>) -> R) -> R {
        let value = self.0.get();
        // SAFETY: the pointer is null or was set by `set` on this very thread (the slot is a
        // thread-local), from a reference that lives until that `set` returns; `set` puts the old
        // pointer back before it returns, also on a panic. So it is valid while `f` runs, which
        // is below `set` on the stack.
        let value = unsafe { value.as_ref() };
        f(value)
    }
}

/// A value lent to this thread until the guard is dropped.
pub(crate) struct Entered<T: 'static> {
    slot: &'static LocalKey<Scoped<T>>,
    /// From `Box::into_raw`; freed by `drop`, unless that finds the guards out of order.
    value: *const T,
    /// What the slot showed before.
    before: *const T,
    /// The slot is this thread's.
    _not_send: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives access to nothing; only dropping it (by value) does something.
unsafe impl<T> Sync for Entered<T> {}

/// Lends `value` to this thread until the guard is dropped.
pub(crate) fn enter<T>(slot: &'static LocalKey<Scoped<T>>, value: T) -> Entered<T> {
    let value: *const T = Box::into_raw(Box::new(value));
    let before = slot.with(|slot| slot.0.replace(value));
    Entered {
        slot,
        value,
        before,
        _not_send: PhantomData,
    }
}

impl<T> Entered<T> {
    /// Ends the loan. False: something was entered later and is still there, so nothing changes
    /// and the value is leaked.
    fn leave(&self) -> bool {
        let ours = self
            .slot
            .try_with(|slot| {
                let ours = ptr::eq(slot.0.get(), self.value);
                if ours {
                    slot.0.set(self.before);
                }
                ours
            })
            // The thread's locals are gone, and with them whoever could look.
            .unwrap_or(true);
        if ours {
            // SAFETY: made by `Box::into_raw` in `enter`, freed only here, once. The slot does not
            // show it any more; a `set` or guard that was entered later and would restore it has
            // ended, or the slot would show that one.
            drop(unsafe { Box::from_raw(self.value.cast_mut()) });
        }
        ours
    }
}

impl<T> Drop for Entered<T> {
    #[track_caller]
    fn drop(&mut self) {
        if !self.leave() && !std::thread::panicking() {
            panic!(
                "enter guard: dropped before one that was made later; drop them in reverse order"
            );
        }
    }
}
