//! Calls that were interrupted are made again, as std's readers and writers do.
//!
//! The sockets of `net` never show EINTR; another stream may. Only the methods that make several
//! calls hide it (`read_exact`, `write_all`, `copy` and the like): who makes one call sees what the
//! stream says.
//! Read next: `io/read.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::task::Poll;

/// Polls again as long as the stream says `Interrupted`.
///
/// # Errors
///
/// The stream's other errors.
#[inline]
pub(crate) fn uninterrupted<T>(
    mut poll: impl FnMut() -> Poll<io::Result<T>>,
) -> Poll<io::Result<T>> {
    loop {
        match poll() {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
