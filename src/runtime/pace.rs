//! When to look at sockets and timers again: after 61 polls or 50 µs, whichever comes first.
//!
//! A look is a system call of 110 ns. Looking after every poll would triple the price of a yield;
//! looking only after 61 polls makes a 1 ms timer 6 ms late when each poll takes 100 µs. Reading
//! the clock at every poll would cost 24 ns. So the clock is read only at looks, and the mean poll
//! of the last batch says how many polls make 50 µs:
//!
//! ```text
//!   interval = clamp(50 µs / mean poll time of the last batch, 1, 61)
//! ```
//!
//! A look that found something is followed by short batches, each twice as long as the one before:
//! one event is seldom alone. The peer's answer comes 10 µs later, and a task that only yields
//! must not hold it up for 61 polls.
//!
//! The price: a sudden change from short to long polls is noticed one batch late. A wait is where
//! such a change is likely (what was waited for is new work), so the first batch after it is short.
//! Bench rows: `interval_load8` (a timer beside work), `tcp_pp_yielder` (a socket beside yields),
//! `yield_1` (what the looks cost).
//! Read next: `runtime/driver.rs`.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

/// Time between two looks that the pace aims at.
///
/// Source: half of what a 1 ms timer can be late without being noticed at p99; not tuned further.
const TARGET: Duration = Duration::from_micros(50);

/// Polls of the first batch after a wait, or after a look that found something.
///
/// With 61 here a task that computed 3 ms between its yields made timers 265 ms late
/// (`examples/08-blocking-the-loop.rs`). A loop that does less than this between two waits takes
/// no extra look. Not tuned further.
const AFTER_WAIT: u32 = 4;

/// Counts polls between looks.
#[derive(Debug)]
pub(crate) struct Pace {
    /// Polls until the next look.
    left: u32,
    /// Polls of this batch.
    batch: u32,
    /// Polls of a usual batch now.
    interval: u32,
    /// The builder's `event_interval`.
    max: u32,
    /// When the last look was.
    last: Option<Instant>,
}

impl Pace {
    /// A pace that looks after at most `max` polls.
    pub(crate) fn new(max: u32) -> Self {
        Self {
            left: max,
            batch: max,
            interval: max,
            max,
            last: None,
        }
    }

    /// Counts a poll. True: look now.
    #[inline]
    pub(crate) fn poll_done(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }

    /// A look was taken between two batches of polls, and found something or not: chooses the
    /// length of the next batch.
    pub(crate) fn looked(&mut self, found: bool) {
        let now = Instant::now();
        let polls = self.batch - self.left;
        if let (Some(last), true) = (self.last, polls > 0) {
            let mean = now.saturating_duration_since(last) / polls;
            let fit = TARGET.as_nanos() / mean.as_nanos().max(1);
            // At most doubled: one short poll among long ones (a timer's task) says little.
            let most = u128::from((2 * self.interval).min(self.max));
            self.interval = (fit.min(most) as u32).max(1);
        }
        if found {
            self.interval = self.interval.min(AFTER_WAIT);
        }
        self.batch = self.interval;
        self.left = self.batch;
        self.last = Some(now);
    }

    /// The thread waited until `now`: the next batch is short, and measured from here.
    pub(crate) fn waited(&mut self, now: Instant) {
        self.batch = self.interval.min(AFTER_WAIT);
        self.left = self.batch;
        self.last = Some(now);
    }

    /// The next poll is the last of this batch.
    pub(crate) fn look_soon(&mut self) {
        let done = self.batch - self.left;
        (self.batch, self.left) = (done + 1, 1);
    }

    /// A `block_on` begins at the time `now`: after a wait outside of it, as after any other; but
    /// many short ones in a row must look now and then, too.
    pub(crate) fn begins(&mut self, now: Instant) {
        match self.last {
            Some(last) if now.saturating_duration_since(last) < TARGET => {}
            _ => (self.batch, self.left, self.last) = (1, 1, Some(now)),
        }
    }

    /// When the last look was, for those who want a cheap idea of the time.
    pub(crate) fn last_look(&self) -> Option<Instant> {
        self.last
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn long_polls_are_followed_by_a_look_each() {
        let mut pace = Pace::new(61);
        pace.looked(false);
        for _ in 0..61 {
            pace.poll_done();
        }
        // As if the batch had taken 61 × 1 ms.
        pace.last = Instant::now().checked_sub(Duration::from_millis(61));
        pace.looked(false);
        assert!(pace.poll_done(), "the next look comes after one poll");
    }

    #[test]
    fn the_first_batch_after_a_wait_is_short_and_measured() {
        let mut pace = Pace::new(61);
        // As if its 4 polls had taken 1 ms.
        pace.waited(Instant::now() - Duration::from_millis(1));
        assert!((0..AFTER_WAIT).any(|_| pace.poll_done()));
        pace.looked(false);
        assert!(pace.poll_done(), "the next look comes after one poll");
    }

    #[test]
    fn one_short_poll_among_long_ones_does_not_make_a_long_batch() {
        let mut pace = Pace::new(61);
        pace.waited(Instant::now() - Duration::from_millis(1));
        assert!((0..AFTER_WAIT).any(|_| pace.poll_done()));
        pace.looked(false);
        assert!(pace.poll_done());
        pace.last = Some(Instant::now());
        pace.looked(false);
        assert!((0..2).any(|_| pace.poll_done()));
    }

    #[test]
    fn short_polls_are_counted_to_the_limit() {
        let mut pace = Pace::new(61);
        pace.last = Some(Instant::now());
        pace.left = 0;
        pace.looked(false);
        for _ in 0..pace.batch - 1 {
            assert!(!pace.poll_done());
        }
        assert!(pace.poll_done());
    }
}
