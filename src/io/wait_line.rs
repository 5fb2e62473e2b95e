//! The user's line on a wait that a stream has marked with a line of its own.
//!
//! ```text
//!   user's line ──► stream.read_exact(&mut buf)        remembers the line
//!                        │ at_line
//!                        ▼
//!                   poll_read of the stream            Pending: leaves (Read, a line of ours, fd)
//!                        │
//!                        ▼
//!                   (Read, user's line, fd)            what dump() shows
//! ```
//!
//! The future knows the line, only the stream knows the fd, and a task dump wants both. So the
//! stream's mark is taken up again and left with the line changed. The slot is emptied before, or
//! the mark of another branch of a `join!` would be taken for the stream's.
//! Read next: `parts/wait_site.rs`.

#![forbid(unsafe_code)]

use std::panic::Location;
use std::task::Poll;

use crate::parts::wait_site;
use crate::parts::wait_site::Kind;

/// Runs one poll of a stream; when it is `Pending` the wait is marked with `line`.
///
/// `kind` is what a stream that leaves no mark waits for.
#[inline]
pub(crate) fn at_line<T>(
    line: &'static Location<'static>,
    kind: Kind,
    poll: impl FnOnce() -> Poll<T>,
) -> Poll<T> {
    let earlier = wait_site::take();
    let result = poll();
    if result.is_pending() {
        match wait_site::take() {
            Some(mark) => wait_site::leave(mark.kind, line, mark.resource),
            None => wait_site::leave(kind, line, 0),
        }
    } else if let Some(mark) = earlier {
        // Of another branch, which still waits.
        wait_site::leave(mark.kind, mark.location, mark.resource);
    }
    result
}
