//! One worker, as the state machine sees it: its phase, and its line of jobs.
//!
//! Read next: `processes/state_jobs.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::parts::slab::Key;
use crate::processes::events::Trouble;

/// Where a worker is in its life; the drawing is in `processes/state.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Asked for; no process yet.
    Launching,
    /// A process that has not said HELLO.
    Starting,
    /// INIT was sent.
    Initializing,
    /// READY: it takes jobs.
    Ready,
    /// SHUTDOWN was sent: it finishes its line and leaves.
    Stopping,
    /// SIGKILL was sent.
    Killing,
}

impl Phase {
    /// On its way to READY.
    pub(crate) fn is_coming_up(self) -> bool {
        matches!(self, Self::Launching | Self::Starting | Self::Initializing)
    }

    /// It works.
    pub(crate) fn is_up(self) -> bool {
        self == Self::Ready
    }
}

/// A job in a worker's line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Given {
    /// Which.
    pub(crate) job: Key,
    /// It has its outcome already; the worker does not know.
    pub(crate) ended: bool,
}

/// One worker.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) phase: Phase,
    /// The first runs.
    pub(crate) jobs: VecDeque<Given>,
    /// When the first job began, or the phase, or when it became idle.
    pub(crate) since: Instant,
    /// When it is killed unless something happens.
    pub(crate) deadline: Option<Instant>,
    /// Jobs it has finished.
    pub(crate) served: u32,
    /// Jobs after which it is replaced.
    pub(crate) limit: Option<u32>,
    /// When it is too old.
    pub(crate) retires: Option<Instant>,
    /// It has too much memory.
    pub(crate) too_big: bool,
    /// A PING has no answer yet.
    pub(crate) pinged: bool,
    /// When it last answered a PING.
    pub(crate) asked: Instant,
    /// Why it did not come up, if that is known.
    pub(crate) trouble: Option<Trouble>,
}

impl Worker {
    /// One that is being launched.
    pub(crate) fn new(now: Instant, limit: Option<u32>, retires: Option<Instant>) -> Self {
        Self {
            phase: Phase::Launching,
            jobs: VecDeque::new(),
            since: now,
            deadline: None,
            served: 0,
            limit,
            retires,
            too_big: false,
            pinged: false,
            asked: now,
            trouble: None,
        }
    }

    /// The next phase, which lasts at most so long.
    pub(crate) fn enter(&mut self, phase: Phase, now: Instant, at_most: Option<Duration>) {
        self.phase = phase;
        self.since = now;
        self.deadline = at_most.and_then(|limit| now.checked_add(limit));
    }

    /// It has nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase == Phase::Ready && self.jobs.is_empty()
    }

    /// It is to be replaced.
    pub(crate) fn is_tired(&self, now: Instant) -> bool {
        self.too_big
            || self.limit.is_some_and(|limit| self.served >= limit)
            || self.retires.is_some_and(|limit| limit <= now)
    }

    /// It can take one more job, as the last of at most `line` jobs.
    pub(crate) fn has_room(&self, line: usize, now: Instant) -> bool {
        let taken = self.jobs.len();
        self.phase == Phase::Ready
            && taken < line
            && !self.is_tired(now)
            && self
                .limit
                .is_none_or(|limit| self.served as usize + taken < limit as usize)
    }
}
