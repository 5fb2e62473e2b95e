//! What can go wrong in a broadcast channel.
//!
//! Read next: `sync/broadcast_ring.rs`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;

/// There is no receiver; here is the value back.
#[derive(Debug)]
pub struct SendError<T>(pub T);

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("channel closed")
    }
}

impl<T: fmt::Debug> Error for SendError<T> {}

/// Why a receive has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecvError {
    /// All were received, and no sender is left.
    Closed,
    /// So many were overwritten before this receiver came to them. It goes on with the oldest that
    /// is left.
    Lagged(u64),
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("channel closed"),
            Self::Lagged(missed) => write!(f, "channel lagged by {missed}"),
        }
    }
}

impl Error for RecvError {}

/// Why a receive that does not wait has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TryRecvError {
    /// All were received; another may still come.
    Empty,
    /// All were received, and no sender is left.
    Closed,
    /// So many were overwritten before this receiver came to them. It goes on with the oldest that
    /// is left.
    Lagged(u64),
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("channel empty"),
            Self::Closed => f.write_str("channel closed"),
            Self::Lagged(missed) => write!(f, "channel lagged by {missed}"),
        }
    }
}

impl Error for TryRecvError {}
