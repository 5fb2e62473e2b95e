//! `scope`: jobs that may borrow, because the call returns only when all of them are over.
//!
//! ```text
//!   scope(body) ─ count 1 ─► body runs: spawn adds 1 and queues a job …
//!                            body over, job over: takes 1 off; the one that comes to 0
//!                            sets the latch, and does not touch the scope again
//!                            (both by way of the worker's account: threads/account.rs)
//!   wait for the latch (a worker works on meanwhile); throw the first panic again; return
//! ```
//!
//! A job keeps a pointer to the scope, which lies in the frame of the call and holds no borrowed
//! data of its own. `'scope` is invariant, so a job can only borrow what outlives the call.
//! Why not a guard object that waits in its `Drop`: `mem::forget` would let it escape.
//! Read next: `threads/broadcast.rs`.

#![allow(
    unsafe_code,
    reason = "jobs that borrow, made safe by waiting for their end"
)]

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use crate::parts::unwind::{self, catch};
use crate::threads::account::Whole;
use crate::threads::global;
use crate::threads::job::{self, JobRef};
use crate::threads::pool::ThreadPool;
use crate::threads::registry::Registry;
use crate::threads::spawn::enqueue;
use crate::threads::visit::Open;
use crate::threads::worker::with_current;

/// What both kinds of scope are made of.
pub(crate) struct ScopeCore {
    /// Where its jobs run.
    registry: Arc<Registry>,
    /// The body and the jobs that are not over, and who waits for them.
    open: Open,
    /// The first panic. Guards that.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl ScopeCore {
    /// A scope whose body is about to run on this thread.
    pub(crate) fn new(registry: &Arc<Registry>) -> Self {
        Self {
            registry: Arc::clone(registry),
            open: Open::new(1),
            panic: Mutex::new(None),
        }
    }

    /// Where its jobs run.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// `count` jobs more.
    pub(crate) fn add(&self, count: usize) {
        self.open.add(count);
    }

    /// One job more: where the worker has one in its account, without a locked operation.
    #[inline]
    pub(crate) fn add_one(&self) {
        with_current(|worker| match worker {
            Some(worker) => worker.account.open(&self.open),
            None => self.open.add(1),
        });
    }

    /// Makes a job of `scope`, to which it has been added.
    ///
    /// # Safety
    ///
    /// `body` borrows only what lives until [`complete`](Self::complete) returns, which is called
    /// on this scope and returns after the job; the job is queued, in the scope's pool.
    pub(crate) unsafe fn job<S>(scope: &S, body: impl FnOnce(&S) + Send) -> JobRef
    where
        S: AsRef<Self> + Sync,
    {
        let scope = SharedRef(NonNull::from(scope));
        let body = move || {
            // The scope is alive until `run` takes this job off its count.
            let scope = scope.get();
            _ = scope.as_ref().run(|| body(scope));
        };
        // SAFETY: `complete` waits for the job; `run` does not unwind.
        let job = unsafe { job::on_heap(body) };
        // Flat: `run` begins a part in the account.
        job.flat()
    }

    /// Runs a body or a job, keeps its panic, and takes it off the count.
    fn run<R>(&self, body: impl FnOnce() -> R) -> Option<R> {
        with_current(|worker| {
            if let Some(worker) = worker {
                // SAFETY: `end` is below, and nothing in between unwinds.
                unsafe { worker.account.begin(&self.open) };
            }
            let result = match catch(body) {
                Ok(result) => Some(result),
                Err(payload) => {
                    self.keep(payload);
                    None
                }
            };
            // From here on the scope may be gone, unless this is the body's end.
            match worker {
                Some(worker) => worker.account.end(&self.open),
                None => self.open.done(1),
            }
            result
        })
    }

    /// Keeps the first panic; drops others, outside of the lock.
    fn keep(&self, payload: Box<dyn Any + Send>) {
        let mut later = Some(payload);
        {
            let mut first = self.panic.lock().unwrap_or_else(PoisonError::into_inner);
            if first.is_none() {
                *first = later.take();
            }
        }
        if let Some(payload) = later {
            unwind::discard(payload);
        }
    }

    /// Runs the body on this thread, and waits for it and all jobs.
    pub(crate) fn complete<R>(&self, body: impl FnOnce() -> R) -> R {
        let result = self.run(body);
        with_current(|worker| {
            if let Some(worker) = worker {
                worker.account.settle();
            }
        });
        self.open.wait();
        let panic = self
            .panic
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match (panic, result) {
            (None, Some(result)) => result,
            (Some(payload), result) => {
                drop(result);
                resume_unwind(payload)
            }
            (None, None) => unreachable!("scope: a body without result kept its panic"),
        }
    }
}

impl AsRef<Self> for ScopeCore {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl fmt::Debug for ScopeCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// Invariant in `'scope`, and a `Sync` one.
pub(crate) type Invariant<'scope> = PhantomData<fn(&'scope ()) -> &'scope ()>;

/// The place to spawn jobs that the call of [`scope`] waits for.
pub struct Scope<'scope> {
    pub(crate) core: ScopeCore,
    _invariant: Invariant<'scope>,
}

