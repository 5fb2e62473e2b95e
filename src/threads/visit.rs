//! How a thread gets something done in a pool and waits for it: `install`, and whatever is called
//! from outside.
//!
//! ```text
//!   caller's stack              injector          a worker
//!   [ Visit: closure, latch ] ──────────────► runs it, keeps the result, sets the latch
//!       ▲ waits: a thread outside looks for a while, then parks;
//!       │        a worker of another pool works on for its own pool meanwhile
//!       └──────────────────────────────────────── the latch
//! ```
//!
//! Read next: `threads/global.rs`.

#![allow(
    unsafe_code,
    reason = "a job on the stack of a thread that waits for it"
)]

use std::fmt;
use std::panic::resume_unwind;
use std::ptr::NonNull;
use std::sync::Arc;
use std::time::Instant;

use crate::parts::block_on::{self, ThreadWaker};
use crate::threads::account::Whole;
use crate::threads::job::{Errand, Header, JobRef};
use crate::threads::latch::{CountLatch, Latch};
use crate::threads::registry::Registry;
use crate::threads::spin::{self, Spin};
use crate::threads::worker::{Worker, with_current, with_worker_of};

thread_local! {
    /// How long this thread looks at a latch before it parks.
    static SPIN: Spin = const { Spin::caller() };
}

/// Somebody who waits for a latch, as the setter must know it.
#[derive(Clone)]
pub(crate) enum Waiter {
    /// A worker, by its pool and number.
    Worker(Arc<Registry>, usize),
    /// A thread that is no worker.
    Thread(Arc<ThreadWaker>),
}

impl Waiter {
    /// This thread.
    pub(crate) fn here() -> Self {
        with_current(|worker| match worker {
            Some(worker) => Self::of(worker),
            None => Self::Thread(block_on::this_thread()),
        })
    }

    /// A worker, which is this thread.
    pub(crate) fn of(worker: &Worker) -> Self {
        Self::Worker(Arc::clone(&worker.registry), worker.index)
    }

    /// Ends its sleep, after the latch was set.
    pub(crate) fn unpark(&self) {
        match self {
            Self::Worker(registry, index) => registry.seat(*index).parker.unpark(),
            Self::Thread(thread) => thread.unpark(),
        }
    }

    /// Waits for the latch; a worker works on meanwhile. Called on the thread that it stands for.
    pub(crate) fn wait(&self, latch: &Latch) {
        match self {
            Self::Worker(..) => with_current(|worker| {
                worker
                    .expect("a waiting worker is on its own thread")
                    .wait(latch);
            }),
            Self::Thread(thread) => SPIN.with(|spin| wait_as_thread(thread, spin, latch)),
        }
    }
}

/// Work of several parts, and this thread, which waits for all of them.
pub(crate) struct Open {
    parts: CountLatch,
    waiter: Waiter,
}

impl Open {
    /// With `parts` parts; this thread is the one that waits.
    pub(crate) fn new(parts: usize) -> Self {
        Self {
            parts: CountLatch::new(parts),
            waiter: Waiter::here(),
        }
    }

    /// Waits for all parts. Called on the thread that made this.
    pub(crate) fn wait(&self) {
        self.waiter.wait(self.parts.latch());
    }
}

impl Whole for Open {
    fn add(&self, count: usize) {
        self.parts.add(count);
    }

    /// On return this may be gone, unless the caller is the one that waits.
    fn done(&self, count: usize) {
        // Cloned before the latch is set, as the latch demands.
        if let Some(waiter) = self.parts.done(count, || self.waiter.clone()) {
            waiter.unpark();
        }
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.fmt(f)
    }
}

/// Looks at the latch for a while, then parks.
fn wait_as_thread(thread: &ThreadWaker, spin: &Spin, latch: &Latch) {
    let rounds = spin.rounds();
    for _ in 0..rounds {
        if latch.is_set() {
            spin.paid();
            return;
        }
        spin::pause();
    }
    let begun = Instant::now();
    while !latch.is_set() {
        if latch.announce() {
            thread.park();
        }
    }
    spin.wasted();
    spin.slept(begun.elapsed());
}

/// A job on the stack of a thread that waits for it.
#[repr(C)]
struct Visit<F, R> {
    header: Header,
    latch: Latch,
    waiter: Waiter,
    errand: Errand<F, R>,
}

/// Runs the visit at `header`.
///
/// # Safety
///
/// `header` is that of a `Visit<F, R>` whose latch is not set, and nobody else runs it.
unsafe fn execute<F, R>(header: NonNull<Header>)
where
    F: FnOnce(&Worker) -> R,
{
    // SAFETY: the caller's thread waits for the latch, so the visit is alive until it is set.
    let visit = unsafe { header.cast::<Visit<F, R>>().as_ref() };
    let call = |closure: F| with_current(|worker| closure(worker.expect("jobs run on workers")));
    // SAFETY: this is the one run of the job; the waiter touches the errand after the latch only.
    unsafe { visit.errand.run(call) };
    // Cloned before the latch is set: afterwards the visit, and the waiter's pool, may be gone.
    if let Some(waiter) = visit.latch.set(|| visit.waiter.clone()) {
        waiter.unpark();
    }
}

impl Registry {
    /// Runs `op` on a worker of this pool: here, if this thread is one, else there, while this
    /// thread waits. The flag says whether it was sent there.
    #[inline]
    pub(crate) fn in_worker<R: Send>(&self, op: impl FnOnce(&Worker, bool) -> R + Send) -> R {
        with_worker_of(self, |worker| match worker {
            Some(worker) => op(worker, false),
            None => self.visit(|worker| op(worker, true)),
        })
    }

    /// Sends `op` to a worker and waits.
    #[cold]
    pub(crate) fn visit<F, R>(&self, op: F) -> R
    where
        F: FnOnce(&Worker) -> R + Send,
        R: Send,
    {
        let visit = Visit {
            header: Header::new(execute::<F, R>),
            latch: Latch::new(),
            waiter: Waiter::here(),
            errand: Errand::new(op),
        };
        // SAFETY: this function returns only after the latch was set, that is, after the job was
        // run, and nothing in between unwinds; the closure is `Send`.
        let job = unsafe { JobRef::new(NonNull::from(&visit).cast()) };
        self.inject(job);
        visit.waiter.wait(&visit.latch);
        // SAFETY: the latch is set: the run is over and visible.
        match unsafe { visit.errand.result() } {
            Ok(result) => result,
            Err(payload) => resume_unwind(payload),
        }
    }
}
