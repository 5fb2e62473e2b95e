//! Waiting for the tasks of a `JoinSet`: the methods that wait, each beside its future.
//!
//! Read next: `task/spawn.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::parts::wait_site::{self, Kind};
use crate::task::error::JoinError;
use crate::task::id::Id;
use crate::task::set::JoinSet;

impl<T: 'static> JoinSet<T> {
    /// Waits until a task ends, takes it out of the set and gives its output; `None` when the set
    /// is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: a task that ended meanwhile stays in the set.
    #[track_caller]
    pub fn join_next(&mut self) -> JoinNext<'_, T> {
        JoinNext {
            set: self,
            location: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// [`join_next`](Self::join_next) with the task's id. A failed task's id is in its error.
    ///
    /// # Cancel safety
    ///
    /// As [`join_next`](Self::join_next).
    #[track_caller]
    pub fn join_next_with_id(&mut self) -> JoinNextWithId<'_, T> {
        JoinNextWithId {
            set: self,
            location: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// Aborts all tasks and waits until they have ended. Their outputs are thrown away.
    ///
    /// # Cancel safety
    ///
    /// Once polled, all tasks are aborted; those that have not ended stay in the set.
    #[track_caller]
    pub fn shutdown(&mut self) -> Shutdown<'_, T> {
        let location = Location::caller();
        Shutdown {
            set: self,
            begun: false,
            location,
            _pinned: PhantomPinned,
        }
    }

    /// Waits for all tasks and gives their outputs, in the order in which they ended.
    ///
    /// # Panics
    ///
    /// When a task panicked (with its payload) or was cancelled; the others are aborted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the set: all tasks are aborted.
    #[track_caller]
    pub fn join_all(self) -> JoinAll<T> {
        let location = Location::caller();
        let outputs = Vec::with_capacity(self.len());
        JoinAll {
            set: self,
            outputs,
            location,
            _pinned: PhantomPinned,
        }
    }

    /// Leaves the mark of a wait for this set.
    fn leave_mark(&self, location: &'static Location<'static>) {
        wait_site::leave(Kind::Join, location, self.len() as u64);
    }
}

pin_project_lite::pin_project! {
    /// The future of [`JoinSet::join_next`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct JoinNext<'a, T> {
        set: &'a mut JoinSet<T>,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<T: 'static> Future for JoinNext<'_, T> {
    type Output = Option<Result<T, JoinError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = this.set.poll_join_next(cx);
        if result.is_pending() {
            this.set.leave_mark(this.location);
        }
        result
    }
}

pin_project_lite::pin_project! {
    /// The future of [`JoinSet::join_next_with_id`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct JoinNextWithId<'a, T> {
        set: &'a mut JoinSet<T>,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<T: 'static> Future for JoinNextWithId<'_, T> {
    type Output = Option<Result<(Id, T), JoinError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = this.set.poll_join_next_with_id(cx);
        if result.is_pending() {
            this.set.leave_mark(this.location);
        }
        result
    }
}

pin_project_lite::pin_project! {
    /// The future of [`JoinSet::shutdown`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct Shutdown<'a, T> {
        set: &'a mut JoinSet<T>,
        begun: bool,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<T: 'static> Future for Shutdown<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if !std::mem::replace(this.begun, true) {
            this.set.abort_all();
        }
        loop {
            match this.set.poll_join_next(cx) {
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Ready(Some(_)) => {}
                Poll::Pending => {
                    this.set.leave_mark(this.location);
                    return Poll::Pending;
                }
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// The future of [`JoinSet::join_all`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct JoinAll<T> {
        set: JoinSet<T>,
        outputs: Vec<T>,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<T: 'static> Future for JoinAll<T> {
    type Output = Vec<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<T>> {
        let this = self.project();
        loop {
            match this.set.poll_join_next(cx) {
                Poll::Ready(None) => return Poll::Ready(std::mem::take(this.outputs)),
                Poll::Ready(Some(Ok(output))) => this.outputs.push(output),
                Poll::Ready(Some(Err(error))) => match error.try_into_panic() {
                    Ok(payload) => std::panic::resume_unwind(payload),
                    Err(error) => panic!("JoinSet::join_all: {error}"),
                },
                Poll::Pending => {
                    this.set.leave_mark(this.location);
                    return Poll::Pending;
                }
            }
        }
    }
}
