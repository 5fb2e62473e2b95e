//! `JoinHandle`, a task's output as a future, and `AbortHandle`, the power to end it.
//!
//! A join handle that is dropped lets its task run on: that is the difference to the future
//! itself, which ends when it is dropped.
//! Read next: `task/owned.rs`.

#![allow(unsafe_code, reason = "takes a typed output out of an untyped task")]

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, ready};

use crate::parts::budget;
use crate::parts::wait_site::{self, Kind};
use crate::task::error::JoinError;
use crate::task::header::TaskRef;
use crate::task::id::Id;

/// A spawned task's output, to be awaited; dropped, the task runs on ("detached").
///
/// Awaiting gives `Ok` with the output, or a [`JoinError`] when the task panicked or was
/// cancelled.
///
/// # Cancel safety
///
/// Dropping the handle, or a `select!` that polled it by reference, loses nothing but the output:
/// the task runs on.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let task = trefoil::spawn(async { 6 * 7 });
/// assert_eq!(task.await.unwrap(), 42);
/// # });
/// ```
pub struct JoinHandle<T> {
    task: TaskRef,
    /// `Send` and `Sync` exactly when `T: Send`, and always `Unpin`: a mutex has the first, a box
    /// the second.
    _output: PhantomData<Mutex<Box<T>>>,
}

impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// The handle over a new task's join reference; `T` is the type of its output.
    ///
    /// # Safety
    ///
    /// `task` is a new task's reference for its join handle, and its output is a `T`.
    pub(crate) unsafe fn new(task: TaskRef) -> Self {
        Self {
            task,
            _output: PhantomData,
        }
    }

    /// Asks the task to end at its next wait; awaiting the handle then gives a cancelled
    /// [`JoinError`], unless the task was faster.
    ///
    /// The future is dropped by the thread that runs the task, before the handle resolves. A
    /// closure of [`spawn_blocking`](crate::task::spawn_blocking) that has begun is not stopped.
    pub fn abort(&self) {
        self.task.cancel();
    }

    /// True when the task has ended, in whatever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.state().is_complete()
    }

    /// A handle that can abort the task and does not wait for it.
    #[must_use]
    pub fn abort_handle(&self) -> AbortHandle {
        AbortHandle {
            task: self.task.clone(),
        }
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.task.id()
    }

    /// Takes the output of a task that has ended, once.
    #[track_caller]
    pub(crate) fn take_output(&mut self) -> Result<T, JoinError> {
        assert!(
            self.task.state().is_complete(),
            "JoinHandle: taken before the task's end"
        );
        // SAFETY: this is the join handle, the task is complete, and its output is a `T` (`new`).
        let output = unsafe { self.task.take_output() };
        output.expect("JoinHandle: polled again after it gave its output")
    }

    /// Replaces the waker that is told of the task's end; `Ready` when it has ended already.
    pub(crate) fn leave_waker(&self, cx: &Context<'_>) -> Poll<()> {
        let state = self.task.state();
        if state.has_join_waker() && !state.take_waker_back() {
            return Poll::Ready(());
        }
        // SAFETY: this is the join handle, and the flag is clear (never set, or just taken back).
        let old = unsafe {
            self.task.with_join_waker(|slot| {
                let same = slot
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(cx.waker()));
                if same {
                    None
                } else {
                    slot.replace(cx.waker().clone())
                }
            })
        };
        let result = if state.leave_waker() {
            Poll::Pending
        } else {
            Poll::Ready(())
        };
        drop(old);
        result
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    #[track_caller]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let spent = ready!(budget::spend(cx));
        if !self.task.state().is_complete() && self.leave_waker(cx).is_pending() {
            wait_site::leave(
                Kind::Join,
                self.task.slot().spawned(),
                self.task.id().as_u64(),
            );
            return Poll::Pending;
        }
        spent.made_progress();
        Poll::Ready(self.take_output())
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        let after = self.task.state().leave_join();
        if after.drop_output {
            // SAFETY: this is the join handle, and the task is complete.
            unsafe { self.task.drop_output() };
        }
        if after.drop_waker {
            // SAFETY: this is the join handle, and `leave_join` has cleared the flag.
            drop(unsafe { self.task.with_join_waker(Option::take) });
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.task.id())
            .finish()
    }
}

/// Can end a task; does not wait for it and does not keep it running.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let task = trefoil::spawn(std::future::pending::<()>());
/// let abort = task.abort_handle();
/// abort.abort();
/// assert!(task.await.unwrap_err().is_cancelled());
/// assert!(abort.is_finished());
/// # });
/// ```
#[derive(Clone)]
pub struct AbortHandle {
    task: TaskRef,
}

impl UnwindSafe for AbortHandle {}
impl RefUnwindSafe for AbortHandle {}

impl AbortHandle {
    /// Asks the task to end at its next wait, as [`JoinHandle::abort`] does.
    pub fn abort(&self) {
        self.task.cancel();
    }

    /// True when the task has ended, in whatever way.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.state().is_complete()
    }

    /// The task's id.
    #[must_use]
    pub fn id(&self) -> Id {
        self.task.id()
    }
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AbortHandle")
            .field("id", &self.task.id())
            .finish()
    }
}
