//! A thread-local that lends out a value for the length of a call.
//!
//! A worker's queues belong to its stack frame; code far below it (a waker, `spawn`) must find
//! them. A thread-local `Rc` would do, but its destructor makes each access test whether the
//! thread is ending, and the value would have to live on the heap.
//!
//! ```text
//!   set(&value, || …)          the slot points to `value` while the closure runs
//!     └─ with(|v| …)           sees it; outside of any `set` it sees nothing
//! ```
//!
//! Read next: `runtime/worker.rs`.

#![allow(
    unsafe_code,
    reason = "a thread-local pointer whose target outlives the call that set it"
)]

use std::cell::Cell;
use std::ptr;

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

    /// Takes the loan away for the length of `f`: what `f` calls sees nothing.
    pub(crate) fn hidden<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Restore<'a, T: 'static>(&'a Scoped<T>, *const T);
        impl<T: 'static> Drop for Restore<'_, T> {
            fn drop(&mut self) {
                self.0.0.set(self.1);
            }
        }
        let _restore = Restore(self, self.0.replace(ptr::null()));
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
