//! What a worker counts: written by the worker only, read by anybody.
//!
//! A plain load and a plain store, not a locked addition: nobody else writes. They are always on;
//! none is on the path of a join whose half stays private.
//! Read next: `threads/metrics.rs`, the public view.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

/// One number.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds one. Only the owner calls this.
    #[inline]
    pub(crate) fn bump(&self) {
        self.add(1);
    }

    /// Adds `n`. Only the owner calls this.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0
            .store(self.0.load(Ordering::Relaxed) + n, Ordering::Relaxed);
    }

    /// The number now.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One worker's numbers.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Jobs run; join halves that stayed private are no jobs.
    pub(crate) jobs: Counter,
    /// Jobs taken from another worker's deque.
    pub(crate) steals: Counter,
    /// Searches that ended without a job.
    pub(crate) failed_searches: Counter,
    /// Join halves made public.
    pub(crate) publications: Counter,
    /// Times it slept.
    pub(crate) parks: Counter,
}
