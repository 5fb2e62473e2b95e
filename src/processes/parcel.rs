//! What the driver knows of a job: its bytes, and who waits for it.
//!
//! Read next: `processes/core.rs`.

#![forbid(unsafe_code)]

use std::sync::Arc;

use bytes::Bytes;

use crate::parts::outcome::Writer;
use crate::processes::error::{JobError, Violation};
use crate::processes::inbox::Message;
use crate::processes::luggage::{self, Fault};
use crate::processes::slab::Slab;
use crate::processes::spare;

/// A result, encoded.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    pub(crate) bytes: Vec<u8>,
    /// The shared buffers that it may name.
    pub(crate) slabs: Vec<Arc<Slab>>,
}

/// How a job has ended.
pub(crate) type Answer = Result<Payload, JobError>;

/// A job on its way.
pub(crate) struct Parcel {
    /// Number in the table; for external workers found by the name.
    pub(crate) kind: u32,
    /// Of the JOB frame.
    pub(crate) flags: u16,
    /// Of the JOB frame.
    pub(crate) aux: u64,
    /// The argument; shared, since a crash may send it once more.
    pub(crate) payload: Bytes,
    /// The shared buffers that the argument names; ours again when the job has ended.
    pub(crate) slabs: Vec<Arc<Slab>>,
    /// For errors.
    pub(crate) name: Arc<str>,
    /// Who waits.
    pub(crate) reply: Reply,
    /// Who listens to its progress.
    pub(crate) events: Option<Arc<dyn Sink>>,
}

/// Who waits for a job.
pub(crate) enum Reply {
    /// One result.
    One(Writer<Answer>),
    /// Many items, and an end.
    Many(Arc<dyn Sink>),
}

/// Takes what a job sends on its way. Called without any lock held.
pub(crate) trait Sink: Send + Sync {
    /// An item or an event.
    fn item(&self, message: Message);
    /// The end; nothing that comes later counts.
    fn done(&self, answer: Answer);
}

impl Payload {
    /// The value.
    ///
    /// # Errors
    ///
    /// Why it cannot be decoded.
    pub(crate) fn open<R>(self, decode: fn(&[u8]) -> Result<R, String>) -> Result<R, JobError> {
        let value = luggage::unpack(self.slabs, || decode(&self.bytes));
        spare::give(self.bytes);
        value.map_err(|(text, fault)| match fault {
            Some(Fault::Handle) => JobError::Protocol(Violation::Handle),
            Some(Fault::Resource(error)) => JobError::Resource { error },
            None => JobError::Decode(text),
        })
    }
}

impl Parcel {
    /// Gives the outcome to whoever waits.
    pub(crate) fn deliver(self, answer: Answer) {
        if let Some(events) = self.events {
            events.done(Ok(Payload::default()));
        }
        if self.payload.len() >= spare::LARGE
            && let Ok(buffer) = self.payload.try_into_mut()
        {
            spare::give(buffer.into());
        }
        self.reply.deliver(answer);
    }
}

impl Reply {
    /// Gives the outcome.
    pub(crate) fn deliver(self, answer: Answer) {
        match self {
            // When nobody waits any more, the answer is dropped here.
            Self::One(writer) => _ = writer.put(answer),
            Self::Many(sink) => sink.done(answer),
        }
    }
}

impl std::fmt::Debug for Parcel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parcel")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
