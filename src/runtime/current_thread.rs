//! The event loop on one thread: a queue, a driver, and the loop that turns them.
//!
//! ```text
//!   block_on(root):
//!     loop {
//!       1. root woken?            poll it; Ready: return
//!       2. up to 61 times:        run the next task (queue, then from outside, then stepped back)
//!       3. 61 polls or 50 µs?     look at sockets and timers, without waiting
//!       4. nothing can run?       wait in the driver: an event, a timer, an unpark ends it
//!     }
//! ```
//!
//! | queue | who pushes | why apart |
//! |---|---|---|
//! | `tasks` | this thread | no lock at all |
//! | `injected` | other threads | a mutex, emptied in one go |
//! | `yielded` | this thread, a task that stepped back | runs when the others are empty, or at every 31st pop |
//!
//! Two threads may call `block_on` of one runtime: the first has the core and drives everything,
//! the other polls only its own future, and takes the core over when it is free.
//!
//! **No wake-up is lost.** Before it waits, the loop sets `asleep` under the mutex of `injected` and
//! looks at it (and at the root's flag) once more. Who pushes from outside pushes under the same
//! mutex and reads `asleep`: either its push came first and the look sees it, or it reads `true`
//! and unparks the driver. Unparks are never lost (`reactor/poller.rs`).
//!
//! Read next: `io/evented.rs`, where a byte reaches a task; or `runtime/worker.rs`, the same on
//! several threads.

#![forbid(unsafe_code)]

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::task::{Context, Poll};
use std::time::Instant;

use futures_task::{ArcWake, waker_ref};

use crate::parts::block_on::{self, ThreadWaker};
use crate::parts::budget;
use crate::parts::scoped::Scoped;
use crate::runtime::config;
use crate::runtime::context;
use crate::runtime::counters::{self, WorkerCounters};
use crate::runtime::handle::{Handle, RuntimeFlavor, Scheduler, Shared, Spares, Why};
use crate::runtime::pace::Pace;
use crate::task::raw::Runnable;

/// What the thread that drives the runtime has to itself.
struct Core {
    /// Tasks that can run.
    tasks: VecDeque<Runnable>,
    /// Tasks that stepped back.
    yielded: VecDeque<Runnable>,
    /// Pops until the queues from outside and of stepped-back tasks come first once.
    pops_left: u32,
    /// When to look at the driver.
    pace: Pace,
}

/// What other threads may push into.
#[derive(Default)]
struct Injected {
    tasks: VecDeque<Runnable>,
    /// The loop waits in the driver, or is about to.
    asleep: bool,
}

/// The scheduler's shared half.
pub(crate) struct CurrentThread {
    /// The core, while nobody drives.
    core: Mutex<Option<Box<Core>>>,
    /// Threads in `block_on` that wait for the core; woken when it is put back.
    waiting: Mutex<Vec<Arc<ThreadWaker>>>,
    /// Work from other threads, and whether somebody must be unparked for it.
    injected: Mutex<Injected>,
    /// The length of `injected`, for a look without the lock. Written under the lock.
    injected_len: AtomicUsize,
}

/// The running loop, as code below it on this thread sees it.
struct Running {
    /// Whose loop it is: the address of its `Shared`, never followed.
    owner: *const Shared,
    core: RefCell<Box<Core>>,
}

thread_local! {
    /// The loop that runs on this thread.
    static RUNNING: Scoped<Running> = const { Scoped::new() };
}

