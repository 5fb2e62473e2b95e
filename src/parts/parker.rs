//! Parks one thread until another hands it a token.
//!
//! ```text
//!                unpark              park
//!    Empty ────────────────► Notified ────► Empty, returns at once
//!      │ park                   ▲
//!      └──────► Parked ─────────┘ unpark, and wakes the sleeper
//! ```
//!
//! One token, not a count: two `unpark`s before a `park` wake it once.
//! The state is under a mutex, so there is no gap between "look" and "sleep" in which a token
//! could be missed: `unpark` either comes before the look, or finds the sleeper waiting.
//! First of all `park` runs the thread's *before-blocking hook*: a worker of the thread pool
//! puts one there that makes its private work visible to others. So whatever blocks by a parker,
//! or calls [`before_blocking`] first, need not know that there are pools.
//! Why not `std::thread::park`: its token is shared with user code, which may eat ours.
//! Read next: `parts/block_on.rs`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::PoisonError;
use std::time::Instant;

use crate::shim::{Condvar, Mutex};

/// Where the token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No token, nobody waits.
    Empty,
    /// The thread sleeps on the condvar.
    Parked,
    /// A token waits for the next `park`.
    Notified,
}

thread_local! {
    /// What this thread does before it blocks; see the head.
    static BEFORE_BLOCKING: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Sets what this thread does before it blocks, and gives what was set before.
pub(crate) fn set_before_blocking(hook: Option<fn()>) -> Option<fn()> {
    BEFORE_BLOCKING.with(|cell| cell.replace(hook))
}

/// What a thread does first when it is about to block; see the head.
#[inline]
pub(crate) fn before_blocking() {
    if let Some(hook) = BEFORE_BLOCKING.with(Cell::get) {
        hook();
    }
}

/// One thread's bed.
#[derive(Debug)]
pub(crate) struct Parker {
    /// Guards the token.
    state: Mutex<State>,
    /// Where the thread sleeps; waited on with `state` only.
    wake: Condvar,
}

impl Parker {
    /// A parker without a token.
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State::Empty),
            wake: Condvar::new(),
        }
    }

    /// Waits for a token and takes it. Only the owning thread calls this.
    pub(crate) fn park(&self) {
        before_blocking();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while *state != State::Notified {
            *state = State::Parked;
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        *state = State::Empty;
    }

    /// Waits for a token and takes it, or for the moment `end`. Only the owning thread calls this.
    pub(crate) fn park_until(&self, end: Instant) {
        before_blocking();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while *state != State::Notified {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            *state = State::Parked;
            let waited = self.wake.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // Also when the time is up: nobody sleeps on the condvar any more.
        *state = State::Empty;
    }

    /// Hands over a token; wakes the thread if it sleeps. Any thread may call this.
    pub(crate) fn unpark(&self) {
        let before = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, State::Notified)
        };
        // Notified outside the lock, or the sleeper would wake only to wait for it.
        if before == State::Parked {
            self.wake.notify_one();
        }
    }
}

/// Caught mutations: `Parked` not set before the wait (deadlock), the token set after the
/// notification (deadlock), `if` instead of `while` (a token that is not there is taken),
/// `notify_one` left out (deadlock).
#[cfg(all(test, trefoil_loom))]
mod models {
    use super::*;
    use crate::shim::Arc;
    use crate::shim::atomic::{AtomicBool, Ordering};

    /// Liveness: a token is never lost, whenever it comes. Safety: what was written before
    /// `unpark` is seen after `park`.
    #[test]
    fn an_unpark_ends_the_park() {
        loom::model(|| {
            let parker = Arc::new(Parker::new());
            let flag = Arc::new(AtomicBool::new(false));
            let (p, f) = (parker.clone(), flag.clone());
            let other = loom::thread::spawn(move || {
                f.store(true, Ordering::Relaxed);
                p.unpark();
            });
            parker.park();
            assert!(flag.load(Ordering::Relaxed));
            other.join().unwrap();
        });
    }

    /// Two tokens before the park are one; a token in between is not lost.
    #[test]
    fn two_unparks_and_two_parks_end() {
        loom::model(|| {
            let parker = Arc::new(Parker::new());
            let p = parker.clone();
            let count = Arc::new(crate::shim::atomic::AtomicUsize::new(0));
            let c = count.clone();
            let other = loom::thread::spawn(move || {
                c.fetch_add(1, Ordering::AcqRel);
                p.unpark();
                c.fetch_add(1, Ordering::AcqRel);
                p.unpark();
            });
            while count.load(Ordering::Acquire) < 2 {
                parker.park();
            }
            other.join().unwrap();
        });
    }
}
