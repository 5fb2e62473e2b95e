//! The state machine, how workers go: killed, dead, told to leave; and what time brings.
//!
//! Read next: `processes/sizing.rs`, how many there are.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::parts::slab::Key;
use crate::processes::error::Violation;
use crate::processes::events::{Action, Ending, Mode, Trouble};
use crate::processes::slots::{Phase, Worker};
use crate::processes::state::State;

impl<L> State<L> {
    /// Edge 4. What it had goes back to the queue when it is dead: only then is known what began.
    pub(crate) fn kill(&mut self, now: Instant, key: Key, todo: &mut Vec<Action<L>>) {
        if let Some(worker) = self.workers.get_mut(key)
            && worker.phase != Phase::Killing
        {
            worker.enter(Phase::Killing, now, None);
            todo.push(Action::Kill(key));
        }
    }

    /// It broke the protocol: its first job fails with that.
    pub(crate) fn violated(
        &mut self,
        now: Instant,
        key: Key,
        violation: Violation,
        todo: &mut Vec<Action<L>>,
    ) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        if worker.phase == Phase::Killing {
            return;
        }
        if worker.phase.is_coming_up() {
            worker.trouble = Some(Trouble::Broken(violation));
        }
        if let Some(first) = worker.jobs.front_mut()
            && !std::mem::replace(&mut first.ended, true)
        {
            let id = first.job;
            self.end(id, Ending::Protocol(violation), todo);
        }
        self.kill(now, key, todo);
    }

    /// Edge 6.
    ///
    /// `unread`: it had not read all that was sent to it. When that was a single job, the job had
    /// not begun, and goes back with the others.
    pub(crate) fn died(&mut self, now: Instant, key: Key, unread: bool, todo: &mut Vec<Action<L>>) {
        let Some(worker) = self.workers.remove(key) else {
            return;
        };
        let mut line = worker.jobs;
        let had_begun = !(unread && worker.phase == Phase::Ready && line.len() == 1);
        if let Some(first) = line.front().filter(|_| !had_begun)
            && let Some(job) = self.jobs.get_mut(first.job)
        {
            job.attempts -= 1;
        }
        // Its first job has crashed, unless it was this pool that killed the worker.
        if worker.phase != Phase::Killing
            && had_begun
            && let Some(first) = line.pop_front()
            && !first.ended
        {
            self.crashed(first.job, now.saturating_duration_since(worker.since), todo);
        }
        for given in line.into_iter().rev().filter(|given| !given.ended) {
            self.put_back(given.job);
        }
        if worker.phase.is_coming_up() || worker.trouble.is_some() {
            let trouble = worker.trouble.unwrap_or(Trouble::DiedEarly);
            self.start_failed(now, trouble, todo);
        }
    }

    /// A job's worker died: once more, or that was it.
    fn crashed(&mut self, id: Key, ran_for: Duration, todo: &mut Vec<Action<L>>) {
        let Some(job) = self.jobs.get(id) else { return };
        let (attempts, retries) = (job.attempts, job.terms.retries);
        if attempts <= retries && self.closing != Some(Mode::Now) {
            self.put_back(id);
        } else if retries == 0 {
            self.end(id, Ending::Crashed { ran_for }, todo);
        } else {
            self.end(id, Ending::Lost { attempts }, todo);
        }
    }

    /// Back to the front of the queue.
    fn put_back(&mut self, id: Key) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.at = None;
            self.queue.push_front(id, &job.terms);
        }
    }

    /// PONG.
    pub(crate) fn pong(&mut self, now: Instant, key: Key) {
        // One that comes late, from a worker with work, says nothing that its DONE will not say.
        if let Some(worker) = self.workers.get_mut(key)
            && worker.is_idle()
        {
            worker.pinged = false;
            worker.asked = now;
            worker.deadline = None;
        }
    }

    /// What has become due.
    pub(crate) fn tick(&mut self, now: Instant, todo: &mut Vec<Action<L>>) {
        while let Some(id) = self.queue.pop_overdue(now) {
            self.end(id, Ending::QueueTimedOut, todo);
        }
        if matches!(self.closing, Some(Mode::Drain(Some(limit))) if limit <= now) {
            return self.shutdown(Mode::Now, todo);
        }
        let due = |worker: &Worker| worker.deadline.is_some_and(|deadline| deadline <= now);
        let late: Vec<_> = self
            .workers
            .iter()
            .filter(|(_, w)| due(w))
            .map(|(key, _)| key)
            .collect();
        for key in late {
            let Some(worker) = self.workers.get_mut(key) else {
                continue;
            };
            if worker.phase.is_coming_up() {
                worker.trouble = Some(Trouble::TooSlow);
            }
            let ran_for = now.saturating_duration_since(worker.since);
            if let Some(first) = worker.jobs.front_mut()
                && !std::mem::replace(&mut first.ended, true)
            {
                let id = first.job;
                self.end(id, Ending::TimedOut { ran_for }, todo);
            }
            self.kill(now, key, todo);
        }
        if let Some(interval) = self.rules.heartbeat {
            self.ask_idle(now, interval, todo);
        }
    }

    /// Asks those who have had nothing to do for a while whether they are there.
    fn ask_idle(&mut self, now: Instant, interval: Duration, todo: &mut Vec<Action<L>>) {
        let keys: Vec<_> = self.workers.iter().map(|(key, _)| key).collect();
        for key in keys {
            if let Some(worker) = self.workers.get_mut(key)
                && worker.is_idle()
                && !worker.pinged
                && now >= worker.asked.max(worker.since) + interval
            {
                worker.pinged = true;
                worker.deadline = now.checked_add(interval);
                todo.push(Action::Ping(key));
            }
        }
    }

    /// Nothing new is taken from now on.
    pub(crate) fn shutdown(&mut self, mode: Mode, todo: &mut Vec<Action<L>>) {
        // Only ever stricter: a `now` is not undone by a later `drain`.
        let rank = |mode: &Mode| match mode {
            Mode::Drain(_) => 0,
            Mode::CancelQueued => 1,
            Mode::Now => 2,
        };
        self.closing = match self.closing {
            Some(Mode::Drain(Some(a))) if mode == Mode::Drain(None) => Some(Mode::Drain(Some(a))),
            Some(Mode::Drain(Some(a))) if rank(&mode) == 0 => {
                let Mode::Drain(b) = mode else { return };
                Some(Mode::Drain(b.map(|b| a.min(b))))
            }
            Some(before) if rank(&before) > rank(&mode) => Some(before),
            _ => Some(mode),
        };
        match mode {
            Mode::Drain(_) => {}
            Mode::CancelQueued => self.end_queued(&Ending::Cancelled, todo),
            Mode::Now => {
                let ids: Vec<_> = self.jobs.iter().map(|(id, _)| id).collect();
                for id in ids {
                    self.end(id, Ending::PoolClosed, todo);
                }
                let keys: Vec<_> = self.workers.iter().map(|(key, _)| key).collect();
                for key in keys {
                    self.kill_for_good(key, todo);
                }
            }
        }
    }

    /// Kills a worker whose jobs have all ended.
    fn kill_for_good(&mut self, key: Key, todo: &mut Vec<Action<L>>) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        for given in &mut worker.jobs {
            given.ended = true;
        }
        if worker.phase != Phase::Killing && worker.phase != Phase::Launching {
            todo.push(Action::Kill(key));
        }
        if worker.phase != Phase::Launching {
            worker.phase = Phase::Killing;
            worker.deadline = None;
        }
    }
}
