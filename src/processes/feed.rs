//! A queue from a job to whoever listens: progress, the items of a stream.
//!
//! Bounded by the sender: a stream has credit, and of progress only the last [`KEPT`] are kept, for
//! a listener that does not listen.
//! Read next: `processes/stream.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::processes::inbox::Message;
use crate::processes::parcel::{Answer, Sink};

/// Messages that wait at most. Unit: messages. Effect: older progress is forgotten. Not tuned;
/// above the credit of any stream.
const KEPT: usize = 4096;

/// What comes next.
#[derive(Debug)]
pub(crate) enum Fed {
    /// A message.
    Item(Message),
    /// The job has ended like this. Given once.
    End(Answer),
    /// It has ended, and that was told.
    Over,
}

/// The queue.
#[derive(Default)]
pub(crate) struct Feed(Mutex<Content>);

/// What the mutex guards.
#[derive(Default)]
struct Content {
    items: VecDeque<Message>,
    /// The outcome, until it is taken.
    end: Option<Answer>,
    ended: bool,
    waker: Option<Waker>,
}

impl Feed {
    /// An empty one.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// Changes the content, and wakes the listener after it.
    fn change(&self, f: impl FnOnce(&mut Content)) {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f(&mut content);
        let waker = content.waker.take();
        drop(content);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What comes next.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Fed> {
        let fresh = cx.waker().clone();
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(item) = content.items.pop_front() {
            return Poll::Ready(Fed::Item(item));
        }
        if let Some(end) = content.end.take() {
            return Poll::Ready(Fed::End(end));
        }
        if content.ended {
            return Poll::Ready(Fed::Over);
        }
        let old = content.waker.replace(fresh);
        drop(content);
        drop(old);
        Poll::Pending
    }
}

impl Sink for Feed {
    fn item(&self, message: Message) {
        self.change(|content| {
            if content.items.len() == KEPT {
                content.items.pop_front();
            }
            if !content.ended {
                content.items.push_back(message);
            }
        });
    }

    fn done(&self, answer: Answer) {
        self.change(|content| {
            if !std::mem::replace(&mut content.ended, true) {
                content.end = Some(answer);
            }
        });
    }
}
