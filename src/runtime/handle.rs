//! `Handle`: a runtime's scheduler, driver and blocking pool behind one `Arc`.
//!
//! ```text
//!   Handle ──Arc──► Shared { driver, owned tasks, blocking pool, counters, config,
//!                            scheduler: dyn Scheduler }
//!                                          ├── CurrentThread     runtime/current_thread.rs
//!                                          └── MultiThread       runtime/multi_thread.rs
//! ```
//!
//! The scheduler is a trait object so that this file knows neither of the two; the call costs
//! 1.5 ns a wake-up. Each task holds a reference: a waker may outlive the runtime and must find out
//! that it is gone.
//! Read next: `runtime/context.rs`.

#![allow(
    unsafe_code,
    reason = "takes a counted reference out of a field that is being dropped"
)]

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::parts::names::Name;
use crate::runtime::blocking::{Blocking, BlockingTask, Job, NoSchedule};
use crate::runtime::config::Config;
use crate::runtime::counters::Counters;
use crate::runtime::driver::Driver;
use crate::task::header::{Ending, Runnable, Schedule, TaskRef};
use crate::task::join::JoinHandle;
use crate::task::local_tasks::LocalTasks;
use crate::task::owned::Owned;
use crate::task::raw::{self, NewTask};

/// A handle of a runtime: spawns into it, from any thread. Cloning counts a reference.
///
/// A handle does not keep its runtime running: after the runtime has ended what is spawned is
/// cancelled at once.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// let handle = rt.handle().clone();
/// let answer = std::thread::spawn(move || {
///     handle.block_on(async { trefoil::spawn(async { 42 }).await.unwrap() })
/// });
/// assert_eq!(answer.join().unwrap(), 42);
/// ```
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

impl UnwindSafe for Handle {}
impl RefUnwindSafe for Handle {}

/// One runtime.
pub(crate) struct Shared {
    /// I/O, time, signals.
    pub(crate) driver: Driver,
    /// The live tasks.
    pub(crate) owned: Owned,
    /// Threads for what blocks.
    pub(crate) blocking: Blocking,
    /// What the workers count.
    pub(crate) counters: Counters,
    /// The builder's settings.
    pub(crate) config: Config,
    /// Which kind of runtime, and its queues.
    pub(crate) scheduler: Box<dyn Scheduler>,
    /// The tasks that stay on one thread, if this is a local runtime.
    pub(crate) local: OnceLock<Arc<LocalTasks>>,
    /// The runtime's own number.
    pub(crate) id: u64,
}

impl AsRef<Blocking> for Shared {
    fn as_ref(&self) -> &Blocking {
        &self.blocking
    }
}

/// What a kind of runtime does.
pub(crate) trait Scheduler: Send + Sync {
    /// Puts a task that was spawned or woken into a queue, and wakes a thread for it if that is
    /// needed.
    fn push(&self, shared: &Shared, task: Runnable);

    /// Something was registered whose state nobody knows yet: if this thread polls tasks, it looks
    /// at the driver after the next poll.
    fn look_soon(&self, shared: &Shared);

    /// Tasks that wait in the queue which everybody may push into.
    fn injected(&self) -> usize;

    /// The scheduler itself, for code that knows which one it is.
    fn as_any(&self) -> &dyn std::any::Any;

    /// The kind.
    fn flavor(&self) -> RuntimeFlavor;
}

/// Which kind of runtime a [`Handle`] belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuntimeFlavor {
    /// One thread: whoever calls `block_on`.
    CurrentThread,
    /// Worker threads that steal from each other.
    MultiThread,
}

/// Names a runtime among all of the process, also after its end.
///
/// ```
/// let one = trefoil::runtime::Runtime::new().unwrap();
/// let two = trefoil::runtime::Runtime::new().unwrap();
/// assert_ne!(one.handle().id(), two.handle().id());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RuntimeId(u64);

impl fmt::Display for RuntimeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The next runtime's number.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// A number no runtime has had.
pub(crate) fn next_id() -> u64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// A counted reference to a runtime, recycled: the way back of a task, or of a timer.
///
/// What ends on a thread which drives its runtime leaves the reference there for the next task or
/// timer made on that thread: two locked operations saved (`spawn_join`, `timeout_ready`). The
/// thread gives them up when it stops driving ([`Spares`]).
pub(crate) struct Home(ManuallyDrop<Arc<Shared>>);

impl Home {
    /// A reference to `shared`.
    #[inline]
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let spare = SPARES.with(|spares| {
            let mut kept = spares.try_borrow_mut().ok()?;
            if ptr::eq(kept.owner, &**shared) {
                kept.spares.pop()
            } else {
                None
            }
        });
        Self(ManuallyDrop::new(
            spare.unwrap_or_else(|| Arc::clone(shared)),
        ))
    }
}

impl UnwindSafe for Home {}
impl RefUnwindSafe for Home {}

impl Deref for Home {
    type Target = Shared;

    #[inline]
    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Home {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the field is taken here, once, and not used again.
        let own = unsafe { ManuallyDrop::take(&mut self.0) };
        SPARES.with(|spares| {
            // Not one of another runtime, which it would keep from being freed.
            if let Ok(mut kept) = spares.try_borrow_mut()
                && ptr::eq(kept.owner, &*own)
                && kept.spares.len() < SPARES_KEPT
            {
                kept.spares.push(own);
            }
            // Else `own` is dropped here.
        });
    }
}

