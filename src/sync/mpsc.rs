//! Many senders, one receiver: messages in order, with or without a limit.
//!
//! ```text
//!   Sender ──┐   room: a fair semaphore      ┌─────────────┐
//!   Sender ──┼──────────────────────────────►│ queue: slots│──► Receiver
//!   Sender ──┘   (unbounded: none)           └─────────────┘
//! ```
//!
//! A bounded channel makes senders wait while the receiver is behind; an unbounded one lets memory
//! grow instead. Messages of one sender arrive in the order in which they were sent.
//!
//! The files, in reading order: `mpsc_error.rs`, `mpsc_queue.rs` (slots and the receiver's sleep),
//! `mpsc_channel.rs` (room, counts, the end), `mpsc_rx.rs` (waiting for a message), then the faces
//! `mpsc_sender.rs`, `mpsc_closed.rs`, `mpsc_permit.rs`, `mpsc_owned_permit.rs`, `mpsc_recv.rs`,
//! `mpsc_receiver.rs`, `mpsc_unbounded.rs` and `mpsc_weak.rs`.
//! Read next: `sync/mpsc_queue.rs`.
//!
//! # Examples
//!
//! ```
//! # futures_util::FutureExt::now_or_never(async {
//! use trefoil::sync::mpsc;
//!
//! let (sender, mut receiver) = mpsc::channel(8);
//! let other = sender.clone();
//! sender.send("one").await.unwrap();
//! other.send("two").await.unwrap();
//! drop((sender, other));
//!
//! assert_eq!(receiver.recv().await, Some("one"));
//! assert_eq!(receiver.recv().await, Some("two"));
//! assert_eq!(receiver.recv().await, None);
//! # }).unwrap();
//! ```

#![forbid(unsafe_code)]

use crate::sync::mpsc_rx;

pub use crate::sync::mpsc_owned_permit::OwnedPermit;
pub use crate::sync::mpsc_permit::{Permit, PermitIterator};
pub use crate::sync::mpsc_receiver::Receiver;
pub use crate::sync::mpsc_sender::Sender;
pub use crate::sync::mpsc_unbounded::{UnboundedReceiver, UnboundedSender};
pub use crate::sync::mpsc_weak::{WeakSender, WeakUnboundedSender};

/// What can go wrong, and the message that comes back.
pub mod error {
    pub use crate::sync::mpsc_error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
}

/// The futures of this module's methods, by name. (`SendTimeout` is in `time::awaitables`.)
pub mod futures {
    pub use crate::sync::mpsc_closed::Closed;
    pub use crate::sync::mpsc_owned_permit::ReserveOwned;
    pub use crate::sync::mpsc_permit::{Reserve, ReserveMany};
    pub use crate::sync::mpsc_recv::{Recv, RecvMany};
    pub use crate::sync::mpsc_sender::Send;
}

/// Makes a channel that holds up to `buffer` messages; a sender waits when there is no room.
///
/// Unit of `buffer`: messages. Memory is taken as messages come, 31 at a time.
///
/// # Panics
///
/// When `buffer` is 0, or more than [`Semaphore::MAX_PERMITS`](crate::sync::Semaphore::MAX_PERMITS).
#[track_caller]
pub fn channel<T>(buffer: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        buffer > 0,
        "mpsc::channel: room for 0 messages, so none could ever be sent; give at least 1"
    );
    let (tx, rx) = mpsc_rx::channel(Some(buffer));
    (Sender { tx }, Receiver { rx })
}

/// Makes a channel without a limit: sending never waits.
///
/// Senders that are faster than the receiver fill the memory; prefer [`channel`] where that can
/// be.
#[track_caller]
pub fn unbounded_channel<T>() -> (UnboundedSender<T>, UnboundedReceiver<T>) {
    let (tx, rx) = mpsc_rx::channel(None);
    (UnboundedSender { tx }, UnboundedReceiver { rx })
}
