//! One worker: what it runs next, and how it waits.
//!
//! ```text
//!   wait until the goal is reached (a latch is set; for the thread's main loop: the pool ends) {
//!     1. own jobs: deque (newest first), then jobs for this worker alone (broadcasts)
//!     2. search, unless enough others do: a random peer's oldest job and onwards, the injector;
//!        look on for a while (threads/spin.rs)
//!     3. announce the sleep to whoever sets the goal and to whoever pushes jobs (parts/idle.rs);
//!        look once more; sleep
//!   }
//! ```
//!
//! The same loop serves a thread's main loop, a join whose half was stolen, a scope's end, a
//! blocking wait for another pool: a worker never just blocks, it works on. So it nests: a job
//! that runs in step 1 may wait in its turn.
//! Read next: `threads/join.rs`.

#![allow(
    unsafe_code,
    reason = "the thread-local pointer to the worker on this thread"
)]

use std::cell::{Cell, RefCell};
use std::ptr;
use std::sync::Arc;
use std::time::Instant;

use crate::parts::idle::Place;
use crate::parts::parker;
use crate::parts::rng::Rng;
use crate::shim::deque::Worker as Deque;
use crate::threads::account::Account;
use crate::threads::job::JobRef;
use crate::threads::latch::Latch;
use crate::threads::registry::{Registry, Seat};
use crate::threads::ring::Ring;
use crate::threads::spin::{self, Spin};

thread_local! {
    /// The worker that this thread is; null elsewhere. It is set for as long as the worker lives.
    static CURRENT: Cell<*const Worker> = const { Cell::new(ptr::null()) };
}

/// Flat jobs that a thief takes along with the one it has found.
///
/// Unit: jobs, and at most half of what the victim has. Source: crossbeam takes up to 32; half of
/// that, since flat jobs may be long; not tuned.
const BATCH: usize = 15;

/// A worker, on its thread. Nobody else has a reference to it.
pub(crate) struct Worker {
    /// Join halves that only this worker sees.
    pub(crate) ring: Ring,
    /// Jobs that thieves see.
    pub(crate) deque: Deque<JobRef>,
    /// How many public jobs there are to be when nobody is idle: 1, so that the next idle worker
    /// finds something at once; 0 in a pool of one thread, where there is no thief.
    window: usize,
    /// The worker's number.
    pub(crate) index: usize,
    /// The pool.
    pub(crate) registry: Arc<Registry>,
    /// For choosing victims.
    rng: RefCell<Rng>,
    /// How long to look before sleeping.
    spin: Spin,
    /// What it owes to the scope whose jobs it runs.
    pub(crate) account: Account,
}

/// What a worker waits for.
pub(crate) trait Goal {
    /// True when the wait is over.
    fn is_reached(&self) -> bool;
    /// The worker is about to park; from now on whoever reaches the goal unparks it.
    /// False: it is reached.
    fn announce(&self) -> bool;
    /// The worker found a job instead.
    fn retract(&self);
    /// True for a thread's main loop: it waits for no particular job, so what it owes to a scope
    /// may wait until the next job is not of that scope. In any other wait the last job of the
    /// scope may be what ends it.
    fn may_settle_late(&self) -> bool {
        false
    }
    /// When the wait is over in any case; then `is_reached` says so.
    fn end(&self) -> Option<Instant> {
        None
    }
}

impl Goal for Latch {
    #[inline]
    fn is_reached(&self) -> bool {
        self.is_set()
    }

    fn announce(&self) -> bool {
        Latch::announce(self)
    }

    fn retract(&self) {
        Latch::retract(self);
    }
}

/// The goal of a thread's main loop.
struct Ended<'a>(&'a Registry);

impl Goal for Ended<'_> {
    fn is_reached(&self) -> bool {
        self.0.has_ended()
    }

    // The end unparks everybody, asleep or not: nothing to announce.
    fn announce(&self) -> bool {
        !self.0.has_ended()
    }

    fn retract(&self) {}

    fn may_settle_late(&self) -> bool {
        true
    }
}

/// Calls `f` with the worker that this thread is.
#[inline]
pub(crate) fn with_current<R>(f: impl FnOnce(Option<&Worker>) -> R) -> R {
    // SAFETY: `f` returns or unwinds before this function does.
    f(unsafe { here() })
}

