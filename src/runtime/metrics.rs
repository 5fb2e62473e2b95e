//! `RuntimeMetrics`: counters that a reader may look at while the runtime runs.
//!
//! They are read one after the other, each true when it is read; the whole is no snapshot.
//! Read next: `runtime/dump.rs`, which shows tasks, too.

#![forbid(unsafe_code)]

use std::fmt;
use std::time::Duration;

use crate::runtime::context;
use crate::runtime::counters::WorkerCounters;
use crate::runtime::handle::{Handle, RuntimeFlavor};
use crate::runtime::queues;
use crate::runtime::runtime::Runtime;
use crate::runtime::worker;

/// A view of a runtime's counters.
///
/// ```
/// # let rt = trefoil::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
/// let metrics = rt.handle().metrics();
/// assert_eq!(metrics.num_workers(), 2);
/// assert_eq!(metrics.num_alive_tasks(), 0);
/// ```
#[derive(Clone)]
pub struct RuntimeMetrics {
    handle: Handle,
}

impl Handle {
    /// The runtime's counters.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        RuntimeMetrics {
            handle: self.clone(),
        }
    }
}

impl Runtime {
    /// The runtime's counters.
    #[must_use]
    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle().metrics()
    }
}

/// The number of the worker that this thread is, counted from 0; `None` elsewhere.
///
/// Who is in [`Runtime::block_on`](crate::runtime::Runtime::block_on) of a current-thread runtime
/// is its worker 0, unless another thread is that already.
///
/// ```
/// let rt = trefoil::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
/// let inside = rt.block_on(rt.spawn(async { trefoil::runtime::worker_index() }));
/// assert_eq!(inside.unwrap(), Some(0));
/// assert_eq!(trefoil::runtime::worker_index(), None);
/// ```
#[must_use]
pub fn worker_index() -> Option<usize> {
    context::try_with(|handle| match handle.runtime_flavor() {
        RuntimeFlavor::MultiThread => worker::current_index(&handle.0),
        RuntimeFlavor::CurrentThread => queues::runs_here(&handle.0).then_some(0),
    })?
}

impl RuntimeMetrics {
    /// The counters of one worker.
    #[track_caller]
    fn worker(&self, worker: usize) -> &WorkerCounters {
        let workers = &self.handle.0.counters.workers;
        match workers.get(worker) {
            Some(counters) => counters,
            None => panic!(
                "RuntimeMetrics: worker {worker} of {}; count from 0",
                workers.len()
            ),
        }
    }

    /// Worker threads; 1 for a current-thread runtime.
    #[must_use]
    pub fn num_workers(&self) -> usize {
        self.handle.0.counters.workers.len()
    }

    /// Tasks that have not ended.
    #[must_use]
    pub fn num_alive_tasks(&self) -> usize {
        self.handle.0.owned.len()
    }

    /// Tasks that other threads pushed and no worker has taken.
    #[must_use]
    pub fn global_queue_depth(&self) -> usize {
        self.handle.0.scheduler.injected()
    }

    /// Threads of the blocking pool.
    #[must_use]
    pub fn num_blocking_threads(&self) -> usize {
        self.handle.0.blocking.counts().threads
    }

    /// Threads of the blocking pool that wait for a closure.
    #[must_use]
    pub fn num_idle_blocking_threads(&self) -> usize {
        self.handle.0.blocking.counts().idle
    }

    /// Closures that wait for a thread of the blocking pool.
    #[must_use]
    pub fn blocking_queue_depth(&self) -> usize {
        self.handle.0.blocking.counts().queued
    }

    /// Time that `worker` did not spend waiting, up to its last wait.
    ///
    /// # Panics
    ///
    /// When there is no such worker.
    #[track_caller]
    #[must_use]
    pub fn worker_total_busy_duration(&self, worker: usize) -> Duration {
        Duration::from_nanos(self.worker(worker).busy_ns.get())
    }

    /// How often `worker` went to wait.
    ///
    /// # Panics
    ///
    /// When there is no such worker.
    #[track_caller]
    #[must_use]
    pub fn worker_park_count(&self, worker: usize) -> u64 {
        self.worker(worker).parks.get()
    }

    /// How often `worker` went to wait, plus how often it came back: odd while it waits.
    ///
    /// # Panics
    ///
    /// When there is no such worker.
    #[track_caller]
    #[must_use]
    pub fn worker_park_unpark_count(&self, worker: usize) -> u64 {
        self.worker(worker).parks_unparks.get()
    }

    /// Tasks that `worker` polled.
    ///
    /// # Panics
    ///
    /// When there is no such worker.
    #[track_caller]
    #[must_use]
    pub fn worker_poll_count(&self, worker: usize) -> u64 {
        self.worker(worker).polls.get()
    }

    /// How often `worker` found work in a peer's queue or in the injector when its own was empty.
    ///
    /// # Panics
    ///
    /// When there is no such worker.
    #[track_caller]
    #[must_use]
    pub fn worker_steal_operations(&self, worker: usize) -> u64 {
        self.worker(worker).steals.get()
    }
}

impl fmt::Debug for RuntimeMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RuntimeMetrics")
            .field("num_workers", &self.num_workers())
            .field("num_alive_tasks", &self.num_alive_tasks())
            .field("global_queue_depth", &self.global_queue_depth())
            .finish_non_exhaustive()
    }
}
