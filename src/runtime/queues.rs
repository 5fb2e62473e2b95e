//! The queues of the event loop on one thread: who may push into which.
//!
//! | queue | who pushes | why apart |
//! |---|---|---|
//! | `tasks` | this thread | no lock at all |
//! | `injected` | other threads | a mutex, emptied in one go |
//! | `yielded` | this thread, a task that stepped back | runs when the others are empty, or at every 31st pop |
//!
//! **No wake-up is lost.** Before it waits, the loop sets `asleep` under the mutex of `injected` and
//! looks at it (and at the root's flag) once more. Who pushes from outside pushes under the same
//! mutex and reads `asleep`: either its push came first and the look sees it, or it reads `true`
//! and unparks the driver. Unparks are never lost (`reactor/poller.rs`).
//!
//! Read next: `runtime/event_loop.rs`, the loop over them.

#![forbid(unsafe_code)]

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use futures_task::ArcWake;

use crate::parts::block_on::ThreadWaker;
use crate::parts::scoped::Scoped;
use crate::runtime::handle::{Handle, RuntimeFlavor, Scheduler, Shared};
use crate::runtime::pace::Pace;
use crate::task::header::Runnable;

/// What the thread that drives the runtime has to itself.
pub(crate) struct Core {
    /// Tasks that can run.
    pub(crate) tasks: VecDeque<Runnable>,
    /// Tasks that stepped back.
    pub(crate) yielded: VecDeque<Runnable>,
    /// Pops until the queues from outside and of stepped-back tasks come first once.
    pub(crate) pops_left: u32,
    /// When to look at the driver.
    pub(crate) pace: Pace,
}

/// What other threads may push into.
#[derive(Default)]
pub(crate) struct Injected {
    /// The tasks.
    pub(crate) tasks: VecDeque<Runnable>,
    /// The loop waits in the driver, or is about to.
    pub(crate) asleep: bool,
}

/// The scheduler's shared half.
pub(crate) struct CurrentThread {
    /// The core, while nobody drives.
    pub(crate) core: Mutex<Option<Box<Core>>>,
    /// Threads in `block_on` that wait for the core; woken when it is put back.
    pub(crate) waiting: Mutex<Vec<Arc<ThreadWaker>>>,
    /// Work from other threads, and whether somebody must be unparked for it.
    pub(crate) injected: Mutex<Injected>,
    /// The length of `injected`, for a look without the lock. Written under the lock.
    pub(crate) injected_len: AtomicUsize,
}

/// The running loop, as code below it on this thread sees it.
pub(crate) struct Running {
    /// Whose loop it is: the address of its `Shared`, never followed.
    pub(crate) owner: *const Shared,
    /// What it has to itself.
    pub(crate) core: RefCell<Box<Core>>,
}

thread_local! {
    /// The loop that runs on this thread.
    pub(crate) static RUNNING: Scoped<Running> = const { Scoped::new() };
}

thread_local! {
    /// The runtime whose root this thread polls before it has taken the core.
    static FIRST_POLL: Scoped<Shared> = const { Scoped::new() };
}

/// Shows `f` the loop that runs on this thread, if it is one of the runtime of `shared`.
#[inline]
fn with_running<R>(shared: &Shared, f: impl FnOnce(&Running) -> R) -> Option<R> {
    // The thread's locals may be gone: then it drives nothing.
    let found = RUNNING
        .try_with(|slot| slot.with(|running| running.filter(|r| ptr::eq(r.owner, shared)).map(f)));
    found.ok().flatten()
}

/// Runs `f`, the first poll of a root of the runtime of `shared`.
pub(crate) fn first_poll<R>(shared: &Shared, f: impl FnOnce() -> R) -> R {
    FIRST_POLL.with(|slot| slot.set(shared, f))
}

/// True when this thread drives the runtime of `shared`, or is about to and nobody else does.
pub(crate) fn runs_here(shared: &Shared) -> bool {
    let begins = || FIRST_POLL.with(|slot| slot.with(|r| r.is_some_and(|r| ptr::eq(r, shared))));
    let is_free = || {
        let core = &scheduler(shared).core;
        core.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
    };
    with_running(shared, |_| ()).is_some() || begins() && is_free()
}

