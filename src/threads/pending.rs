//! `Pending`: the result of a submitted job, to be awaited or waited for.
//!
//! ```text
//!   .await                the outcome's writer wakes the task
//!   wait, wait_timeout    on a worker: it works on for its pool until the outcome is there
//!                         elsewhere: the thread parks
//!   drop                  the job goes on; a CancelOnDrop cancels it, if it has not begun
//! ```
//!
//! No thread is held for a job that is awaited, and nothing polls.
//! Read next: `threads/submit.rs`.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures_task::{ArcWake, waker};

use crate::parts::block_on::{block_on_until, in_executor};
use crate::parts::outcome::{NoAnswer, Reader, Taken};
use crate::parts::wait_site::{Kind, WaitSite, poll_leaf};
use crate::threads::job_error::JobError;
use crate::threads::ticket::{Outcome, Ticket};
use crate::threads::visit::Waiter;
use crate::threads::worker::{Goal, Worker, with_current};

/// The outcome of a job that was given to [`submit`](crate::threads::submit): a future.
///
/// Its output is what the closure returned, or why there is nothing. The job runs whether or not
/// anybody awaits it; a `Pending` that is dropped lets it go on, and its result is dropped where
/// it was made. [`cancel_on_drop`](Self::cancel_on_drop) makes the drop cancel.
///
/// # Errors
///
/// [`JobError::Panicked`] with what the closure panicked with, [`JobError::Cancelled`] if it was
/// cancelled before it began.
///
/// # Panics
///
/// When it is polled or waited for after it gave its outcome.
///
/// # Cancel safety
///
/// Safe: what has not been taken out stays. In `select!` give it as `&mut pending`.
///
/// # Examples
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let sum = trefoil::threads::submit(|| (1..=100).sum::<u32>());
/// // Other tasks of this thread run meanwhile.
/// assert_eq!(sum.await.unwrap(), 5050);
/// # });
/// ```
#[must_use = "dropped, it lets the job go on alone; use threads::spawn if that is what you want"]
pub struct Pending<T> {
    reader: Reader<Outcome<T>>,
    ticket: Ticket,
    /// True in a [`CancelOnDrop`].
    cancels: bool,
    /// Where the job was submitted.
    submitted_at: &'static Location<'static>,
}

impl<T> Pending<T> {
    /// For a job that is being submitted at `submitted_at`.
    pub(crate) fn new(
        reader: Reader<Outcome<T>>,
        ticket: Ticket,
        submitted_at: &'static Location<'static>,
    ) -> Self {
        Self {
            reader,
            ticket,
            cancels: false,
            submitted_at,
        }
    }

    /// Blocks this thread until the outcome is there.
    ///
    /// A worker of a pool, of whichever one, does not just wait: it runs its own pool's jobs
    /// meanwhile.
    ///
    /// # Errors
    ///
    /// As for the future: the job panicked, or it was cancelled.
    ///
    /// # Panics
    ///
    /// On a thread that is polling a task or a `block_on`: other tasks could not run. Await it
    /// there. And after the outcome was given to
    /// [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Examples
    ///
    /// ```
    /// let job = trefoil::threads::submit(|| "leaf".len());
    /// assert_eq!(job.wait().unwrap(), 4);
    /// ```
    #[track_caller]
    pub fn wait(mut self) -> Result<T, JobError> {
        match self.wait_until("Pending::wait", None) {
            Some(outcome) => outcome,
            None => unreachable!("Pending::wait: there was no end to its time"),
        }
    }

    /// Blocks this thread until the outcome is there, for at most `limit`. `None`: the time is
    /// up, and the job goes on.
    ///
    /// A worker of a pool runs its own pool's jobs meanwhile; it looks at the clock between two of
    /// them, so it may come back late.
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let (go, gate) = std::sync::mpsc::channel::<()>();
    /// let mut job = trefoil::threads::submit(move || gate.recv());
    /// assert!(job.wait_timeout(Duration::from_millis(1)).is_none());
    /// go.send(()).unwrap();
    /// assert!(job.wait().is_ok());
    /// ```
    #[track_caller]
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<T, JobError>> {
        // A moment that the clock cannot express never comes.
        self.wait_until("Pending::wait_timeout", Instant::now().checked_add(limit))
    }

