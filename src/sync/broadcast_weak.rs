//! The sender that does not keep a broadcast channel open.
//!
//! It keeps the channel's memory, not its life: when the last full sender is dropped the receivers
//! get the end, and no weak one can be upgraded any more.
//! Read next: `sync/rwlock.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use crate::sync::broadcast_ring::Channel;
use crate::sync::broadcast_sender::Sender;

/// A [`Sender`] that does not keep its channel open; [`upgrade`](Self::upgrade) it to send.
pub struct WeakSender<T> {
    /// Shared.
    channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    /// A sender that does not keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::broadcast;
    ///
    /// let (sender, receiver) = broadcast::channel::<u8>(4);
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(sender);
    /// assert!(weak.upgrade().is_none());
    /// assert!(receiver.is_closed());
    /// ```
    #[must_use = "the sender itself stays"]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender::new(self.channel.clone())
    }
}

impl<T> WeakSender<T> {
    /// Another weak sender of a channel.
    fn new(channel: Arc<Channel<T>>) -> Self {
        channel.count_weak(true);
        Self { channel }
    }

    /// A full sender, unless the last of those is gone.
    #[must_use = "the weak sender itself stays"]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let channel = self.channel.clone();
        channel.add_sender().then_some(())?;
        Some(Sender { channel })
    }

    /// How many full senders there are.
    pub fn strong_count(&self) -> usize {
        self.channel.sender_count()
    }

    /// How many weak senders there are.
    pub fn weak_count(&self) -> usize {
        self.channel.weak_count()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self::new(self.channel.clone())
    }
}

impl<T> Drop for WeakSender<T> {
    fn drop(&mut self) {
        self.channel.count_weak(false);
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broadcast::WeakSender")
    }
}
