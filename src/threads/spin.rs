//! How long to look before sleeping: a budget that grows when looking paid.
//!
//! Waking a sleeping thread on another virtual CPU takes 15 to 20 µs here and 7 µs of the waker's
//! time, so whoever waits for something that comes in 2 µs does better to look. But a thread that
//! looks in vain is in the way, above all when it keeps the core that the other one needs. So the
//! budget is doubled after a success (or a sleep that was too short to be worth it) and halved
//! after a failure, down to nothing. All parameters are here.
//! Read next: `threads/worker.rs`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::time::Duration;

/// Most rounds that a worker looks round before it sleeps.
///
/// Unit: rounds of about 100 ns on two workers. Source: about 20 µs, the cost of a wake. Tried: 0,
/// 50, 200, 800 in the rows `install` and `submit` of `benches/pools`. Without any looking an
/// `install` takes 13 µs instead of 0.3; between the others there is no difference beyond noise.
const WORKER_ROUNDS: u32 = 200;

/// Most rounds that a thread outside the pool looks at its latch before it sleeps.
///
/// Unit: rounds of four pauses, about 50 ns. Source: about 10 µs, half a wake; tried as above.
const CALLER_ROUNDS: u32 = 200;

/// Where a budget starts again after it had been used up.
const FIRST_ROUNDS: u32 = 16;

/// A sleep shorter than this would have been better spent looking.
///
/// Source: twice the budget, plus the time of the wake itself; not tuned.
const SHORT_SLEEP: Duration = Duration::from_micros(50);

/// Pauses in a round.
const PAUSES: u32 = 4;

/// How many rounds to look.
#[derive(Debug)]
pub(crate) struct Spin {
    rounds: Cell<u32>,
    most: u32,
}

impl Spin {
    /// For a worker that looks for jobs.
    pub(crate) const fn worker() -> Self {
        Self {
            rounds: Cell::new(FIRST_ROUNDS),
            most: WORKER_ROUNDS,
        }
    }

    /// For a thread that waits for an answer.
    pub(crate) const fn caller() -> Self {
        Self {
            rounds: Cell::new(FIRST_ROUNDS),
            most: CALLER_ROUNDS,
        }
    }

    /// No looking at all: each round more would multiply a model's interleavings.
    #[cfg(all(test, trefoil_loom))]
    pub(crate) const fn none() -> Self {
        Self {
            rounds: Cell::new(0),
            most: 0,
        }
    }

    /// Rounds to look now.
    pub(crate) fn rounds(&self) -> u32 {
        self.rounds.get()
    }

    /// Looking paid.
    pub(crate) fn paid(&self) {
        let more = (2 * self.rounds.get()).max(FIRST_ROUNDS).min(self.most);
        self.rounds.set(more);
    }

    /// Looking did not pay.
    pub(crate) fn wasted(&self) {
        self.rounds.set(self.rounds.get() / 2);
    }

    /// The thread slept for so long.
    pub(crate) fn slept(&self, time: Duration) {
        if time < SHORT_SLEEP {
            self.paid();
        }
    }
}

/// The wait between two looks.
#[inline]
pub(crate) fn pause() {
    for _ in 0..PAUSES {
        crate::shim::spin_hint();
    }
}
