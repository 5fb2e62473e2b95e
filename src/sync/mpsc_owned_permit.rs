//! Room in a bounded channel together with the sender: for a permit that goes to another task.
//!
//! As `sync/mpsc_permit.rs`, but nothing is borrowed: the sender moves in, and comes back when the
//! permit is used or released.
//! Read next: `sync/mpsc_receiver.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{Kind, leave};
use crate::sync::mpsc_error::{SendError, TrySendError};
use crate::sync::mpsc_sender::{Sender, give_up};
use crate::sync::semaphore_line::Place;

impl<T> Sender<T> {
    /// Waits for room for one message, and keeps it together with this sender.
    ///
    /// # Errors
    ///
    /// [`SendError`] when the receiver is closed or dropped; the sender is dropped then.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing is sent yet. The place in line is lost, and this sender is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use trefoil::sync::mpsc;
    ///
    /// let (sender, mut receiver) = mpsc::channel(1);
    /// let permit = sender.reserve_owned().await.unwrap();
    /// let sender = permit.send(1);
    /// assert_eq!(receiver.recv().await, Some(1));
    /// # drop(sender);
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn reserve_owned(self) -> ReserveOwned<T> {
        ReserveOwned {
            sender: Some(self),
            place: Place::new(1),
            called_at: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// Takes room for one message if there is some at once, and keeps it together with this
    /// sender.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] when there is no room, [`TrySendError::Closed`] when the receiver
    /// is closed or dropped; both with the sender.
    pub fn try_reserve_owned(self) -> Result<OwnedPermit<T>, TrySendError<Self>> {
        match self.try_take(1) {
            Ok(()) => Ok(OwnedPermit { sender: Some(self) }),
            Err(TrySendError::Full(())) => Err(TrySendError::Full(self)),
            Err(TrySendError::Closed(())) => Err(TrySendError::Closed(self)),
        }
    }
}

/// Room for one message, and a sender. Dropped unused, the room is free again.
#[must_use = "a permit that is dropped gives its room back"]
pub struct OwnedPermit<T> {
    /// Where it belongs; `None` when the room has been used or given back.
    sender: Option<Sender<T>>,
}

impl<T> OwnedPermit<T> {
    /// Sends a message, and gives the sender back. Never waits and never fails.
    ///
    /// If the receiver has been dropped, so is the message.
    pub fn send(mut self, value: T) -> Sender<T> {
        let sender = self.take();
        drop(sender.push(value));
        sender
    }

    /// Gives the room back, and the sender to the caller.
    pub fn release(mut self) -> Sender<T> {
        let sender = self.take();
        sender.tx.give_back(1);
        sender
    }

    /// True when both send into the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        match (&self.sender, &other.sender) {
            (Some(one), Some(other)) => one.same_channel(other),
            _ => false,
        }
    }

    /// True when this one and `sender` send into the same channel.
    pub fn same_channel_as_sender(&self, sender: &Sender<T>) -> bool {
        self.sender
            .as_ref()
            .is_some_and(|own| own.same_channel(sender))
    }

    /// The sender, out of a permit that is used up by it.
    fn take(&mut self) -> Sender<T> {
        match self.sender.take() {
            Some(sender) => sender,
            None => unreachable!("only send, release and drop take it, each once"),
        }
    }
}

impl<T> Drop for OwnedPermit<T> {
    fn drop(&mut self) {
        // The room first: the sender may be the last one.
        if let Some(sender) = self.sender.take() {
            sender.tx.give_back(1);
        }
    }
}

pin_project! {
    /// The future of [`Sender::reserve_owned`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct ReserveOwned<T> {
        sender: Option<Sender<T>>,
        place: Place,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }

    impl<T> PinnedDrop for ReserveOwned<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(sender) = this.sender {
                give_up(&sender.tx, this.place);
            }
        }
    }
}

impl<T> Future for ReserveOwned<T> {
    type Output = Result<OwnedPermit<T>, SendError<()>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Some(sender) = this.sender else {
            panic!("mpsc::Sender::reserve_owned: polled after it was done; await it once");
        };
        let Poll::Ready(taken) = sender.tx.room().permits.poll_acquire(this.place, cx) else {
            leave(Kind::ChannelSend, this.called_at, sender.tx.address());
            return Poll::Pending;
        };
        Poll::Ready(match taken {
            Ok(()) => Ok(OwnedPermit {
                sender: this.sender.take(),
            }),
            Err(_closed) => {
                // What it held of its permits in line is back now.
                sender.tx.wake_if_over();
                *this.sender = None;
                Err(SendError(()))
            }
        })
    }
}

impl<T> fmt::Debug for OwnedPermit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit")
            .field("sender", &self.sender)
            .finish()
    }
}

impl<T> fmt::Debug for ReserveOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReserveOwned").finish_non_exhaustive()
    }
}
