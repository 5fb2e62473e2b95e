//! Room in a bounded channel, taken now and used later: permits that borrow the sender.
//!
//! ```text
//!   reserve ──► Permit ── send(value) ──► the message takes the room along
//!                 └────── dropped ──────► the room is free again, for the next in line
//! ```
//!
//! A permit stays good when the receiver closes: the receiver waits for it, until it is used or
//! dropped. Only when the receiver itself is gone, what is sent is dropped.
//! Read next: `sync/mpsc_owned_permit.rs`, a permit that owns its sender.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::iter::FusedIterator;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{Kind, leave};
use crate::sync::mpsc_error::{SendError, TrySendError};
use crate::sync::mpsc_sender::{Sender, give_up};
use crate::sync::semaphore_error::TryAcquireError;
use crate::sync::semaphore_line::Place;

impl<T> Sender<T> {
    /// Waits for room for one message, and keeps it.
    ///
    /// # Errors
    ///
    /// [`SendError`] when the receiver is closed or dropped.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is sent yet. The place in line is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use trefoil::sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// let permit = sender.reserve().await.unwrap();
    /// assert!(sender.try_send(1).is_err(), "the only room is taken");
    /// permit.send(2);
    /// assert_eq!(receiver.recv().await, Some(2));
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve {
            inner: ReserveMany::new(self, 1, Location::caller()),
        }
    }

    /// Waits for room for `n` messages, and keeps it.
    ///
    /// # Errors
    ///
    /// [`SendError`] when the receiver is closed or dropped, and at once when `n` is more than
    /// the channel's [`max_capacity`](Self::max_capacity).
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is sent yet. The place in line is lost.
    #[track_caller]
    pub fn reserve_many(&self, n: usize) -> ReserveMany<'_, T> {
        ReserveMany::new(self, n, Location::caller())
    }

    /// Takes room for one message if there is some at once.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] when there is no room, [`TrySendError::Closed`] when the receiver
    /// is closed or dropped.
    pub fn try_reserve(&self) -> Result<Permit<'_, T>, TrySendError<()>> {
        self.try_take(1).map(|()| Permit { sender: self })
    }

    /// Takes room for `n` messages if there is that much at once.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] when there is less room, [`TrySendError::Closed`] when the receiver
    /// is closed or dropped.
    pub fn try_reserve_many(&self, n: usize) -> Result<PermitIterator<'_, T>, TrySendError<()>> {
        self.try_take(n)
            .map(|()| PermitIterator { sender: self, n })
    }

    /// Takes room for `n` messages.
    pub(super) fn try_take(&self, n: usize) -> Result<(), TrySendError<()>> {
        if n > self.max_capacity() {
            return Err(TrySendError::Full(()));
        }
        self.tx.room().permits.take(n).map_err(|error| match error {
            TryAcquireError::NoPermits => TrySendError::Full(()),
            TryAcquireError::Closed => TrySendError::Closed(()),
        })
    }
}

/// Room for one message. Dropped unused it is free again.
#[must_use = "a permit that is dropped gives its room back"]
pub struct Permit<'a, T> {
    /// Where it belongs.
    sender: &'a Sender<T>,
}

impl<T> Permit<'_, T> {
    /// Sends a message. Never waits and never fails.
    ///
    /// If the receiver has been dropped, so is the message.
    pub fn send(self, value: T) {
        drop(self.try_send(value));
    }

    /// Sends a message; gives it back if the receiver has been dropped.
    pub(crate) fn try_send(self, value: T) -> Result<(), SendError<T>> {
        let sender = self.sender;
        // The message takes the room along.
        std::mem::forget(self);
        sender.push(value)
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        self.sender.tx.give_back(1);
    }
}

/// Room for several messages, as an iterator of [`Permit`]s. What is left is free again on drop.
#[must_use = "permits that are dropped give their room back"]
pub struct PermitIterator<'a, T> {
    /// Where they belong.
    sender: &'a Sender<T>,
    /// How many are left.
    n: usize,
}

impl<'a, T> Iterator for PermitIterator<'a, T> {
    type Item = Permit<'a, T>;

    fn next(&mut self) -> Option<Permit<'a, T>> {
        self.n = self.n.checked_sub(1)?;
        Some(Permit {
            sender: self.sender,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.n, Some(self.n))
    }
}

impl<T> ExactSizeIterator for PermitIterator<'_, T> {}
impl<T> FusedIterator for PermitIterator<'_, T> {}

impl<T> Drop for PermitIterator<'_, T> {
    fn drop(&mut self) {
        if self.n > 0 {
            self.sender.tx.give_back(self.n);
        }
    }
}

pin_project! {
    /// The future of [`Sender::reserve_many`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct ReserveMany<'a, T> {
        sender: &'a Sender<T>,
        n: usize,
        place: Place,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }

    impl<T> PinnedDrop for ReserveMany<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            give_up(&this.sender.tx, this.place);
        }
    }
}

impl<'a, T> ReserveMany<'a, T> {
    /// A request for `n`; the caller's line is the line of the user's call.
    fn new(sender: &'a Sender<T>, n: usize, called_at: &'static Location<'static>) -> Self {
        Self {
            sender,
            n,
            place: Place::new(n),
            called_at,
            _pinned: PhantomPinned,
        }
    }
}

impl<'a, T> Future for ReserveMany<'a, T> {
    type Output = Result<PermitIterator<'a, T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let room = this.sender.tx.room();
        if *this.n > room.capacity {
            return Poll::Ready(Err(SendError(())));
        }
        let Poll::Ready(taken) = room.permits.poll_acquire(this.place, cx) else {
            leave(Kind::ChannelSend, this.called_at, this.sender.tx.address());
            return Poll::Pending;
        };
        Poll::Ready(match taken {
            Ok(()) => Ok(PermitIterator {
                sender: this.sender,
                n: *this.n,
            }),
            Err(_closed) => {
                // What it held of its permits in line is back now.
                this.sender.tx.wake_if_over();
                Err(SendError(()))
            }
        })
    }
}

pin_project! {
    /// The future of [`Sender::reserve`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Reserve<'a, T> {
        #[pin]
        inner: ReserveMany<'a, T>,
    }
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx).map_ok(|permits| {
            let sender = permits.sender;
            // The one permit in it goes on in another form.
            std::mem::forget(permits);
            Permit { sender }
        })
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("sender", self.sender)
            .finish()
    }
}

impl<T> fmt::Debug for PermitIterator<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PermitIterator");
        debug
            .field("sender", self.sender)
            .field("left", &self.n)
            .finish()
    }
}

impl<T> fmt::Debug for Reserve<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ReserveMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReserveMany")
            .field("n", &self.n)
            .finish_non_exhaustive()
    }
}
