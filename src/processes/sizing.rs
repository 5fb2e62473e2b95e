//! When the next worker may be started, and when to lose hope.
//!
//! ```text
//!   a start failed: wait 10 ms, 20 ms, … 1 s before the next
//!   too many failed and nobody is up: hopeless        one came up: all is well again
//! ```
//!
//! Failed starts are counted as Erlang's supervisors do: more than so many in a period, and nobody
//! up, then the pool has lost hope: all that is queued ends, and what comes later ends at once.
//! Why a crash in a job does not count: it has cost that job already, and is no sign that the next
//! worker cannot start.
//! Read next: `processes/state_settle.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::parts::rng::Rng;
use crate::processes::events::{Rules, Trouble};

/// The wait after the first failed start. Not tuned.
const FIRST_WAIT: Duration = Duration::from_millis(10);
/// The longest wait between starts. Not tuned.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What is known about starting workers.
#[derive(Debug)]
pub(crate) struct Sizing {
    /// Workers at most.
    pub(crate) target: usize,
    /// Moments of failed starts, the oldest first.
    failures: VecDeque<Instant>,
    /// How long to wait after the next failure.
    wait: Duration,
    /// No start before that.
    pub(crate) not_before: Option<Instant>,
    /// No worker can be had.
    hopeless: Option<Trouble>,
    /// For jitter.
    rng: Rng,
}

impl Sizing {
    /// Nothing has failed yet.
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            target: rules.workers,
            failures: VecDeque::new(),
            wait: FIRST_WAIT,
            not_before: None,
            hopeless: None,
            rng: Rng::from_system(),
        }
    }

    /// Why jobs are refused, if they are.
    pub(crate) fn hopeless(&self, now: Instant) -> Option<Trouble> {
        match &self.hopeless {
            // What the system lacks may be there again: after a wait the next job tries.
            Some(Trouble::Launch(..)) if self.not_before.is_none_or(|limit| limit <= now) => None,
            trouble => trouble.clone(),
        }
    }

    /// True when a worker may be started.
    pub(crate) fn may_start(&self, now: Instant) -> bool {
        self.hopeless(now).is_none() && self.not_before.is_none_or(|limit| limit <= now)
    }

    /// One is up.
    pub(crate) fn start_succeeded(&mut self) {
        self.wait = FIRST_WAIT;
        self.not_before = None;
        self.hopeless = None;
    }

    /// One failed. Gives the reason when the pool has lost hope.
    pub(crate) fn start_failed(
        &mut self,
        now: Instant,
        trouble: Trouble,
        intensity: (u32, Duration),
        anybody_up: bool,
    ) -> Option<Trouble> {
        let (most, period) = intensity;
        self.failures.push_back(now);
        while self
            .failures
            .front()
            .is_some_and(|first| now.duration_since(*first) > period)
        {
            self.failures.pop_front();
        }
        self.not_before = now.checked_add(self.wait);
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        let too_many = self.failures.len() > most as usize;
        if trouble != Trouble::Mismatch && (!too_many || anybody_up) {
            return None;
        }
        self.hopeless = Some(trouble.clone());
        Some(trouble)
    }

    /// A limit, varied so that not all workers reach it at once: by up to `jitter` of it, down.
    pub(crate) fn varied(&mut self, limit: f64, jitter: f64) -> f64 {
        let part = f64::from(self.rng.below(1 << 16)) / f64::from(1 << 16);
        limit * (1.0 - jitter.clamp(0.0, 1.0) * part)
    }
}
