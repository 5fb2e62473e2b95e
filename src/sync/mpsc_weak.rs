//! Senders that do not keep a channel open: for whoever may send, but is not waited for.
//!
//! A weak sender keeps the channel's memory, not its life: when the last full sender is dropped
//! the receiver gets the end, and no weak one can be upgraded any more.
//! Read next: `sync/semaphore.rs`, where a bounded channel's senders wait.

#![forbid(unsafe_code)]

use std::fmt;

use crate::sync::mpsc_channel::WeakTx;
use crate::sync::mpsc_sender::Sender;
use crate::sync::mpsc_unbounded::UnboundedSender;

/// A [`Sender`] that does not keep its channel open; [`upgrade`](Self::upgrade) it to send.
pub struct WeakSender<T> {
    /// Not counted.
    tx: WeakTx<T>,
}

impl<T> Sender<T> {
    /// A sender that does not keep the channel open.
    #[must_use = "the sender itself stays"]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            tx: self.tx.downgrade(),
        }
    }
}

impl<T> WeakSender<T> {
    /// A full sender, unless the last of those is gone.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.tx.upgrade().map(|tx| Sender { tx })
    }

    /// How many full senders the channel has.
    pub fn strong_count(&self) -> usize {
        self.tx.sender_count()
    }

    /// How many weak senders the channel has.
    pub fn weak_count(&self) -> usize {
        self.tx.weak_count()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self {
            tx: self.tx.clone(),
        }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender")
            .field("channel", &*self.tx)
            .finish()
    }
}

/// An [`UnboundedSender`] that does not keep its channel open; [`upgrade`](Self::upgrade) it to
/// send.
pub struct WeakUnboundedSender<T> {
    /// Not counted.
    tx: WeakTx<T>,
}

impl<T> UnboundedSender<T> {
    /// A sender that does not keep the channel open.
    #[must_use = "the sender itself stays"]
    pub fn downgrade(&self) -> WeakUnboundedSender<T> {
        WeakUnboundedSender {
            tx: self.tx.downgrade(),
        }
    }
}

impl<T> WeakUnboundedSender<T> {
    /// A full sender, unless the last of those is gone.
    pub fn upgrade(&self) -> Option<UnboundedSender<T>> {
        self.tx.upgrade().map(|tx| UnboundedSender { tx })
    }

    /// How many full senders the channel has.
    pub fn strong_count(&self) -> usize {
        self.tx.sender_count()
    }

    /// How many weak senders the channel has.
    pub fn weak_count(&self) -> usize {
        self.tx.weak_count()
    }
}

impl<T> Clone for WeakUnboundedSender<T> {
    fn clone(&self) -> Self {
        Self {
            tx: self.tx.clone(),
        }
    }
}

impl<T> fmt::Debug for WeakUnboundedSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakUnboundedSender")
            .field("channel", &*self.tx)
            .finish()
    }
}
