//! `ThreadPool`: a handle to a pool; `install` is the way in.
//! Read next: `threads/scope.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use crate::threads::join;
use crate::threads::registry::Registry;
use crate::threads::worker::{Worker, with_worker_of};

/// A pool of threads of its own, beside the global one.
///
/// Dropping it lets the pool end: what has been given to it still runs, then the threads leave.
/// The drop does not wait for that.
pub struct ThreadPool {
    registry: Arc<Registry>,
}

impl ThreadPool {
    /// The handle to a pool that was started; takes over its first hold.
    pub(crate) fn new_handle(registry: Arc<Registry>) -> Self {
        Self { registry }
    }

    /// The pool's shared part.
    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Calls `f` with this thread's worker, if it is one of this pool.
    pub(crate) fn with_own_worker<R>(&self, f: impl FnOnce(&Worker) -> R) -> Option<R> {
        with_worker_of(&self.registry, |worker| worker.map(f))
    }

    /// Runs `op` on a worker of this pool and gives its result. What it calls (`join`, `scope`,
    /// [`spawn`](crate::threads::spawn), …) uses this pool, too.
    ///
    /// On a worker of this pool `op` is simply called. A worker of another pool goes on with its
    /// own pool's jobs while it waits: pools that install into each other do not lock up. So code
    /// *after* the call may run later than you think, and must not rely on a lock or a
    /// thread-local that such a job could touch.
    ///
    /// # Panics
    ///
    /// When `op` panics, with its payload.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    /// let threads = pool.install(trefoil::threads::current_num_threads);
    /// assert_eq!(threads, 3);
    /// ```
    ///
    /// Nothing that is not `Send` can go in:
    ///
    /// ```compile_fail
    /// # let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    /// let number = std::rc::Rc::new(1);
    /// pool.install(move || *number);
    /// ```
    ///
    /// ```
    /// # let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    /// let number = std::sync::Arc::new(1);
    /// pool.install(move || *number);
    /// ```
    pub fn install<OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce() -> R + Send,
        R: Send,
    {
        self.registry.in_worker(|_, _| op())
    }

    /// [`join`](crate::threads::join) in this pool.
    pub fn join<A, B, RA, RB>(&self, oper_a: A, oper_b: B) -> (RA, RB)
    where
        A: FnOnce() -> RA + Send,
        B: FnOnce() -> RB + Send,
        RA: Send,
        RB: Send,
    {
        self.install(|| join::join(oper_a, oper_b))
    }

    /// Threads of this pool.
    #[must_use]
    pub fn current_num_threads(&self) -> usize {
        self.registry.num_threads()
    }

    /// This thread's number, if it is a worker of this pool.
    #[must_use]
    pub fn current_thread_index(&self) -> Option<usize> {
        self.with_own_worker(|worker| worker.index)
    }

    /// Whether this thread has jobs queued; `None` if it is no worker of this pool.
    #[must_use]
    pub fn current_thread_has_pending_tasks(&self) -> Option<bool> {
        self.with_own_worker(Worker::has_pending)
    }
}

impl Drop for ThreadPool {
    fn drop(&mut self) {
        self.registry.release();
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadPool")
            .field("num_threads", &self.current_num_threads())
            .finish_non_exhaustive()
    }
}
