//! `timeout` and `timeout_at`: a future that has only so much time.
//!
//! A poll asks the future first and the clock second, so a future that is ready is never lost to
//! a deadline of zero. One that never is ready but spends the task's whole budget must not
//! outlive its time either: then the sleep is polled without a budget.
//!
//! When both are pending the mark of the *inner* future stays (`parts/wait_site.rs`): a dump
//! says what the task waits for, not that it waits with a time-out.
//! Read next: `time/interval.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::{Future, IntoFuture};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::parts::budget;
use crate::parts::wait_site;
use crate::time::clock::Instant;
use crate::time::error::Elapsed;
use crate::time::sleep::{self, Sleep};

/// Gives `future` no more than `duration` from now on.
///
/// The future is polled first: one that is ready gives its output even if no time is left. When
/// the time is over, the future is dropped together with the `Timeout`. As exact as
/// [`sleep`](crate::time::sleep()).
///
/// # Errors
///
/// [`Elapsed`] when the time was over first.
///
/// # Panics
///
/// As [`sleep`](crate::time::sleep()) does.
///
/// # Cancel safety
///
/// That of `future`: it is dropped with this one.
///
/// # Examples
///
/// ```
/// use trefoil::time::{Duration, timeout};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// assert_eq!(timeout(Duration::ZERO, async { 1 }).await, Ok(1));
/// let never = std::future::pending::<()>();
/// assert!(timeout(Duration::from_millis(1), never).await.is_err());
/// # });
/// ```
#[track_caller]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    let (home, now) = sleep::clocked("timeout");
    let sleep = Sleep::new(home, now.add_clamped(duration), now, Location::caller());
    Timeout {
        future: future.into_future(),
        sleep,
    }
}

/// Gives `future` time until `deadline`.
///
/// Like [`timeout`] otherwise.
///
/// # Errors
///
/// [`Elapsed`] when the deadline came first.
///
/// # Panics
///
/// As [`sleep`](crate::time::sleep()) does.
///
/// # Cancel safety
///
/// That of `future`: it is dropped with this one.
///
/// # Examples
///
/// ```
/// use trefoil::time::{Duration, Instant, timeout_at};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// let deadline = Instant::now() + Duration::from_millis(1);
/// // Two steps share one deadline.
/// assert!(timeout_at(deadline, async {}).await.is_ok());
/// assert!(timeout_at(deadline, std::future::pending::<()>()).await.is_err());
/// # });
/// ```
#[track_caller]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    let (home, now) = sleep::clocked("timeout_at");
    let sleep = Sleep::new(home, deadline, now, Location::caller());
    Timeout {
        future: future.into_future(),
        sleep,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct Timeout<F> {
        #[pin]
        future: F,
        #[pin]
        sleep: Sleep,
    }
}

impl<F> Timeout<F> {
    /// The future inside.
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future inside, to change it.
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// The future alone, without its limit.
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let had_budget = budget::has_remaining();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let mark = wait_site::take();
        // The future has spent everything: without this a greedy one would put its own end off
        // at each poll.
        let spent_all = had_budget && !budget::has_remaining();
        let slept = if spent_all {
            budget::unlimited(|| this.sleep.poll(cx))
        } else {
            this.sleep.poll(cx)
        };
        if slept.is_ready() {
            return Poll::Ready(Err(Elapsed::new()));
        }
        if let Some(mark) = mark {
            wait_site::leave(mark.kind, mark.location, mark.resource);
        }
        Poll::Pending
    }
}

impl<F: fmt::Debug> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("future", &self.future)
            .field("deadline", &self.sleep.deadline())
            .finish()
    }
}