/// The waker of the future given to `block_on`.
pub(crate) struct RootWaker {
    /// The root wants to run.
    pub(crate) woken: AtomicBool,
    /// Its runtime.
    pub(crate) handle: Handle,
}

impl ArcWake for RootWaker {
    fn wake_by_ref(this: &Arc<Self>) {
        // AcqRel: what the waker wrote reaches the loop's swap; a coalesced wake releases, too.
        if !this.woken.swap(true, Ordering::AcqRel) {
            scheduler(&this.handle.0).unpark_if_asleep(&this.handle.0);
        }
    }
}

/// The scheduler of a runtime that is known to be of this kind.
pub(crate) fn scheduler(shared: &Shared) -> &CurrentThread {
    shared
        .scheduler
        .as_any()
        .downcast_ref()
        .expect("a current-thread runtime")
}

impl CurrentThread {
    /// A scheduler whose core waits for its first `block_on`.
    pub(crate) fn new(event_interval: u32, global_queue_interval: u32) -> Self {
        Self {
            core: Mutex::new(Some(Box::new(Core {
                tasks: VecDeque::new(),
                yielded: VecDeque::new(),
                pops_left: global_queue_interval,
                pace: Pace::new(event_interval),
            }))),
            waiting: Mutex::default(),
            injected: Mutex::default(),
            injected_len: AtomicUsize::new(0),
        }
    }

    /// Unparks the driver if the loop waits in it. What made this necessary is visible already.
    fn unpark_if_asleep(&self, shared: &Shared) {
        let asleep = self
            .injected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .asleep;
        if asleep {
            shared.driver.unpark();
        }
    }

    /// Moves what came from outside into the core's queue.
    pub(crate) fn take_injected(&self, core: &mut Core) {
        // Relaxed: a look. Who may not miss anything (before it waits) looks under the lock.
        if self.injected_len.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut injected = self.injected.lock().unwrap_or_else(PoisonError::into_inner);
        self.injected_len.store(0, Ordering::Relaxed);
        core.tasks.append(&mut injected.tasks);
    }

    /// The core, unless another thread has it.
    pub(crate) fn try_take_core(&self) -> Option<Box<Core>> {
        match self.core.try_lock() {
            Ok(mut core) => core.take(),
            Err(TryLockError::Poisoned(core)) => core.into_inner().take(),
            Err(TryLockError::WouldBlock) => self
                .core
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        }
    }

    /// Puts the core back and tells those who wait for it.
    pub(crate) fn put_core(&self, core: Box<Core>) {
        *self.core.lock().unwrap_or_else(PoisonError::into_inner) = Some(core);
        let waiting =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in waiting {
            thread.unpark();
        }
    }
}

impl Scheduler for CurrentThread {
    fn look_soon(&self, shared: &Shared) {
        with_running(shared, |running| running.core.borrow_mut().pace.look_soon());
    }

    fn push(&self, shared: &Shared, task: Runnable) {
        let mut task = Some(task);
        with_running(shared, |running| {
            if let Some(task) = task.take() {
                running.core.borrow_mut().tasks.push_back(task);
            }
        });
        let Some(task) = task else { return };
        if shared.driver.is_copy() {
            // In a forked child nobody runs it, and a thread that is not there may have the lock.
            return;
        }
        let asleep = {
            let mut injected = self.injected.lock().unwrap_or_else(PoisonError::into_inner);
            injected.tasks.push_back(task);
            self.injected_len
                .store(injected.tasks.len(), Ordering::Relaxed);
            injected.asleep
        };
        if asleep {
            shared.driver.unpark();
        }
    }

    fn injected(&self) -> usize {
        self.injected_len.load(Ordering::Relaxed)
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn flavor(&self) -> RuntimeFlavor {
        RuntimeFlavor::CurrentThread
    }
}
