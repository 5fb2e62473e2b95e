//! The pool as a pure state machine: no process, no clock, no I/O. Everything is decided here.
//!
//! ```text
//!             1 Launched        2 Hello             3 Ready
//!   Launching ──► Starting ──► Initializing ──► Ready ◄──► (jobs: the first runs)
//!       │            │              │             │ 5 limit, resize, shutdown
//!       │ 1'         │ 4 deadline, failure,       ▼
//!       │ failed     │ violation, cancel       Stopping   finishes what it has, then leaves
//!       ▼            └──────────────┬─────────────┘
//!     gone                          ▼ 4 Kill
//!                                Killing ── 6 Died (from any state) ──► gone
//! ```
//!
//! Each edge is a method of the same name as its event. A worker's jobs stand in a line: the first
//! runs, the others were sent ahead. When it dies, the first has crashed, and the others go back to
//! the front of the queue: they had not begun.
//! What must always be true: a job has one outcome; it is in one place; it begins at most once an
//! attempt; at most as many workers live as the pool has (those that are being killed or leave do
//! not count).
//! Why time comes as an argument: the tests make their own.
//! Read next: `processes/slots.rs` (the workers), `processes/queue.rs`.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::parts::slab::{Key, Slab};
use crate::processes::error::Violation;
use crate::processes::events::{Action, Ending, Event, Mode, Rules, Terms, Trouble};
use crate::processes::queue::Queue;
use crate::processes::sizing::Sizing;
use crate::processes::slots::{Phase, Worker};

/// A job that has no outcome yet.
#[derive(Debug)]
pub(crate) struct Job<L> {
    /// What the driver knows of it.
    pub(crate) load: L,
    pub(crate) terms: Terms,
    /// How often it was begun.
    pub(crate) attempts: u32,
    /// The worker that has it; `None`: it is in the queue.
    pub(crate) at: Option<Key>,
}

/// The whole pool.
#[derive(Debug)]
pub(crate) struct State<L> {
    pub(crate) rules: Rules,
    pub(crate) jobs: Slab<Job<L>>,
    pub(crate) queue: Queue,
    pub(crate) workers: Slab<Worker>,
    pub(crate) sizing: Sizing,
    /// Moving average of how long a job takes; `None` before the first.
    pub(crate) job_time: Option<Duration>,
    pub(crate) closing: Option<Mode>,
}

