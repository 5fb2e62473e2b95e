//! Why a permit could not be had.
//!
//! Two types, since waiting fails for one reason only and need not be asked which.
//! Read next: `sync/semaphore.rs`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;

/// What [`acquire`](crate::sync::Semaphore::acquire) says when the semaphore was closed.
#[derive(Debug)]
pub struct AcquireError(());

impl AcquireError {
    /// The only one there is.
    pub(crate) const CLOSED: Self = Self(());
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("semaphore closed")
    }
}

impl Error for AcquireError {}

/// Why [`try_acquire`](crate::sync::Semaphore::try_acquire) got nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryAcquireError {
    /// The semaphore was closed; it stays so.
    Closed,
    /// Not enough permits now: try later, or wait with `acquire`.
    NoPermits,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "semaphore closed",
            Self::NoPermits => "no permits available",
        })
    }
}

impl Error for TryAcquireError {}
