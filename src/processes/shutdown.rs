//! The three ways to end a pool, and waiting for its end.
//!
//! Read next: `processes/map.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::parts::block_on::block_on;
use crate::parts::wait_site::{WaitSite, poll_leaf};
use crate::processes::after::Evidence;
use crate::processes::core::Core;
use crate::processes::events::{Event, Mode};
use crate::processes::pending::refuse_in_executor;

/// How a pool ends. In each case jobs that are submitted later give
/// [`JobError::PoolClosed`](crate::processes::JobError::PoolClosed).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shutdown(How);

/// The three ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Drain(Duration),
    CancelQueued,
    Now,
}

#[allow(non_upper_case_globals, reason = "they read as the ways of an enum")]
impl Shutdown {
    /// Queued jobs are cancelled, running ones finish.
    pub const cancel_queued: Self = Self(How::CancelQueued);
    /// All workers are killed; jobs without a result give `PoolClosed`.
    pub const now: Self = Self(How::Now);

    /// All accepted jobs finish; what is not finished after `limit` ends as by [`now`](Self::now).
    #[must_use]
    pub fn drain(limit: Duration) -> Self {
        Self(How::Drain(limit))
    }
}

pin_project! {
    /// The future of [`ProcessPool::shutdown`](crate::processes::ProcessPool::shutdown): ready when
    /// no worker is left.
    ///
    /// # Cancel safety
    ///
    /// The shutdown begins at the first poll, and goes on when the future is dropped.
    ///
    /// ```standalone_crate
    /// use trefoil::processes::{self, ProcessPool, Shutdown};
    ///
    /// fn main() {
    ///     processes::init(|r| r);
    ///     let pool = ProcessPool::builder().workers(1).build().unwrap();
    ///     pool.shutdown(Shutdown::cancel_queued).wait();
    /// }
    /// ```
    #[must_use = "futures do nothing unless they are awaited; outside of a runtime call wait()"]
    pub struct ShuttingDown {
        core: Arc<Core>,
        how: Shutdown,
        begun: bool,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl ShuttingDown {
    /// Nothing has happened yet.
    pub(crate) fn new(
        core: Arc<Core>,
        how: Shutdown,
        called_at: &'static Location<'static>,
    ) -> Self {
        Self {
            core,
            how,
            begun: false,
            called_at,
            _pinned: PhantomPinned,
        }
    }

    /// Blocks this thread until no worker is left.
    ///
    /// # Panics
    ///
    /// In a task or in `block_on`: await it there.
    #[track_caller]
    pub fn wait(self) {
        refuse_in_executor("wait");
        block_on(self);
    }
}

impl Future for ShuttingDown {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        poll_leaf(cx, WaitSite::job(this.called_at), |cx| {
            let first = !std::mem::replace(this.begun, true);
            // Not under the lock: cloning and dropping a waker is foreign code.
            let mut waker = Some(cx.waker().clone());
            let over = this.core.visit(|visit| {
                if first {
                    let mode = match this.how.0 {
                        How::Drain(limit) => Mode::Drain(Instant::now().checked_add(limit)),
                        How::CancelQueued => Mode::CancelQueued,
                        How::Now => Mode::Now,
                    };
                    visit.feed(Event::Shutdown(mode), Evidence::None);
                }
                visit.wait_for_end(&mut waker)
            });
            if over { Poll::Ready(()) } else { Poll::Pending }
        })
    }
}

impl fmt::Debug for ShuttingDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShuttingDown")
            .field("how", &self.how)
            .finish_non_exhaustive()
    }
}
