//! The one task that drives a pool: it reads from all workers, watches for their ends, and knows
//! the time.
//!
//! ```text
//!   poll:  1 take over workers that were made meanwhile
//!          2 each worker: socket readable? messages ─► Core    pidfd readable? drain, reap ─► Core
//!                         output readable? keep its end        mail waiting?   write
//!          3 Core::turn: what is due; when to come again
//!          4 nothing happened: look for a while, if the pool is to spin; then sleep until an fd, the alarm, or somebody who wants attention
//! ```
//!
//! Nothing is read under the pool's lock. A death is judged only after the socket was read to its
//! end: an answer that was sent in time counts.
//! When the driver is dropped, its runtime has ended: the pool ends, too.
//! Read next: `processes/pending.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::processes::core::Core;
use crate::processes::watch::{Pumped, Watch};
use crate::time::clock::Instant as ClockInstant;
use crate::time::sleep::{Sleep, sleep};

/// Bytes that one read takes. Unit: bytes; about what a socket holds.
const READ: usize = 128 << 10;
/// Rounds of one poll before others have their turn. Not tuned.
const ROUNDS: usize = 8;

/// The future that drives a pool.
pub(crate) struct Driver {
    core: Arc<Core>,
    watched: Vec<Watch>,
    alarm: Option<Pin<Box<Sleep>>>,
    buffer: Vec<u8>,
}

impl Driver {
    /// The driver of a pool that has none.
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            core,
            watched: Vec::new(),
            alarm: None,
            buffer: vec![0; READ],
        }
    }

    /// Steps 1 and 2. True when something happened.
    fn pump(&mut self, cx: &mut Context<'_>) -> bool {
        let wanted = std::mem::take(&mut self.core.lock().wanted);
        for key in wanted {
            self.core.launch_here(key);
        }
        let fresh = std::mem::take(&mut self.core.lock().fresh);
        let mut happened = !fresh.is_empty();
        for (key, made) in fresh {
            match Watch::new(key, made, &self.core) {
                Ok(watch) => self.watched.push(watch),
                // No room in epoll: the worker cannot be heard, so it ends as if it had died.
                Err(child) => {
                    child.kill();
                    let exit = child.reap();
                    self.core
                        .visit(|visit| visit.died(key, exit, true, String::new()));
                }
            }
        }
        let (core, buffer) = (&self.core, &mut self.buffer);
        self.watched
            .retain_mut(|watch| match watch.pump(cx, core, buffer) {
                Pumped::Nothing => true,
                Pumped::Something => {
                    happened = true;
                    true
                }
                Pumped::Over => {
                    happened = true;
                    false
                }
            });
        happened
    }

    /// Looks for answers for a while, where the pool is to spin and a job runs. True when one came.
    fn spin(&mut self) -> bool {
        let limit = self.core.setup.spin;
        let busy = |core: &Core| core.lock().state.census()[2] > 0;
        if limit.is_zero() || !busy(&self.core) {
            return false;
        }
        let start = Instant::now();
        while start.elapsed() < limit {
            let (core, buffer) = (&self.core, &mut self.buffer);
            let watched = self.watched.iter_mut();
            // All of them, also when the first has something.
            let found = watched.filter_map(|watch| watch.look(core, buffer).then_some(()));
            if found.count() > 0 {
                return true;
            }
        }
        false
    }

    /// Sets the alarm; true when it rings already.
    fn set_alarm(&mut self, at: Option<Instant>, cx: &mut Context<'_>) -> bool {
        let Some(at) = at else {
            self.alarm = None;
            return false;
        };
        let left = at.saturating_duration_since(Instant::now());
        let alarm = match &mut self.alarm {
            Some(alarm) => {
                let at = ClockInstant::now() + left;
                alarm.as_mut().reset(at);
                alarm
            }
            none => none.insert(Box::pin(sleep(left))),
        };
        alarm.as_mut().poll(cx).is_ready()
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        for _ in 0..ROUNDS {
            let mut again = this.core.visit(|visit| visit.register(cx.waker()));
            again |= this.pump(cx);
            let Some(alarm) = this.core.visit(|visit| visit.turn()) else {
                return Poll::Ready(());
            };
            again |= this.set_alarm(alarm, cx);
            again = again || this.spin();
            if !again {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.core.close();
    }
}