    /// True when the outcome is there, or has been given.
    ///
    /// ```
    /// let mut job = trefoil::threads::submit(|| 5);
    /// while !job.is_finished() {
    ///     std::thread::yield_now();
    /// }
    /// assert!(job.wait_timeout(std::time::Duration::ZERO).is_some());
    /// ```
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.reader.is_answered()
    }

    /// Cancels the job if it has not begun; a closure that runs cannot be stopped, only a process
    /// can.
    ///
    /// `true`: it never will begin, the outcome is [`JobError::Cancelled`] from now on, and the
    /// closure was dropped here, on this thread. `false`: it runs or has run, or was cancelled
    /// before.
    ///
    /// # Examples
    ///
    /// ```
    /// let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    /// let (go, gate) = std::sync::mpsc::channel::<()>();
    /// let first = pool.submit(move || gate.recv());
    /// let second = pool.submit(|| unreachable!());
    /// assert!(second.cancel());
    /// assert!(second.wait().unwrap_err().is_cancelled());
    /// # go.send(()).unwrap();
    /// # first.wait().unwrap().unwrap();
    /// ```
    pub fn cancel(&self) -> bool {
        self.ticket.cancel()
    }

    /// Makes the drop cancel the job, as [`cancel`](Self::cancel) does.
    ///
    /// ```
    /// # let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    /// let (go, gate) = std::sync::mpsc::channel::<()>();
    /// let first = pool.submit(move || gate.recv());
    /// let guard = pool.submit(|| unreachable!()).cancel_on_drop();
    /// drop(guard);
    /// # go.send(()).unwrap();
    /// # first.wait().unwrap().unwrap();
    /// ```
    pub fn cancel_on_drop(mut self) -> CancelOnDrop<T> {
        self.cancels = true;
        CancelOnDrop(self)
    }

    /// `wait` and `wait_timeout`.
    #[track_caller]
    fn wait_until(&mut self, what: &str, end: Option<Instant>) -> Option<Outcome<T>> {
        assert!(
            !in_executor(),
            "{what}: Cannot block the current thread, it is polling a task or a block_on; await \
             the Pending instead"
        );
        self.check_unfinished(what);
        with_current(|worker| match worker {
            Some(worker) => self.work_until(worker, end),
            None => block_on_until(poll_fn(|cx| self.poll_outcome(cx)), end),
        })
    }

    /// Runs jobs of this thread's pool until the outcome is there.
    fn work_until(&mut self, worker: &Worker, end: Option<Instant>) -> Option<Outcome<T>> {
        worker.wait(&Awaited {
            reader: RefCell::new(&mut self.reader),
            waker: waker(Arc::new(Waiter::of(worker))),
            end,
        });
        match self.reader.try_take() {
            Taken::Value(outcome) => Some(outcome),
            Taken::NotYet => None,
            Taken::Never => unreachable!("{}", NEVER),
        }
    }

    /// The future, without its task's budget and its mark.
    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Outcome<T>> {
        self.reader
            .poll_take(cx)
            .map(|outcome| outcome.unwrap_or_else(|NoAnswer| unreachable!("{}", NEVER)))
    }

    /// The outcome is given once.
    #[track_caller]
    fn check_unfinished(&self, what: &str) {
        assert!(
            !self.reader.is_finished(),
            "{what}: it has given its outcome; keep the outcome instead"
        );
    }
}

/// Why a writer always answers: a job holds its pool, so it is run or cancelled.
const NEVER: &str = "pending: a job went without an outcome";

impl<T> Future for Pending<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let site = WaitSite {
            kind: Kind::PoolJob,
            location: self.submitted_at,
            resource: self.reader.address(),
        };
        poll_leaf(cx, site, |cx| {
            self.check_unfinished("Pending");
            self.poll_outcome(cx)
        })
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        if self.cancels {
            self.ticket.cancel();
        }
    }
}

impl<T> fmt::Debug for Pending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("submitted_at", &format_args!("{}", self.submitted_at))
            .field("finished", &self.is_finished())
            .finish_non_exhaustive()
    }
}

/// A [`Pending`] whose drop cancels the job, if it has not begun.
///
/// Awaited and waited for as a `Pending` is, with the same errors, panics and cancel safety.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let job = trefoil::threads::submit(|| 5).cancel_on_drop();
/// assert_eq!(job.await.unwrap(), 5);
/// # });
/// ```
#[must_use = "dropped at once it cancels the job at once"]
pub struct CancelOnDrop<T>(Pending<T>);

impl<T> CancelOnDrop<T> {
    /// [`Pending::wait`].
    ///
    /// # Errors
    ///
    /// As [`Pending::wait`].
    ///
    /// # Panics
    ///
    /// As [`Pending::wait`].
    #[track_caller]
    pub fn wait(self) -> Result<T, JobError> {
        self.0.wait()
    }

    /// [`Pending::wait_timeout`].
    ///
    /// # Errors
    ///
    /// As [`Pending::wait`].
    ///
    /// # Panics
    ///
    /// As [`Pending::wait`].
    #[track_caller]
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<T, JobError>> {
        self.0.wait_timeout(limit)
    }

    /// [`Pending::is_finished`].
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// [`Pending::cancel`].
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }
}

impl<T> Future for CancelOnDrop<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl<T> fmt::Debug for CancelOnDrop<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelOnDrop").field(&self.0).finish()
    }
}

/// An outcome as a worker's goal.
struct Awaited<'a, T> {
    reader: RefCell<&'a mut Reader<Outcome<T>>>,
    /// Unparks the worker.
    waker: Waker,
    end: Option<Instant>,
}

impl<T> Goal for Awaited<'_, T> {
    fn is_reached(&self) -> bool {
        self.reader.borrow().is_answered() || self.end.is_some_and(|end| Instant::now() >= end)
    }

    fn announce(&self) -> bool {
        let mut cx = Context::from_waker(&self.waker);
        let answered = self.reader.borrow_mut().poll_answered(&mut cx);
        answered.is_pending()
    }

    // A waker that stays unparks the worker once for nothing.
    fn retract(&self) {}

    fn end(&self) -> Option<Instant> {
        self.end
    }
}

impl ArcWake for Waiter {
    fn wake_by_ref(this: &Arc<Self>) {
        this.unpark();
    }
}