/// The worker that this thread is: for `join`, where a closure would be one function more for the
/// compiler to cut a recursion at (see `threads/join.rs`).
///
/// # Safety
///
/// The caller does not keep the reference longer than its own call takes.
#[inline(always)]
pub(crate) unsafe fn here<'a>() -> Option<&'a Worker> {
    let worker = CURRENT.with(Cell::get);
    // SAFETY: `Worker::enter` sets the pointer to a worker that is borrowed until the pointer is
    // taken back, on this thread; the caller returns before that, because it runs inside.
    unsafe { worker.as_ref() }
}

/// Calls `f` with the worker that this thread is, if it is one of `registry`.
#[inline]
pub(crate) fn with_worker_of<R>(registry: &Registry, f: impl FnOnce(Option<&Worker>) -> R) -> R {
    with_current(|worker| f(worker.filter(|worker| ptr::eq(&*worker.registry, registry))))
}

/// The before-blocking hook of a worker's thread (see `parts/parker.rs`).
fn publish_here() {
    with_current(|worker| {
        if let Some(worker) = worker {
            worker.publish_all();
        }
    });
}

/// This thread is a worker until this is dropped.
pub(crate) struct Entered {
    /// The hook that was set before.
    hook: Option<fn()>,
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(ptr::null()));
        parker::set_before_blocking(self.hook);
    }
}

impl Worker {
    /// A worker over its deque, whose thief end the registry has.
    pub(crate) fn new(registry: Arc<Registry>, index: usize, deque: Deque<JobRef>) -> Self {
        Self {
            ring: Ring::new(),
            deque,
            window: usize::from(registry.num_threads() > 1),
            index,
            registry,
            rng: RefCell::new(Rng::from_system()),
            spin: Spin::worker(),
            account: Account::new(),
        }
    }

    /// Makes this thread the worker until the result is dropped.
    ///
    /// # Safety
    ///
    /// The result is dropped before the worker, and on this thread.
    pub(crate) unsafe fn enter(&self) -> Entered {
        CURRENT.with(|current| {
            debug_assert!(current.get().is_null(), "worker: the thread is one already");
            current.set(self);
        });
        Entered {
            hook: parker::set_before_blocking(Some(publish_here)),
        }
    }

    /// Works until the pool ends.
    pub(crate) fn run(&self) {
        self.wait(&Ended(&self.registry));
    }

    /// This worker's seat.
    #[inline]
    pub(crate) fn seat(&self) -> &Seat {
        self.registry.seat(self.index)
    }

    /// Adds a job that thieves may take, and wakes one if nobody is about to find it.
    #[inline]
    pub(crate) fn push(&self, job: JobRef) {
        if !self.ring.is_empty() {
            // What is in the ring stays newer than what is in the deque.
            self.publish(usize::MAX);
        }
        self.deque.push(job);
        // A pool of one: nobody else could take it.
        if self.window > 0 {
            self.registry.wake_one();
        }
    }

    /// After a push into the ring: makes the oldest private halves public, if somebody could take
    /// them.
    #[inline]
    pub(crate) fn publish_if_wanted(&self) {
        // Two plain loads and one of a word that is written only when somebody becomes idle or
        // busy. Stale values are harmless: a publication too few is made up for by the next join.
        let window = self.window + self.registry.idle.idlers();
        if self.deque.len() < window {
            self.publish(window);
        }
    }

    /// Makes private halves public until the deque holds `window` jobs.
    #[cold]
    fn publish(&self, window: usize) {
        let published = self.ring.publish(&self.deque, window, self.index);
        if published > 0 {
            self.seat().counters.publications.add(published as u64);
            self.registry.wake_one();
        }
    }

    /// Makes all private halves public: this thread is about to wait, or to block.
    pub(crate) fn publish_all(&self) {
        if !self.ring.is_empty() {
            self.publish(usize::MAX);
        }
    }

    /// The next job of our own.
    #[inline]
    pub(crate) fn take_own(&self) -> Option<JobRef> {
        self.deque
            .pop()
            .or_else(|| self.registry.take_sent(self.index))
    }

