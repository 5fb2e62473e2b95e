//! The sending half of a bounded channel, and the future of `send`.
//!
//! ```text
//!   send: take a permit (wait in line for one) ──► push, which takes the permit along
//!                 │ closed                              │ the receiver is gone
//!                 └──────────► SendError(value) ◄───────┘
//! ```
//!
//! The line is the semaphore's (`sync/semaphore.rs`): fair, first come, first served.
//! Read next: `sync/mpsc_permit.rs`, which takes the permit now and sends later.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::{Location, RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{Kind, leave};
use crate::sync::mpsc_channel::Tx;
use crate::sync::mpsc_closed::Closed;
use crate::sync::mpsc_error::{SendError, TrySendError};
use crate::sync::semaphore_error::TryAcquireError;
use crate::sync::semaphore_line::Place;
use crate::sync::wait::block;

/// Sends messages into a bounded channel. Clone it for each task that sends.
///
/// When the last one is dropped the receiver gets what was sent, and then the end.
pub struct Sender<T> {
    /// Counted.
    pub(super) tx: Tx<T>,
}

// A panic finds no half-made state behind a reference: no method runs foreign code in between.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// Sends a message, and waits for room if there is none.
    ///
    /// `Ok` says that the receiver could take it, not that it will.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value, when the receiver is closed or dropped.
    ///
    /// # Cancel safety
    ///
    /// A dropped wait has not sent its message (which is dropped), and its room goes to the next
    /// in line. To keep the message, [`reserve`](Self::reserve) first.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use trefoil::sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// sender.send("hello").await.unwrap();
    /// assert_eq!(receiver.recv().await, Some("hello"));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send {
            sender: self,
            value: Some(value),
            place: Place::new(1),
            called_at: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// Sends a message if there is room at once.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] when there is no room, [`TrySendError::Closed`] when the receiver
    /// is closed or dropped; both with the value.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        match self.tx.room().permits.take(1) {
            Ok(()) => self.push(value).map_err(TrySendError::from),
            Err(TryAcquireError::NoPermits) => Err(TrySendError::Full(value)),
            Err(TryAcquireError::Closed) => Err(TrySendError::Closed(value)),
        }
    }

    /// Sends a message, and blocks this thread until there is room. For code outside of a runtime.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// In a task or in `block_on`: the thread could do nothing else meanwhile.
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        block(
            "mpsc::Sender::blocking_send",
            "send(value)",
            self.send(value),
        )
    }

    /// Waits until the receiver is closed or dropped.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing happens but waiting.
    #[track_caller]
    pub fn closed(&self) -> Closed<'_, T> {
        Closed::new(&self.tx, Location::caller())
    }

    /// True when the receiver is closed or dropped.
    pub fn is_closed(&self) -> bool {
        self.tx.is_closed()
    }

    /// Messages that could be sent now without waiting: the free room.
    ///
    /// Unit: messages. Room that a permit holds is not free.
    pub fn capacity(&self) -> usize {
        self.tx.room().permits.available_permits()
    }

    /// Messages for which the channel was made.
    pub fn max_capacity(&self) -> usize {
        self.tx.room().capacity
    }

    /// True when both send into the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        self.tx.same_channel(&other.tx)
    }

    /// How many senders the channel has.
    pub fn strong_count(&self) -> usize {
        self.tx.sender_count()
    }

    /// How many weak senders the channel has.
    pub fn weak_count(&self) -> usize {
        self.tx.weak_count()
    }

    /// Puts a message in, with a permit that the caller has taken.
    #[inline]
    pub(super) fn push(&self, value: T) -> Result<(), SendError<T>> {
        self.tx.push(value).map_err(|value| {
            // The receiver went after the permit was taken.
            self.tx.give_back(1);
            SendError(value)
        })
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self {
            tx: self.tx.clone(),
        }
    }
}

pin_project! {
    /// The future of [`Sender::send`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Send<'a, T> {
        sender: &'a Sender<T>,
        value: Option<T>,
        place: Place,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }

    impl<T> PinnedDrop for Send<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            // Without the value it is done, and in no line.
            if this.value.is_some() {
                give_up(&this.sender.tx, this.place);
            }
        }
    }
}

/// Leaves the line for room, and wakes the receiver if that was all it waited for.
pub(super) fn give_up<T>(tx: &Tx<T>, place: &mut Place) {
    tx.room().permits.give_up(place);
    tx.wake_if_over();
}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Poll::Ready(permit) = this.sender.tx.room().permits.poll_acquire(this.place, cx) else {
            leave(Kind::ChannelSend, this.called_at, this.sender.tx.address());
            return Poll::Pending;
        };
        let Some(value) = this.value.take() else {
            panic!("mpsc::Sender::send: polled after it was done; await it once");
        };
        Poll::Ready(match permit {
            Ok(()) => this.sender.push(value),
            Err(_closed) => {
                // What it held of its permits in line is back now.
                this.sender.tx.wake_if_over();
                Err(SendError(value))
            }
        })
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("channel", &*self.tx)
            .finish()
    }
}

impl<T> fmt::Debug for Send<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Send").finish_non_exhaustive()
    }
}
