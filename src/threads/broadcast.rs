//! `broadcast`: something that every worker does once.
//!
//! Each worker has a queue for jobs that nobody else may take (`Seat` in `threads/registry.rs`);
//! it looks there when its deque is empty and before it steals. The sender unparks every worker,
//! so none that is falling asleep can miss it.
//! Read next: `threads/yielding.rs`.

#![allow(
    unsafe_code,
    reason = "jobs that borrow, made safe by waiting for their end"
)]

use std::fmt;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::parts::unwind::{catch, discard};
use crate::threads::account::Whole;
use crate::threads::global;
use crate::threads::job;
use crate::threads::pool::ThreadPool;
use crate::threads::registry::Registry;
use crate::threads::scope::{Scope, ScopeCore, SharedRef};
use crate::threads::scope_fifo::ScopeFifo;
use crate::threads::spawn::detached;
use crate::threads::visit::Open;
use crate::threads::worker::{Worker, with_current};

/// What a broadcast tells its closure.
pub struct BroadcastContext<'a> {
    worker: &'a Worker,
    /// Neither `Send` nor `Sync`: it speaks of the thread that got it.
    _here: PhantomData<&'a mut dyn Fn()>,
}

impl<'a> BroadcastContext<'a> {
    /// Calls `f` on this worker, with its context.
    fn with<R>(f: impl FnOnce(BroadcastContext<'_>) -> R) -> R {
        with_current(|worker| {
            f(BroadcastContext {
                worker: worker.expect("jobs run on workers"),
                _here: PhantomData,
            })
        })
    }

    /// The number of the worker, counted from 0.
    #[inline]
    #[must_use]
    pub fn index(&self) -> usize {
        self.worker.index
    }

    /// How many workers there are: how many times the closure runs.
    #[inline]
    #[must_use]
    pub fn num_threads(&self) -> usize {
        self.worker.registry.num_threads()
    }
}

impl fmt::Debug for BroadcastContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BroadcastContext")
            .field("index", &self.index())
            .field("num_threads", &self.num_threads())
            .finish_non_exhaustive()
    }
}

/// Runs `op` once on every worker of this thread's pool, or of the global one; waits, and gives
/// the results in the order of the workers' numbers.
///
/// Each worker runs it when it has nothing of its own left to do, and before it takes work from
/// others; earlier broadcasts come first. `op` must not wait for another run of itself.
///
/// # Panics
///
/// If a run panics: one panic comes out, after all runs are over.
///
/// # Examples
///
/// ```
/// let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
/// let squares = pool.broadcast(|ctx| ctx.index() * ctx.index());
/// assert_eq!(squares, [0, 1, 4]);
/// ```
pub fn broadcast<OP, R>(op: OP) -> Vec<R>
where
    OP: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    global::with_registry(|registry| broadcast_in(registry, op))
}

/// Runs `op` once on every worker of this thread's pool, or of the global one; does not wait.
///
/// # Panics
///
/// Each panic of `op` is a call of the pool's
/// [`panic_handler`](crate::threads::ThreadPoolBuilder::panic_handler); without one the process
/// ends.
///
/// # Examples
///
/// ```
/// let (tx, rx) = std::sync::mpsc::channel();
/// trefoil::threads::spawn_broadcast(move |ctx| tx.send(ctx.index()).unwrap());
/// assert_eq!(rx.into_iter().count(), trefoil::threads::current_num_threads());
/// ```
pub fn spawn_broadcast<OP>(op: OP)
where
    OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    global::with_registry(|registry| spawn_broadcast_in(registry, op));
}

