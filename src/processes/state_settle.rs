//! The state machine, how many workers there are: growth on demand, shrinking, replacement.
//!
//! ```text
//!   wanted = as many as have work, at least the minimum, at most the pool's number
//!   too few:  launch
//!   too many: stop idle ones first      tired (count, age, memory)? launch another, then stop it
//! ```
//!
//! Read next: `processes/core.rs`, where the decisions meet processes.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::parts::slab::Key;
use crate::processes::events::{Action, Mode};
use crate::processes::slots::{Phase, Worker};
use crate::processes::state::State;

impl<L> State<L> {
    /// How many workers there are to be.
    fn wanted(&self) -> usize {
        let busy = self
            .workers
            .iter()
            .filter(|(_, w)| w.phase.is_up() && !w.jobs.is_empty());
        let needed = busy.count() + self.queue.len();
        let least = if self.closing.is_some() {
            0
        } else {
            self.rules.min_workers
        };
        needed.max(least).min(self.sizing.target)
    }

    /// Starts and stops workers.
    pub(crate) fn settle(&mut self, now: Instant, todo: &mut Vec<Action<L>>) {
        if self.closing == Some(Mode::Now) {
            return;
        }
        let mut live = self.live(now);
        while live < self.wanted() && self.sizing.may_start(now) {
            let (tasks, age) = (self.rules.max_tasks, self.rules.max_age);
            let limit = tasks.map(|tasks| {
                let varied = self.sizing.varied(f64::from(tasks), self.rules.jitter);
                (varied.round() as u32).max(1)
            });
            let retires = age.and_then(|age| {
                let varied = self.sizing.varied(age.as_secs_f64(), self.rules.jitter);
                now.checked_add(Duration::from_secs_f64(varied))
            });
            todo.push(Action::Launch(
                self.workers.insert(Worker::new(now, limit, retires)),
            ));
            live += 1;
        }
        self.stop_some(now, live, todo);
    }

    /// Stops those that are tired, superfluous, or idle for too long.
    fn stop_some(&mut self, now: Instant, mut live: usize, todo: &mut Vec<Action<L>>) {
        let closing = self.closing.is_some() && self.queue.is_empty();
        let most = if closing { 0 } else { self.sizing.target };
        let mut keys: Vec<_> = self
            .workers
            .iter()
            .map(|(key, worker)| (worker.jobs.len(), key))
            .collect();
        // The idle ones first.
        keys.sort_unstable_by_key(|(jobs, _)| *jobs);
        for (_, key) in keys {
            let Some(worker) = self.workers.get(key) else {
                continue;
            };
            let idle_for = now.saturating_duration_since(worker.since);
            let bored = worker.is_idle()
                && live > self.rules.min_workers
                && self
                    .rules
                    .idle_timeout
                    .is_some_and(|limit| idle_for >= limit);
            match worker.phase {
                Phase::Ready if worker.is_tired(now) => self.stop(now, key, todo),
                Phase::Ready if live > most || bored => {
                    self.stop(now, key, todo);
                    live -= 1;
                }
                Phase::Starting | Phase::Initializing if live > most => {
                    self.kill(now, key, todo);
                    live -= 1;
                }
                _ => {}
            }
        }
    }

    /// Lets a worker finish its line and leave.
    fn stop(&mut self, now: Instant, key: Key, todo: &mut Vec<Action<L>>) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        worker.phase = Phase::Stopping;
        if worker.jobs.is_empty() {
            worker.enter(Phase::Stopping, now, Some(self.rules.stop_timeout));
        }
        todo.push(Action::Stop(key));
    }

    /// How many workers count: on their way, or at work and not to be replaced.
    fn live(&self, now: Instant) -> usize {
        let counts = |w: &Worker| w.phase.is_coming_up() || (w.phase.is_up() && !w.is_tired(now));
        self.workers
            .iter()
            .filter(|(_, worker)| counts(worker))
            .count()
    }

    /// The next moment at which [`Event::Tick`](crate::processes::events::Event::Tick) has
    /// something to do.
    pub(crate) fn next_alarm(&self, now: Instant) -> Option<Instant> {
        let after = |since: Instant, limit: Option<Duration>| since.checked_add(limit?);
        let live = self.live(now);
        let may_leave = live > self.rules.min_workers;
        let of_workers = self.workers.iter().flat_map(|(_, worker)| {
            let idle = worker.is_idle();
            let bored = after(worker.since, self.rules.idle_timeout).filter(|_| idle && may_leave);
            let asked = worker.asked.max(worker.since);
            let ask = after(asked, self.rules.heartbeat).filter(|_| idle && !worker.pinged);
            let retires = worker.retires.filter(|_| idle);
            [worker.deadline, bored, ask, retires]
        });
        let drained = match self.closing {
            Some(Mode::Drain(limit)) => limit,
            _ => None,
        };
        // A start that has to wait; not when no start would help.
        let start = self.sizing.not_before;
        let start = start.filter(|at| live < self.wanted() && self.sizing.may_start(*at));
        of_workers
            .flatten()
            .chain(drained)
            .chain(start)
            .chain(self.queue.next_overdue())
            .min()
    }
}
