//! One worker's loop: own queue, others' queues, sleep.
//!
//! ```text
//!   loop {
//!     1. next task: deque ─► injector ─► stepped back (every 31st pop: the last two first)
//!        run it; then up to 3 tasks from the LIFO slot, on the same budget
//!     2. 61 polls or 50 µs since the last look? look at sockets and timers
//!     3. no task: search (unless enough others do): injector, a random peer and onwards
//!     4. found none: announce sleep, look at every source once more, sleep in the driver or
//!        on the condvar
//!   }
//! ```
//!
//! What makes a worker awake again, and by whom (the drawing of `parts/idle.rs` in practice):
//! a push that finds sleepers and no searcher; the last searcher that found work and sees more; a
//! driver batch that left more than one task; the watcher's time limit.
//!
//! The core travels: `block_in_place` puts it where another thread takes it, and takes it back if
//! none has. Whoever has the core *is* the worker.
//! Steps 3 and 4 are in `runtime/search.rs`.
//! Read next: `runtime/search.rs`.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::parts::block_on;
use crate::parts::budget;
use crate::parts::scoped::Scoped;
use crate::runtime::config;
use crate::runtime::context;
use crate::runtime::counters::WorkerCounters;
use crate::runtime::handle::{Handle, Shared, Spares};
use crate::runtime::workers::{self, Core, MultiThread};
use crate::shim::deque::Worker as Deque;
use crate::task::header::{AfterRun, Runnable};
use crate::time::timer;

/// Tasks run from the LIFO slot in a row, so that two tasks which wake each other cannot starve
/// the rest (tokio#5712).
///
/// Unit: polls. Source: tokio's documented value.
const LIFO_RUNS: u32 = 3;

/// The running worker, as code below it on this thread sees it.
pub(crate) struct Running {
    /// Whose worker it is: the address of its `Shared`, never followed.
    pub(crate) owner: *const Shared,
    /// The worker's number.
    pub(crate) index: usize,
    /// `None` while another thread is the worker (`runtime/in_place.rs`).
    pub(crate) core: RefCell<Option<Box<Core>>>,
    /// The worker turns the driver: tasks go to the deque, and peers are woken once, afterwards.
    pub(crate) in_driver: Cell<bool>,
    /// The LIFO slot may be used.
    lifo: Cell<bool>,
}

thread_local! {
    /// The worker that this thread is.
    pub(crate) static RUNNING: Scoped<Running> = const { Scoped::new() };
}

/// Shows `f` the worker that this thread is, if it is one of the runtime of `shared`.
#[inline]
fn with_running<R>(shared: &Shared, f: impl FnOnce(&Running) -> R) -> Option<R> {
    // The thread's locals may be gone: then it is no worker.
    let found = RUNNING
        .try_with(|slot| slot.with(|running| running.filter(|r| ptr::eq(r.owner, shared)).map(f)));
    found.ok().flatten()
}

/// The number of the worker that this thread is, in the runtime of `shared`.
#[inline]
pub(crate) fn current_index(shared: &Shared) -> Option<usize> {
    with_running(shared, |running| running.index)
}

/// This worker, if this thread is one of the runtime of `shared`, looks after its next poll.
pub(crate) fn look_soon(shared: &Shared) {
    with_running(shared, |running| {
        if let Some(core) = &mut *running.core.borrow_mut() {
            core.pace.look_soon();
        }
    });
}

/// Pushes a task that was spawned or woken into this worker's own queues; gives it back when this
/// thread is no worker of the runtime, or has given its core away.
#[inline]
pub(crate) fn push_here(
    this: &MultiThread,
    shared: &Shared,
    task: Runnable,
) -> Result<(), Runnable> {
    let mut task = Some(task);
    with_running(shared, |running| {
        if let Some(core) = &*running.core.borrow()
            && let Some(task) = task.take()
        {
            push_own(this, shared, running, core, task);
        }
    });
    match task {
        None => Ok(()),
        Some(task) => Err(task),
    }
}

