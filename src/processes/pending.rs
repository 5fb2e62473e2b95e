//! `Pending`: a job's result, awaited or waited for.
//!
//! ```text
//!   Unsent ── room in the queue, at the first poll that finds it ──► Sent ──► outcome, decoded
//!     │ dropped: the job never runs                                    │ dropped: it runs all the
//!     ▼                                                                ▼ same, unheard
//!    gone                                                             gone
//! ```
//!
//! The methods are those of the thread pool's `Pending`. Here `cancel` ends a running job, too: its
//! worker is killed.
//! The result is decoded by whoever polls, so a large one does not hold up the driver.
//! Read next: `processes/pool.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use crate::parts::block_on::{block_on, block_on_until, in_executor};
use crate::parts::outcome::Reader;
use crate::parts::slab::Key;
use crate::parts::wait_site::{WaitSite, poll_leaf};
use crate::processes::after::Evidence;
use crate::processes::core::Core;
use crate::processes::error::JobError;
use crate::processes::events::{Event, Terms};
use crate::processes::parcel::{Answer, Parcel};
use crate::processes::wire;

/// A job that has no place in the queue yet.
pub(crate) struct Unsent {
    pub(crate) parcel: Parcel,
    pub(crate) terms: Terms,
    /// It is not to be sent any more: a flag, nothing else depends on it.
    pub(crate) cancelled: AtomicBool,
}

/// The states of the drawing.
pub(crate) enum Stage {
    /// Waits for room.
    Unsent(Box<Unsent>),
    /// In the pool, under this number.
    Sent(Key),
    /// It failed before it could be sent.
    Failed(JobError),
    /// The outcome was given.
    Given,
}

/// How the bytes of a result become a value.
type Decode<R> = fn(&[u8]) -> Result<R, String>;

/// A job that was submitted to a [`ProcessPool`](crate::processes::ProcessPool): a future of its
/// result.
///
/// Dropping it does not end the job; [`cancel`](Self::cancel) and
/// [`cancel_on_drop`](Self::cancel_on_drop) do.
///
/// # Cancel safety
///
/// A `&mut Pending` may be awaited, dropped and awaited again.
#[must_use = "a job's result is in its Pending; call `detach` if nobody wants it"]
pub struct Pending<R> {
    core: Arc<Core>,
    reader: Reader<Answer>,
    stage: Stage,
    decode: Decode<R>,
    /// The line that submitted the job.
    called_at: &'static Location<'static>,
    _result: PhantomData<fn() -> R>,
}

impl<R> Pending<R> {
    /// The pending result of a job that is in the queue, or is to get there.
    pub(crate) fn new(
        core: Arc<Core>,
        reader: Reader<Answer>,
        stage: Stage,
        decode: Decode<R>,
        called_at: &'static Location<'static>,
    ) -> Self {
        Self {
            core,
            reader,
            stage,
            decode,
            called_at,
            _result: PhantomData,
        }
    }

