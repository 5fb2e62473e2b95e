//! What the workers of a multi-thread runtime share, how they start, and how they end.
//!
//! ```text
//!               injector ◄── pushes from outside
//!              /        \
//!     worker 0            worker 1          each: deque, deque of stepped-back tasks,
//!        ▲   ◄─ steal ─►     ▲                    LIFO slot, bed
//!        └────── idle ───────┘              who sleeps, whom to wake
//!                 │
//!               driver                      turned by one of them at a time
//! ```
//!
//! A push by a worker goes to its own queues (the last woken task into the LIFO slot), any other
//! push into the injector. Who pushes wakes a peer only when there is more than the worker itself
//! is about to run.
//!
//! **The watcher.** A worker may be stuck in one long poll. What only it could see then waits: the
//! task in its LIFO slot, and sockets and timers if it was the one that left the driver while all
//! others sleep on condvars. So while anybody is awake one sleeper has a time limit
//! ([`WATCH_INTERVAL`]): it wakes, takes the driver if it is free, takes the LIFO slot of a peer
//! that has been in the same poll for a whole interval, and sleeps again. It stops when nothing
//! has run for an interval; the first worker to run something after that wakes a peer, which
//! becomes the watcher. (tokio#4730 and #6315 are what happens without.)
//!
//! **The end.** `shutdown` is set, all tasks are cancelled, everybody is unparked. Each worker runs
//! what is in its queues and leaves; the last one stays until no task is alive, then ends the
//! driver.
//! Read next: `runtime/worker.rs`.

#![forbid(unsafe_code)]

use std::any::Any;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle as ThreadHandle;
use std::time::{Duration, Instant};

use crate::parts::idle::Idle;
use crate::parts::lifo_slot::LifoSlot;
use crate::parts::pad::CachePadded;
use crate::parts::steal::Sources;
use crate::runtime::handle::{Handle, RuntimeFlavor, Scheduler, Shared, Why};
use crate::runtime::park::Bed;
use crate::runtime::worker::{self, Core};
use crate::task::raw::Runnable;

/// How long a task can wait behind another worker's stuck poll before a sleeper looks after it.
///
/// Source: a hundred wake-ups a second, 5 µs each, are 0.05 % of a core; not tuned.
pub(crate) const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// What a worker shows its peers.
pub(crate) struct Remote {
    /// The task it woke last; it runs it next.
    pub(crate) lifo: LifoSlot<Runnable>,
    /// Where it sleeps.
    pub(crate) bed: Bed,
    /// The worker's core, while it looks for a thread: before the start, and in
    /// `block_in_place`.
    pub(crate) core: Mutex<Option<Box<Core>>>,
}

/// The scheduler's shared half.
pub(crate) struct MultiThread {
    /// Tasks that can run.
    pub(crate) tasks: Sources<Runnable>,
    /// Tasks that stepped back; the injector of these is not used.
    pub(crate) yielded: Sources<Runnable>,
    /// Who sleeps.
    pub(crate) idle: Idle,
    /// One a worker.
    pub(crate) remotes: Box<[CachePadded<Remote>]>,
    /// A sleeper has a time limit (see the head).
    pub(crate) watching: AtomicBool,
    /// The runtime is ending.
    pub(crate) shutdown: AtomicBool,
    /// Workers that have not left.
    pub(crate) present: AtomicUsize,
    /// Threads that run or ran workers; joined at the end.
    pub(crate) threads: Mutex<Vec<ThreadHandle<()>>>,
}

/// The scheduler of a runtime, if it is of this kind.
pub(crate) fn scheduler(shared: &Shared) -> Option<&MultiThread> {
    shared.scheduler.as_any().downcast_ref()
}

