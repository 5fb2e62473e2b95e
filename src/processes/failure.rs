//! How a job fails without its worker dying: a panic, or bytes that cannot be encoded or decoded.
//!
//! It travels in a DONE frame with FAILED: a number in `aux`, a text as payload.
//! The place of a panic is known only to the panic hook, so a worker sets one: it notes the place
//! for [`guarded`] and then does what the hook before it did.
//! Read next: `processes/job.rs`.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io;
use std::panic;

use crate::parts::unwind;
use crate::processes::error::{JobError, Violation};

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It panicked.
    Panicked {
        /// What the panic said.
        message: String,
        /// Where.
        location: String,
    },
    /// The argument.
    Decode(String),
    /// The result.
    Encode(String),
    /// The worker has no such job.
    Unknown(String),
    /// A handle that reaches out of its shared buffer.
    Handle,
    /// A shared buffer could not be had: the number of the error.
    Resource(i32),
}

impl Failure {
    /// The number and the text of the frame.
    pub(crate) fn to_wire(&self) -> (u64, String) {
        match self {
            Self::Panicked { message, location } => (1, format!("{location}\n{message}")),
            Self::Decode(text) => (2, text.clone()),
            Self::Encode(text) => (3, text.clone()),
            Self::Unknown(text) => (4, text.clone()),
            Self::Handle => (5, String::new()),
            Self::Resource(errno) => (6, errno.to_string()),
        }
    }

    /// What a frame says; `None` for a number that is none.
    pub(crate) fn from_wire(number: u64, text: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(text).into_owned();
        Some(match number {
            1 => {
                let (location, message) = text.split_once('\n').unwrap_or(("", &text));
                Self::Panicked {
                    message: message.to_owned(),
                    location: location.to_owned(),
                }
            }
            2 => Self::Decode(text),
            3 => Self::Encode(text),
            4 => Self::Unknown(text),
            5 => Self::Handle,
            6 => Self::Resource(text.parse().ok()?),
            _ => return None,
        })
    }

    /// The error of the job with this name.
    pub(crate) fn into_error(self, job: &str) -> JobError {
        match self {
            Self::Panicked { message, location } => JobError::Panicked {
                job: job.to_owned(),
                message,
                location,
            },
            Self::Decode(text) => JobError::Decode(text),
            Self::Encode(text) => JobError::Encode(text),
            Self::Unknown(_) => JobError::NotRegistered {
                type_name: job.to_owned(),
            },
            Self::Handle => JobError::Protocol(Violation::Handle),
            Self::Resource(errno) => JobError::Resource {
                error: io::Error::from_raw_os_error(errno),
            },
        }
    }

    /// What it says, for an initializer.
    pub(crate) fn into_message(self) -> String {
        match self {
            Self::Panicked { message, .. } => message,
            Self::Decode(text) | Self::Encode(text) | Self::Unknown(text) => text,
            Self::Handle | Self::Resource(_) => "a shared buffer".to_owned(),
        }
    }
}

thread_local! {
    /// Where this thread panicked last.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Notes the place of each panic from now on.
pub(crate) fn note_places() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        // A panic while the thread's locals are being destroyed has nobody to tell.
        _ = PLACE.try_with(|cell| cell.try_borrow_mut().map(|mut cell| *cell = place));
        before(info);
    }));
}

/// Runs user code; its panic becomes a [`Failure`].
pub(crate) fn guarded<R>(f: impl FnOnce() -> R) -> Result<R, Failure> {
    unwind::catch(f).map_err(|payload| {
        let message = unwind::message(&*payload).unwrap_or_else(|| "Box<dyn Any>".to_owned());
        unwind::discard(payload);
        Failure::Panicked {
            message,
            location: PLACE.take(),
        }
    })
}
