//! What a worker counts: written by the worker only, read by anybody.
//!
//! The counters are always on; none is on the path of a join whose half stays private.
//! Read next: `threads/metrics.rs`, the public view.

#![forbid(unsafe_code)]

use crate::parts::counter::Counter;

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
