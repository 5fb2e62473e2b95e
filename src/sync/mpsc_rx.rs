//! The receiving half of a channel, bounded or not: wait for a message, take it, learn of the end.
//!
//! ```text
//!   poll_recv:  pop ──► a message: give its permit back, Ready
//!                │ none
//!                ▼
//!         leave the waker and mark the slot (Queue::wait_for) ── a message came ──► pop, Ready
//!                │
//!                ▼
//!         is it over? ── yes ──► Ready(None)
//!                │ no
//!                ▼
//!             Pending
//! ```
//!
//! Taking a message is one step under `&mut self`, so a wait that is dropped at any point has
//! taken nothing. Only a message that is published is popped in order to be waited for; `try_recv`
//! and `drop` also want those whose push is under way (`Queue::pop_claimed`).
//! Read next: `sync/mpsc_receiver.rs`, the public face.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::parts::budget;
use crate::sync::mpsc_channel::{Channel, Tx};
use crate::sync::mpsc_error::TryRecvError;
use crate::sync::mpsc_queue::{Head, queue};

/// The receiving half.
pub(crate) struct Rx<T> {
    /// Shared.
    channel: Arc<Channel<T>>,
    /// The queue's other end.
    head: Head<T>,
}

/// A channel for `capacity` messages, or for any number.
#[track_caller]
pub(crate) fn channel<T>(capacity: Option<usize>) -> (Tx<T>, Rx<T>) {
    let (queue, head) = queue();
    let tx = Tx::first(queue, capacity);
    let channel = tx.shared();
    (tx, Rx { channel, head })
}

impl<T> Rx<T> {
    /// Waits for a message; `None` when none will come. Spends budget.
    #[inline]
    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let spent = ready!(budget::spend(cx));
        let message = match self.pop() {
            Some(value) => Some(value),
            None => {
                ready!(self.poll_empty(cx));
                self.pop()
            }
        };
        spent.made_progress();
        Poll::Ready(message)
    }

    /// Waits for at least one message, and appends up to `limit` to `buffer`; says how many.
    /// Zero when none will come, or `limit` is zero. Spends one unit of budget.
    pub(crate) fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        if limit == 0 {
            return Poll::Ready(0);
        }
        let spent = ready!(budget::spend(cx));
        let mut count = self.pop_many(buffer, limit);
        if count == 0 {
            ready!(self.poll_empty(cx));
            count = self.pop_many(buffer, limit);
        }
        spent.made_progress();
        Poll::Ready(count)
    }

    /// Falls asleep until there is a message, or none will come.
    fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The waker first, then the look at the end: see the head of the file.
        if self.channel.queue.wait_for(&mut self.head, cx.waker()) || self.is_over() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// The next message, if it is there.
    #[inline]
    fn pop(&mut self) -> Option<T> {
        let value = self.channel.queue.pop(&mut self.head)?;
        self.free(1);
        Some(value)
    }

    /// Moves up to `limit` messages to `buffer`, and gives their permits back at once.
    fn pop_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        let before = buffer.len();
        while buffer.len() - before < limit
            && let Some(value) = self.channel.queue.pop(&mut self.head)
        {
            buffer.push(value);
        }
        let count = buffer.len() - before;
        self.free(count);
        count
    }

    /// Gives back the permits of `n` messages.
    #[inline]
    fn free(&self, n: usize) {
        if let Some(room) = &self.channel.room {
            room.permits.release(n);
        }
    }

    /// The next message, if it is there or just being put in.
    pub(crate) fn try_recv(&mut self) -> Result<T, TryRecvError> {
        match self.channel.queue.pop_claimed(&mut self.head) {
            Some(value) => {
                self.free(1);
                Ok(value)
            }
            None if self.is_over() => Err(TryRecvError::Disconnected),
            None => Err(TryRecvError::Empty),
        }
    }

    /// True when no message is there and none will come.
    fn is_over(&self) -> bool {
        let queue = &self.channel.queue;
        (queue.is_ended() && queue.is_empty(&self.head)) || self.channel.is_drained()
    }

    /// Lets nobody send any more, except with permits that are out.
    pub(crate) fn close(&mut self) {
        self.channel.close();
    }

    /// True when closed, or when all senders are gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.channel.is_closed() || self.channel.queue.is_ended()
    }

    /// Messages that are there.
    pub(crate) fn len(&self) -> usize {
        self.channel.queue.len(&self.head)
    }

    /// What both halves share.
    pub(crate) fn channel(&self) -> &Channel<T> {
        &self.channel
    }
}

/// Drops what is left in the channel when it is dropped, each message on its own: a panic, of a
/// message or a waker, does not keep the others.
struct Drain<'a, T>(&'a mut Rx<T>);

impl<T> Drop for Drain<'_, T> {
    fn drop(&mut self) {
        while let Some(value) = self.0.channel.queue.pop_claimed(&mut self.0.head) {
            self.0.free(1);
            // Goes on while a panic of this message passes.
            let rest = Drain(self.0);
            drop(value);
            std::mem::forget(rest);
        }
    }
}

impl<T> Drop for Rx<T> {
    fn drop(&mut self) {
        let drain = Drain(self);
        let channel = &drain.0.channel;
        // The end first: whatever is claimed by then is drained, and nothing comes after it.
        channel.queue.end();
        channel.close();
        drop(channel.queue.take_receiver());
        drop(drain);
    }
}
