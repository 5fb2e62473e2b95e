//! The receiving half of a watch channel: looks at the value, and waits for another one.
//!
//! A receiver is the channel and one number: the version it has seen.
//! Read next: `sync/watch_sender.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use crate::sync::watch_channel::{Channel, Ref, Version};
use crate::sync::watch_error::RecvError;
use crate::sync::watch_wait::{Changed, WaitFor};

/// Sees the latest value of a [`channel`](crate::sync::watch::channel).
///
/// A clone has seen what the original has.
pub struct Receiver<T> {
    /// Shared.
    channel: Arc<Channel<T>>,
    /// The version it has seen.
    seen: Version,
}

impl<T> Receiver<T> {
    /// A receiver that has seen the version `seen`.
    pub(crate) fn new(channel: Arc<Channel<T>>, seen: Version) -> Self {
        channel.add_receiver();
        Self { channel, seen }
    }

    /// Looks at the latest value, and leaves it as seen as it was.
    ///
    /// The [`Ref`] locks the value: keep it short (see there).
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.borrow(), 2);
    /// assert!(receiver.has_changed().unwrap(), "it was not marked");
    /// ```
    #[inline]
    pub fn borrow(&self) -> Ref<'_, T> {
        self.channel.borrow(self.seen).0
    }

    /// Looks at the latest value and marks it as seen.
    ///
    /// The [`Ref`] locks the value: keep it short (see there).
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::watch;
    ///
    /// let (sender, mut receiver) = watch::channel(1);
    /// sender.send(2).unwrap();
    /// assert_eq!(*receiver.borrow_and_update(), 2);
    /// assert!(!receiver.has_changed().unwrap());
    /// ```
    #[inline]
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let (value, version) = self.channel.borrow(self.seen);
        self.seen = version;
        value
    }

    /// True when there is a value that this receiver has not seen, be it an equal one.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when all senders are gone, even with a value not seen yet.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        let word = self.channel.word();
        if word.is_closed() {
            return Err(RecvError::CLOSED);
        }
        Ok(word.version() != self.seen)
    }

    /// True when all senders are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::watch;
    ///
    /// let (sender, receiver) = watch::channel(1);
    /// assert!(!receiver.is_closed());
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// assert_eq!(*receiver.borrow(), 1, "the value stays");
    /// ```
    pub fn is_closed(&self) -> bool {
        self.channel.word().is_closed()
    }

    /// Marks the value as not seen: the next [`changed`](Self::changed) is ready at once.
    ///
    /// For a loop that is to handle the first value like all others.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::watch;
    ///
    /// let (_sender, mut receiver) = watch::channel(1);
    /// receiver.mark_changed();
    /// assert!(receiver.has_changed().unwrap());
    /// ```
    pub fn mark_changed(&mut self) {
        self.seen = self.channel.word().version().before();
    }

    /// Marks the value as seen, without looking at it.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.channel.word().version();
    }

    /// Waits for a value that this receiver has not seen, and marks it as seen.
    ///
    /// Of several values sent meanwhile only the last is there to be looked at.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when all senders are gone and the last value was seen.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready it has marked nothing as seen.
    #[track_caller]
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed::new(&self.channel, &mut self.seen)
    }

    /// Waits for a value that `fits`, and gives it, locked and marked as seen.
    ///
    /// The value that is there is asked about first, seen or not. Then every value sent, except
    /// those that another one has replaced by the time this runs. `fits` runs under the value's
    /// read lock: to send on this channel in it would block for ever.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when all senders are gone and the last value does not fit.
    ///
    /// # Panics
    ///
    /// When `fits` panics; the channel stays usable.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropped before it is ready, only values that do not fit were marked as seen.
    ///
    /// # Examples
    ///
    /// ```
    /// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use trefoil::sync::watch;
    ///
    /// let (sender, mut receiver) = watch::channel(0);
    /// let task = trefoil::spawn(async move { *receiver.wait_for(|n| *n > 3).await.unwrap() });
    /// for n in 1..=5 {
    ///     sender.send_replace(n);
    ///     trefoil::task::yield_now().await;
    /// }
    /// assert!(task.await.unwrap() > 3);
    /// # });
    /// ```
    #[track_caller]
    pub fn wait_for<F: FnMut(&T) -> bool>(&mut self, fits: F) -> WaitFor<'_, T, F> {
        WaitFor::new(&self.channel, &mut self.seen, fits)
    }

    /// True when both belong to the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self::new(self.channel.clone(), self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.channel.leave_receiver();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("channel", &*self.channel)
            .field("seen", &self.seen)
            .finish()
    }
}
