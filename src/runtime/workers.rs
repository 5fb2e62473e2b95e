//! What the workers of a multi-thread runtime share, and what each has to itself.
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
//! Read next: `runtime/worker.rs`, the loop over it.

#![forbid(unsafe_code)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread::JoinHandle as ThreadHandle;
use std::time::Instant;

use crate::parts::idle::Idle;
use crate::parts::lifo_slot::LifoSlot;
use crate::parts::pad::CachePadded;
use crate::parts::rng::Rng;
use crate::parts::steal::Sources;
use crate::runtime::handle::Shared;
use crate::runtime::pace::Pace;
use crate::runtime::park::Bed;
use crate::shim::deque::Worker as Deque;
use crate::task::header::Runnable;

/// What the worker has to itself.
pub(crate) struct Core {
    /// Tasks that can run; peers steal from the other end.
    pub(crate) tasks: Deque<Runnable>,
    /// Tasks that stepped back; peers steal these, too.
    pub(crate) yielded: Deque<Runnable>,
    /// For choosing victims.
    pub(crate) rng: Rng,
    /// Pops until injector and stepped-back tasks come first once.
    pub(crate) pops_left: u32,
    /// What `pops_left` starts from.
    pub(crate) global_queue_interval: u32,
    /// When to look at the driver.
    pub(crate) pace: Pace,
    /// The last look was an odd one: after those the injector comes first once.
    pub(crate) odd_look: bool,
    /// It comes first now.
    pub(crate) outside_next: bool,
    /// This worker is the watcher (see `runtime/watch.rs`).
    pub(crate) watcher: bool,
    /// Each worker's polls when the watcher last looked.
    pub(crate) watched: Vec<u64>,
    /// Each worker's polls when this one, awake, last looked after its peers.
    pub(crate) peers_seen: Vec<u64>,
    /// When that was.
    pub(crate) peers_seen_at: Instant,
    /// Since when the worker is awake.
    pub(crate) awake_since: Instant,
}

impl Core {
    /// A core with empty queues, one of `workers`.
    pub(crate) fn new(workers: usize, event_interval: u32, global_queue_interval: u32) -> Self {
        Self {
            tasks: Deque::new_fifo(),
            yielded: Deque::new_fifo(),
            rng: Rng::from_system(),
            pops_left: global_queue_interval,
            global_queue_interval,
            pace: Pace::new(event_interval),
            odd_look: false,
            outside_next: false,
            watcher: false,
            watched: vec![0; workers],
            peers_seen: vec![0; workers],
            peers_seen_at: Instant::now(),
            awake_since: Instant::now(),
        }
    }
}

/// What a worker shows its peers.
pub(crate) struct Remote {
    /// The task it woke last; it runs it next.
    pub(crate) lifo: LifoSlot<Runnable>,
    /// Where it sleeps.
    pub(crate) bed: Bed,
    /// A peer has made it the watcher (see `runtime/watch.rs`).
    pub(crate) appointed: AtomicBool,
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
    /// A sleeper has a time limit (see `runtime/watch.rs`).
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
            .map(|_| Core::new(workers, event_interval, global_queue_interval))
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
                        appointed: AtomicBool::new(false),
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
