//! A worker that has nothing to run: it searches, and sleeps until there may be something.
//!
//! ```text
//!   search ── found ──────────────────────────────► run it; the last searcher wakes another
//!     │ nothing                          ▲
//!     │ (the program's on_thread_park)   │ yes
//!     ▼                                  │
//!   announce the sleep, look once more ──┘
//!     │ nothing
//!     ▼
//!   sleep: in the driver if nobody turns it, else on the condvar ──► search again, if picked
//! ```
//!
//! Steps 3 and 4 of the loop in `runtime/worker.rs`. That no push is missed is proved in
//! `parts/idle.rs`; that somebody looks after a worker which is stuck, in `runtime/watch.rs`, whose
//! methods are called here.
//! Read next: `runtime/watch.rs`.

#![forbid(unsafe_code)]

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::parts::idle::Place;
use crate::parts::lifo_slot::LifoSlot;
use crate::reactor::poller::Turn;
use crate::runtime::config;
use crate::runtime::worker::Worker;
use crate::runtime::workers::Core;
use crate::task::header::Runnable;

impl Worker<'_> {
    /// Looks for work elsewhere, and sleeps until there may be some. `None`: the runtime ends.
    pub(crate) fn search_or_sleep(&self) -> Option<Runnable> {
        let (this, index) = (self.this, self.running.index);
        let mut searching = this.idle.start_search();
        let (mut announced, mut on_round) = (false, false);
        let mut notice = ParkNotice::new(self);
        loop {
            if searching && let Some(task) = self.steal() {
                self.stop_search();
                if announced {
                    self.keep_watch();
                }
                return Some(task);
            }
            // The hook of the program comes first: it may spawn, and wakes nobody then.
            if notice.give()
                && let Some(task) = self.lifo().take().or_else(|| self.next_task())
            {
                if searching {
                    self.stop_search();
                }
                return Some(task);
            }
            // A watcher on its round leaves the driver to whoever is awake: that one comes back to
            // it.
            let turn = if on_round {
                None
            } else {
                self.shared.driver.try_turn()
            };
            let place = if turn.is_some() {
                Place::Last
            } else {
                Place::First
            };
            this.idle.fall_asleep(index, searching, place);
            announced = true;
            // The second look: whatever was pushed before the announcement is seen here, or its
            // pusher sees us asleep (the proof in parts/idle.rs).
            if self.has_work() {
                drop(turn);
                this.idle.retract(index);
                if this.shutdown.load(Ordering::Acquire) {
                    return None;
                }
                searching = true;
                continue;
            }
            on_round = !self.sleep(turn) && !self.sees_stuck();
            searching = this.idle.rise(index);
            if this.shutdown.load(Ordering::Acquire) {
                return None;
            }
            // What events have woken is in our own queue.
            if let Some(task) = self.next_task().or_else(|| self.take_stuck()) {
                if searching {
                    self.stop_search();
                }
                self.share_batch();
                self.keep_watch();
                return Some(task);
            }
            searching = searching || this.idle.start_search();
        }
    }

    /// True when there is something to run or to do, anywhere.
    fn has_work(&self) -> bool {
        self.this.has_work() || self.this.shutdown.load(Ordering::Acquire)
    }

    /// Sleeps, in the driver if it is ours to turn. False: on the condvar, and only the time limit
    /// ended it.
    fn sleep(&self, turn: Option<Turn<'_>>) -> bool {
        let (shared, stats) = (self.shared, self.stats());
        let bed = &self.this.remotes[self.running.index].bed;
        let limit = self.watch_limit();
        let awake = self
            .with_core(|core| core.awake_since.elapsed())
            .unwrap_or_default();
        stats.busy_ns.add(awake.as_nanos() as u64);
        let called = match turn {
            Some(mut turn) => {
                self.running.in_driver.set(true);
                bed.sleep_in_driver(&shared.driver, &mut turn, limit);
                self.running.in_driver.set(false);
                true
            }
            None => bed.sleep_on_condvar(limit),
        };
        let now = Instant::now();
        stats
            .seen_ns
            .store(shared.counters.since_start(now), Ordering::Relaxed);
        self.with_core(|core| {
            core.awake_since = now;
            core.pace.waited(now);
        });
        called
    }

    /// This worker's slot for the task it woke last.
    fn lifo(&self) -> &LifoSlot<Runnable> {
        &self.this.remotes[self.running.index].lifo
    }

    /// Takes work from outside or from a peer.
    pub(crate) fn steal(&self) -> Option<Runnable> {
        self.with_core(|core| {
            let Core {
                tasks,
                yielded,
                rng,
                ..
            } = core;
            let index = self.running.index;
            self.this
                .tasks
                .take_injected(tasks)
                .or_else(|| self.this.tasks.steal(index, tasks, rng))
                .or_else(|| self.this.yielded.steal(index, yielded, rng))
                .inspect(|_| self.stats().steals.bump())
        })?
    }

    /// A searcher found work: the last one looks again, and hands out what it sees.
    fn stop_search(&self) {
        if self.this.idle.stop_search() && self.this.has_work() {
            self.this.wake_one(self.shared);
        }
    }
}

/// What the program is told of a wait: once when it begins, and once, on drop, that it is over. A
/// watcher's rounds in between are no news.
struct ParkNotice<'a> {
    worker: &'a Worker<'a>,
    given: bool,
}

impl<'a> ParkNotice<'a> {
    /// Nothing said yet.
    fn new(worker: &'a Worker<'a>) -> Self {
        Self {
            worker,
            given: false,
        }
    }

    /// The worker is about to wait: says so, the first time. True: the program has a hook, which
    /// may have spawned.
    fn give(&mut self) -> bool {
        if std::mem::replace(&mut self.given, true) {
            return false;
        }
        let stats = self.worker.stats();
        stats.parks.bump();
        stats.parks_unparks.bump();
        config::call(&self.worker.shared.config.on_thread_park)
    }
}

impl Drop for ParkNotice<'_> {
    /// The worker goes on, or leaves.
    fn drop(&mut self) {
        if self.given {
            self.worker.stats().parks_unparks.bump();
            config::call(&self.worker.shared.config.on_thread_unpark);
        }
    }
}
