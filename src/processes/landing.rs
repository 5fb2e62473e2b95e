//! Where the results of a map's chunks come in: one queue for all of them.
//!
//! Read next: `processes/map_take.rs`.

#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::processes::inbox::Message;
use crate::processes::mailbox::Mailbox;
use crate::processes::parcel::{Answer, Sink};

/// What has come from a chunk.
pub(crate) enum Landed {
    /// Results, or one failure.
    Item(Message),
    /// The end of the chunk.
    Done(Answer),
}

/// The queue, with the number of each one's chunk. Bounded by the map's window.
pub(crate) type Landing = Mailbox<(u64, Landed)>;

/// One chunk's way into the queue.
pub(crate) struct ChunkSink {
    landing: Arc<Landing>,
    chunk: u64,
}

impl ChunkSink {
    /// For the chunk of this number.
    pub(crate) fn new(landing: Arc<Landing>, chunk: u64) -> Self {
        Self { landing, chunk }
    }
}

impl Sink for ChunkSink {
    fn item(&self, message: Message) {
        self.landing.put((self.chunk, Landed::Item(message)));
    }

    fn done(&self, answer: Answer) {
        self.landing.put((self.chunk, Landed::Done(answer)));
    }
}
