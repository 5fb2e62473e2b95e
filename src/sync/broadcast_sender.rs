//! The sending half of a broadcast channel, and the wait for its last receiver's end.
//!
//! Read next: `sync/broadcast_weak.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{Kind, WaitSite, poll_leaf};
use crate::sync::broadcast_error::SendError;
use crate::sync::broadcast_receiver::Receiver;
use crate::sync::broadcast_ring::Channel;
use crate::sync::notified::Place;

/// Sends values to all receivers of a [`channel`](crate::sync::broadcast::channel).
///
/// When the last sender is dropped, the receivers get what is in the ring, then the end.
pub struct Sender<T> {
    /// Shared.
    pub(super) channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    /// A sender without a receiver; [`subscribe`](Self::subscribe) makes some.
    ///
    /// The capacity is as for [`channel`](crate::sync::broadcast::channel).
    ///
    /// # Panics
    ///
    /// As [`channel`](crate::sync::broadcast::channel).
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self {
            channel: Arc::new(Channel::new(capacity)),
        }
    }

    /// Sends a value to all receivers, and says how many they are. Never waits.
    ///
    /// `Ok` does not say that any of them will see it: they may be dropped, or lag behind.
    ///
    /// # Errors
    ///
    /// The value comes back when there is no receiver. Later ones may be.
    #[inline]
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        self.channel.send(value).map_err(SendError)
    }

    /// A new receiver, of what is sent from now on.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::broadcast;
    ///
    /// let (sender, _first) = broadcast::channel(4);
    /// sender.send(1).unwrap();
    /// let mut second = sender.subscribe();
    /// assert_eq!(sender.send(2).unwrap(), 2);
    /// assert_eq!(second.try_recv(), Ok(2));
    /// ```
    pub fn subscribe(&self) -> Receiver<T> {
        Receiver::new(self.channel.clone())
    }

    /// How many values are in the ring: those that some receiver has yet to receive and may.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::broadcast;
    ///
    /// let (sender, mut one) = broadcast::channel(4);
    /// let mut two = sender.subscribe();
    /// sender.send(1).unwrap();
    /// one.try_recv().unwrap();
    /// assert_eq!(sender.len(), 1);
    /// two.try_recv().unwrap();
    /// assert_eq!(sender.len(), 0);
    /// ```
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// True when no receiver has anything to receive.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.channel.receiver_count()
    }

    /// True when both belong to the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing happens but waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use trefoil::sync::broadcast;
    ///
    /// let (sender, receiver) = broadcast::channel::<u8>(4);
    /// trefoil::spawn(async move { drop(receiver) });
    /// sender.closed().await;
    /// # });
    /// ```
    #[track_caller]
    pub fn closed(&self) -> Closed<'_, T> {
        Closed {
            channel: &self.channel,
            place: None,
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// How many senders there are.
    pub fn strong_count(&self) -> usize {
        self.channel.sender_count()
    }

    /// How many weak senders there are.
    pub fn weak_count(&self) -> usize {
        self.channel.weak_count()
    }
}

pin_project! {
    /// The future of [`Sender::closed`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Closed<'a, T> {
        // Whose receivers.
        channel: &'a Channel<T>,
        // Where it stands in line.
        place: Option<Place>,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, so that a node of the line could move in here one day.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T> PinnedDrop for Closed<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(place) = this.place {
                this.channel.gone.give_up(place);
            }
        }
    }
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let channel = *this.channel;
        let site = WaitSite {
            kind: Kind::ChannelSend,
            location: this.location,
            resource: channel.address(),
        };
        let look = || (channel.receiver_count() == 0).then_some(());
        poll_leaf(cx, site, |cx| {
            channel.gone.poll_until(this.place, cx.waker(), look)
        })
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        // First, since it aborts on overflow: so the count of senders cannot overflow.
        let channel = self.channel.clone();
        // Always there: this one counts.
        channel.add_sender();
        Self { channel }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.channel.leave_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broadcast::Sender")
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}
