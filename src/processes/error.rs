//! Why a job has no result.
//!
//! One variant for each thing that the caller can do differently, and each failed job has a value
//! of its own: which job, what ended it, how long it had run, how much memory it had, what it
//! last wrote.
//! Read next: `processes/state.rs`, which decides between them.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use crate::sys::step::Step;

/// What a worker did that the protocol forbids; it was killed for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// Bytes that are no frame.
    Magic(u16),
    /// A frame of another version of the protocol.
    Version(u8),
    /// A kind of frame that does not exist, or that workers do not send.
    Kind(u8),
    /// A frame that is longer than any may be. Unit: bytes.
    TooLong(u32),
    /// A message in many frames that is longer than the pool takes. Unit: bytes.
    MessageTooLong(u64),
    /// A frame for a job that is not the one that runs there.
    WrongJob(u64),
    /// A frame that does not belong to this moment: HELLO twice, READY before HELLO.
    OutOfTurn,
    /// A message in many frames was interrupted by another one.
    Interrupted,
    /// Descriptors came that no frame announced, or that nobody wanted.
    Descriptors,
    /// The payload of a frame is not what its kind says.
    Payload,
    /// A handle names a shared buffer that did not come along, or reaches out of it.
    Handle,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Magic(found) => write!(f, "a frame begins with {found:#06x}"),
            Self::Version(found) => write!(f, "protocol version {found}"),
            Self::Kind(found) => write!(f, "unexpected kind of frame {found}"),
            Self::TooLong(len) => write!(f, "a frame of {len} bytes"),
            Self::MessageTooLong(len) => write!(f, "a message of more than {len} bytes"),
            Self::WrongJob(job) => {
                write!(f, "an answer for job {job:#x}, which does not run there")
            }
            Self::OutOfTurn => f.write_str("a frame at the wrong moment"),
            Self::Interrupted => f.write_str("a message was interrupted by another one"),
            Self::Descriptors => f.write_str("descriptors that were not announced"),
            Self::Payload => f.write_str("a payload that is not what the frame's kind says"),
            Self::Handle => f.write_str("a handle that reaches out of its shared buffer"),
        }
    }
}

/// Why a job has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// The job panicked. Its worker lives on.
    Panicked {
        /// The name of the job.
        job: String,
        /// What the panic said; `Box<dyn Any>` when that was no text.
        message: String,
        /// Where: file, line and column.
        location: String,
    },
    /// The worker died before the job's answer was complete. It is replaced.
    Crashed {
        /// The name of the job.
        job: String,
        /// How the worker ended: its exit code, or the signal that killed it. `None` when
        /// somebody else reaped it and the kernel does not tell (before Linux 6.15).
        status: Option<ExitStatus>,
        /// Killed by SIGKILL, and not by this pool: it may have been the OOM killer.
        maybe_oom: bool,
        /// The last bytes that the worker wrote to its standard error.
        stderr_tail: String,
        /// The worker's process number.
        pid: i32,
        /// How long the job had run.
        ran_for: Duration,
        /// The most memory the worker ever had. Unit: bytes; 0 when it is not known.
        maxrss: u64,
    },
    /// The job's deadline was over; its worker was killed.
    TimedOut {
        /// How long it had run.
        ran_for: Duration,
    },
    /// The job waited longer than its `queue_deadline`; it never began.
    QueueTimedOut,
    /// The job was cancelled.
    Cancelled,
    /// Each attempt ended with a crash of the worker.
    Lost {
        /// How often it was begun.
        attempts: u32,
    },
    /// The argument could not be encoded (in this process), or the result (in the worker).
    Encode(String),
    /// The argument could not be decoded (in the worker), or the result (in this process).
    Decode(String),
    /// The worker broke the protocol while it ran this job, and was killed.
    Protocol(Violation),
    /// No worker could be started.
    NotStarted {
        /// What failed.
        step: Step,
        /// How.
        error: io::Error,
    },
    /// A descriptor or memory that this job needed could not be had.
    Resource {
        /// How that failed.
        error: io::Error,
    },
    /// The pool is shut down, or its runtime has ended.
    PoolClosed,
    /// The queue is full; only `try_submit` says so, all others wait.
    QueueFull,
    /// The initializer failed in each worker that was started.
    InitFailed {
        /// What the last of them said.
        message: String,
    },
    /// The function was not given to [`init`](crate::processes::init).
    NotRegistered {
        /// Its name.
        type_name: String,
    },
    /// The worker is another program than this one, or has another table of jobs.
    BuildMismatch,
    /// Pools inside jobs of pools inside jobs: more than [`MAX_DEPTH`] of them.
    ///
    /// [`MAX_DEPTH`]: crate::processes::MAX_DEPTH
    DepthExceeded,
}

