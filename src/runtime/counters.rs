//! What a worker tells about itself while it runs: counters that anybody may read.
//!
//! Each is written by its worker alone (`parts/counter.rs`, or a plain store) and read relaxed by
//! whoever asks: a look, not a protocol.
//! Read next: `runtime/metrics.rs` and `runtime/dump.rs`, which read them.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::parts::counter::Counter;
use crate::parts::pad::CachePadded;

/// One worker's counters.
#[derive(Debug, Default)]
pub(crate) struct WorkerCounters {
    /// The thread's id for the system (gettid(2)), 0 before it starts.
    pub(crate) tid: AtomicU32,
    /// The id of the task being polled, 0 for none.
    pub(crate) running: AtomicU64,
    /// Tasks polled.
    pub(crate) polls: Counter,
    /// Tasks taken from peers' queues (batches count once).
    pub(crate) steals: Counter,
    /// Times the worker went to wait.
    pub(crate) parks: Counter,
    /// Times it went to wait, plus times it came back: odd while it waits.
    pub(crate) parks_unparks: Counter,
    /// Nanoseconds not spent waiting.
    pub(crate) busy_ns: Counter,
    /// Nanoseconds from the runtime's start to the last turn of the driver, or wait.
    pub(crate) seen_ns: AtomicU64,
}

impl WorkerCounters {
    /// A poll of task `id` begins.
    #[inline]
    pub(crate) fn start_poll(&self, id: u64) {
        self.running.store(id, Ordering::Relaxed);
        self.polls.bump();
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