/// [`push_here`] when the core is here.
#[inline]
fn push_own(this: &MultiThread, shared: &Shared, running: &Running, core: &Core, task: Runnable) {
    if running.in_driver.get() {
        return core.tasks.push(task);
    }
    // The poll that runs now may be long: what it displaces or cannot keep is for peers.
    let displaced = if running.lifo.get() {
        this.remotes[running.index].lifo.put(task)
    } else {
        Some(task)
    };
    if let Some(displaced) = displaced {
        core.tasks.push(displaced);
        if this.remotes.len() > 1 {
            this.wake_one(shared);
        }
    }
}

/// A worker's thread: takes the core from its slot and runs until the end, or until the core goes
/// to another thread.
pub(crate) fn run(handle: Handle, index: usize) {
    let shared = &*handle.0;
    let this = workers::scheduler(shared).expect("a multi-thread runtime");
    let take = || {
        this.remotes[index]
            .core
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    };
    // Taken back by `block_in_place` before we came.
    let Some(core) = take() else { return };
    config::call(&shared.config.on_thread_start);
    timer::set_home(index);
    shared.counters.workers[index]
        .tid
        .store(thread_id(), Ordering::Relaxed);
    let running = Running {
        owner: ptr::from_ref(shared),
        index,
        core: RefCell::new(Some(core)),
        in_driver: Cell::new(false),
        lifo: Cell::new(true),
    };
    let _executor = block_on::enter();
    let _spares = Spares::keep(shared);
    let _owner = shared.owned.owner(index);
    context::with_entered(&handle, || {
        RUNNING.with(|slot| {
            slot.set(&running, || {
                Worker {
                    this,
                    shared,
                    running: &running,
                }
                .run()
            })
        });
    });
    config::call(&shared.config.on_thread_stop);
}

/// The thread's id for the system: the link's target ends in it (proc(5)).
fn thread_id() -> u32 {
    std::fs::read_link("/proc/thread-self")
        .ok()
        .and_then(|link| link.file_name()?.to_str()?.parse().ok())
        .unwrap_or(0)
}

/// The loop's surroundings.
pub(crate) struct Worker<'a> {
    /// What the workers share.
    pub(crate) this: &'a MultiThread,
    /// The runtime.
    pub(crate) shared: &'a Shared,
    /// This worker.
    pub(crate) running: &'a Running,
}

