//! A lock for the whole program, as CPython's GIL is: one thread computes, the others ask.
//!
//! ```text
//!   waiter: waits 5 ms ─► still the same holder? ─► "please" ─► waits on
//!   holder: computes … pause: asked? ─► lets go, waits until another has taken over ─► waits
//! ```
//!
//! The 5 ms and the forced hand-over are those of CPython's `ceval_gil` (its documentation:
//! `sys.setswitchinterval`). Written for the lab, from that description.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// How long a waiter leaves the holder alone.
const INTERVAL: Duration = Duration::from_millis(5);

/// The lock.
#[derive(Default)]
pub struct GlobalLock {
    state: Mutex<State>,
    /// Told of every change.
    changed: Condvar,
    /// Somebody has asked. A hint for the holder; the state is under the mutex.
    asked: AtomicBool,
}

/// Who has it.
#[derive(Default)]
struct State {
    held: bool,
    /// How often it was taken.
    taken: u64,
}

impl GlobalLock {
    /// Runs `f` with the lock; `f` calls the closure that it gets as often as it can.
    pub fn with<R>(&self, f: impl FnOnce(&dyn Fn()) -> R) -> R {
        self.take();
        let result = f(&|| self.pause());
        self.let_go();
        result
    }

    /// Waits for it, politely for 5 ms at a time.
    fn take(&self) {
        let mut state = self.state.lock().expect("nobody panics with it");
        while state.held {
            let before = state.taken;
            let (now, timeout) = self
                .changed
                .wait_timeout(state, INTERVAL)
                .expect("nobody panics with it");
            state = now;
            if timeout.timed_out() && state.held && state.taken == before {
                self.asked.store(true, Relaxed);
            }
        }
        state.held = true;
        state.taken += 1;
        self.asked.store(false, Relaxed);
        self.changed.notify_all();
    }

    /// Gives it up, and gives the number of the last take.
    fn let_go(&self) -> u64 {
        let mut state = self.state.lock().expect("nobody panics with it");
        state.held = false;
        self.changed.notify_all();
        state.taken
    }

    /// Hands over, if somebody has asked.
    fn pause(&self) {
        if !self.asked.load(Relaxed) {
            return;
        }
        let mine = self.let_go();
        let mut state = self.state.lock().expect("nobody panics with it");
        while state.taken == mine {
            // Whoever has asked waits in `take`, so it comes.
            state = self.changed.wait(state).expect("nobody panics with it");
        }
        drop(state);
        self.take();
    }
}
