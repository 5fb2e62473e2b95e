//! The part of a pool that all its threads share.
//!
//! ```text
//!   injector ◄── jobs from outside          who sleeps, whom to wake: parts/idle.rs
//!      │
//!   worker 0   worker 1   …                 a seat each: parker, broadcasts, counters
//!     deque ◄── steal ──► deque             the deque's thief ends are here
//! ```
//!
//! It lives until its last worker has left: each holds an `Arc`. Workers leave when the count of
//! *holders* is 0: the pool's handle is one, and each detached job is one (`spawn`,
//! `spawn_broadcast`), so a pool whose handle is gone still runs what it was given.
//! Read next: `threads/worker.rs`, the loop over it.

#![forbid(unsafe_code)]

use std::any::Any;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::parts::idle::Idle;
use crate::parts::pad::CachePadded;
use crate::parts::parker::Parker;
use crate::parts::steal::Sources;
use crate::parts::unwind::{AbortOnUnwind, catch};
use crate::shim::deque::Worker as Deque;
use crate::threads::counters::Counters;
use crate::threads::fifo::Fifo;
use crate::threads::job::JobRef;

/// Called with the payload of a panic that nobody waits for.
pub(crate) type PanicHandler = Box<dyn Fn(Box<dyn Any + Send>) + Send + Sync>;

/// Called with a worker's number when its thread starts or ends.
pub(crate) type ThreadHandler = Box<dyn Fn(usize) + Send + Sync>;

/// What a pool's user wants to be told.
#[derive(Default)]
pub(crate) struct Handlers {
    /// Without it a panic that nobody waits for ends the process.
    pub(crate) panic: Option<PanicHandler>,
    /// When a worker's thread has started.
    pub(crate) start: Option<ThreadHandler>,
    /// When a worker's thread is about to end.
    pub(crate) exit: Option<ThreadHandler>,
}

/// What a worker shows the others.
pub(crate) struct Seat {
    /// Where it sleeps.
    pub(crate) parker: Parker,
    /// Jobs for this worker alone; guards the queue.
    broadcasts: Mutex<VecDeque<JobRef>>,
    /// How many there are: lets the worker's loop pass by without the lock.
    broadcast_count: AtomicUsize,
    /// What its jobs spawned with `spawn_fifo`.
    pub(crate) fifo: Fifo,
    /// What it did.
    pub(crate) counters: Counters,
}

/// A pool's shared part.
pub(crate) struct Registry {
    /// Where jobs are: the injector, and every deque's thief end.
    pub(crate) sources: Sources<JobRef>,
    /// Who sleeps.
    pub(crate) idle: Idle,
    seats: Box<[CachePadded<Seat>]>,
    /// What keeps the workers from leaving.
    holders: AtomicUsize,
    /// No holder is left.
    ended: AtomicBool,
    /// Workers whose threads have begun; guards the count.
    begun: Mutex<usize>,
    /// Notified when `begun` grows; waited on with it only.
    more_begun: Condvar,
    handlers: Handlers,
    /// How many times the submitted jobs that wait were cancelled. A job remembers the number
    /// that it found here; a worker that pops it later compares.
    epoch: AtomicU64,
}

impl Registry {
    /// The shared part of a pool with these deques, held once.
    pub(crate) fn new(deques: &[Deque<JobRef>], handlers: Handlers) -> Self {
        Self {
            sources: Sources::new(deques.iter().map(Deque::stealer)),
            idle: Idle::newborn(deques.len()),
            seats: deques
                .iter()
                .map(|_| {
                    CachePadded::new(Seat {
                        parker: Parker::new(),
                        broadcasts: Mutex::default(),
                        broadcast_count: AtomicUsize::new(0),
                        fifo: Fifo::new(),
                        counters: Counters::default(),
                    })
                })
                .collect(),
            holders: AtomicUsize::new(1),
            ended: AtomicBool::new(false),
            begun: Mutex::new(0),
            more_begun: Condvar::new(),
            handlers,
            epoch: AtomicU64::new(0),
        }
    }

