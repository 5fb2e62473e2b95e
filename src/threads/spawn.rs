//! `spawn` and `spawn_fifo`: jobs that nobody waits for.
//! Read next: `threads/scope.rs`.

#![allow(unsafe_code, reason = "makes jobs and promises to run them once")]

use std::sync::Arc;

use crate::threads::global;
use crate::threads::job::{self, JobRef};
use crate::threads::pool::ThreadPool;
use crate::threads::registry::Registry;
use crate::threads::worker::{with_current, with_worker_of};

/// Runs `func` on the pool that this thread belongs to, or on the global one, some time soon;
/// does not wait.
///
/// On a worker the newest job is run first, unless another thread takes the oldest. From outside
/// jobs are run in the order in which they came. Jobs that were spawned run even if the pool's
/// handle is dropped. To wait for it, use a
/// [`scope`](crate::threads::scope).
///
/// # Panics
///
/// A panic of `func` goes to the pool's
/// [`panic_handler`](crate::threads::ThreadPoolBuilder::panic_handler); without one the process
/// ends.
///
/// # Examples
///
/// ```
/// let (tx, rx) = std::sync::mpsc::channel();
/// trefoil::threads::spawn(move || tx.send(5).unwrap());
/// assert_eq!(rx.recv(), Ok(5));
/// ```
///
/// What is borrowed may be gone before the job runs:
///
/// ```compile_fail
/// let number = 5;
/// trefoil::threads::spawn(|| assert_eq!(number, 5));
/// ```
///
/// ```
/// let number = 5;
/// trefoil::threads::spawn(move || assert_eq!(number, 5));
/// ```
///
/// And it must be `Send`:
///
/// ```compile_fail
/// let number = std::rc::Rc::new(5);
/// trefoil::threads::spawn(move || assert_eq!(*number, 5));
/// ```
///
/// ```
/// let number = std::sync::Arc::new(5);
/// trefoil::threads::spawn(move || assert_eq!(*number, 5));
/// ```
pub fn spawn<F>(func: F)
where
    F: FnOnce() + Send + 'static,
{
    global::with_registry(|registry| spawn_in(registry, func));
}

/// Like [`spawn`], but jobs that one worker spawns this way are run oldest first.
///
/// # Panics
///
/// As [`spawn`].
///
/// # Examples
///
/// ```
/// let (tx, rx) = std::sync::mpsc::channel();
/// trefoil::threads::spawn_fifo(move || tx.send(5).unwrap());
/// assert_eq!(rx.recv(), Ok(5));
/// ```
pub fn spawn_fifo<F>(func: F)
where
    F: FnOnce() + Send + 'static,
{
    global::with_registry(|registry| spawn_fifo_in(registry, func));
}

impl ThreadPool {
    /// [`spawn`] in this pool.
    pub fn spawn<F>(&self, op: F)
    where
        F: FnOnce() + Send + 'static,
    {
        spawn_in(self.registry(), op);
    }

    /// [`spawn_fifo`] in this pool.
    pub fn spawn_fifo<F>(&self, op: F)
    where
        F: FnOnce() + Send + 'static,
    {
        spawn_fifo_in(self.registry(), op);
    }
}

/// Puts a job where it belongs: on top of this worker's deque, or into the injector.
#[inline]
pub(crate) fn enqueue(registry: &Registry, job: JobRef) {
    with_worker_of(registry, |worker| match worker {
        Some(worker) => worker.push(job),
        None => registry.inject(job),
    });
}

/// A job that nobody waits for; it holds its pool.
pub(crate) fn detached(registry: &Registry, func: impl FnOnce() + Send + 'static) -> JobRef {
    registry.hold();
    let body = move || {
        with_current(|worker| {
            // The worker keeps its pool alive, also when this was the last hold.
            let worker = worker.expect("jobs run on workers");
            worker.account.settle();
            let registry = &worker.registry;
            registry.catch(func);
            registry.release();
        });
    };
    // SAFETY: it borrows nothing, and does not unwind: `catch` ends the process if need be. What
    // is queued is run before the workers leave, because it holds the pool.
    let job = unsafe { job::on_heap(body) };
    // Flat: it settles the account.
    job.flat()
}

/// `spawn` in a given pool.
fn spawn_in(registry: &Arc<Registry>, func: impl FnOnce() + Send + 'static) {
    let job = detached(registry, func);
    enqueue(registry, job);
}

/// `spawn_fifo` in a given pool.
fn spawn_fifo_in(registry: &Arc<Registry>, func: impl FnOnce() + Send + 'static) {
    let job = detached(registry, func);
    with_worker_of(registry, |worker| match worker {
        // SAFETY: the worker's seat lives as long as its pool, which the job holds.
        Some(worker) => worker.push(unsafe { worker.seat().fifo.push(job) }),
        // The injector is a queue already.
        None => registry.inject(job),
    });
}
