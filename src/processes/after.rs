//! What a visit to the pool owes when its lock is open again: everything that runs foreign code.
//!
//! Read next: `processes/driver.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::task::Waker;

use crate::parts::slab::Key;
use crate::processes::error::JobError;
use crate::processes::events::{Ending, Trouble};
use crate::processes::failure::Failure;
use crate::processes::frame::{FAILED, Kind};
use crate::processes::inbox::Message;
use crate::processes::parcel::{Answer, Parcel, Payload, Reply, Sink};
use crate::sys::pidfd::Exit;

/// What a pool tells of its workers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WorkerEvent {
    /// A worker process was made.
    Started {
        /// Its number.
        pid: i32,
    },
    /// A worker process has ended, in whatever way.
    Exited {
        /// Its number.
        pid: i32,
        /// How, if that is known.
        status: Option<ExitStatus>,
    },
}

/// Who is told of workers.
pub(crate) type WorkerFn = Arc<dyn Fn(&WorkerEvent) + Send + Sync>;

/// What an event brought along, for the error or the result of a job that it ends.
#[derive(Debug)]
pub(crate) enum Evidence {
    /// Nothing.
    None,
    /// DONE.
    Message(Message),
    /// A dead worker.
    Death {
        /// How it ended.
        exit: Exit,
        pid: i32,
        /// By SIGKILL, and not by us.
        maybe_oom: bool,
        /// Its last words.
        stderr_tail: String,
    },
}

/// One thing to be done.
enum Owed {
    /// A job has an outcome.
    Deliver(Parcel, Answer),
    /// A job has sent something.
    Item(Arc<dyn Sink>, Message),
    /// A worker came or went.
    Tell(WorkerEvent),
}

/// All that is owed, in order.
pub(crate) struct After {
    owed: Vec<Owed>,
    /// Workers to be launched.
    pub(crate) launches: Vec<Key>,
    /// Who is to be woken.
    pub(crate) wakers: Vec<Waker>,
    /// Wakers that are not wanted any more.
    dropped: Option<Waker>,
}

/// What carries out the rest: launching, and telling of workers.
pub(crate) trait Host {
    /// Starts a worker elsewhere.
    fn launch(&self, key: Key);
    /// Tells of a worker.
    fn tell(&self, event: &WorkerEvent);
}

impl After {
    /// Nothing is owed.
    pub(crate) fn new() -> Self {
        Self {
            owed: Vec::new(),
            launches: Vec::new(),
            wakers: Vec::new(),
            dropped: None,
        }
    }

    /// A job has ended.
    pub(crate) fn end(&mut self, mut parcel: Parcel, ending: Ending, evidence: &mut Evidence) {
        let answer = answer(&mut parcel, ending, evidence);
        self.owed.push(Owed::Deliver(parcel, answer));
    }

    /// A job has sent an item or an event.
    pub(crate) fn item(&mut self, parcel: &Parcel, message: Message) {
        let sink = match (message.header.kind, &parcel.reply) {
            (Kind::Item, Reply::Many(sink)) => Some(sink),
            (Kind::Item, Reply::One(_)) => None,
            _ => parcel.events.as_ref(),
        };
        if let Some(sink) = sink {
            self.owed.push(Owed::Item(Arc::clone(sink), message));
        }
    }

    /// A worker came or went.
    pub(crate) fn tell(&mut self, event: WorkerEvent) {
        self.owed.push(Owed::Tell(event));
    }

    /// Drops a waker after unlocking.
    pub(crate) fn drop_later(&mut self, waker: Option<Waker>) {
        self.dropped = waker;
    }

    /// Does all of it. No lock is held.
    pub(crate) fn run(self, host: &impl Host) {
        for key in self.launches {
            host.launch(key);
        }
        for owed in self.owed {
            match owed {
                Owed::Deliver(parcel, answer) => parcel.deliver(answer),
                Owed::Item(sink, message) => sink.item(message),
                Owed::Tell(event) => host.tell(&event),
            }
        }
        for waker in self.wakers {
            waker.wake();
        }
    }
}

/// The answer for a job that ended like this.
fn answer(parcel: &mut Parcel, ending: Ending, evidence: &mut Evidence) -> Answer {
    let evidence = std::mem::replace(evidence, Evidence::None);
    Err(match (ending, evidence) {
        (Ending::Answered, Evidence::Message(message)) => return settle(parcel, message),
        (
            Ending::Crashed { ran_for },
            Evidence::Death {
                exit,
                pid,
                maybe_oom,
                stderr_tail,
            },
        ) => JobError::Crashed {
            job: parcel.name.to_string(),
            status: exit.status,
            maybe_oom,
            stderr_tail,
            pid,
            ran_for,
            maxrss: exit.maxrss,
        },
        (Ending::Lost { attempts }, _) => JobError::Lost { attempts },
        (Ending::TimedOut { ran_for }, _) => JobError::TimedOut { ran_for },
        (Ending::QueueTimedOut, _) => JobError::QueueTimedOut,
        (Ending::Cancelled, _) => JobError::Cancelled,
        (Ending::Protocol(violation), _) => JobError::Protocol(violation),
        (Ending::Trouble(trouble), _) => trouble_error(trouble),
        // A crash without a death is one of a pool that was just closed.
        (Ending::PoolClosed | Ending::Answered | Ending::Crashed { .. }, _) => JobError::PoolClosed,
    })
}

/// What a DONE says.
fn settle(parcel: &mut Parcel, message: Message) -> Answer {
    if message.header.flags & FAILED == 0 {
        return Ok(Payload {
            bytes: message.payload,
            slabs: std::mem::take(&mut parcel.slabs),
        });
    }
    let failure = Failure::from_wire(message.header.aux, &message.payload);
    let failure = failure.unwrap_or_else(|| Failure::Decode("an unknown failure".to_owned()));
    Err(failure.into_error(&parcel.name))
}

/// The error of jobs for which no worker can be had.
fn trouble_error(trouble: Trouble) -> JobError {
    match trouble {
        Trouble::Launch(step, errno) => JobError::NotStarted {
            step,
            error: io::Error::from_raw_os_error(errno),
        },
        Trouble::Init(message) => JobError::InitFailed { message },
        Trouble::DiedEarly => JobError::InitFailed {
            message: "the worker process ended before it was ready".to_owned(),
        },
        Trouble::TooSlow => JobError::InitFailed {
            message: "the worker process was not ready in time".to_owned(),
        },
        Trouble::Mismatch => JobError::BuildMismatch,
        Trouble::Broken(violation) => JobError::Protocol(violation),
    }
}
