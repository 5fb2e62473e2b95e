//! Taking a read-write lock with guards that keep it alive: for tasks, threads and structs.
//!
//! The same waits as in `sync/rwlock.rs`, over an `Arc` that moves into the guard.
//! Read next: `sync/rwlock_owned_guard.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::sync::mutex::TryLockError;
use crate::sync::rwlock::RwLock;
use crate::sync::rwlock_owned_guard::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
use crate::sync::semaphore_line::Place;

impl<T: ?Sized> RwLock<T> {
    /// Waits as [`read`](Self::read), for a guard that keeps the lock alive.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in line.
    ///
    /// # Examples
    ///
    /// ```
    /// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use std::sync::Arc;
    /// use trefoil::sync::RwLock;
    ///
    /// let list = Arc::new(RwLock::new(vec![1]));
    /// let reader = list.clone().read_owned().await;
    /// // The guard may go into a task, a thread, a struct.
    /// let thread = std::thread::spawn(move || reader.len());
    /// assert_eq!(thread.join().unwrap(), 1);
    /// # });
    /// ```
    #[track_caller]
    pub fn read_owned(self: Arc<Self>) -> ReadOwned<T> {
        ReadOwned {
            lock: Some(self),
            place: Place::new(1),
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Waits as [`write`](Self::write), for a guard that keeps the lock alive.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in line.
    #[track_caller]
    pub fn write_owned(self: Arc<Self>) -> WriteOwned<T> {
        WriteOwned {
            place: Place::new(self.readers() as usize),
            lock: Some(self),
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Takes the lock as [`try_read`](Self::try_read), with a guard that keeps it alive.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] when it would have to wait.
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        self.try_hold(1)?;
        Ok(OwnedRwLockReadGuard::whole(self))
    }

    /// Takes the lock as [`try_write`](Self::try_write), with a guard that keeps it alive.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] when it would have to wait.
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        self.try_hold(self.readers())?;
        Ok(OwnedRwLockWriteGuard::whole(self))
    }
}

pin_project! {
    /// The future of [`RwLock::read_owned`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct ReadOwned<T: ?Sized> {
        // What it locks; moves into the guard.
        lock: Option<Arc<RwLock<T>>>,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, as `Read`.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T: ?Sized> PinnedDrop for ReadOwned<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(lock) = this.lock {
                lock.semaphore().give_up(this.place);
            }
        }
    }
}

impl<T: ?Sized> Future for ReadOwned<T> {
    type Output = OwnedRwLockReadGuard<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let lock = this.lock.as_ref().expect(POLLED_AGAIN);
        ready!(lock.poll_hold(this.place, this.location, cx));
        Poll::Ready(OwnedRwLockReadGuard::whole(
            this.lock.take().expect(POLLED_AGAIN),
        ))
    }
}

pin_project! {
    /// The future of [`RwLock::write_owned`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct WriteOwned<T: ?Sized> {
        // What it locks; moves into the guard.
        lock: Option<Arc<RwLock<T>>>,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, as `Read`.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T: ?Sized> PinnedDrop for WriteOwned<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(lock) = this.lock {
                lock.semaphore().give_up(this.place);
            }
        }
    }
}

impl<T: ?Sized> Future for WriteOwned<T> {
    type Output = OwnedRwLockWriteGuard<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let lock = this.lock.as_ref().expect(POLLED_AGAIN);
        ready!(lock.poll_hold(this.place, this.location, cx));
        Poll::Ready(OwnedRwLockWriteGuard::whole(
            this.lock.take().expect(POLLED_AGAIN),
        ))
    }
}

/// Says that the future has no lock any more: its guard has it.
const POLLED_AGAIN: &str = "read_owned, write_owned: polled after it was ready; await it once";

impl<T: ?Sized> fmt::Debug for ReadOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadOwned").finish_non_exhaustive()
    }
}

impl<T: ?Sized> fmt::Debug for WriteOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteOwned").finish_non_exhaustive()
    }
}
