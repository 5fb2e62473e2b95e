//! What the driver knows of a job: its bytes, and who waits for it.
//!
//! Read next: `processes/core.rs`.

#![forbid(unsafe_code)]

use std::sync::Arc;

use bytes::Bytes;

use crate::parts::outcome::Writer;
use crate::processes::error::JobError;
use crate::processes::inbox::Message;
use crate::processes::spare;

/// The bytes of a result.
pub(crate) type Answer = Result<Vec<u8>, JobError>;

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

impl Parcel {
    /// Gives the outcome to whoever waits.
    pub(crate) fn deliver(self, answer: Answer) {
        if let Some(events) = self.events {
            events.done(Ok(Vec::new()));
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