    /// How many times the submitted jobs that wait were cancelled.
    #[inline]
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Relaxed)
    }

    /// Cancels the submitted jobs that wait.
    pub(crate) fn begin_epoch(&self) {
        // Relaxed: whoever was told of this call, or made a job before it, sees the number so or
        // so; with others there is no before and after.
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    /// Workers.
    #[inline]
    pub(crate) fn num_threads(&self) -> usize {
        self.seats.len()
    }

    /// The seat of a worker.
    #[inline]
    pub(crate) fn seat(&self, worker: usize) -> &Seat {
        &self.seats[worker]
    }

    /// Adds a job from outside.
    pub(crate) fn inject(&self, job: JobRef) {
        self.sources.inject(job);
        self.wake_one();
    }

    /// Wakes a worker if work was published and nobody is about to find it.
    #[inline]
    pub(crate) fn wake_one(&self) {
        if let Some(worker) = self.idle.pick() {
            self.seats[worker].parker.unpark();
        }
    }

    /// Gives a job to one worker alone, and wakes it.
    pub(crate) fn send_to(&self, worker: usize, job: JobRef) {
        let seat = &self.seats[worker];
        {
            let mut queue = seat
                .broadcasts
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            queue.push_back(job);
            seat.broadcast_count.fetch_add(1, Ordering::Relaxed);
        }
        // Always, and after the count: a worker that was about to sleep finds the token, and the
        // parker's lock shows it the count.
        seat.parker.unpark();
    }

    /// The oldest job that was given to this worker alone.
    #[inline]
    pub(crate) fn take_sent(&self, worker: usize) -> Option<JobRef> {
        let seat = &self.seats[worker];
        if seat.broadcast_count.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let mut queue = seat
            .broadcasts
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let job = queue.pop_front()?;
        seat.broadcast_count.fetch_sub(1, Ordering::Relaxed);
        Some(job)
    }

    /// One holder more. The caller is one, or holds the pool's handle.
    pub(crate) fn hold(&self) {
        let before = self.holders.fetch_add(1, Ordering::Relaxed);
        if before == 0 || before > usize::MAX / 2 {
            // Taken back, or the next caller would find a holder.
            self.holders.fetch_sub(1, Ordering::Relaxed);
            panic!(
                "threads: work for a pool that has ended (keep its ThreadPool until then), or too \
                 much of it"
            );
        }
    }

    /// One holder less; the last one lets the workers go.
    pub(crate) fn release(&self) {
        // Release, and Acquire for the last: whatever was done for this pool comes before its
        // workers leave.
        if self.holders.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        // Before the unparks: a worker that parks afterwards finds a token.
        self.ended.store(true, Ordering::Release);
        for seat in &self.seats {
            seat.parker.unpark();
        }
    }

    /// True when the workers may leave.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        // Acquire: pairs with the Release in `release`.
        self.ended.load(Ordering::Acquire)
    }

    /// A worker's thread has begun.
    pub(crate) fn count_begun(&self) {
        *self.begun.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.more_begun.notify_all();
    }

    /// Waits until all workers' threads have begun.
    pub(crate) fn wait_until_begun(&self) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        while *begun < self.num_threads() {
            begun = self
                .more_begun
                .wait(begun)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells the start handler.
    pub(crate) fn on_start(&self, worker: usize) {
        if let Some(handler) = &self.handlers.start {
            self.catch(|| handler(worker));
        }
    }

    /// Tells the exit handler.
    pub(crate) fn on_exit(&self, worker: usize) {
        if let Some(handler) = &self.handlers.exit {
            self.catch(|| handler(worker));
        }
    }

    /// Runs what nobody waits for; a panic goes to the panic handler.
    #[inline]
    pub(crate) fn catch(&self, f: impl FnOnce()) {
        if let Err(payload) = catch(f) {
            self.handle_panic(payload);
        }
    }

    /// Gives a panic to the panic handler; without one the process ends.
    #[cold]
    pub(crate) fn handle_panic(&self, payload: Box<dyn Any + Send>) {
        let guard = AbortOnUnwind("a thread pool's panic handler");
        let Some(handler) = &self.handlers.panic else {
            // The message has been printed by the panic hook.
            eprintln!("trefoil: a detached job panicked in a thread pool without panic handler");
            std::process::abort();
        };
        handler(payload);
        guard.disarm();
    }
}
