//! Wakes a turn's tasks: counts them, and lets no panicking waker cost the others their event.
//!
//! An edge is told once. If a foreign waker panicked in the middle of a turn and the panic went
//! straight up, the events behind it would be lost and their tasks would sleep for ever. So the
//! first panic is kept until the turn is done.
//!
//! ```text
//!   push, push, … full ─► wake_all ─► push, … ─► finish: wake_all, then the panic goes on
//! ```
//!
//! Read next: `reactor/poller.rs`.

#![forbid(unsafe_code)]

use std::any::Any;
use std::panic::resume_unwind;
use std::task::Waker;

use crate::parts::unwind::catch;
use crate::parts::wakers::Wakers;

/// The wakers of one turn.
pub(crate) struct Waking {
    /// Collected and not woken yet.
    wakers: Wakers,
    /// How many were collected so far.
    woken: usize,
    /// The first panic of a waker.
    panicked: Option<Box<dyn Any + Send>>,
}

impl Waking {
    /// Nobody collected.
    pub(crate) const fn new() -> Self {
        Self {
            wakers: Wakers::new(),
            woken: 0,
            panicked: None,
        }
    }

    /// Adds one; the caller may hold a lock.
    pub(super) fn push(&mut self, waker: Waker) {
        self.woken += 1;
        self.wakers.push(waker);
    }

    /// True when the next [`push`](Self::push) would panic: unlock, [`wake_all`](Self::wake_all).
    pub(super) fn is_full(&self) -> bool {
        self.wakers.is_full()
    }

    /// Wakes what was collected; the caller holds no lock.
    pub(super) fn wake_all(&mut self) {
        if let Err(panic) = catch(|| self.wakers.wake_all()) {
            self.panicked.get_or_insert(panic);
        }
    }

    /// Wakes the rest and tells how many there were; a waker's panic goes on from here.
    pub(super) fn finish(mut self) -> usize {
        self.wake_all();
        if let Some(panic) = self.panicked.take() {
            resume_unwind(panic);
        }
        self.woken
    }
}
