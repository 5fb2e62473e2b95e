//! Progress: what a job tells while it runs.
//!
//! ```text
//!   job: report(&percent) ──► EVENT frame ──► Events::next().await, in order, all before the result
//! ```
//!
//! Read next: `processes/stream.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::parts::block_on::block_on;
use crate::parts::wait_site::{WaitSite, poll_leaf};
use crate::processes::feed::{Fed, Feed};
use crate::processes::frame;
use crate::processes::line::outlet;
use crate::processes::pending::{Pending, refuse_in_executor};
use crate::processes::pool::Job;
use crate::processes::wire;

/// Tells the program how far the job is that runs in this worker; any thread of it may.
///
/// False when nobody can be told: this process is no worker, no job runs, or the value cannot be
/// encoded.
///
/// ```standalone_crate
/// use trefoil::processes::{self, ProcessPool};
///
/// fn count(to: u32) {
///     for i in 0..to {
///         processes::report(&i);
///     }
/// }
///
/// fn main() {
///     processes::init(|r| r.job(count));
///     let pool = ProcessPool::builder().workers(1).build().unwrap();
///     let (job, mut events) = pool.job(count, 3).submit_with_events::<u32>();
///     let mut seen = Vec::new();
///     while let Some(i) = events.next_blocking() {
///         seen.push(i);
///     }
///     job.wait().unwrap();
///     assert_eq!(seen, [0, 1, 2]);
/// }
/// ```
pub fn report<E: Serialize + ?Sized>(event: &E) -> bool {
    let mut bytes = Vec::new();
    let Some(outlet) = outlet() else { return false };
    wire::encode(event, &mut bytes).is_ok() && outlet.put_for_job(frame::Kind::Event, 0, &bytes)
}

impl<R> Job<'_, R> {
    /// Submits it, and listens to what it [`report`]s.
    ///
    /// What cannot be decoded as an `E` is left out.
    pub fn submit_with_events<E: DeserializeOwned>(self) -> (Pending<R>, Events<E>) {
        self.listen(|bytes| wire::decode(bytes))
    }

    /// Submits a job of an external worker, and listens to its events, which are bytes.
    pub fn submit_with_raw_events(self) -> (Pending<R>, Events<Vec<u8>>) {
        self.listen(|bytes| Ok(bytes.to_vec()))
    }

    /// Both of the above.
    fn listen<E>(mut self, decode: Decode<E>) -> (Pending<R>, Events<E>) {
        let feed = Feed::new();
        self.set_events(feed.clone());
        (self.submit(), Events { feed, decode })
    }
}

/// How the bytes of an event become a value.
type Decode<E> = fn(&[u8]) -> Result<E, String>;

/// The progress of one job, in order.
pub struct Events<E> {
    feed: Arc<Feed>,
    decode: Decode<E>,
}

impl<E> Events<E> {
    /// Waits for the next event; `None` when the job has ended.
    ///
    /// # Cancel safety
    ///
    /// No event is lost when the future is dropped.
    #[track_caller]
    #[allow(
        clippy::should_implement_trait,
        reason = "awaited; an iterator's would block"
    )]
    pub fn next(&mut self) -> NextEvent<'_, E> {
        NextEvent {
            events: self,
            called_at: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// The next event that can be decoded.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<E>> {
        loop {
            match ready!(self.feed.poll_next(cx)) {
                Fed::Item(message) => {
                    if let Ok(event) = (self.decode)(&message.payload) {
                        return Poll::Ready(Some(event));
                    }
                }
                Fed::End(_) => {}
                Fed::Over => return Poll::Ready(None),
            }
        }
    }

    /// As [`next`](Self::next), blocking this thread.
    ///
    /// # Panics
    ///
    /// In a task or in `block_on`: await `next` there.
    #[track_caller]
    pub fn next_blocking(&mut self) -> Option<E> {
        refuse_in_executor("next_blocking");
        block_on(self.next())
    }
}

impl<E> fmt::Debug for Events<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`Events::next`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct NextEvent<'a, E> {
        events: &'a mut Events<E>,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<E> Future for NextEvent<'_, E> {
    type Output = Option<E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<E>> {
        let this = self.project();
        let site = WaitSite::job(this.called_at);
        poll_leaf(cx, site, |cx| this.events.poll_next(cx))
    }
}

impl<E> fmt::Debug for NextEvent<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextEvent").finish_non_exhaustive()
    }
}
