//! The words of the state machine: what a pool is asked to be, what happens, what must be done.
//!
//! ```text
//!   driver ── Event ──► State ── Actions ──► whoever holds the pool's lock
//! ```
//!
//! Read next: `processes/state.rs`.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use crate::parts::slab::Key;
use crate::processes::error::Violation;
use crate::sys::step::Step;

/// What a pool is asked to be.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// Workers at most, and at least when nothing is to do.
    pub(crate) workers: usize,
    pub(crate) min_workers: usize,
    /// Jobs after which a worker is replaced, and by how much that varies. Unit: jobs, parts of 1.
    pub(crate) max_tasks: Option<u32>,
    pub(crate) jitter: f64,
    /// Age after which a worker is replaced.
    pub(crate) max_age: Option<Duration>,
    /// Memory above which a worker is replaced. Unit: bytes.
    pub(crate) max_rss: Option<u64>,
    /// How long a worker above the minimum stays without work.
    pub(crate) idle_timeout: Option<Duration>,
    /// From clone to READY.
    pub(crate) start_timeout: Duration,
    /// From SHUTDOWN to the farewell.
    pub(crate) stop_timeout: Duration,
    /// Failed starts in a period, above which the pool gives up.
    pub(crate) intensity: (u32, Duration),
    /// Jobs sent ahead of the running one; `None`: as many as fit in [`AHEAD_FOR`](crate::processes::state_jobs::AHEAD_FOR).
    pub(crate) send_ahead: Option<usize>,
    /// How often an idle worker is asked whether it is there.
    pub(crate) heartbeat: Option<Duration>,
}

/// The terms of one job.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Terms {
    /// Higher runs first.
    pub(crate) priority: i32,
    /// From its begin.
    pub(crate) deadline: Option<Duration>,
    /// It must be over by then.
    pub(crate) end_by: Option<Instant>,
    /// It must have begun by then.
    pub(crate) begin_by: Option<Instant>,
    /// Attempts after the first, when the worker crashes.
    pub(crate) retries: u32,
}

/// How a job ends.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    /// The worker answered: the message that was just read.
    Answered,
    /// The worker that was just found dead ran it.
    Crashed {
        /// How long it had run.
        ran_for: Duration,
    },
    /// Each attempt crashed.
    Lost {
        /// How often it was begun.
        attempts: u32,
    },
    /// Its deadline was over.
    TimedOut {
        /// How long it had run.
        ran_for: Duration,
    },
    /// It waited too long.
    QueueTimedOut,
    /// It was cancelled.
    Cancelled,
    /// The worker broke the protocol.
    Protocol(Violation),
    /// The pool cannot have workers.
    Trouble(Trouble),
    /// The pool is closed.
    PoolClosed,
}

/// Why a worker did not come up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A step of starting it failed, with this errno.
    Launch(Step, i32),
    /// Its initializer failed and said so.
    Init(String),
    /// It ended before it was ready.
    DiedEarly,
    /// It was not ready in time.
    TooSlow,
    /// It is another program.
    Mismatch,
    /// It broke the protocol.
    Broken(Violation),
}

/// What happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A worker that [`Action::Launch`] asked for has been made.
    Launched(Key),
    /// It could not be made.
    LaunchFailed(Key, Trouble),
    /// HELLO; false: of another program.
    Hello(Key, bool),
    /// READY; or why the initializer failed.
    Ready(Key, Result<(), String>),
    /// DONE for a job; and how much memory the worker has, if that was asked.
    Answered(Key, Key, Option<u64>),
    /// REVOKED: true, the job will not start.
    Revoked(Key, Key, bool),
    /// PONG.
    Pong(Key),
    /// It broke the protocol.
    Violated(Key, Violation),
    /// It is dead, and all that it sent has been read; true when it had not read all that was sent
    /// to it.
    Died(Key, bool),
    /// Somebody wants a job to end.
    Cancel(Key),
    /// Nobody wants a job any more; if it runs already, it may go on.
    Withdraw(Key),
    /// Time has passed.
    Tick,
    /// Another number of workers.
    Resize(usize),
    /// The pool is to end.
    Shutdown(Mode),
}

/// How a pool ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// All accepted jobs finish, until the given moment.
    Drain(Option<Instant>),
    /// Running jobs finish, queued ones are cancelled.
    CancelQueued,
    /// Everything is killed.
    Now,
}

/// What must be done. In order.
#[derive(Debug, PartialEq)]
pub(crate) enum Action<L> {
    /// Make a worker, and tell [`Event::Launched`] or [`Event::LaunchFailed`].
    Launch(Key),
    /// Send INIT.
    Init(Key),
    /// Send a job to a worker.
    Send(Key, Key),
    /// Send REVOKE.
    Revoke(Key, Key),
    /// Send PING.
    Ping(Key),
    /// Send SHUTDOWN.
    Stop(Key),
    /// SIGKILL.
    Kill(Key),
    /// A job has ended. The state has forgotten it.
    End(L, Ending),
}
