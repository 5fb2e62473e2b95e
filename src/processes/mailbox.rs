//! A queue with one listener: many put, one task takes and waits.
//!
//! Unbounded: who puts is bounded elsewhere.
//! Read next: `processes/landing.rs` and `processes/together.rs`, which wait on one.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The queue.
pub(crate) struct Mailbox<T>(Mutex<Content<T>>);

/// What the mutex guards.
struct Content<T> {
    items: VecDeque<T>,
    /// Who waits for the next item.
    waker: Option<Waker>,
}

impl<T> Mailbox<T> {
    /// With these in it.
    pub(crate) fn new(items: impl IntoIterator<Item = T>) -> Self {
        Self(Mutex::new(Content {
            items: items.into_iter().collect(),
            waker: None,
        }))
    }

    /// The lock.
    fn lock(&self) -> MutexGuard<'_, Content<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item, and wakes the listener after it.
    pub(crate) fn put(&self, item: T) {
        let mut content = self.lock();
        content.items.push_back(item);
        let waker = content.waker.take();
        drop(content);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the oldest item, or waits for one.
    pub(crate) fn poll_take(&self, cx: &mut Context<'_>) -> Poll<T> {
        if let Some(item) = self.lock().items.pop_front() {
            return Poll::Ready(item);
        }
        // Cloned without the lock: it is foreign code.
        let fresh = cx.waker().clone();
        let mut content = self.lock();
        if let Some(item) = content.items.pop_front() {
            return Poll::Ready(item);
        }
        let old = content.waker.replace(fresh);
        drop(content);
        drop(old);
        Poll::Pending
    }
}