/// References a thread keeps for new tasks.
///
/// Unit: references. Source: more than tasks end between two spawns in `spawn_64`; not tuned.
const SPARES_KEPT: usize = 256;

/// What a thread keeps.
struct Kept {
    /// The runtime that the thread drives: its address, never followed. Null: none, nothing is kept.
    owner: *const Shared,
    /// References to that runtime.
    spares: Vec<Arc<Shared>>,
}

impl Kept {
    /// What a thread keeps that drives nothing.
    const NOTHING: Self = Self {
        owner: ptr::null(),
        spares: Vec::new(),
    };
}

thread_local! {
    /// In `ManuallyDrop`, so that no destructor makes each access ask whether the thread is
    /// ending; [`Spares`] empties it.
    static SPARES: ManuallyDrop<RefCell<Kept>> =
        const { ManuallyDrop::new(RefCell::new(Kept::NOTHING)) };
}

/// Lets this thread keep spare references while it drives a runtime; gives them up on drop.
pub(crate) struct Spares {
    /// What an outer loop on the same thread had kept.
    before: Kept,
}

impl Spares {
    /// From now on this thread keeps spares of the runtime of `shared`.
    pub(crate) fn keep(shared: &Shared) -> Self {
        let kept = Kept {
            owner: shared,
            spares: Vec::with_capacity(SPARES_KEPT),
        };
        Self {
            before: SPARES.with(|spares| spares.replace(kept)),
        }
    }
}

impl Drop for Spares {
    fn drop(&mut self) {
        let before = std::mem::replace(&mut self.before, Kept::NOTHING);
        // Dropped outside of the cell: the last reference ends the runtime's memory.
        drop(SPARES.with(|spares| spares.replace(before)));
    }
}

impl Schedule for Home {
    #[inline]
    fn schedule(&self, task: Runnable) {
        self.0.scheduler.push(&self.0, task);
    }

    #[inline]
    fn unlist(&self, task: Ending) -> Option<TaskRef> {
        self.0.owned.remove(task)
    }
}

impl Handle {
    /// Looks at the driver after the next poll of this thread; see [`Scheduler::look_soon`].
    pub(crate) fn look_soon(&self) {
        self.0.scheduler.look_soon(&self.0);
    }

    /// The tasks of a local runtime.
    pub(crate) fn local_tasks(&self) -> Option<&Arc<LocalTasks>> {
        self.0.local.get()
    }

    /// Makes the runtime a local one, once.
    pub(crate) fn set_local_tasks(&self, tasks: Arc<LocalTasks>) {
        _ = self.0.local.set(tasks);
    }

    /// The runtime's driver.
    pub(crate) fn driver(&self) -> &Driver {
        &self.0.driver
    }

    /// Starts `future` as a task of the runtime, at once, whether or not its handle is awaited.
    ///
    /// When the runtime has ended the future is dropped, and awaiting the handle gives a cancelled
    /// error.
    ///
    /// # Panics
    ///
    /// In a process that was forked from the runtime's.
    ///
    /// ```
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// let task = rt.handle().spawn(async { "done" });
    /// assert_eq!(rt.block_on(task).unwrap(), "done");
    /// ```
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_named(future, Name::NONE, Location::caller())
    }

    /// [`spawn`](Self::spawn) with a name and a line.
    #[track_caller]
    pub(crate) fn spawn_named<F>(
        &self,
        future: F,
        name: Name,
        spawned: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.driver.refuse_copy("spawn");
        let NewTask {
            runnable,
            own,
            join,
        } = raw::new_task(future, Home::new(&self.0), name, spawned);
        match self.0.owned.insert(own) {
            Ok(()) => self.0.scheduler.push(&self.0, runnable),
            Err(own) => {
                // The runtime is ending: the future is dropped here and now.
                own.cancel();
                runnable.end();
            }
        }
        join
    }

    /// The name that [`Builder::name`](crate::runtime::Builder::name) gave the runtime.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.config.name.as_deref()
    }

    /// The runtime's number.
    #[must_use]
    pub fn id(&self) -> RuntimeId {
        RuntimeId(self.0.id)
    }

    /// Which kind of runtime it is.
    #[must_use]
    pub fn runtime_flavor(&self) -> RuntimeFlavor {
        self.0.scheduler.flavor()
    }

    /// Makes the task of a blocking closure and hands it to the pool; the closure runs as it is.
    pub(crate) fn queue_blocking<F, R>(
        &self,
        f: F,
        name: Name,
        spawned: &'static Location<'static>,
        after: Option<Box<dyn Send>>,
    ) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let NewTask {
            runnable,
            own,
            join,
        } = raw::new_task(BlockingTask::new(f), NoSchedule, name, spawned);
        let job = Job {
            runnable,
            own,
            after,
        };
        if let Err((job, _error)) = Blocking::spawn(&self.0, job) {
            job.cancel();
        }
        join
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("id", &self.0.id)
            .field("name", &self.0.config.name)
            .field("flavor", &self.0.scheduler.flavor())
            .finish_non_exhaustive()
    }
}
