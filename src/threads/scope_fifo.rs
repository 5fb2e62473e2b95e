//! `scope_fifo`: a scope whose jobs run oldest first, for each thread that spawns.
//!
//! The scope has a queue for each worker (`threads/fifo.rs`); from outside the injector is one.
//! Read next: `threads/broadcast.rs`.

#![allow(
    unsafe_code,
    reason = "jobs that borrow, made safe by waiting for their end"
)]

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::threads::fifo::Fifo;
use crate::threads::global;
use crate::threads::pool::ThreadPool;
use crate::threads::registry::Registry;
use crate::threads::scope::{Invariant, ScopeCore};
use crate::threads::worker::with_worker_of;

/// The place to spawn jobs that the call of [`scope_fifo`] waits for.
pub struct ScopeFifo<'scope> {
    pub(crate) core: ScopeCore,
    /// One a worker.
    fifos: Box<[Fifo]>,
    _invariant: Invariant<'scope>,
}

impl<'scope> ScopeFifo<'scope> {
    /// A scope whose body is about to run on this thread.
    fn new(registry: &Arc<Registry>) -> Self {
        Self {
            core: ScopeCore::new(registry),
            fifos: (0..registry.num_threads()).map(|_| Fifo::new()).collect(),
            _invariant: PhantomData,
        }
    }

    /// Queues a job of this scope. It may borrow what outlives the scope, and spawn more.
    ///
    /// Of the jobs that one thread spawns, the oldest is run first.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    /// let order = std::sync::Mutex::new(Vec::new());
    /// pool.scope_fifo(|s| {
    ///     for i in 0..3 {
    ///         let order = &order;
    ///         s.spawn_fifo(move |_| order.lock().unwrap().push(i));
    ///     }
    /// });
    /// assert_eq!(order.into_inner().unwrap(), [0, 1, 2]);
    /// ```
    pub fn spawn_fifo<BODY>(&self, body: BODY)
    where
        BODY: FnOnce(&ScopeFifo<'scope>) + Send + 'scope,
    {
        self.core.add_one();
        // SAFETY: `body` lives for `'scope`, which outlives `complete`; the job is queued here.
        let job = unsafe { ScopeCore::job(self, body) };
        with_worker_of(self.core.registry(), |worker| match worker {
            Some(worker) => {
                let fifo = &self.fifos[worker.index];
                // SAFETY: the queue stays as long as the scope, which waits for the job.
                worker.push(unsafe { fifo.push(job) });
            }
            None => self.core.registry().inject(job),
        });
    }
}

impl AsRef<ScopeCore> for ScopeFifo<'_> {
    fn as_ref(&self) -> &ScopeCore {
        &self.core
    }
}

impl fmt::Debug for ScopeFifo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

/// Like [`scope`](crate::threads::scope()), but the jobs that one thread spawns run oldest first.
///
/// # Panics
///
/// As [`scope`](crate::threads::scope()).
///
/// # Examples
///
/// ```
/// let (tx, rx) = std::sync::mpsc::channel();
/// trefoil::threads::scope_fifo(|s| s.spawn_fifo(move |_| tx.send(5).unwrap()));
/// assert_eq!(rx.recv(), Ok(5));
/// ```
pub fn scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
    R: Send,
{
    global::in_worker(|worker, _| {
        let scope = ScopeFifo::new(&worker.registry);
        scope.core.complete(|| op(&scope))
    })
}

/// Like [`scope_fifo`], but `op` runs on this very thread and need not be `Send`.
///
/// # Panics
///
/// As [`scope`](crate::threads::scope()).
///
/// # Examples
///
/// ```
/// let mut sum = 0;
/// trefoil::threads::in_place_scope_fifo(|s| s.spawn_fifo(|_| sum = 1 + 2));
/// assert_eq!(sum, 3);
/// ```
pub fn in_place_scope_fifo<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&ScopeFifo<'scope>) -> R,
{
    global::with_registry(|registry| in_place_scope_fifo_in(registry, op))
}

/// `in_place_scope_fifo` with a given pool.
fn in_place_scope_fifo_in<'scope, R>(
    registry: &Arc<Registry>,
    op: impl FnOnce(&ScopeFifo<'scope>) -> R,
) -> R {
    let scope = ScopeFifo::new(registry);
    scope.core.complete(|| op(&scope))
}

impl ThreadPool {
    /// [`scope_fifo`] in this pool.
    pub fn scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R + Send,
        R: Send,
    {
        self.install(|| scope_fifo(op))
    }

    /// [`in_place_scope_fifo`] with this pool.
    pub fn in_place_scope_fifo<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&ScopeFifo<'scope>) -> R,
    {
        in_place_scope_fifo_in(self.registry(), op)
    }
}