impl Worker<'_> {
    /// The loop.
    fn run(&self) {
        while !self.this.shutdown.load(Ordering::Acquire) {
            let task = self.next_task().or_else(|| self.search_or_sleep());
            if let Some(task) = task
                && !self.run_task(task)
            {
                return;
            }
        }
        self.leave();
    }

    /// Lets `f` work with the core. It must not run foreign code.
    pub(crate) fn with_core<R>(&self, f: impl FnOnce(&mut Core) -> R) -> Option<R> {
        self.running.core.borrow_mut().as_deref_mut().map(f)
    }

    /// This worker's counters.
    pub(crate) fn stats(&self) -> &WorkerCounters {
        &self.shared.counters.workers[self.running.index]
    }

    /// The next task of our own, or from outside.
    pub(crate) fn next_task(&self) -> Option<Runnable> {
        self.with_core(|core| {
            if core.outside_next {
                core.outside_next = false;
                let first = self.this.tasks.take_one_injected();
                if first.is_some() {
                    return first;
                }
            }
            core.pops_left -= 1;
            if core.pops_left == 0 {
                // So that a queue that never empties starves nobody.
                core.pops_left = core.global_queue_interval;
                let first = self
                    .this
                    .tasks
                    .take_one_injected()
                    .or_else(|| core.yielded.pop());
                if first.is_some() {
                    return first;
                }
            }
            core.tasks
                .pop()
                .or_else(|| self.this.tasks.take_injected(&core.tasks))
                .or_else(|| core.yielded.pop())
        })?
    }

    /// Runs a task, and what it puts into the LIFO slot. False: the core is gone, this thread is
    /// no worker any more.
    fn run_task(&self, task: Runnable) -> bool {
        let lifo = &self.this.remotes[self.running.index].lifo;
        let mut polls = 1;
        budget::refilled(|| {
            self.poll(task);
            for _ in 0..LIFO_RUNS {
                if !budget::has_remaining() {
                    break;
                }
                let Some(next) = lifo.take() else { break };
                polls += 1;
                self.poll(next);
            }
        });
        if let Some(rest) = lifo.take() {
            // Enough from the slot: it takes its place in the queue.
            self.push_back(rest, |core| &core.tasks);
        }
        let look = self.with_core(|core| (0..polls).any(|_| core.pace.poll_done()));
        if look == Some(true) {
            self.look();
        }
        look.is_some()
    }

    /// One poll, published for `dump()` and the watcher.
    #[inline]
    fn poll(&self, task: Runnable) {
        let stats = self.stats();
        stats.start_poll(task.id().as_u64());
        let after = task.run();
        stats.end_poll();
        match after {
            AfterRun::Done => {}
            AfterRun::Again(task) => self.push_back(task, |core| &core.tasks),
            AfterRun::Yielded(task) => self.push_back(task, |core| &core.yielded),
        }
    }

    /// Puts a task that ran into one of our queues. This worker looks at them next, so a peer is
    /// wanted only if there was something else; and not exactly, since nothing is lost without it.
    fn push_back(&self, task: Runnable, queue: impl FnOnce(&Core) -> &Deque<Runnable>) {
        let core = self.running.core.borrow();
        let Some(core) = &*core else {
            // Another thread is the worker now.
            self.this.tasks.inject(task);
            self.this.wake_one(self.shared);
            return;
        };
        let queue = queue(core);
        let more = !queue.is_empty();
        queue.push(task);
        if more && self.this.idle.wants_work() {
            self.this.wake_one(self.shared);
        }
    }

    /// Looks at sockets and timers without waiting, if no peer does.
    fn look(&self) {
        let mut found = false;
        if let Some(mut turn) = self.shared.driver.try_turn() {
            self.running.in_driver.set(true);
            found = self.shared.driver.look(&mut turn);
            self.running.in_driver.set(false);
        }
        let now = self.with_core(|core| {
            core.pace.looked(found);
            // Long polls must not keep work from outside waiting for many of them. Every second
            // look: with a look after each poll our own work must have its turn, too.
            core.odd_look = !core.odd_look;
            core.outside_next = core.odd_look;
            core.pace.last_look()
        });
        if let Some(Some(now)) = now {
            self.stats()
                .seen_ns
                .store(self.shared.counters.since_start(now), Ordering::Relaxed);
            self.relieve_stuck(now);
        }
        self.share_batch();
    }

    /// After a batch of events: more than one task to run? Then one peer is woken, which wakes
    /// the next.
    pub(crate) fn share_batch(&self) {
        if self.this.remotes.len() > 1 && self.with_core(|core| core.tasks.len() > 1) == Some(true)
        {
            self.this.wake_one(self.shared);
        }
    }

    /// The runtime ends: runs what is left (all of it is cancelled), and leaves. The last worker
    /// stays until no task is alive.
    fn leave(&self) {
        let lifo = &self.this.remotes[self.running.index].lifo;
        let drain = || {
            while let Some(task) = lifo
                .take()
                .or_else(|| self.next_task())
                .or_else(|| self.steal())
            {
                self.poll(task);
            }
        };
        drain();
        // AcqRel: the last one sees what the others left behind.
        let last = self.this.present.fetch_sub(1, Ordering::AcqRel) == 1;
        if !last {
            return;
        }
        let mut rounds = 0_u32;
        loop {
            drain();
            if self.shared.owned.is_empty() {
                break;
            }
            let rest = self
                .this
                .remotes
                .iter()
                .find_map(|remote| remote.lifo.take());
            if let Some(task) = rest {
                self.poll(task);
                continue;
            }
            // A waker has counted its wake-up and is about to push, or a task is inside
            // `block_in_place` on a thread without a core.
            rounds += 1;
            if rounds < 100 {
                std::thread::yield_now();
            } else {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        self.shared.owned.clear();
        self.shared.driver.shutdown();
    }
}
