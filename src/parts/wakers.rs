//! A fixed batch of wakers: filled under a lock, woken after it.
//!
//! Waking runs foreign code (it may lock, drop a task, even call back into the thing that wakes),
//! so it never happens under one of our locks. An event with a thousand waiters must not allocate
//! either: whoever wakes many fills a batch, unlocks, wakes, locks again and goes on.
//!
//! ```text
//!   lock ─► push, push, … until full or nobody is left ─► unlock ─► wake_all ─┐
//!     ▲                                                                       │ was full
//!     └───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Read next: `sync/wait.rs`, the queue the wakers come from.

#![forbid(unsafe_code)]

use std::panic::resume_unwind;
use std::task::Waker;

use crate::parts::unwind;

/// Wakers a batch holds.
///
/// Unit: wakers (16 bytes each, so half a KiB of stack). Source: not tuned.
const CAPACITY: usize = 32;

/// Up to [`CAPACITY`] wakers, to be woken when no lock is held.
pub(crate) struct Wakers {
    /// The first `len` are there.
    batch: [Option<Waker>; CAPACITY],
    len: usize,
}

impl Wakers {
    /// An empty batch.
    pub(crate) const fn new() -> Self {
        Self {
            batch: [const { None }; CAPACITY],
            len: 0,
        }
    }

    /// True when [`push`](Self::push) would panic: unlock, [`wake_all`](Self::wake_all), go on.
    pub(crate) fn is_full(&self) -> bool {
        self.len == CAPACITY
    }

    /// Adds one.
    ///
    /// # Panics
    ///
    /// When the batch is full.
    pub(crate) fn push(&mut self, waker: Waker) {
        self.batch[self.len] = Some(waker);
        self.len += 1;
    }

    /// Wakes and forgets all of them, in the order in which they came.
    ///
    /// A waker that panics does not keep the others asleep: all are woken, then the first panic
    /// goes on. While another panic passes it is swallowed, since two would abort.
    pub(crate) fn wake_all(&mut self) {
        let mut panic = None;
        for slot in &mut self.batch[..std::mem::take(&mut self.len)] {
            if let Some(waker) = slot.take()
                && let Err(payload) = unwind::catch(|| waker.wake())
            {
                panic.get_or_insert(payload);
            }
        }
        if let Some(payload) = panic
            && !std::thread::panicking()
        {
            resume_unwind(payload);
        }
    }
}

impl Drop for Wakers {
    fn drop(&mut self) {
        self.wake_all();
    }
}