    /// True when a job of our own waits.
    pub(crate) fn has_pending(&self) -> bool {
        !self.ring.is_empty() || !self.deque.is_empty()
    }

    /// A job from somewhere else.
    fn take_foreign(&self) -> Option<JobRef> {
        let sources = &self.registry.sources;
        // Of flat work some more, or each job would cost a search.
        let take = |job: &JobRef| if job.is_flat() { BATCH } else { 0 };
        let rng = &mut self.rng.borrow_mut();
        if let Some(job) = sources.steal_some(self.index, &self.deque, rng, take) {
            self.seat().counters.steals.bump();
            return Some(job);
        }
        sources.take_one_injected()
    }

    /// One job, wherever it is; does not wait.
    pub(crate) fn take_any(&self) -> Option<JobRef> {
        self.publish_all();
        self.take_own().or_else(|| self.take_foreign())
    }

    /// Runs a job.
    #[inline]
    pub(crate) fn execute(&self, job: JobRef) {
        self.execute_of_many(job);
        self.account.settle();
    }

    /// Runs a job. Whatever comes next, the caller settles the account first, unless it is the
    /// next job.
    #[inline]
    fn execute_of_many(&self, job: JobRef) {
        self.seat().counters.jobs.bump();
        if !job.is_flat() {
            self.account.settle();
        }
        job.execute();
    }

    /// Works until the goal is reached.
    #[inline]
    pub(crate) fn wait(&self, goal: &impl Goal) {
        if !goal.is_reached() {
            self.wait_cold(goal);
        }
    }

    /// The loop of the head.
    #[cold]
    fn wait_cold(&self, goal: &impl Goal) {
        // Whoever waits here for long must not sit on work.
        self.publish_all();
        while !goal.is_reached() {
            let job = self.take_own().or_else(|| {
                self.account.settle();
                self.search_or_sleep(goal)
            });
            match job {
                Some(job) if goal.may_settle_late() => self.execute_of_many(job),
                Some(job) => self.execute(job),
                None => {}
            }
        }
        self.account.settle();
    }

    /// Steps 2 and 3. `None`: the goal may be reached, or there may be a job of our own.
    fn search_or_sleep(&self, goal: &impl Goal) -> Option<JobRef> {
        let idle = &self.registry.idle;
        let counters = &self.seat().counters;
        let mut searching = self.registry.idle.start_search();
        loop {
            if searching && let Some(found) = self.search(goal) {
                self.stop_search();
                return found;
            }
            counters.failed_searches.bump();
            idle.fall_asleep(self.index, searching, Place::First);
            // The second look: whatever was pushed before the announcement is seen here, or its
            // pusher sees us asleep (the proof in parts/idle.rs).
            if self.registry.sources.has_work() {
                idle.retract(self.index);
                searching = true;
                continue;
            }
            if goal.announce() {
                let slept = Instant::now();
                counters.parks.bump();
                match goal.end() {
                    None => self.seat().parker.park(),
                    Some(end) => self.seat().parker.park_until(end),
                }
                self.spin.slept(slept.elapsed());
                goal.retract();
            }
            searching = idle.rise(self.index);
            if searching {
                // Somebody counts on us to look.
                continue;
            }
            return None;
        }
    }

    /// Looks for a job, again and again for a while. `Some(None)`: the goal was reached, or a job
    /// of our own came; `None`: nothing.
    fn search(&self, goal: &impl Goal) -> Option<Option<JobRef>> {
        let rounds = self.spin.rounds();
        for round in 0..=rounds {
            let found = if goal.is_reached() {
                Some(None)
            } else {
                self.take_foreign()
                    .or_else(|| self.registry.take_sent(self.index))
                    .map(Some)
            };
            if found.is_some() {
                if round > 0 {
                    self.spin.paid();
                }
                return found;
            }
            if round < rounds {
                spin::pause();
            }
        }
        self.spin.wasted();
        None
    }

    /// Ends a search that found something. The last searcher looks whether there is more, because
    /// pushes that came meanwhile woke nobody.
    fn stop_search(&self) {
        let registry = &self.registry;
        if registry.idle.stop_search() && registry.sources.has_work() {
            registry.wake_one();
        }
    }
}

#[cfg(all(test, trefoil_loom))]
#[path = "ring_models.rs"]
mod models;