impl<L> State<L> {
    /// A pool without workers; [`Event::Tick`] makes it start them.
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            sizing: Sizing::new(&rules),
            rules,
            jobs: Slab::new(),
            queue: Queue::new(),
            workers: Slab::new(),
            job_time: None,
            closing: None,
        }
    }

    /// Takes a job. When the pool can do nothing for it any more, it ends at once.
    pub(crate) fn submit(
        &mut self,
        now: Instant,
        load: L,
        terms: Terms,
        todo: &mut Vec<Action<L>>,
    ) -> Option<Key> {
        let refused = match (&self.closing, self.sizing.hopeless(now)) {
            (Some(_), _) => Ending::PoolClosed,
            (None, Some(trouble)) => Ending::Trouble(trouble),
            (None, None) => {
                let job = self.jobs.insert(Job {
                    load,
                    terms,
                    attempts: 0,
                    at: None,
                });
                self.queue.push_back(job, &terms);
                self.spread(now, todo);
                return Some(job);
            }
        };
        todo.push(Action::End(load, refused));
        None
    }

    /// What follows from an event. True for a [`Event::Cancel`] that ended its job.
    pub(crate) fn on(&mut self, now: Instant, event: Event, todo: &mut Vec<Action<L>>) -> bool {
        match event {
            Event::Launched(worker) => self.launched(now, worker, todo),
            Event::LaunchFailed(worker, trouble) => self.launch_failed(now, worker, trouble, todo),
            Event::Hello(worker, same) => self.hello(now, worker, same, todo),
            Event::Ready(worker, result) => self.ready(now, worker, result, todo),
            Event::Answered(worker, job, rss) => self.answered(now, worker, job, rss, todo),
            Event::Revoked(worker, job, revoked) => self.revoked(now, worker, job, revoked, todo),
            Event::Pong(worker) => self.pong(now, worker),
            Event::Violated(worker, violation) => self.violated(now, worker, violation, todo),
            Event::Died(worker, unread) => self.died(now, worker, unread, todo),
            Event::Cancel(job) => return self.cancel(now, job, todo),
            Event::Withdraw(job) if self.is_running(job) => {}
            Event::Withdraw(job) => return self.cancel(now, job, todo),
            Event::Tick => self.tick(now, todo),
            Event::Resize(workers) => self.sizing.target = workers,
            Event::Shutdown(mode) => self.shutdown(mode, todo),
        }
        self.spread(now, todo);
        false
    }

    // ---- edges 1 to 3: a worker comes up -------------------------------------------------------

    /// Edge 1.
    fn launched(&mut self, now: Instant, key: Key, todo: &mut Vec<Action<L>>) {
        if let Some(worker) = self.workers.get_mut(key)
            && self.closing != Some(Mode::Now)
        {
            worker.enter(Phase::Starting, now, Some(self.rules.start_timeout));
        } else {
            // The pool was closed meanwhile.
            self.kill(now, key, todo);
        }
    }

    /// Edge 1'.
    fn launch_failed(
        &mut self,
        now: Instant,
        key: Key,
        trouble: Trouble,
        todo: &mut Vec<Action<L>>,
    ) {
        self.workers.remove(key);
        self.start_failed(now, trouble, todo);
    }

    /// A worker did not come up: the pool waits before the next try, and may lose hope.
    pub(crate) fn start_failed(
        &mut self,
        now: Instant,
        trouble: Trouble,
        todo: &mut Vec<Action<L>>,
    ) {
        let anybody = self.workers.iter().any(|(_, worker)| worker.phase.is_up());
        let intensity = self.rules.intensity;
        if let Some(trouble) = self.sizing.start_failed(now, trouble, intensity, anybody) {
            self.end_queued(&Ending::Trouble(trouble), todo);
        }
    }

    /// Edge 2.
    fn hello(&mut self, now: Instant, key: Key, same: bool, todo: &mut Vec<Action<L>>) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        if worker.phase != Phase::Starting {
            return self.violated(now, key, Violation::OutOfTurn, todo);
        }
        if same {
            worker.phase = Phase::Initializing;
            todo.push(Action::Init(key));
        } else {
            worker.trouble = Some(Trouble::Mismatch);
            self.kill(now, key, todo);
        }
    }

    /// Edge 3.
    fn ready(
        &mut self,
        now: Instant,
        key: Key,
        result: Result<(), String>,
        todo: &mut Vec<Action<L>>,
    ) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        match (worker.phase, result) {
            (Phase::Initializing, Ok(())) => {
                worker.enter(Phase::Ready, now, None);
                self.sizing.start_succeeded();
            }
            (Phase::Initializing, Err(message)) => {
                worker.trouble = Some(Trouble::Init(message));
                self.kill(now, key, todo);
            }
            (Phase::Killing, _) => {}
            _ => self.violated(now, key, Violation::OutOfTurn, todo),
        }
    }

    // ---- questions -----------------------------------------------------------------------------

    /// What the driver knows of a job.
    pub(crate) fn load(&self, job: Key) -> Option<&L> {
        self.jobs.get(job).map(|job| &job.load)
    }

    /// How many workers there may be.
    pub(crate) fn target(&self) -> usize {
        self.sizing.target
    }

    /// Jobs that wait for a worker.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Nothing new is taken.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_some()
    }

    /// Closed, and no worker is left.
    pub(crate) fn is_over(&self) -> bool {
        self.closing.is_some() && self.workers.is_empty() && self.jobs.is_empty()
    }

    /// The first job of a worker's line.
    pub(crate) fn first(&self, worker: Key) -> Option<Key> {
        Some(self.workers.get(worker)?.jobs.front()?.job)
    }

    /// True when a job is the first of its worker's line.
    fn is_running(&self, job: Key) -> bool {
        self.worker_of(job).and_then(|worker| self.first(worker)) == Some(job)
    }

    /// The worker that has a job.
    pub(crate) fn worker_of(&self, job: Key) -> Option<Key> {
        self.jobs.get(job)?.at
    }

    /// All workers.
    pub(crate) fn worker_keys(&self) -> Vec<Key> {
        self.workers.iter().map(|(key, _)| key).collect()
    }

    /// This pool has killed the worker.
    pub(crate) fn is_killed(&self, worker: Key) -> bool {
        self.workers
            .get(worker)
            .is_none_or(|worker| worker.phase == Phase::Killing)
    }

    /// Workers by what they do: coming up, idle, busy, going.
    pub(crate) fn census(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        for (_, worker) in self.workers.iter() {
            counts[match worker.phase {
                phase if phase.is_coming_up() => 0,
                Phase::Ready if worker.jobs.is_empty() => 1,
                Phase::Ready => 2,
                _ => 3,
            }] += 1;
        }
        counts
    }
}
