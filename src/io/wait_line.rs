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

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use crate::io::async_write::AsyncWrite;
    use crate::io::duplex::duplex;
    use crate::io::read_ext::AsyncReadExt;
    use crate::parts::wait_site::WaitSite;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Waker};

    /// Leaves a mark as another leaf would.
    fn another_branch() -> WaitSite {
        let mark = WaitSite {
            location: Location::caller(),
            kind: Kind::Sleep,
            resource: 7,
        };
        wait_site::leave(mark.kind, mark.location, mark.resource);
        mark
    }

    #[test]
    fn the_mark_has_the_users_line_and_the_streams_resource() {
        let mut cx = Context::from_waker(Waker::noop());
        let (_a, mut b) = duplex(4);
        another_branch();
        let mut buf = [0; 4];
        let line = line!() + 1;
        let read = pin!(b.read(&mut buf));
        assert!(read.poll(&mut cx).is_pending());
        let mark = wait_site::take().expect("the read waits");
        assert_eq!(
            (mark.location.file(), mark.location.line()),
            (file!(), line)
        );
        assert_eq!(mark.kind, Kind::Read);
        assert_ne!(mark.resource, 7);
    }

    #[test]
    fn a_poll_that_is_done_leaves_the_mark_of_another_branch() {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut a, mut b) = duplex(4);
        assert!(Pin::new(&mut a).poll_write(&mut cx, b"x").is_ready());
        let other = another_branch();
        let mut buf = [0; 4];
        assert!(pin!(b.read(&mut buf)).poll(&mut cx).is_ready());
        let mark = wait_site::take().expect("the other branch still waits");
        assert_eq!((mark.kind, mark.location), (other.kind, other.location));
    }

    #[test]
    fn a_stream_that_leaves_no_mark_gets_one() {
        another_branch();
        assert!(at_line::<()>(Location::caller(), Kind::Write, || Poll::Pending).is_pending());
        let mark = wait_site::take().expect("it waits");
        assert_eq!((mark.kind, mark.resource), (Kind::Write, 0));
    }
}
