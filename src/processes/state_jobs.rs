//! The state machine, a job's way: queued, at a worker, running, ended.
//!
//! ```text
//!   submit ──► Queue ── give ──► end of a worker's line ── begin ──► first in line: it runs
//!                ▲                    │ cancel: REVOKE                  │ answered, cancel,
//!                └── put_back ────────┘◄──────── the worker died        │ deadline, crash
//!                                                                       ▼
//!                                                                      end: one outcome
//! ```
//!
//! A job that has ended may still stand in a worker's line (`Given::ended`), until the worker
//! answers or is dead: the line says what the worker has, not what is wanted.
//! Read next: `processes/state_leave.rs`.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::parts::slab::Key;
use crate::processes::error::Violation;
use crate::processes::events::{Action, Ending};
use crate::processes::slots::{Given, Phase, Worker};
use crate::processes::state::State;

/// How much work may lie at a worker ahead of time.
///
/// Effect: a long job that follows short ones holds up at most so much. Source: a hop between two
/// processes costs 25-50 µs here, so a few hops are hidden.
pub(crate) const AHEAD_FOR: Duration = Duration::from_micros(200);
/// Jobs sent ahead at most. Not tuned.
const AHEAD_MAX: u64 = 32;

/// How long a revoked job may stand first in line without an answer.
///
/// Effect: a job that had begun just before its REVOKE was read goes on for so long. Not tuned.
const REVOKE_GRACE: Duration = Duration::from_millis(20);

impl<L> State<L> {
    /// Gives queued jobs to workers, starts and stops workers as their number wants it.
    pub(crate) fn spread(&mut self, now: Instant, todo: &mut Vec<Action<L>>) {
        let line = 1 + self.ahead();
        let fixed = self.rules.send_ahead.is_some();
        while !self.queue.is_empty() {
            // Nothing is sent behind a job that runs long already: it would wait there while
            // others become idle.
            let quick = |w: &Worker| now.saturating_duration_since(w.since) < AHEAD_FOR;
            let may =
                |w: &Worker| w.has_room(line, now) && (fixed || w.jobs.is_empty() || quick(w));
            // The one with the fewest jobs: an idle one before anything is sent ahead.
            let fewest = self
                .workers
                .iter()
                .filter(|(_, worker)| may(worker))
                .min_by_key(|(_, worker)| worker.jobs.len())
                .map(|(key, _)| key);
            let Some(key) = fewest else { break };
            let Some(job) = self.queue.pop() else { break };
            self.give(now, key, job, todo);
        }
        self.settle(now, todo);
    }

    /// How many jobs are sent ahead of a running one.
    fn ahead(&self) -> usize {
        self.rules
            .send_ahead
            .unwrap_or_else(|| match self.job_time {
                Some(time) if time < AHEAD_FOR => {
                    let fit = AHEAD_FOR.as_nanos() as u64 / (time.as_nanos() as u64).max(1);
                    fit.clamp(1, AHEAD_MAX) as usize
                }
                _ => 0,
            })
    }

    /// Puts a job at the end of a worker's line.
    fn give(&mut self, now: Instant, key: Key, id: Key, todo: &mut Vec<Action<L>>) {
        let (Some(worker), Some(job)) = (self.workers.get_mut(key), self.jobs.get_mut(id)) else {
            return;
        };
        job.at = Some(key);
        worker.jobs.push_back(Given {
            job: id,
            ended: false,
        });
        todo.push(Action::Send(key, id));
        if worker.jobs.len() == 1 {
            self.begin(now, key);
        }
    }

    /// The first job of a worker's line begins.
    pub(crate) fn begin(&mut self, now: Instant, key: Key) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        worker.since = now;
        // A sign of life, whatever else was asked.
        worker.pinged = false;
        let stopping = worker.phase == Phase::Stopping;
        let killing = worker.phase == Phase::Killing;
        worker.deadline = match worker.jobs.front() {
            // It was revoked; if no answer comes soon, it had begun before that was read.
            Some(given) if given.ended => Some(now + REVOKE_GRACE),
            Some(given) => self.jobs.get_mut(given.job).and_then(|job| {
                job.attempts += 1;
                let limit = job.terms.deadline.and_then(|limit| now.checked_add(limit));
                [limit, job.terms.end_by].into_iter().flatten().min()
            }),
            None if stopping => now.checked_add(self.rules.stop_timeout),
            None => None,
        }
        .filter(|_| !killing);
    }

    /// The worker has finished its first job.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        key: Key,
        id: Key,
        rss: Option<u64>,
        todo: &mut Vec<Action<L>>,
    ) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        let Some(given) = worker.jobs.front().copied().filter(|given| given.job == id) else {
            return self.violated(now, key, Violation::WrongJob(id.to_u64()), todo);
        };
        worker.jobs.pop_front();
        worker.served += 1;
        let took = now.saturating_duration_since(worker.since);
        worker.too_big |= rss
            .zip(self.rules.max_rss)
            .is_some_and(|(has, may)| has > may);
        // A moving average over about 8 jobs.
        self.job_time = Some(self.job_time.map_or(took, |mean| (mean * 7 + took) / 8));
        if !given.ended {
            self.end(id, Ending::Answered, todo);
        }
        self.begin(now, key);
    }

    /// The worker has read a REVOKE.
    pub(crate) fn revoked(
        &mut self,
        now: Instant,
        key: Key,
        id: Key,
        revoked: bool,
        todo: &mut Vec<Action<L>>,
    ) {
        let Some(worker) = self.workers.get_mut(key) else {
            return;
        };
        let place = worker
            .jobs
            .iter()
            .position(|given| given.job == id && given.ended);
        match place {
            // It had finished before the REVOKE was read.
            None if !revoked => {}
            None => self.violated(now, key, Violation::WrongJob(id.to_u64()), todo),
            Some(place) if revoked => {
                worker.jobs.remove(place);
                if place == 0 {
                    self.begin(now, key);
                }
            }
            Some(_) => self.kill(now, key, todo),
        }
    }

    /// Ends a job wherever it is. True when it had no outcome before.
    pub(crate) fn cancel(&mut self, now: Instant, id: Key, todo: &mut Vec<Action<L>>) -> bool {
        let Some(job) = self.jobs.get(id) else {
            return false;
        };
        let at = job.at;
        self.end(id, Ending::Cancelled, todo);
        if let Some(key) = at
            && let Some(worker) = self.workers.get_mut(key)
        {
            let place = worker
                .jobs
                .iter_mut()
                .enumerate()
                .find(|(_, given)| given.job == id);
            match place {
                Some((0, given)) => {
                    given.ended = true;
                    self.kill(now, key, todo);
                }
                Some((_, given)) => {
                    given.ended = true;
                    todo.push(Action::Revoke(key, id));
                }
                None => {}
            }
        }
        self.spread(now, todo);
        true
    }

    /// A job has its outcome.
    pub(crate) fn end(&mut self, id: Key, ending: Ending, todo: &mut Vec<Action<L>>) {
        if let Some(job) = self.jobs.remove(id) {
            if job.at.is_none() {
                self.queue.remove(id);
            }
            todo.push(Action::End(job.load, ending));
        }
    }

    /// All queued jobs have the same outcome.
    pub(crate) fn end_queued(&mut self, ending: &Ending, todo: &mut Vec<Action<L>>) {
        while let Some(id) = self.queue.pop() {
            self.end(id, ending.clone(), todo);
        }
    }
}
