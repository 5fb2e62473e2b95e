//! `yield_now`: step back to the end of the queue once.
//!
//! The task is not woken in the usual sense: a thread-local flag tells the poll loop to push it
//! behind everything else (`task/raw.rs`). No locked operation; a wake would cost two.
//! Read next: `runtime/current_thread.rs`, where stepped-back tasks wait.

#![forbid(unsafe_code)]

use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::parts::wait_site::{self, Kind};
use crate::task::header;

/// Lets the other tasks of this thread run before it goes on.
///
/// The task goes behind everything that can run now, and behind a look at sockets and timers when
/// one is due.
///
/// # Cancel safety
///
/// Nothing is lost when the future is dropped.
///
/// ```
/// # let rt = trefoil::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let other = trefoil::spawn(async { 1 });
/// trefoil::task::yield_now().await;
/// assert!(other.is_finished());
/// # });
/// ```
#[track_caller]
pub fn yield_now() -> YieldNow {
    YieldNow {
        yielded: false,
        location: Location::caller(),
        _pinned: PhantomPinned,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`yield_now`]: Pending once.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct YieldNow {
        yielded: bool,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl Future for YieldNow {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if std::mem::replace(this.yielded, true) {
            return Poll::Ready(());
        }
        if !header::step_back(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        wait_site::leave(Kind::Yield, this.location, 0);
        Poll::Pending
    }
}
