//! Where the results of a map's chunks come in: one queue for all of them.
//!
//! Read next: `processes/map_take.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::processes::inbox::Message;
use crate::processes::parcel::{Answer, Sink};

/// What has come from a chunk.
pub(crate) enum Landed {
    /// Results, or one failure.
    Item(Message),
    /// The end of the chunk.
    Done(Answer),
}

/// The queue. Bounded by the map's window.
#[derive(Default)]
pub(crate) struct Landing(Mutex<Content>);

/// What the mutex guards.
#[derive(Default)]
struct Content {
    /// With the number of the chunk.
    landed: VecDeque<(u64, Landed)>,
    waker: Option<Waker>,
}

impl Landing {
    /// An empty one.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Adds something, and wakes the map after it.
    fn put(&self, chunk: u64, landed: Landed) {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        content.landed.push_back((chunk, landed));
        let waker = content.waker.take();
        drop(content);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What came next.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<(u64, Landed)> {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = content.landed.pop_front() {
            return Poll::Ready(next);
        }
        drop(content);
        // Cloned without the lock: it is foreign code.
        let fresh = cx.waker().clone();
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(next) = content.landed.pop_front() {
            return Poll::Ready(next);
        }
        let old = content.waker.replace(fresh);
        drop(content);
        drop(old);
        Poll::Pending
    }
}

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
        self.landing.put(self.chunk, Landed::Item(message));
    }

    fn done(&self, answer: Answer) {
        self.landing.put(self.chunk, Landed::Done(answer));
    }
}
