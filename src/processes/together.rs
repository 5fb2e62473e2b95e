//! Several jobs at once: `as_completed` and `wait`, as in Python's `concurrent.futures`.
//!
//! ```text
//!   handle 0 ── its waker ──┐
//!   handle 1 ── its waker ──┼──► numbers of those that were woken ──► only these are polled
//!   handle 2 ── its waker ──┘
//! ```
//!
//! Why not poll all of them at each wake: for n jobs that would be n² polls.
//! Read next: `processes/external.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use futures_task::{ArcWake, waker_ref};
use pin_project_lite::pin_project;

use crate::parts::block_on::{block_on, block_on_until};
use crate::parts::budget;
use crate::parts::wait_site::{WaitSite, poll_leaf};
use crate::processes::error::JobError;
use crate::processes::mailbox::Mailbox;
use crate::processes::pending::{Pending, refuse_in_executor};

/// The numbers of handles whose waker was woken: to be polled.
type Woken = Mailbox<usize>;

/// The waker of one handle.
struct Bell {
    woken: Arc<Woken>,
    number: usize,
}

impl ArcWake for Bell {
    fn wake_by_ref(this: &Arc<Self>) {
        this.woken.put(this.number);
    }
}

/// One handle, until its outcome is given.
struct Slot<R> {
    pending: Option<Pending<R>>,
    bell: Arc<Bell>,
}

/// The outcomes of several jobs, in the order in which they come; see [`as_completed`].
#[must_use = "it does nothing unless its results are taken"]
pub struct AsCompleted<R> {
    slots: Vec<Slot<R>>,
    woken: Arc<Woken>,
    left: usize,
}

/// Gives the outcomes of `handles` as they come, each with the handle's place in `handles`.
///
/// ```standalone_crate
/// use trefoil::processes::{self, ProcessPool, as_completed};
///
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// fn main() {
///     processes::init(|r| r.job(square));
///     let pool = ProcessPool::builder().workers(2).build().unwrap();
///     let mut done = as_completed((0..10).map(|x| pool.submit(square, x)));
///     let mut sum = 0;
///     while let Some((_place, result)) = done.next_blocking() {
///         sum += result.unwrap();
///     }
///     assert_eq!(sum, 285);
/// }
/// ```
pub fn as_completed<R>(handles: impl IntoIterator<Item = Pending<R>>) -> AsCompleted<R> {
    let handles: Vec<_> = handles.into_iter().collect();
    let left = handles.len();
    // Each is polled once at first.
    let woken = Arc::new(Woken::new(0..left));
    let slots: Vec<_> = handles
        .into_iter()
        .enumerate()
        .map(|(number, pending)| Slot {
            pending: Some(pending),
            bell: Arc::new(Bell {
                woken: Arc::clone(&woken),
                number,
            }),
        })
        .collect();
    AsCompleted { slots, woken, left }
}

impl<R> AsCompleted<R> {
    /// The next outcome.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(usize, Result<R, JobError>)>> {
        while self.left > 0 {
            let number = ready!(self.woken.poll_take(cx));
            let slot = &mut self.slots[number];
            let Some(pending) = &mut slot.pending else {
                continue;
            };
            let waker = waker_ref(&slot.bell);
            // The whole counts as one step of the task, not each handle that is looked at.
            let poll =
                budget::unlimited(|| Pin::new(pending).poll(&mut Context::from_waker(&waker)));
            if let Poll::Ready(outcome) = poll {
                slot.pending = None;
                self.left -= 1;
                return Poll::Ready(Some((number, outcome)));
            }
        }
        Poll::Ready(None)
    }

    /// Waits for the next outcome; `None` after the last.
    ///
    /// # Cancel safety
    ///
    /// No outcome is lost when the future is dropped.
    #[track_caller]
    #[allow(
        clippy::should_implement_trait,
        reason = "awaited; an iterator's would block"
    )]
    pub fn next(&mut self) -> NextCompleted<'_, R> {
        NextCompleted {
            all: self,
            called_at: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// As [`next`](Self::next), blocking this thread.
    ///
    /// # Panics
    ///
    /// In a task or in `block_on`: await `next` there.
    #[track_caller]
    pub fn next_blocking(&mut self) -> Option<(usize, Result<R, JobError>)> {
        refuse_in_executor("next_blocking");
        block_on(self.next())
    }

    /// The handles whose outcome was not given, with their places.
    pub fn into_rest(self) -> Vec<(usize, Pending<R>)> {
        let slots = self.slots.into_iter().enumerate();
        slots
            .filter_map(|(number, slot)| Some((number, slot.pending?)))
            .collect()
    }
}

pin_project! {
    /// The future of [`AsCompleted::next`].
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct NextCompleted<'a, R> {
        all: &'a mut AsCompleted<R>,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<R> Future for NextCompleted<'_, R> {
    type Output = Option<(usize, Result<R, JobError>)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let site = WaitSite::job(this.called_at);
        poll_leaf(cx, site, |cx| this.all.poll_next(cx))
    }
}

/// When [`wait`] has waited enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Until {
    /// One has an outcome.
    First,
    /// One has failed, or all have an outcome.
    FirstError,
    /// All have an outcome.
    All,
}

/// What [`wait`] found; places are those in its argument.
#[derive(Debug)]
pub struct Waited<R> {
    /// Those with an outcome.
    pub done: Vec<(usize, Result<R, JobError>)>,
    /// The others, which go on.
    pub not_done: Vec<(usize, Pending<R>)>,
}

/// Waits for some of `handles`, blocking this thread; at most for `limit`, if there is one.
///
/// What has an outcome already is always among the done, also with a limit of 0. In a task use
/// [`as_completed`], with [`timeout`](crate::time::timeout) where there is a limit.
///
/// # Panics
///
/// In a task or in `block_on`.
///
/// ```standalone_crate
/// use trefoil::processes::{self, ProcessPool, Until, wait};
///
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// fn main() {
///     processes::init(|r| r.job(square));
///     let pool = ProcessPool::builder().workers(2).build().unwrap();
///     let waited = wait((0..10).map(|x| pool.submit(square, x)), Until::All, None);
///     assert_eq!((waited.done.len(), waited.not_done.len()), (10, 0));
/// }
/// ```
#[track_caller]
pub fn wait<R>(
    handles: impl IntoIterator<Item = Pending<R>>,
    until: Until,
    limit: Option<Duration>,
) -> Waited<R> {
    refuse_in_executor("wait");
    let mut all = as_completed(handles);
    let mut done: Vec<(usize, Result<R, JobError>)> = Vec::new();
    let ends = |outcome: &Result<R, JobError>| match until {
        Until::First => true,
        Until::FirstError => outcome.is_err(),
        Until::All => false,
    };
    let waiting = std::future::poll_fn(|cx| {
        loop {
            match all.poll_next(cx) {
                // What is there already comes along: it costs no waiting.
                Poll::Ready(Some(outcome)) => done.push(outcome),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending if done.iter().any(|(_, d)| ends(d)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    // A moment that the clock cannot express never comes.
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    _ = block_on_until(waiting, end);
    Waited {
        done,
        not_done: all.into_rest(),
    }
}

impl<R> fmt::Debug for AsCompleted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompleted")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for NextCompleted<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextCompleted")
            .field("all", &self.all)
            .finish_non_exhaustive()
    }
}
