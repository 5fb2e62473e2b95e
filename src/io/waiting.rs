//! The waiting half of a future of an `&self` method: its place in the list, left on drop.
//!
//! Any number of futures may wait on one socket, so each has a node in the list of
//! `reactor/waiters.rs`. A future that is dropped early must take it out, or the list would grow
//! with each `select!` that another branch wins.
//! Read next: `net/waits.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::io::evented::Registration;
use crate::io::wait::Wait;
use crate::reactor::readiness::Seen;
use crate::reactor::waiters::Place;

pin_project! {
    /// The waiting half of a future of an `&self` method: its place in the list, left on drop.
    ///
    /// `!Unpin`, so that each future which holds one is, as tokio's are.
    pub(crate) struct Waiting<'a> {
        registration: &'a Registration,
        wait: Wait,
        place: Option<Place>,
        #[pin]
        pinned: PhantomPinned,
    }

    impl PinnedDrop for Waiting<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.registration.leave(this.place);
        }
    }
}

impl<'a> Waiting<'a> {
    /// Has not begun.
    pub(crate) fn new(registration: &'a Registration, wait: Wait) -> Self {
        Self {
            registration,
            wait,
            place: None,
            pinned: PhantomPinned,
        }
    }

    /// Waits until an operation is worth a try.
    pub(crate) fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Seen>> {
        let this = self.project();
        this.registration
            .poll_ready(cx, this.wait, Some(this.place))
    }

    /// Waits until `attempt` does not block.
    pub(crate) fn poll_io<R>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        attempt: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let this = self.project();
        this.registration
            .poll_io(cx, this.wait, Some(this.place), attempt, |_| false)
    }
}

impl fmt::Debug for Waiting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