    /// True when the outcome is there, and awaiting would not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        match &self.stage {
            Stage::Sent(_) => self.reader.has_value(),
            Stage::Unsent(_) => false,
            Stage::Failed(_) | Stage::Given => true,
        }
    }

    /// Ends the job: one that waits never starts, one that runs loses its worker, and the worker's
    /// whole process group with it.
    ///
    /// True: from now on the outcome is [`JobError::Cancelled`]. False: the outcome was there
    /// already.
    pub fn cancel(&self) -> bool {
        match &self.stage {
            Stage::Sent(job) => self
                .core
                .visit(|visit| visit.feed(Event::Cancel(*job), Evidence::None)),
            // Without `&mut self` the job stays where it is; it is refused at its first poll.
            Stage::Unsent(unsent) => !unsent.cancelled.swap(true, Ordering::Relaxed),
            Stage::Failed(_) | Stage::Given => false,
        }
    }

    /// [`cancel`](Self::cancel), under tokio's name.
    pub fn abort(&self) {
        self.cancel();
    }

    /// True while it waits for room in the queue.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(self.stage, Stage::Unsent(_))
    }

    /// Lets the job run with nobody to hear of it.
    pub fn detach(self) {
        drop(self);
    }

    /// A guard with the same methods, whose drop cancels the job.
    pub fn cancel_on_drop(self) -> CancelOnDrop<R> {
        CancelOnDrop { pending: self }
    }

    /// Sends an unsent job, if there is room now. Ready when it is sent, or has failed.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Stage::Unsent(unsent) = std::mem::replace(&mut self.stage, Stage::Given) else {
            unreachable!("the caller has looked");
        };
        let Unsent {
            parcel,
            terms,
            cancelled,
        } = *unsent;
        if cancelled.load(Ordering::Relaxed) {
            self.stage = Stage::Failed(JobError::Cancelled);
            return Poll::Ready(());
        }
        match self.core.submit_or_wait(parcel, terms, cx) {
            Ok(key) => {
                self.stage = Stage::Sent(key.unwrap_or(Key::NONE));
                Poll::Ready(())
            }
            Err(parcel) => {
                self.stage = Stage::Unsent(Box::new(Unsent {
                    parcel,
                    terms,
                    cancelled,
                }));
                Poll::Pending
            }
        }
    }

    /// The outcome.
    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<R, JobError>> {
        if matches!(self.stage, Stage::Unsent(_)) {
            ready!(self.poll_send(cx));
        }
        match std::mem::replace(&mut self.stage, Stage::Given) {
            Stage::Failed(error) => Poll::Ready(Err(error)),
            Stage::Sent(key) => match self.reader.poll_take(cx) {
                Poll::Ready(Ok(answer)) => {
                    Poll::Ready(answer.and_then(|payload| payload.open(self.decode)))
                }
                // The pool dropped the job without a word: it has ended.
                Poll::Ready(Err(_)) => Poll::Ready(Err(JobError::PoolClosed)),
                Poll::Pending => {
                    self.stage = Stage::Sent(key);
                    Poll::Pending
                }
            },
            Stage::Given | Stage::Unsent(_) => {
                panic!(
                    "processes::Pending: polled after it gave its result; keep the result instead"
                )
            }
        }
    }

    /// Blocks this thread until the result is there.
    ///
    /// # Errors
    ///
    /// Why there is none.
    ///
    /// # Panics
    ///
    /// In a task or in `block_on`: await it there.
    #[track_caller]
    pub fn wait(self) -> Result<R, JobError> {
        refuse_in_executor("wait");
        block_on(self)
    }

    /// Blocks this thread until the result is there, but at most for `limit`.
    ///
    /// `None`: the time is up; the job goes on, and can be waited for again.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    #[track_caller]
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<R, JobError>> {
        refuse_in_executor("wait_timeout");
        // A moment that the clock cannot express never comes.
        block_on_until(self, Instant::now().checked_add(limit))
    }
}

/// Panics on a thread that is polling tasks.
#[track_caller]
pub(crate) fn refuse_in_executor(what: &str) {
    assert!(
        !in_executor(),
        "processes::Pending::{what}: inside a task or block_on. Cannot block the current thread \
         there; await it instead"
    );
}

impl<R> Unpin for Pending<R> {}

impl<R> Future for Pending<R> {
    type Output = Result<R, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let site = WaitSite {
            resource: self.reader.address(),
            ..WaitSite::job(self.called_at)
        };
        poll_leaf(cx, site, |cx| self.poll_outcome(cx))
    }
}

/// The decoder of a value.
pub(crate) fn decoder<R: DeserializeOwned>() -> Decode<R> {
    |bytes| wire::decode(bytes)
}

impl<R> fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("submitted", &self.called_at)
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// A [`Pending`] whose drop cancels the job.
#[must_use = "dropping it cancels the job"]
#[derive(Debug)]
pub struct CancelOnDrop<R> {
    pending: Pending<R>,
}

impl<R> CancelOnDrop<R> {
    /// [`Pending::wait`].
    ///
    /// # Errors
    ///
    /// Why there is no result.
    ///
    /// # Panics
    ///
    /// As [`Pending::wait`].
    #[track_caller]
    pub fn wait(mut self) -> Result<R, JobError> {
        refuse_in_executor("wait");
        block_on(&mut self.pending)
    }

    /// [`Pending::wait_timeout`].
    ///
    /// # Panics
    ///
    /// As [`Pending::wait`].
    #[track_caller]
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<R, JobError>> {
        self.pending.wait_timeout(limit)
    }
}

impl<R> Deref for CancelOnDrop<R> {
    type Target = Pending<R>;

    fn deref(&self) -> &Pending<R> {
        &self.pending
    }
}

impl<R> Future for CancelOnDrop<R> {
    type Output = Result<R, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.pending).poll(cx)
    }
}

impl<R> Drop for CancelOnDrop<R> {
    fn drop(&mut self) {
        self.pending.cancel();
    }
}
