//! The sending half of a watch channel: replaces or changes the value, and tells all receivers.
//!
//! Everything goes through `Channel::modify`: change under the lock, count the version, unlock,
//! ring. What was there before is dropped after that.
//! Read next: `sync/broadcast.rs`, where every value counts.

#![forbid(unsafe_code)]

use std::fmt;
use std::mem;
use std::sync::Arc;

use crate::sync::watch_channel::{Channel, Ref};
use crate::sync::watch_error::SendError;
use crate::sync::watch_receiver::Receiver;
use crate::sync::watch_wait::Closed;

/// Sets the value of a [`channel`](crate::sync::watch::channel).
///
/// When the last sender is dropped, the receivers learn of it; the value stays.
pub struct Sender<T> {
    /// Shared.
    channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    /// A sender without a receiver; [`subscribe`](Self::subscribe) makes some.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::watch;
    ///
    /// let sender = watch::Sender::new(1);
    /// assert!(sender.send(2).is_err(), "nobody is there to see it");
    /// let receiver = sender.subscribe();
    /// assert_eq!(*receiver.borrow(), 1);
    /// ```
    pub fn new(init: T) -> Self {
        Self {
            channel: Arc::new(Channel::new(init)),
        }
    }

    /// Replaces the value, and tells all receivers.
    ///
    /// Blocks the thread while a [`Ref`] to the value lives, as all methods that change it.
    ///
    /// # Errors
    ///
    /// The value comes back, and the old one stays, when there is no receiver. To set it all the
    /// same use [`send_replace`](Self::send_replace).
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        if self.channel.receiver_count() == 0 {
            return Err(SendError(value));
        }
        drop(self.send_replace(value));
        Ok(())
    }

    /// Changes the value in place, and tells all receivers. Works without a receiver, too.
    ///
    /// # Panics
    ///
    /// When `modify` panics. What it had changed stays, and nobody is told.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(vec![1]);
    /// sender.send_modify(|list| list.push(2));
    /// assert_eq!(*receiver.borrow(), [1, 2]);
    /// assert!(receiver.has_changed().unwrap());
    /// ```
    pub fn send_modify<F: FnOnce(&mut T)>(&self, modify: F) {
        self.channel.modify(|value| {
            modify(value);
            true
        });
    }

    /// Changes the value in place, and tells all receivers if `modify` says true. Gives its answer.
    ///
    /// A change with the answer false can be seen, but nobody is told of it.
    ///
    /// # Panics
    ///
    /// As [`send_modify`](Self::send_modify).
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::watch;
    ///
    /// let (best, receiver) = watch::channel(10);
    /// let improve = |time: u32| best.send_if_modified(|best| {
    ///     let better = time < *best;
    ///     *best = time.min(*best);
    ///     better
    /// });
    /// assert!(!improve(12) && !receiver.has_changed().unwrap());
    /// assert!(improve(9) && receiver.has_changed().unwrap());
    /// ```
    pub fn send_if_modified<F: FnOnce(&mut T) -> bool>(&self, modify: F) -> bool {
        self.channel.modify(modify)
    }

    /// Replaces the value, tells all receivers, and gives the old one. Works without a receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::watch;
    ///
    /// let sender = watch::Sender::new(1);
    /// assert_eq!(sender.send_replace(2), 1);
    /// assert_eq!(*sender.borrow(), 2);
    /// ```
    #[inline]
    pub fn send_replace(&self, mut value: T) -> T {
        self.channel.modify(|old| {
            mem::swap(old, &mut value);
            true
        });
        value
    }

    /// Looks at the value. The [`Ref`] locks it: keep it short (see there).
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref::new(self.channel.read(), false)
    }

    /// True when there is no receiver.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// let _another = sender.subscribe();
    /// assert!(!sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.channel.receiver_count() == 0
    }

    /// Waits until there is no receiver: nobody wants the value any more.
    ///
    /// When one subscribes at once after the last one has gone, it may or may not notice.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing happens but waiting.
    ///
    /// # Examples
    ///
    /// ```
    /// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use trefoil::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// trefoil::spawn(async move { drop(receiver) });
    /// sender.closed().await;
    /// # });
    /// ```
    #[track_caller]
    pub fn closed(&self) -> Closed<'_, T> {
        Closed::new(&self.channel)
    }

    /// A new receiver, which has seen the value that is there.
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.channel.word().version();
        Receiver::new(self.channel.clone(), seen)
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.channel.receiver_count()
    }

    /// How many senders there are.
    pub fn sender_count(&self) -> usize {
        self.channel.sender_count()
    }

    /// True when both belong to the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        // First, since it aborts on overflow: so the count of senders cannot overflow.
        let channel = self.channel.clone();
        channel.add_sender();
        Self { channel }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.channel.leave_sender();
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("channel", &*self.channel)
            .finish()
    }
}
