//! The error of a socket whose runtime has ended.
//!
//! Nobody would ever wake who waits on it, so its operations fail instead of hanging.
//! Read next: `reactor/waiters.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;

/// The error of I/O that outlives its runtime: what [`is_rt_shutdown_err`] recognises.
#[derive(Debug)]
struct RtShutdown;

impl fmt::Display for RtShutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the runtime that this socket belongs to has ended")
    }
}

impl std::error::Error for RtShutdown {}

/// The error that every I/O operation gives once its runtime has ended.
pub(crate) fn rt_shutdown_error() -> io::Error {
    io::Error::other(RtShutdown)
}

/// Tells whether `error` says that the runtime of a socket has ended.
///
/// I/O objects may outlive their runtime; from then on their operations fail with an error of
/// kind [`Other`](io::ErrorKind::Other), since nobody is left who could wake them.
pub fn is_rt_shutdown_err(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<RtShutdown>())
}
