//! The receiving half of a broadcast channel: reads the ring at its own pace.
//!
//! A receiver is the channel and one number: the position it reads next.
//!
//! ```text
//!   recv:  read the slot ──► the value
//!            │ overwritten ──► skip to the oldest: Lagged
//!            │ not yet
//!            ▼
//!          the end: closed? wait in line ──► woken: read the slot
//! ```
//!
//! Read next: `sync/broadcast_sender.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use pin_project_lite::pin_project;

use crate::parts::slab::Key;
use crate::parts::wait_site::{Kind, WaitSite, poll_leaf};
use crate::sync::broadcast_error::{RecvError, TryRecvError};
use crate::sync::broadcast_ring::{AtEnd, Channel, Missing};
use crate::sync::wait::block;

/// Receives a clone of each value sent to a [`channel`](crate::sync::broadcast::channel) after the
/// receiver was made.
///
/// More are made by [`Sender::subscribe`](crate::sync::broadcast::Sender::subscribe) and
/// [`resubscribe`](Self::resubscribe). Dropped, it leaves no value behind that only it was missing.
pub struct Receiver<T> {
    /// Shared.
    channel: Arc<Channel<T>>,
    /// The position it reads next.
    next: u64,
}

impl<T> Receiver<T> {
    /// A receiver of what is sent from now on.
    pub(crate) fn new(channel: Arc<Channel<T>>) -> Self {
        let next = channel.add_receiver();
        Self { channel, next }
    }

    /// How many values were sent that it has not received, those included that are overwritten.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::broadcast;
    ///
    /// let (sender, receiver) = broadcast::channel(2);
    /// for n in 0..5 {
    ///     sender.send(n).unwrap();
    /// }
    /// assert_eq!(receiver.len(), 5);
    /// ```
    pub fn len(&self) -> usize {
        self.channel.unread(self.next) as usize
    }

    /// True when it has received all that was sent.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True when both belong to the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }

    /// How many senders there are.
    pub fn sender_strong_count(&self) -> usize {
        self.channel.sender_count()
    }

    /// How many weak senders there are.
    pub fn sender_weak_count(&self) -> usize {
        self.channel.weak_count()
    }

    /// True when no sender is left. There may still be values to receive.
    pub fn is_closed(&self) -> bool {
        self.channel.sender_count() == 0
    }
}

impl<T: Clone> Receiver<T> {
    /// Another receiver, of what is sent from now on: not of what this one has still to receive.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::broadcast;
    ///
    /// let (sender, one) = broadcast::channel(4);
    /// sender.send(1).unwrap();
    /// let mut two = one.resubscribe();
    /// sender.send(2).unwrap();
    /// assert_eq!(two.try_recv(), Ok(2));
    /// ```
    pub fn resubscribe(&self) -> Self {
        Self::new(self.channel.clone())
    }

    /// Waits for the next value.
    ///
    /// Cloned under a lock of its place in the ring: `clone` must not use this channel. The last
    /// receiver to come is given the value itself (tokio differs: it makes one more clone).
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] when the next values were overwritten: it goes on with the oldest one
    /// that is left. [`RecvError::Closed`] when it has received all and no sender is left.
    ///
    /// # Panics
    ///
    /// When the value's `clone` panics. The value counts as received then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready it has received nothing.
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv {
            receiver: self,
            key: Key::NONE,
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// The next value, if it is there.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv), and [`TryRecvError::Empty`] when there is none yet.
    ///
    /// # Panics
    ///
    /// As [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        loop {
            match self.channel.read(&mut self.next) {
                Ok(value) => return Ok(value),
                Err(Missing::Overwritten) => {
                    return Err(TryRecvError::Lagged(self.channel.skip(&mut self.next)));
                }
                Err(Missing::NotYet) => match self.channel.look_at_end(self.next) {
                    AtEnd::Empty => return Err(TryRecvError::Empty),
                    AtEnd::Closed => return Err(TryRecvError::Closed),
                    AtEnd::Sent => {}
                },
            }
        }
    }

    /// Waits for the next value and blocks the thread meanwhile, for code that is not async.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`, and as [`recv`](Self::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::broadcast;
    ///
    /// let (sender, mut receiver) = broadcast::channel(4);
    /// let thread = std::thread::spawn(move || receiver.blocking_recv());
    /// sender.send(1).unwrap();
    /// assert_eq!(thread.join().unwrap(), Ok(1));
    /// ```
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Result<T, RecvError> {
        block("blocking_recv", "recv", self.recv())
    }

    /// Waits for the next value, in line under `key`.
    #[inline]
    fn poll_recv(&mut self, key: &mut Key, waker: &Waker) -> Poll<Result<T, RecvError>> {
        loop {
            let received = match self.channel.read(&mut self.next) {
                Ok(value) => Ok(value),
                Err(Missing::Overwritten) => {
                    Err(RecvError::Lagged(self.channel.skip(&mut self.next)))
                }
                Err(Missing::NotYet) => match self.channel.wait(self.next, key, waker) {
                    AtEnd::Empty => return Poll::Pending,
                    AtEnd::Closed => Err(RecvError::Closed),
                    AtEnd::Sent => continue,
                },
            };
            if *key != Key::NONE {
                self.channel.leave(std::mem::replace(key, Key::NONE));
            }
            return Poll::Ready(received);
        }
    }
}

pin_project! {
    /// The future of [`Receiver::recv`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Recv<'a, T> {
        // Who receives.
        receiver: &'a mut Receiver<T>,
        // Where it stands in line; `Key::NONE` before and after.
        key: Key,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, so that a node of the line could move in here one day.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T> PinnedDrop for Recv<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if *this.key != Key::NONE {
                this.receiver.channel.leave(*this.key);
            }
        }
    }
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let site = WaitSite {
            kind: Kind::ChannelRecv,
            location: this.location,
            resource: this.receiver.channel.address(),
        };
        poll_leaf(cx, site, |cx| this.receiver.poll_recv(this.key, cx.waker()))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.leave_receiver(self.next);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broadcast::Receiver")
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}
