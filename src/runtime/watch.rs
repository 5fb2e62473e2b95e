//! The watcher: one sleeper with a time limit, for what is stuck behind another worker's long poll.
//!
//! A worker may be stuck in one poll for seconds. What only it could see then waits: the task in
//! its LIFO slot, and sockets and timers if it was the one that left the driver while all others
//! sleep on condvars. Waking somebody each time a worker leaves the driver would cost 7 µs a
//! message. So while anybody is awake one sleeper has a time limit: it wakes, takes the driver if
//! it is free, takes the LIFO slot of a peer that has been in the same poll for a whole interval,
//! and sleeps again.
//!
//! ```text
//!                      falls asleep while others are awake, and nobody watches
//!      (nobody watches) ────────────────────────────────────► (a sleeper watches) ──┐ limit:
//!          ▲    ▲                                               │           │   ▲   │ looks
//!          │    └── nothing has run for an interval ────────────┘           │   └───┘ round
//!          └── it rises to run something, and no peer sleeps ───────────────┤
//!                                                                           │ a peer sleeps: it is
//!                      (the peer watches) ◄─────────────────────────────────┘ appointed, and woken
//! ```
//!
//! The peer is *appointed*, not asked to apply: the worker that woke it is asleep again, and would
//! apply first, long before the peer's core is awake. So two workers with one busy connection
//! settle: one turns the driver, the other watches, and no message wakes anybody else.
//!
//! A round must not disturb: a watcher that finds nobody stuck goes back to its condvar, even if the
//! driver is free at that moment. It would get the next event, its peer the one after, and two
//! cores would hand one connection to each other at 5 µs a message (`tcp_pp_mt2`). Whoever is awake
//! comes back to the driver; if it does not, it is stuck, and the next round sees that.
//!
//! While all are awake nobody watches, and a worker with work of its own never searches. But the
//! kernel takes a worker's CPU away for 3 ms at a time, and a poll may be long. So a busy worker
//! looks after its peers too, between its looks at sockets: one that has ended no poll for a while
//! loses its waiting tasks (`relieve_stuck`). Without that a web server on two CPUs, one of which
//! it shares with another program, answers every tenth request after 3 ms instead of 0.6 (axum,
//! `compat/axum-demo`).
//!
//! An idle runtime has no watcher and never wakes. tokio#4730 and #6315 are what happens without.
//! Read next: `runtime/multi_thread.rs`.

#![forbid(unsafe_code)]

use std::sync::atomic::{Ordering, fence};
use std::time::{Duration, Instant};

use crate::runtime::worker::Worker;
use crate::task::header::Runnable;

/// How long a task can wait behind another worker's stuck poll before a sleeper looks after it.
///
/// Source: a hundred wake-ups a second, 5 µs each, are 0.05 % of a core; not tuned.
const WATCH_INTERVAL: Duration = Duration::from_millis(10);

/// How long a peer may be in one poll before a busy worker takes its waiting tasks over.
///
/// Far above a poll, so that workers which all run do not steal from each other for nothing; below
/// the 3 ms for which Linux takes a CPU away. Not tuned.
const STUCK: Duration = Duration::from_micros(200);

