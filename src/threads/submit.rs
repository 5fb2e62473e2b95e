//! `submit`: a job whose result somebody wants; `cancel_queued`.
//!
//! The way of a job: the block of `threads/ticket.rs` goes into this worker's deque, or into the
//! injector; a worker runs it; its outcome wakes whoever waits, outside of every lock.
//! Read next: `threads/slices.rs`.

#![forbid(unsafe_code)]

use std::panic::Location;

use crate::threads::global;
use crate::threads::pending::Pending;
use crate::threads::pool::ThreadPool;
use crate::threads::registry::Registry;
use crate::threads::spawn::enqueue;
use crate::threads::ticket::submitted;

/// Gives `func` to the pool that this thread belongs to, or to the global one, and returns at
/// once; its result comes out of the [`Pending`].
///
/// This is how a task of the event loop computes: the loop goes on, other threads do the work.
/// For work that borrows see [`scope`](crate::threads::scope), for work whose result nobody wants
/// [`spawn`](crate::threads::spawn).
///
/// A panic of `func` comes out of the `Pending`, never out of the pool's panic handler. The job
/// keeps its pool alive until it is over.
///
/// # Examples
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let jobs: Vec<_> = (1..=3).map(|n| trefoil::threads::submit(move || n * n)).collect();
/// let mut squares = Vec::new();
/// for job in jobs {
///     squares.push(job.await.unwrap());
/// }
/// assert_eq!(squares, [1, 4, 9]);
/// # });
/// ```
#[track_caller]
pub fn submit<F, T>(func: F) -> Pending<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    // Asked here: a closure has no caller's line.
    let line = Location::caller();
    global::with_registry(|registry| submit_in(registry, func, line))
}

impl ThreadPool {
    /// [`submit`] in this pool.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    /// let threads = pool.submit(trefoil::threads::current_num_threads);
    /// assert_eq!(threads.wait().unwrap(), 2);
    /// ```
    #[track_caller]
    pub fn submit<F, T>(&self, func: F) -> Pending<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        submit_in(self.registry(), func, Location::caller())
    }

    /// Cancels all jobs that were given to [`submit`] so far and have not begun.
    ///
    /// It returns at once. Each job's [`Pending`] gives
    /// [`JobError::Cancelled`](crate::threads::JobError::Cancelled) when a worker comes to the job
    /// and drops its closure, not before. Whatever else the pool does goes on: `spawn`, scopes,
    /// joins, broadcasts and installs are never cancelled, since somebody relies on them.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    /// let (go, gate) = std::sync::mpsc::channel::<()>();
    /// let first = pool.submit(move || gate.recv());
    /// # while pool.metrics().worker_job_count(0) == 0 { std::thread::yield_now(); }
    /// let second = pool.submit(|| unreachable!());
    /// pool.cancel_queued();
    /// go.send(()).unwrap();
    /// assert!(first.wait().is_ok());
    /// assert!(second.wait().unwrap_err().is_cancelled());
    /// ```
    pub fn cancel_queued(&self) {
        self.registry().begin_epoch();
    }
}

/// `submit` in a given pool.
fn submit_in<F, T>(registry: &Registry, func: F, line: &'static Location<'static>) -> Pending<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let (job, ticket, reader) = submitted(registry, func);
    enqueue(registry, job);
    Pending::new(reader, ticket, line)
}
