//! Waiting for a token to be cancelled, and running a future until it is.
//!
//! Each takes its place at the token's notify when it is made, and looks at the flag at each poll.
//! Cancelled before the place was taken: the flag tells. After: the notify does.
//! Why not a `Notified` inside: it would spend a budget of its own and needs a self-reference in
//! the owned forms.
//! Read next: `sync/oneshot.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::budget;
use crate::parts::wait_site::{self, Kind};
use crate::sync::cancellation_token::CancellationToken;
use crate::sync::notified::Place;

impl CancellationToken {
    /// Waits until the token is cancelled.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: cancelled is cancelled.
    #[track_caller]
    pub fn cancelled(&self) -> WaitForCancellationFuture<'_> {
        WaitForCancellationFuture {
            place: self.node().notify.place(),
            token: self,
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Waits until the token is cancelled, with a future that owns its handle.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: cancelled is cancelled.
    #[track_caller]
    pub fn cancelled_owned(self) -> WaitForCancellationFutureOwned {
        WaitForCancellationFutureOwned {
            place: self.node().notify.place(),
            token: self,
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Runs `future` until it is done (`Some`) or the token is cancelled (`None`).
    ///
    /// A token that is cancelled at the first poll gives `None` without polling the future. Later,
    /// when both happen at once, the future's output is what counts.
    ///
    /// # Cancel safety
    ///
    /// As `future`, which is dropped with this one.
    ///
    /// # Examples
    ///
    /// ```
    /// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use trefoil::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// assert_eq!(token.run_until_cancelled(async { 1 }).await, Some(1));
    /// token.cancel();
    /// assert_eq!(token.run_until_cancelled(async { 1 }).await, None);
    /// # });
    /// ```
    pub fn run_until_cancelled<F: Future>(&self, future: F) -> RunUntilCancelledFuture<'_, F> {
        RunUntilCancelledFuture {
            place: self.node().notify.place(),
            token: self,
            polled: false,
            future,
        }
    }

    /// The same as [`run_until_cancelled`](Self::run_until_cancelled), with a future that owns its
    /// handle.
    ///
    /// # Cancel safety
    ///
    /// As `future`, which is dropped with this one.
    pub fn run_until_cancelled_owned<F: Future>(
        self,
        future: F,
    ) -> RunUntilCancelledFutureOwned<F> {
        RunUntilCancelledFutureOwned {
            place: self.node().notify.place(),
            token: self,
            polled: false,
            future,
        }
    }

    /// True when it is cancelled; else the waiter is in line.
    fn poll_cancelled(&self, place: &mut Place, cx: &mut Context<'_>) -> bool {
        let waker = Some(cx.waker());
        self.is_cancelled() || self.node().notify.poll_place(place, waker).is_ready()
    }

    /// The same for a future that is a leaf: spends budget, leaves the wait site.
    fn poll_leaf(
        &self,
        place: &mut Place,
        location: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if let Poll::Ready(spent) = budget::spend(cx)
            && self.poll_cancelled(place, cx)
        {
            spent.made_progress();
            return Poll::Ready(());
        }
        let address = std::ptr::from_ref(self.node()).addr();
        wait_site::leave(Kind::Notify, location, address as u64);
        Poll::Pending
    }

    /// One poll of the two `run_until_cancelled`.
    fn poll_run<F: Future>(
        &self,
        polled: &mut bool,
        future: Pin<&mut F>,
        place: &mut Place,
        cx: &mut Context<'_>,
    ) -> Poll<Option<F::Output>> {
        if !std::mem::replace(polled, true) && self.is_cancelled() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(output) = future.poll(cx) {
            return Poll::Ready(Some(output));
        }
        // No wait site: the one that the future left says more.
        if self.poll_cancelled(place, cx) {
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

pin_project! {
    /// The future of [`CancellationToken::cancelled`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct WaitForCancellationFuture<'a> {
        // What it waits for.
        token: &'a CancellationToken,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, so that a node of the line could move in here one day.
        #[pin]
        pinned: PhantomPinned,
    }

    impl PinnedDrop for WaitForCancellationFuture<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.token.node().notify.give_up(this.place);
        }
    }
}

impl Future for WaitForCancellationFuture<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.token.poll_leaf(this.place, this.location, cx)
    }
}

pin_project! {
    /// The future of [`CancellationToken::cancelled_owned`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct WaitForCancellationFutureOwned {
        // What it waits for.
        token: CancellationToken,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, as the borrowed one.
        #[pin]
        pinned: PhantomPinned,
    }

    impl PinnedDrop for WaitForCancellationFutureOwned {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.token.node().notify.give_up(this.place);
        }
    }
}

impl Future for WaitForCancellationFutureOwned {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.token.poll_leaf(this.place, this.location, cx)
    }
}

pin_project! {
    /// The future of [`CancellationToken::run_until_cancelled`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunUntilCancelledFuture<'a, F: Future> {
        // What ends it early.
        token: &'a CancellationToken,
        // Where it stands in line.
        place: Place,
        // Polled once, so the token was looked at first.
        polled: bool,
        // What runs.
        #[pin]
        future: F,
    }

    impl<F: Future> PinnedDrop for RunUntilCancelledFuture<'_, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.token.node().notify.give_up(this.place);
        }
    }
}

impl<F: Future> Future for RunUntilCancelledFuture<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.token
            .poll_run(this.polled, this.future, this.place, cx)
    }
}

pin_project! {
    /// The future of [`CancellationToken::run_until_cancelled_owned`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct RunUntilCancelledFutureOwned<F: Future> {
        // What ends it early.
        token: CancellationToken,
        // Where it stands in line.
        place: Place,
        // Polled once, so the token was looked at first.
        polled: bool,
        // What runs.
        #[pin]
        future: F,
    }

    impl<F: Future> PinnedDrop for RunUntilCancelledFutureOwned<F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.token.node().notify.give_up(this.place);
        }
    }
}

impl<F: Future> Future for RunUntilCancelledFutureOwned<F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.token
            .poll_run(this.polled, this.future, this.place, cx)
    }
}

impl fmt::Debug for WaitForCancellationFuture<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitForCancellationFuture")
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for WaitForCancellationFutureOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitForCancellationFutureOwned")
            .finish_non_exhaustive()
    }
}

impl<F: Future> fmt::Debug for RunUntilCancelledFuture<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunUntilCancelledFuture")
            .finish_non_exhaustive()
    }
}

impl<F: Future> fmt::Debug for RunUntilCancelledFutureOwned<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunUntilCancelledFutureOwned")
            .finish_non_exhaustive()
    }
}