impl ThreadPool {
    /// [`broadcast`] in this pool.
    pub fn broadcast<OP, R>(&self, op: OP) -> Vec<R>
    where
        OP: Fn(BroadcastContext<'_>) -> R + Sync,
        R: Send,
    {
        broadcast_in(self.registry(), op)
    }

    /// [`spawn_broadcast`] in this pool.
    pub fn spawn_broadcast<OP>(&self, op: OP)
    where
        OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
    {
        spawn_broadcast_in(self.registry(), op);
    }
}

/// What the runs of a broadcast share, on the stack of the one who waits for them.
struct Broadcast<OP, R> {
    op: OP,
    /// One for each worker; guards the result.
    results: Vec<Mutex<Option<thread::Result<R>>>>,
    open: Open,
}

/// `broadcast` in a given pool.
fn broadcast_in<OP, R>(registry: &Arc<Registry>, op: OP) -> Vec<R>
where
    OP: Fn(BroadcastContext<'_>) -> R + Sync,
    R: Send,
{
    // Only a thread that was adopted by a pool (`use_current_thread`) can come here so late: nobody
    // would run the jobs, and it would wait for ever.
    assert!(
        !registry.has_ended(),
        "threads: broadcast in a pool that has ended; keep its ThreadPool until then"
    );
    let threads = registry.num_threads();
    let shared = Broadcast {
        op,
        results: (0..threads).map(|_| Mutex::new(None)).collect(),
        open: Open::new(threads),
    };
    let here = SharedRef(NonNull::from(&shared));
    for index in 0..threads {
        let here = here.clone();
        let run = move || {
            let shared = here.get();
            let result = catch(|| BroadcastContext::with(&shared.op));
            *shared.results[index]
                .lock()
                .unwrap_or_else(PoisonError::into_inner) = Some(result);
            // From here on `shared` may be gone.
            shared.open.done(1);
        };
        // SAFETY: this function waits below until each run is over, and nothing until there
        // unwinds; `run` catches the panic of `op`.
        let job = unsafe { job::on_heap(run) };
        registry.send_to(index, job);
    }
    shared.open.wait();
    let results = shared.results.into_iter().map(|result| {
        result
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .expect("each run left its result")
    });
    // All are looked at: of several panics the first is thrown again, and the others are discarded
    // before that: their `Drop` may panic, which must not meet the first one.
    let mut first = None;
    let mut outputs = Vec::with_capacity(threads);
    for result in results {
        match result {
            Ok(output) => outputs.push(output),
            Err(payload) if first.is_none() => first = Some(payload),
            Err(payload) => discard(payload),
        }
    }
    match first {
        None => outputs,
        Some(payload) => {
            // For the same reason.
            if let Err(another) = catch(|| drop(outputs)) {
                discard(another);
            }
            resume_unwind(payload)
        }
    }
}

/// `spawn_broadcast` in a given pool.
fn spawn_broadcast_in<OP>(registry: &Arc<Registry>, op: OP)
where
    OP: Fn(BroadcastContext<'_>) + Send + Sync + 'static,
{
    let op = Arc::new(op);
    for index in 0..registry.num_threads() {
        let op = Arc::clone(&op);
        let job = detached(registry, move || BroadcastContext::with(|ctx| op(ctx)));
        registry.send_to(index, job);
    }
}

/// Sends a job of a scope to every worker of its pool.
///
/// # Safety
///
/// `op` borrows only what lives until `complete` of the scope returns.
unsafe fn broadcast_scoped<F>(core: &ScopeCore, op: F)
where
    F: Fn(BroadcastContext<'_>) + Send + Sync,
{
    let registry = core.registry();
    core.add(registry.num_threads());
    let op = Arc::new(op);
    for index in 0..registry.num_threads() {
        let op = Arc::clone(&op);
        let run = move |_: &ScopeCore| BroadcastContext::with(|ctx| op(ctx));
        // SAFETY: the caller's promise; the job is queued in the next line.
        let job = unsafe { ScopeCore::job(core, run) };
        registry.send_to(index, job);
    }
}

impl<'scope> Scope<'scope> {
    /// Queues a job of this scope on every worker of the pool.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    ///
    /// let runs = AtomicUsize::new(0);
    /// let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
    /// pool.scope(|s| s.spawn_broadcast(|_, _| { runs.fetch_add(1, Relaxed); }));
    /// assert_eq!(runs.into_inner(), 3);
    /// ```
    pub fn spawn_broadcast<BODY>(&self, body: BODY)
    where
        BODY: Fn(&Scope<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        let scope = SharedRef(NonNull::from(self));
        // SAFETY: `body` lives for `'scope`, which outlives `complete`.
        unsafe { broadcast_scoped(&self.core, move |ctx| body(scope.get(), ctx)) };
    }
}

impl<'scope> ScopeFifo<'scope> {
    /// Queues a job of this scope on every worker of the pool.
    pub fn spawn_broadcast<BODY>(&self, body: BODY)
    where
        BODY: Fn(&ScopeFifo<'scope>, BroadcastContext<'_>) + Send + Sync + 'scope,
    {
        let scope = SharedRef(NonNull::from(self));
        // SAFETY: `body` lives for `'scope`, which outlives `complete`.
        unsafe { broadcast_scoped(&self.core, move |ctx| body(scope.get(), ctx)) };
    }
}
