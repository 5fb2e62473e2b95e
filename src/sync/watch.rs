//! The latest value, for any number of readers: each change is told, only the last one is kept.
//!
//! ```text
//!   Sender ──► one value, version 7 ──┬──► Receiver, has seen 7: waits
//!   Sender ──►                        └──► Receiver, has seen 4: changed() is ready, gives the 7th
//! ```
//!
//! For settings, states and progress: who looks wants to know how it is, not how it came to be so.
//! A receiver remembers which version it has *seen*; [`Receiver::changed`] waits for another one.
//! [`Receiver::borrow`] looks without marking it seen, [`Receiver::borrow_and_update`] marks it.
//! After `changed` the second is the right one in a loop: the value may have changed once more
//! since, and would be reported again.
//!
//! The files, in reading order: `watch_error.rs`, `watch_channel.rs` (the value and its version),
//! `watch_wait.rs` (waiting for a change), then the faces `watch_receiver.rs`, `watch_sender.rs`.
//! Read next: `sync/watch_channel.rs`.
//!
//! # Examples
//!
//! ```
//! # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! use trefoil::sync::watch;
//!
//! let (level, mut reader) = watch::channel("low");
//! let task = trefoil::spawn(async move {
//!     let mut seen = Vec::new();
//!     while reader.changed().await.is_ok() {
//!         seen.push(*reader.borrow_and_update());
//!     }
//!     seen
//! });
//! level.send("medium").unwrap();
//! level.send("high").unwrap(); // the reader has not run in between
//! drop(level);
//! assert_eq!(task.await.unwrap(), ["high"]);
//! # });
//! ```

#![forbid(unsafe_code)]

pub use crate::sync::watch_channel::Ref;
pub use crate::sync::watch_receiver::Receiver;
pub use crate::sync::watch_sender::Sender;

/// What can go wrong.
pub mod error {
    pub use crate::sync::watch_error::{RecvError, SendError};
}

/// The futures of this module's methods, by name.
pub mod futures {
    pub use crate::sync::watch_wait::{Changed, Closed, WaitFor};
}

/// Makes a channel that shows `init` first.
///
/// The receiver counts `init` as seen: [`Receiver::changed`] waits for the first value that is sent.
///
/// # Examples
///
/// ```
/// use trefoil::sync::watch;
///
/// let (sender, receiver) = watch::channel(1);
/// sender.send(2).unwrap();
/// assert_eq!(*receiver.borrow(), 2);
/// ```
pub fn channel<T>(init: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(init);
    let receiver = sender.subscribe();
    (sender, receiver)
}
