//! `ThreadPoolMetrics`: a pool's counters, to be read while it runs.
//!
//! They are read one after the other, each true when it is read; the whole is no snapshot.
//! Read next: `threads/counters.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use crate::threads::counters::Counters;
use crate::threads::pool::ThreadPool;
use crate::threads::registry::Registry;

/// A view of a pool's counters. It does not keep the pool's threads from ending.
///
/// ```
/// let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
/// pool.install(|| ());
/// let metrics = pool.metrics();
/// let jobs: u64 = (0..metrics.num_threads()).map(|i| metrics.worker_job_count(i)).sum();
/// assert_eq!(jobs, 1);
/// ```
#[derive(Clone)]
pub struct ThreadPoolMetrics {
    registry: Arc<Registry>,
}

impl ThreadPool {
    /// The pool's counters.
    #[must_use]
    pub fn metrics(&self) -> ThreadPoolMetrics {
        ThreadPoolMetrics {
            registry: Arc::clone(self.registry()),
        }
    }
}

impl ThreadPoolMetrics {
    /// The counters of one worker.
    #[track_caller]
    fn worker(&self, worker: usize) -> &Counters {
        assert!(
            worker < self.num_threads(),
            "ThreadPoolMetrics: worker {worker} of {}; count from 0",
            self.num_threads()
        );
        &self.registry.seat(worker).counters
    }

    /// Workers.
    #[must_use]
    pub fn num_threads(&self) -> usize {
        self.registry.num_threads()
    }

    /// Workers that sleep now.
    #[must_use]
    pub fn num_sleeping_threads(&self) -> usize {
        self.registry.idle.sleeping()
    }

    /// Jobs from outside that wait.
    #[must_use]
    pub fn injected_job_count(&self) -> usize {
        self.registry.sources.injected_len()
    }

    /// Jobs that wait in the deque of a worker.
    ///
    /// # Panics
    ///
    /// Here and below: when there is no such worker.
    #[must_use]
    #[track_caller]
    pub fn worker_queued_job_count(&self, worker: usize) -> usize {
        self.worker(worker);
        self.registry.sources.queue_len(worker)
    }

    /// Jobs that a worker ran. A half of a join that no other worker could have taken is no job.
    #[must_use]
    #[track_caller]
    pub fn worker_job_count(&self, worker: usize) -> u64 {
        self.worker(worker).jobs.get()
    }

    /// Jobs that a worker took from others' deques.
    #[must_use]
    #[track_caller]
    pub fn worker_steal_count(&self, worker: usize) -> u64 {
        self.worker(worker).steals.get()
    }

    /// Times that a worker looked for jobs in vain, and went to sleep.
    #[must_use]
    #[track_caller]
    pub fn worker_failed_search_count(&self, worker: usize) -> u64 {
        self.worker(worker).failed_searches.get()
    }

    /// Halves of joins that a worker made public, so that others could take them.
    #[must_use]
    #[track_caller]
    pub fn worker_publication_count(&self, worker: usize) -> u64 {
        self.worker(worker).publications.get()
    }

    /// Times that a worker slept.
    #[must_use]
    #[track_caller]
    pub fn worker_park_count(&self, worker: usize) -> u64 {
        self.worker(worker).parks.get()
    }
}

impl fmt::Debug for ThreadPoolMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPoolMetrics")
            .field("num_threads", &self.num_threads())
            .field("num_sleeping_threads", &self.num_sleeping_threads())
            .field("injected_job_count", &self.injected_job_count())
            .finish_non_exhaustive()
    }
}