impl Worker<'_> {
    /// A busy worker's look after its peers, at a look at sockets and timers taken at `now`.
    pub(crate) fn relieve_stuck(&self, now: Instant) {
        if self.this.remotes.len() == 1 {
            return;
        }
        let me = self.running.index;
        self.with_core(|core| {
            if now.saturating_duration_since(core.peers_seen_at) < STUCK {
                return;
            }
            core.peers_seen_at = now;
            let workers = self.shared.counters.workers.iter();
            for (peer, (seen, worker)) in core.peers_seen.iter_mut().zip(workers).enumerate() {
                let polls = worker.polls.get();
                let stuck = std::mem::replace(seen, polls) == polls;
                if !stuck || peer == me {
                    continue;
                }
                let this = self.this;
                let taken = [
                    this.remotes[peer].lifo.take(),
                    this.tasks.steal_from(peer, &core.tasks),
                ];
                for task in taken.into_iter().flatten() {
                    core.tasks.push(task);
                    self.stats().steals.bump();
                }
                if let Some(task) = this.yielded.steal_from(peer, &core.yielded) {
                    core.yielded.push(task);
                    self.stats().steals.bump();
                }
            }
        });
    }

    /// How long this sleeper may sleep: for ever, unless it is the watcher (see the head).
    pub(crate) fn watch_limit(&self) -> Option<Duration> {
        let this = self.this;
        let count = this.remotes.len();
        if count == 1 {
            return None;
        }
        self.with_core(|core| {
            let mut active = this.idle.sleeping() < count;
            for (seen, worker) in core.watched.iter_mut().zip(&self.shared.counters.workers) {
                let polls = worker.polls.get();
                active |= std::mem::replace(seen, polls) != polls;
            }
            core.watcher |= self.take_appointment();
            if !core.watcher {
                // Also when all others have just gone to sleep: they may be back at once.
                if !active || this.watching.swap(true, Ordering::Relaxed) {
                    return None;
                }
                core.watcher = true;
            } else if !active {
                // Nothing has run for an interval.
                core.watcher = false;
                this.watching.store(false, Ordering::Relaxed);
                // SeqCst: between the flag and the count of sleepers; pairs with the fence in
                // `keep_watch`: a worker that rises sees the flag down, or is seen here.
                fence(Ordering::SeqCst);
                if this.idle.sleeping() >= count || this.watching.swap(true, Ordering::Relaxed) {
                    return None;
                }
                core.watcher = true;
            }
            Some(WATCH_INTERVAL)
        })?
    }

    /// This worker goes from sleep to work: sees to it that some sleeper watches.
    pub(crate) fn keep_watch(&self) {
        let this = self.this;
        if this.remotes.len() == 1 {
            return;
        }
        let was_watcher = self.with_core(|core| std::mem::take(&mut core.watcher));
        if self.take_appointment() || was_watcher == Some(true) {
            this.watching.store(false, Ordering::Relaxed);
        }
        // SeqCst: between the count of sleepers (`rise`) and the flag; pairs with the fence in
        // `watch_limit`.
        fence(Ordering::SeqCst);
        // If there is a searcher, it will fall asleep, and apply.
        if !this.watching.load(Ordering::Relaxed)
            && let Some(peer) = this.idle.pick()
        {
            if !this.watching.swap(true, Ordering::Relaxed) {
                this.remotes[peer].appointed.store(true, Ordering::Relaxed);
            }
            this.remotes[peer].bed.unpark(&self.shared.driver);
        }
    }

    /// True when a peer has made this worker the watcher.
    fn take_appointment(&self) -> bool {
        // Relaxed: written before the unpark that made this worker look; nothing else hangs on it.
        let appointed = &self.this.remotes[self.running.index].appointed;
        appointed.load(Ordering::Relaxed) && appointed.swap(false, Ordering::Relaxed)
    }

    /// The watcher takes the LIFO slot of a peer that has been in one poll since it last looked.
    pub(crate) fn take_stuck(&self) -> Option<Runnable> {
        (0..self.this.remotes.len())
            .filter(|peer| self.is_stuck(*peer))
            .find_map(|peer| self.this.remotes[peer].lifo.take())
    }

    /// True when a peer has been in one poll since this watcher last looked: it may keep the
    /// driver from being turned.
    pub(crate) fn sees_stuck(&self) -> bool {
        (0..self.this.remotes.len()).any(|peer| self.is_stuck(peer))
    }

    /// True when this worker watches, and `peer` has been in one poll since it last looked.
    fn is_stuck(&self, peer: usize) -> bool {
        let worker = &self.shared.counters.workers[peer];
        peer != self.running.index
            && worker.running.load(Ordering::Relaxed) != 0
            && self.with_core(|core| core.watcher && core.watched[peer] == worker.polls.get())
                == Some(true)
    }
}
