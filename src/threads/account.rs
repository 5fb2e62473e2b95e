//! What a worker owes to the scope whose jobs it runs, so that not each job writes to the scope.
//!
//! ```text
//!   scope: open parts = jobs that are not over + the body + what all accounts hold
//!
//!   account of a worker: (scope, parts)      one job begins  ── the account is this scope's now
//!     spawn:        one part goes to the new job; none left: takes 64 from the scope at once
//!     a job ends:   its part comes to the account
//!     settle:       all parts go back to the scope; if that was all, the scope is over
//! ```
//!
//! With one counter that each spawn and each end of a job adds to, two threads write to one cache
//! line twice a job: a third of the row `scope_spawn_2`.
//! **Settled before the worker does anything that is not a job of this scope**: before another
//! job, before a search or a sleep, before it returns to whoever called it. So a scope never waits
//! for a worker that is at something else. And while a worker runs a job of the scope, the scope is
//! open anyway. That much is for a thread's main loop; a worker that waits for something settles
//! after each job, since that job may be what it waits for.
//! The account is a scope's only from the begin of one of its jobs, on this thread, until it is
//! settled; so the pointer is good: either a job of the scope runs here or the account holds a
//! part of it.
//! Read next: `threads/worker.rs`.

#![allow(unsafe_code, reason = "a pointer to the scope whose parts are here")]

use std::cell::Cell;
use std::fmt;
use std::ptr::NonNull;

/// Parts that are taken from a scope at once.
///
/// Source: 64 spawns share the cost of a contended addition; not tuned.
const BATCH: usize = 64;

/// Something that is over when all its parts are.
pub(crate) trait Whole {
    /// `count` more. The caller is a part itself.
    fn add(&self, count: usize);
    /// `count` are over. On return this may be gone.
    fn done(&self, count: usize);
}

/// One worker's account.
pub(crate) struct Account {
    /// Whose the parts are; alive, see the head.
    whole: Cell<Option<NonNull<dyn Whole>>>,
    parts: Cell<usize>,
}

impl Account {
    /// An empty one.
    pub(crate) const fn new() -> Self {
        Self {
            whole: Cell::new(None),
            parts: Cell::new(0),
        }
    }

    /// True if it is that of `whole`.
    #[inline]
    fn is_of<W: Whole>(&self, whole: &W) -> bool {
        self.whole
            .get()
            .is_some_and(|mine| mine.cast() == NonNull::from(whole))
    }

    /// A part of `whole` begins on this thread.
    ///
    /// # Safety
    ///
    /// [`end`](Self::end) is called on the same thread, before that part is over for `whole`.
    #[inline]
    pub(crate) unsafe fn begin<W: Whole + 'static>(&self, whole: &W) {
        if !self.is_of(whole) {
            self.settle();
            let whole: NonNull<dyn Whole> = NonNull::from(whole);
            self.whole.set(Some(whole));
        }
    }

    /// One part more for a new job. The caller is a part itself.
    #[inline]
    pub(crate) fn open(&self, whole: &impl Whole) {
        if !self.is_of(whole) {
            return whole.add(1);
        }
        if self.parts.get() == 0 {
            whole.add(BATCH);
            self.parts.set(BATCH);
        }
        self.parts.set(self.parts.get() - 1);
    }

    /// The part that began here is over. Unless this thread waits for it, `whole` may be gone
    /// when the account is settled.
    #[inline]
    pub(crate) fn end(&self, whole: &impl Whole) {
        if self.is_of(whole) {
            self.parts.set(self.parts.get() + 1);
        } else {
            // Another scope's job ran in between, in a wait.
            whole.done(1);
        }
    }

    /// Gives all parts back.
    #[inline]
    pub(crate) fn settle(&self) {
        if let Some(whole) = self.whole.take() {
            self.give_back(whole);
        }
    }

    /// The rare half of [`settle`](Self::settle).
    #[cold]
    fn give_back(&self, whole: NonNull<dyn Whole>) {
        let parts = self.parts.replace(0);
        // None: a job of it runs, further down on this stack, and has spawned nothing yet.
        if parts > 0 {
            // SAFETY: alive until its last part is done, and these are not yet.
            unsafe { whole.as_ref() }.done(parts);
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("parts", &self.parts.get())
            .finish_non_exhaustive()
    }
}
