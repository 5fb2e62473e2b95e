//! Questions of the thread that asks: which pool, which worker, anything to do?
//! Read next: `threads/pool.rs`.

#![forbid(unsafe_code)]

use crate::threads::global;
use crate::threads::worker::{Worker, with_current};

/// Threads of the pool that this thread belongs to; outside of any, of the global pool, which is
/// made if there is none.
///
/// ```
/// assert!(trefoil::threads::current_num_threads() >= 1);
/// ```
#[must_use]
pub fn current_num_threads() -> usize {
    global::with_registry(|registry| registry.num_threads())
}

/// The number of the worker that this thread is, counted from 0; `None` outside of a pool.
///
/// ```
/// assert_eq!(trefoil::threads::current_thread_index(), None);
/// ```
#[inline]
#[must_use]
pub fn current_thread_index() -> Option<usize> {
    with_current(|worker| worker.map(|worker| worker.index))
}

/// Whether this worker has jobs of its own that wait; `None` outside of a pool.
///
/// ```
/// assert_eq!(trefoil::threads::current_thread_has_pending_tasks(), None);
/// ```
#[inline]
#[must_use]
pub fn current_thread_has_pending_tasks() -> Option<bool> {
    with_current(|worker| worker.map(Worker::has_pending))
}
