//! A worker's bed: the driver if it is free, else a condvar.
//!
//! ```text
//!            unpark                    sleep                          unpark
//!   Empty ──────────► Notified    Empty ─────► OnCondvar  (driver taken) ──► Notified, signalled
//!     ▲                  │          │
//!     └── sleep returns ─┘          └────────► InDriver   (driver free)  ──► Notified, eventfd
//!         at once
//! ```
//!
//! The same drawing as `parts/parker.rs` with a fourth state, because a worker that waits in
//! epoll_wait(2) hears no condvar. The state says how to reach it, and it is read and written
//! under one mutex, so an unpark always uses the right bell. Waking a sleeper in the driver costs
//! its waker twice as much (14 µs against 7, an eventfd against a futex): `parts/idle.rs` wakes
//! those on the condvar first.
//! Read next: `runtime/worker.rs`.

#![forbid(unsafe_code)]

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::parts::parker::before_blocking;
use crate::reactor::poller::Turn;
use crate::runtime::driver::Driver;

/// Where the worker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Awake, no token.
    Empty,
    /// Asleep on the condvar.
    OnCondvar,
    /// Asleep in the driver.
    InDriver,
    /// A token waits for the next sleep.
    Notified,
}

/// One worker's bed.
#[derive(Debug)]
pub(crate) struct Bed {
    /// Guards the token.
    state: Mutex<State>,
    /// Waited on with `state`.
    wake: Condvar,
}

impl Bed {
    /// A bed for a worker that is awake.
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State::Empty),
            wake: Condvar::new(),
        }
    }

    /// Waits in the driver: for an unpark, an event, a timer, or the end of `limit`.
    pub(crate) fn sleep_in_driver(
        &self,
        driver: &Driver,
        turn: &mut Turn<'_>,
        limit: Option<Duration>,
    ) {
        {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            if *state == State::Notified {
                *state = State::Empty;
                return;
            }
            *state = State::InDriver;
        }
        driver.wait(turn, limit);
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::Empty;
    }

    /// Waits on the condvar: for an unpark or the end of `limit`. True: it was an unpark.
    pub(crate) fn sleep_on_condvar(&self, limit: Option<Duration>) -> bool {
        before_blocking();
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while *state != State::Notified {
            *state = State::OnCondvar;
            state = match end {
                None => self
                    .wake
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.wake
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        std::mem::replace(&mut *state, State::Empty) == State::Notified
    }

    /// Ends the worker's sleep, now or the next one. Any thread may call this.
    pub(crate) fn unpark(&self, driver: &Driver) {
        let before = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *state, State::Notified)
        };
        // Outside the lock, or the sleeper would wake only to wait for it.
        match before {
            State::OnCondvar => self.wake.notify_one(),
            State::InDriver => driver.unpark(),
            State::Empty | State::Notified => {}
        }
    }
}