/// The waker of the future given to `block_on`.
struct RootWaker {
    woken: AtomicBool,
    handle: Handle,
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
fn scheduler(shared: &Shared) -> &CurrentThread {
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
    fn take_injected(&self, core: &mut Core) {
        // Relaxed: a look. Who may not miss anything (before it waits) looks under the lock.
        if self.injected_len.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut injected = self.injected.lock().unwrap_or_else(PoisonError::into_inner);
        self.injected_len.store(0, Ordering::Relaxed);
        core.tasks.append(&mut injected.tasks);
    }

    /// The core, unless another thread has it.
    fn try_take_core(&self) -> Option<Box<Core>> {
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
    fn put_core(&self, core: Box<Core>) {
        *self.core.lock().unwrap_or_else(PoisonError::into_inner) = Some(core);
        let waiting =
            std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in waiting {
            thread.unpark();
        }
    }
}

impl Scheduler for CurrentThread {
    fn push(&self, shared: &Shared, task: Runnable, why: Why) {
        let mut task = Some(task);
        // The thread's locals may be gone: then it drives nothing.
        _ = RUNNING.try_with(|running| {
            running.with(|running| {
                if let Some(running) = running.filter(|r| ptr::eq(r.owner, shared)) {
                    let mut core = running.core.borrow_mut();
                    let queue = if why == Why::Yielded {
                        &mut core.yielded
                    } else {
                        &mut core.tasks
                    };
                    queue.extend(task.take());
                }
            });
        });
        let Some(task) = task else { return };
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

    fn list(&self, _shared: &Shared) -> usize {
        0
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

/// Puts the core back when `block_on` ends, also by a panic of the root future.
struct CoreGuard<'a> {
    handle: &'a Handle,
    running: Option<Running>,
}

impl Drop for CoreGuard<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            scheduler(&self.handle.0).put_core(running.core.into_inner());
        }
    }
}

/// Runs `root` on this thread, and the runtime's tasks beside it.
///
/// The caller has entered the runtime's context and marked the thread as an executor.
pub(crate) fn block_on<F: Future>(handle: &Handle, mut root: Pin<&mut F>) -> F::Output {
    let this = scheduler(&handle.0);
    loop {
        if let Some(core) = this.try_take_core() {
            let guard = CoreGuard {
                handle,
                running: Some(Running {
                    owner: ptr::from_ref(&*handle.0),
                    core: RefCell::new(core),
                }),
            };
            let running = guard.running.as_ref().expect("set above");
            return RUNNING.with(|slot| slot.set(running, || drive(handle, this, running, root)));
        }
        if let Poll::Ready(output) = wait_for_core(this, root.as_mut()) {
            return output;
        }
    }
}

/// Another thread drives: polls only `root`, until it is done or the core is free.
fn wait_for_core<F: Future>(this: &CurrentThread, mut root: Pin<&mut F>) -> Poll<F::Output> {
    let thread = block_on::this_thread();
    let waker = waker_ref(&thread);
    let mut cx = Context::from_waker(&waker);
    loop {
        // Before the look at the core, so that the thread which puts it back finds us.
        {
            let mut waiting = this.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if !waiting.iter().any(|other| Arc::ptr_eq(other, &thread)) {
                waiting.push(Arc::clone(&thread));
            }
        }
        if this
            .core
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
        {
            return Poll::Pending;
        }
        if let Poll::Ready(output) = budget::refilled(|| root.as_mut().poll(&mut cx)) {
            return Poll::Ready(output);
        }
        thread.park();
    }
}

/// The loop.
fn drive<F: Future>(
    handle: &Handle,
    this: &CurrentThread,
    running: &Running,
    mut root: Pin<&mut F>,
) -> F::Output {
    let shared = &*handle.0;
    let stats = &shared.counters.workers[0];
    let root_waker = Arc::new(RootWaker {
        woken: AtomicBool::new(true),
        handle: handle.clone(),
    });
    let waker = waker_ref(&root_waker);
    let mut cx = Context::from_waker(&waker);
    let _spares = Spares::keep();
    let mut busy_since = Instant::now();
    running.core.borrow_mut().pace.waited();
    // The caller has polled the root once; if that spawned tasks and stepped back, they come first.
    let mut tasks_first = true;
    loop {
        // Acquire: pairs with the swap in `RootWaker::wake_by_ref`.
        if !std::mem::take(&mut tasks_first) && root_waker.woken.swap(false, Ordering::AcqRel) {
            if let Poll::Ready(output) = budget::refilled(|| root.as_mut().poll(&mut cx)) {
                counters::add(&stats.busy_ns, busy_since.elapsed().as_nanos() as u64);
                return output;
            }
        }
        if run_some(this, running, shared, stats) {
            look(running, shared, stats);
            continue;
        }
        // Nothing can run. A look first if the root wants to run, else a wait.
        let may_wait = {
            let mut injected = this.injected.lock().unwrap_or_else(PoisonError::into_inner);
            // Acquire: as above; what woke the root is seen when it is polled.
            injected.asleep =
                injected.tasks.is_empty() && !root_waker.woken.load(Ordering::Acquire);
            injected.asleep
        };
        if !may_wait {
            // The root woke itself, or work has just come: sockets and timers get their look
            // by the pace, as beside any other work.
            if running.core.borrow_mut().pace.poll_done() {
                look(running, shared, stats);
            }
            continue;
        }
        counters::add(&stats.busy_ns, busy_since.elapsed().as_nanos() as u64);
        wait(this, shared, stats);
        busy_since = Instant::now();
        stats
            .seen_ns
            .store(shared.counters.since_start(busy_since), Ordering::Relaxed);
        running.core.borrow_mut().pace.waited();
    }
}

/// Runs tasks until a look at the driver is due (true), or none is left (false).
fn run_some(
    this: &CurrentThread,
    running: &Running,
    shared: &Shared,
    stats: &WorkerCounters,
) -> bool {
    loop {
        let (task, look) = {
            let core = &mut *running.core.borrow_mut();
            match next_task(this, core, shared.config.global_queue_interval) {
                None => return false,
                Some(task) => (task, core.pace.poll_done()),
            }
        };
        stats.start_poll(task.id().as_u64());
        budget::refilled(|| task.run());
        stats.end_poll();
        if look {
            return true;
        }
    }
}

/// The next task to run.
fn next_task(this: &CurrentThread, core: &mut Core, interval: u32) -> Option<Runnable> {
    core.pops_left -= 1;
    if core.pops_left == 0 {
        // So that a queue that never empties starves nobody.
        core.pops_left = interval;
        this.take_injected(core);
        if let Some(task) = core.yielded.pop_front() {
            return Some(task);
        }
    }
    if let Some(task) = core.tasks.pop_front() {
        return Some(task);
    }
    this.take_injected(core);
    core.tasks.pop_front().or_else(|| core.yielded.pop_front())
}

/// Looks at sockets and timers without waiting. What they wake is pushed into the core's queue.
fn look(running: &Running, shared: &Shared, stats: &WorkerCounters) {
    if let Some(mut turn) = shared.driver.try_turn() {
        shared.driver.look(&mut turn);
    }
    let mut core = running.core.borrow_mut();
    core.pace.looked();
    if let Some(now) = core.pace.last_look() {
        stats
            .seen_ns
            .store(shared.counters.since_start(now), Ordering::Relaxed);
    }
}

/// Waits in the driver; `asleep` is set already.
fn wait(this: &CurrentThread, shared: &Shared, stats: &WorkerCounters) {
    config::call(&shared.config.on_thread_park);
    counters::add(&stats.parks, 1);
    counters::add(&stats.parks_unparks, 1);
    if let Some(mut turn) = shared.driver.try_turn() {
        shared.driver.wait(&mut turn, None);
    }
    counters::add(&stats.parks_unparks, 1);
    this.injected
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .asleep = false;
    config::call(&shared.config.on_thread_unpark);
}

/// Ends the runtime: cancels all tasks and runs them to their ends on this thread.
pub(crate) fn shutdown(handle: &Handle) {
    let shared = &*handle.0;
    let this = scheduler(shared);
    let Some(core) = this.try_take_core() else {
        // A thread is still in `block_on` (through a handle): the next end takes care.
        return;
    };
    let guard = CoreGuard {
        handle,
        running: Some(Running {
            owner: ptr::from_ref(shared),
            core: RefCell::new(core),
        }),
    };
    let running = guard.running.as_ref().expect("set above");
    context::with_entered(handle, || {
        RUNNING.with(|slot| {
            slot.set(running, || {
                shared.owned.close_and_cancel();
                while !shared.owned.is_empty() {
                    let task = next_task(this, &mut running.core.borrow_mut(), u32::MAX);
                    match task {
                        Some(task) => task.run(),
                        // A waker on another thread has counted its wake-up and is about to push.
                        None => std::thread::yield_now(),
                    }
                }
            });
        });
    });
}
