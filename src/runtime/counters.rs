//! What a worker tells about itself while it runs: counters that anybody may read.
//!
//! Each is written by its worker alone, with a plain load and store (0.3 ns; an atomic addition
//! costs 5.4), and read relaxed by whoever asks: a look, not a protocol.
//! Read next: `runtime/metrics.rs` and `runtime/dump.rs`, which read them.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::parts::pad::CachePadded;

/// One worker's counters.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounters {
    /// The thread's id for the system (gettid(2)), 0 before it starts.
    pub(crate) tid: AtomicU32,
    /// The id of the task being polled, 0 for none.
    pub(crate) running: AtomicU64,
    /// Tasks polled.
    pub(crate) polls: AtomicU64,
    /// Tasks taken from peers' queues (batches count once).
    pub(crate) steals: AtomicU64,
    /// Times the worker went to wait.
    pub(crate) parks: AtomicU64,
    /// Times it went to wait, plus times it came back: odd while it waits.
    pub(crate) parks_unparks: AtomicU64,
    /// Nanoseconds not spent waiting.
    pub(crate) busy_ns: AtomicU64,
    /// Nanoseconds from the runtime's start to the last turn of the driver, or wait.
    pub(crate) seen_ns: AtomicU64,
}

/// Adds to a counter that only this thread writes.
#[inline]
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(amount),
        Ordering::Relaxed,
    );
}

impl WorkerCounters {
    /// A poll of task `id` begins.
    #[inline]
    pub(crate) fn start_poll(&self, id: u64) {
        self.running.store(id, Ordering::Relaxed);
        add(&self.polls, 1);
    }

    /// The poll is over.
    #[inline]
    pub(crate) fn end_poll(&self) {
        self.running.store(0, Ordering::Relaxed);
    }
}

/// The counters of a runtime.
#[derive(Debug)]
pub(crate) struct Counters {
    /// One a worker; the current-thread runtime has one.
    pub(crate) workers: Box<[CachePadded<WorkerCounters>]>,
    /// When the runtime was made.
    pub(crate) start: Instant,
}

impl Counters {
    /// Counters for `workers` workers.
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers)
                .map(|_| CachePadded::new(WorkerCounters::default()))
                .collect(),
            start: Instant::now(),
        }
    }

    /// How old the runtime is.
    pub(crate) fn age(&self) -> Duration {
        self.start.elapsed()
    }

    /// Nanoseconds from the runtime's start to `now`.
    pub(crate) fn since_start(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.start).as_nanos() as u64
    }
}