impl MultiThread {
    /// The shared half of `workers` workers, which have no threads yet.
    pub(crate) fn new(workers: usize, event_interval: u32, global_queue_interval: u32) -> Self {
        let cores: Vec<Core> = (0..workers)
            .map(|_| Core::new(event_interval, global_queue_interval))
            .collect();
        Self {
            tasks: Sources::new(cores.iter().map(|core| core.tasks.stealer())),
            yielded: Sources::new(cores.iter().map(|core| core.yielded.stealer())),
            idle: Idle::new(workers),
            remotes: cores
                .into_iter()
                .map(|core| {
                    CachePadded::new(Remote {
                        lifo: LifoSlot::new(),
                        bed: Bed::new(),
                        core: Mutex::new(Some(Box::new(core))),
                    })
                })
                .collect(),
            watching: AtomicBool::new(false),
            shutdown: AtomicBool::new(false),
            present: AtomicUsize::new(workers),
            threads: Mutex::default(),
        }
    }

    /// Wakes a worker if work was published and nobody is about to find it.
    #[inline]
    pub(crate) fn wake_one(&self, shared: &Shared) {
        if let Some(worker) = self.idle.pick() {
            self.remotes[worker].bed.unpark(&shared.driver);
        }
    }

    /// True when a worker could find something in a peer's queues or the injector.
    pub(crate) fn has_work(&self) -> bool {
        self.tasks.has_work() || self.yielded.has_work()
    }
}

impl Scheduler for MultiThread {
    fn push(&self, shared: &Shared, task: Runnable, why: Why) {
        let Err(task) = worker::push_here(self, shared, task, why) else {
            return;
        };
        self.tasks.inject(task);
        self.wake_one(shared);
    }

    fn list(&self, shared: &Shared) -> usize {
        // The last list is for spawns from outside.
        worker::current_index(shared).unwrap_or(self.remotes.len())
    }

    fn injected(&self) -> usize {
        self.tasks.injected_len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn flavor(&self) -> RuntimeFlavor {
        RuntimeFlavor::MultiThread
    }
}

/// Starts a thread for the core that lies in the slot of worker `index`.
///
/// # Errors
///
/// The system's, when it refuses another thread.
pub(crate) fn start_thread(handle: &Handle, index: usize) -> io::Result<()> {
    let this = scheduler(&handle.0).expect("a multi-thread runtime");
    let mut threads = this.threads.lock().unwrap_or_else(PoisonError::into_inner);
    threads.retain(|thread| !thread.is_finished());
    let own = handle.clone();
    threads.push(
        handle
            .0
            .config
            .thread()
            .spawn(move || worker::run(own, index))?,
    );
    Ok(())
}

/// Starts all workers.
///
/// # Errors
///
/// When the system refuses a thread; those that were started are ended again.
pub(crate) fn launch(handle: &Handle) -> io::Result<()> {
    let this = scheduler(&handle.0).expect("a multi-thread runtime");
    for index in 0..this.remotes.len() {
        if let Err(error) = start_thread(handle, index) {
            // Cores without a thread have left already.
            this.present
                .fetch_sub(this.remotes.len() - index, Ordering::AcqRel);
            shutdown(handle, None);
            return Err(error);
        }
    }
    Ok(())
}

/// Ends the runtime: begins the end, and waits for the threads as `limit` says (`None`: for
/// ever). Threads that are stuck longer end by themselves later.
pub(crate) fn shutdown(handle: &Handle, limit: Option<Duration>) {
    let shared = &*handle.0;
    let this = scheduler(shared).expect("a multi-thread runtime");
    // Before the unparks below, whose mutex makes it visible to whoever they wake.
    this.shutdown.store(true, Ordering::SeqCst);
    shared.owned.close_and_cancel();
    for remote in &this.remotes {
        remote.bed.unpark(&shared.driver);
    }
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        // One after the other, and not under the lock: a worker in `block_in_place` may add one.
        let thread = this
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let Some(thread) = thread else { return };
        if thread.thread().id() == std::thread::current().id() {
            // A task of this runtime dropped it in the background: its thread ends later.
            continue;
        }
        if let Some(end) = end {
            // std has no join with a limit: look until it is over. Only the last threads of a
            // shutdown with a limit are waited for like this.
            let mut pause = Duration::from_micros(50);
            while !thread.is_finished() {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return;
                }
                std::thread::sleep(pause.min(left));
                pause = (pause * 2).min(Duration::from_millis(5));
            }
        }
        // A worker that panicked has said so on stderr.
        _ = thread.join();
    }
}