impl JobError {
    /// True when the job panicked.
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked { .. })
    }

    /// True when the job was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled)
    }

    /// True when the job's worker died.
    #[must_use]
    pub fn is_crash(&self) -> bool {
        matches!(self, Self::Crashed { .. })
    }
}

impl JobError {
    /// The same once more, for another item of the same chunk.
    pub(crate) fn again(&self) -> Self {
        let copy = |error: &io::Error| match error.raw_os_error() {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => io::Error::new(error.kind(), error.to_string()),
        };
        match self {
            Self::Panicked {
                job,
                message,
                location,
            } => Self::Panicked {
                job: job.clone(),
                message: message.clone(),
                location: location.clone(),
            },
            Self::Crashed {
                job,
                status,
                maybe_oom,
                stderr_tail,
                pid,
                ran_for,
                maxrss,
            } => Self::Crashed {
                job: job.clone(),
                status: *status,
                maybe_oom: *maybe_oom,
                stderr_tail: stderr_tail.clone(),
                pid: *pid,
                ran_for: *ran_for,
                maxrss: *maxrss,
            },
            Self::TimedOut { ran_for } => Self::TimedOut { ran_for: *ran_for },
            Self::QueueTimedOut => Self::QueueTimedOut,
            Self::Cancelled => Self::Cancelled,
            Self::Lost { attempts } => Self::Lost {
                attempts: *attempts,
            },
            Self::Encode(text) => Self::Encode(text.clone()),
            Self::Decode(text) => Self::Decode(text.clone()),
            Self::Protocol(violation) => Self::Protocol(*violation),
            Self::NotStarted { step, error } => Self::NotStarted {
                step: *step,
                error: copy(error),
            },
            Self::Resource { error } => Self::Resource { error: copy(error) },
            Self::PoolClosed => Self::PoolClosed,
            Self::QueueFull => Self::QueueFull,
            Self::InitFailed { message } => Self::InitFailed {
                message: message.clone(),
            },
            Self::NotRegistered { type_name } => Self::NotRegistered {
                type_name: type_name.clone(),
            },
            Self::BuildMismatch => Self::BuildMismatch,
            Self::DepthExceeded => Self::DepthExceeded,
        }
    }
}

/// How a worker ended, in words.
fn ended(status: Option<ExitStatus>) -> String {
    status.map_or_else(
        || "in an unknown way".to_owned(),
        |status| status.to_string(),
    )
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked {
                job,
                message,
                location,
            } => write!(f, "job {job} panicked at {location}: {message}"),
            Self::Crashed {
                job,
                status,
                ran_for,
                pid,
                ..
            } => write!(
                f,
                "worker process {pid} died after {ran_for:?} in job {job}, before it answered: {}",
                ended(*status)
            ),
            Self::TimedOut { ran_for } => {
                write!(f, "no answer after {ran_for:?}; worker process killed")
            }
            Self::QueueTimedOut => f.write_str("waited too long in the queue; never begun"),
            Self::Cancelled => f.write_str("job cancelled"),
            Self::Lost { attempts } => {
                write!(f, "worker process died in each of {attempts} attempts")
            }
            Self::Encode(what) => write!(f, "cannot encode: {what}"),
            Self::Decode(what) => write!(f, "cannot decode: {what}"),
            Self::Protocol(violation) => {
                write!(f, "worker process broke the protocol: {violation}")
            }
            Self::NotStarted { step, .. } => write!(f, "cannot start a worker process: {step}"),
            Self::Resource { .. } => f.write_str("a descriptor or memory could not be had"),
            Self::PoolClosed => f.write_str("process pool closed"),
            Self::QueueFull => f.write_str("queue of the process pool full"),
            Self::InitFailed { message } => {
                write!(
                    f,
                    "the initializer failed in each worker process: {message}"
                )
            }
            Self::NotRegistered { type_name } => write!(
                f,
                "{type_name} is not registered; name it in processes::init"
            ),
            Self::BuildMismatch => f.write_str("the worker process is another program"),
            Self::DepthExceeded => f.write_str("process pools nested too deeply"),
        }
    }
}

impl Error for JobError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NotStarted { error, .. } | Self::Resource { error } => Some(error),
            _ => None,
        }
    }
}
