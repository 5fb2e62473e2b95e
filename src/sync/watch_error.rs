//! What can go wrong in a watch channel, and the value that comes back.
//!
//! `Debug` and `Display` do not show the value, so they need nothing of it.
//! Read next: `sync/watch_channel.rs`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;

/// All receivers are gone; here is the value back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("channel closed")
    }
}

impl<T> Error for SendError<T> {}

/// All senders are gone: the value does not change any more.
#[derive(Debug, Clone)]
pub struct RecvError(());

impl RecvError {
    /// The only one there is.
    pub(crate) const CLOSED: Self = Self(());
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("channel closed")
    }
}

impl Error for RecvError {}