impl<'scope> Scope<'scope> {
    /// A scope whose body is about to run on this thread.
    fn new(registry: &Arc<Registry>) -> Self {
        Self {
            core: ScopeCore::new(registry),
            _invariant: PhantomData,
        }
    }

    /// Queues a job of this scope. It may borrow what outlives the scope, and spawn more.
    ///
    /// On a worker the newest job is run first, unless another thread takes the oldest.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut words = vec![String::from("clover"), String::from("leaf")];
    /// trefoil::threads::scope(|s| {
    ///     for word in &mut words {
    ///         s.spawn(move |_| word.make_ascii_uppercase());
    ///     }
    /// });
    /// assert_eq!(words, ["CLOVER", "LEAF"]);
    /// ```
    ///
    /// A local of the body ends before the job may run; one from before the scope does not:
    ///
    /// ```compile_fail
    /// trefoil::threads::scope(|s| {
    ///     let number = 5;
    ///     s.spawn(|_| assert_eq!(number, 5));
    /// });
    /// ```
    ///
    /// ```
    /// let number = 5;
    /// trefoil::threads::scope(|s| {
    ///     s.spawn(|_| assert_eq!(number, 5));
    /// });
    /// ```
    pub fn spawn<BODY>(&self, body: BODY)
    where
        BODY: FnOnce(&Scope<'scope>) + Send + 'scope,
    {
        self.core.add_one();
        // SAFETY: `body` lives for `'scope`, which outlives `complete`; the job is queued here.
        let job = unsafe { ScopeCore::job(self, body) };
        enqueue(self.core.registry(), job);
    }
}

impl AsRef<ScopeCore> for Scope<'_> {
    fn as_ref(&self) -> &ScopeCore {
        &self.core
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

/// A shared reference to a scope, for its jobs.
pub(crate) struct SharedRef<T>(pub(crate) NonNull<T>);

impl<T> Clone for SharedRef<T> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

// SAFETY: it gives out shared references only.
unsafe impl<T: Sync> Send for SharedRef<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for SharedRef<T> {}

impl<T> SharedRef<T> {
    /// The scope. A job of it calls this, so it is alive as long as the job runs.
    pub(crate) fn get(&self) -> &T {
        // SAFETY: made from a reference to a scope and moved into a job of that scope, which
        // `complete` waits for before the scope goes.
        unsafe { self.0.as_ref() }
    }
}

/// Runs `op` on a worker, and returns when it *and all jobs spawned on the scope* are over.
///
/// The jobs may borrow anything that lives longer than the call. Outside of a pool `op` runs in
/// the global one.
///
/// # Panics
///
/// If `op` or a job panics: the first panic comes out, after all others have finished.
///
/// # Examples
///
/// ```
/// let mut left = 0;
/// let mut right = 0;
/// trefoil::threads::scope(|s| {
///     s.spawn(|_| left = 1);
///     s.spawn(|_| right = 2);
/// });
/// assert_eq!(left + right, 3);
/// ```
///
/// What is not `Send` cannot go in:
///
/// ```compile_fail
/// let number = std::rc::Rc::new(1);
/// trefoil::threads::scope(|_| assert_eq!(*number, 1));
/// ```
///
/// ```
/// let number = std::sync::Arc::new(1);
/// trefoil::threads::scope(|_| assert_eq!(*number, 1));
/// ```
///
/// The scope does not leave the call:
///
/// ```compile_fail
/// let mut escaped = None;
/// trefoil::threads::scope(|s| escaped = Some(s));
/// ```
///
/// ```
/// let mut escaped = None;
/// trefoil::threads::scope(|s| escaped = Some(std::mem::size_of_val(s)));
/// ```
pub fn scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R + Send,
    R: Send,
{
    global::in_worker(|worker, _| {
        let scope = Scope::new(&worker.registry);
        scope.core.complete(|| op(&scope))
    })
}

/// Like [`scope`], but `op` runs on this very thread and need not be `Send`.
///
/// Only the jobs go to the pool. At the end a thread that is no worker blocks; a worker works on.
///
/// # Panics
///
/// As [`scope`].
///
/// # Examples
///
/// ```
/// let here = std::thread::current().id();
/// let mut sum = 0;
/// trefoil::threads::in_place_scope(|s| {
///     assert_eq!(std::thread::current().id(), here);
///     s.spawn(|_| sum = 1 + 2);
/// });
/// assert_eq!(sum, 3);
/// ```
pub fn in_place_scope<'scope, OP, R>(op: OP) -> R
where
    OP: FnOnce(&Scope<'scope>) -> R,
{
    global::with_registry(|registry| in_place_scope_in(registry, op))
}

/// `in_place_scope` with a given pool.
fn in_place_scope_in<'scope, R>(
    registry: &Arc<Registry>,
    op: impl FnOnce(&Scope<'scope>) -> R,
) -> R {
    let scope = Scope::new(registry);
    scope.core.complete(|| op(&scope))
}

impl ThreadPool {
    /// [`scope`] in this pool.
    pub fn scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R + Send,
        R: Send,
    {
        self.install(|| scope(op))
    }

    /// [`in_place_scope`] with this pool.
    pub fn in_place_scope<'scope, OP, R>(&self, op: OP) -> R
    where
        OP: FnOnce(&Scope<'scope>) -> R,
    {
        in_place_scope_in(self.registry(), op)
    }
}
