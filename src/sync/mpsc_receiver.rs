//! The receiving half of a bounded channel.
//!
//! A face with tokio's names on `Rx` (`sync/mpsc_rx.rs`), where the waiting is.
//! Read next: `sync/mpsc_unbounded.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::task::{Context, Poll};

use crate::sync::mpsc_error::TryRecvError;
use crate::sync::mpsc_recv::{Recv, RecvMany};
use crate::sync::mpsc_rx::Rx;
use crate::sync::wait::block;

/// Receives the messages of a bounded channel.
///
/// Dropped, it drops the messages that are there, and every send fails.
pub struct Receiver<T> {
    /// The waiting.
    pub(super) rx: Rx<T>,
}

// A panic finds no half-made state behind a reference: no method runs foreign code in between.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    /// Waits for the next message; `None` when none will come: the senders are gone, or this
    /// half is closed and what was on its way has been received.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait has taken no message.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use trefoil::sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel(4);
    /// sender.send(1).await.unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.recv().await, Some(1));
    /// assert_eq!(receiver.recv().await, None);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv::new(&mut self.rx)
    }

    /// Waits for at least one message, and appends up to `limit` of them to `buffer`.
    ///
    /// Gives the number of messages; 0 only when none will come, or `limit` is 0. It takes what
    /// is there and does not wait for more. One call spends one unit of the task's budget.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait has taken no message.
    #[track_caller]
    pub fn recv_many<'a>(&'a mut self, buffer: &'a mut Vec<T>, limit: usize) -> RecvMany<'a, T> {
        RecvMany::new(&mut self.rx, buffer, limit)
    }

    /// The next message, if one is there.
    ///
    /// A message whose send has returned before this call is always seen.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] while one may still come (also by a permit that is out),
    /// [`TryRecvError::Disconnected`] when none will.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.rx.try_recv()
    }

    /// Blocks this thread until a message comes. For code outside of any runtime.
    ///
    /// # Panics
    ///
    /// In a task or in `block_on`: the thread could do nothing else meanwhile.
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Option<T> {
        block("mpsc::Receiver::blocking_recv", "recv()", self.recv())
    }

    /// As [`recv_many`](Self::recv_many), but blocks this thread.
    ///
    /// # Panics
    ///
    /// In a task or in `block_on`: the thread could do nothing else meanwhile.
    #[track_caller]
    pub fn blocking_recv_many(&mut self, buffer: &mut Vec<T>, limit: usize) -> usize {
        let wait = self.recv_many(buffer, limit);
        block("mpsc::Receiver::blocking_recv_many", "recv_many(..)", wait)
    }

    /// Lets nobody send any more, except with permits that are out.
    ///
    /// Does not drop messages: call [`recv`](Self::recv) until it gives `None`.
    pub fn close(&mut self) {
        self.rx.close();
    }

    /// True when closed, or when all senders are gone. Messages may still be there.
    pub fn is_closed(&self) -> bool {
        self.rx.is_closed()
    }

    /// True when no message is there.
    pub fn is_empty(&self) -> bool {
        self.rx.len() == 0
    }

    /// How many messages are there.
    pub fn len(&self) -> usize {
        self.rx.len()
    }

    /// Messages that could be sent now without waiting: the free room.
    ///
    /// Unit: messages. Room that a permit holds is not free.
    pub fn capacity(&self) -> usize {
        self.rx.channel().room().permits.available_permits()
    }

    /// Messages for which the channel was made.
    pub fn max_capacity(&self) -> usize {
        self.rx.channel().room().capacity
    }

    /// Ready with the next message or `None`, as [`recv`](Self::recv); else `cx` is woken.
    ///
    /// Only the waker of the last call is kept. Without budget it is pending too, and the task
    /// is woken at once.
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.rx.poll_recv(cx)
    }

    /// Ready as [`recv_many`](Self::recv_many); else `cx` is woken.
    ///
    /// Only the waker of the last call is kept.
    pub fn poll_recv_many(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<T>,
        limit: usize,
    ) -> Poll<usize> {
        self.rx.poll_recv_many(cx, buffer, limit)
    }

    /// How many senders there are.
    pub fn sender_strong_count(&self) -> usize {
        self.rx.channel().sender_count()
    }

    /// How many weak senders there are.
    pub fn sender_weak_count(&self) -> usize {
        self.rx.channel().weak_count()
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("channel", self.rx.channel())
            .finish()
    }
}
