//! Every value to every receiver: a ring that senders fill and each receiver reads at its own pace.
//!
//! ```text
//!                         slow receiver, lags: what it wants next is overwritten
//!                              ▼
//!   ring:          [4] [5] [6] [7]  ◄── the next value, 8, goes over 4
//!                       ▲        ▲
//!               a receiver      another, is waiting for 8
//! ```
//!
//! Sending never waits. A value stays until all receivers that were there when it was sent have
//! it, or until its place in the ring is needed; a receiver that comes too late learns how many it
//! has missed ([`RecvError::Lagged`](error::RecvError::Lagged)) and goes on with the oldest value
//! that is left.
//!
//! The files, in reading order: `broadcast_error.rs`, `broadcast_ring.rs` (slots, positions, who
//! waits), `broadcast_leave.rs` (a receiver goes), then the faces `broadcast_receiver.rs`,
//! `broadcast_sender.rs`, `broadcast_weak.rs`.
//! Read next: `sync/broadcast_ring.rs`.
//!
//! # Examples
//!
//! ```
//! # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use trefoil::sync::broadcast;
//! use trefoil::sync::broadcast::error::RecvError;
//!
//! let (sender, mut one) = broadcast::channel(2);
//! let mut two = sender.subscribe();
//! sender.send("a").unwrap();
//! assert_eq!(one.recv().await, Ok("a"));
//! sender.send("b").unwrap();
//! sender.send("c").unwrap(); // over "a", which `two` has not read
//! drop(sender);
//!
//! assert_eq!(one.recv().await, Ok("b"));
//! assert_eq!(two.recv().await, Err(RecvError::Lagged(1)));
//! assert_eq!(two.recv().await, Ok("b"));
//! assert_eq!(two.recv().await, Ok("c"));
//! assert_eq!(two.recv().await, Err(RecvError::Closed));
//! # });
//! ```

#![forbid(unsafe_code)]

pub use crate::sync::broadcast_receiver::Receiver;
pub use crate::sync::broadcast_sender::Sender;
pub use crate::sync::broadcast_weak::WeakSender;

/// What can go wrong.
pub mod error {
    pub use crate::sync::broadcast_error::{RecvError, SendError, TryRecvError};
}

/// The futures of this module's methods, by name.
pub mod futures {
    pub use crate::sync::broadcast_receiver::Recv;
    pub use crate::sync::broadcast_sender::Closed;
}

/// Makes a channel whose ring holds `capacity` values, rounded up to a power of two.
///
/// Unit of `capacity`: values. The whole ring is allocated here.
///
/// # Panics
///
/// When `capacity` is 0 or more than `usize::MAX / 2`.
///
/// # Examples
///
/// ```
/// use trefoil::sync::broadcast;
///
/// let (sender, mut receiver) = broadcast::channel(16);
/// assert_eq!(sender.send(1).unwrap(), 1, "one receiver");
/// assert_eq!(receiver.try_recv(), Ok(1));
/// ```
#[track_caller]
pub fn channel<T: Clone>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(capacity);
    let receiver = sender.subscribe();
    (sender, receiver)
}
