//! The mutex guard that keeps its mutex alive: for tasks, threads and structs.
//!
//! Dropping is done by a field ([`Locked`]), not by the guard itself: a mapped guard then takes the
//! field over, which a type with a `Drop` of its own does not allow.
//! Why not part of `sync/mutex.rs`: it would hide how small a mutex is.
//! Read next: `sync/mutex_mapped.rs`.

#![allow(
    unsafe_code,
    reason = "a value behind an Arc, lent to the one who holds the permit"
)]

use std::fmt;
use std::marker::{PhantomData, PhantomPinned};
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::sync::guard_fmt::shown_as_value;
use crate::sync::mutex::{Mutex, TryLockError};
use crate::sync::semaphore_line::Place;
use crate::sync::wait::block;

impl<T: ?Sized> Mutex<T> {
    /// Waits until the mutex is free, and takes it with a guard that keeps it alive.
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
    /// use trefoil::sync::Mutex;
    ///
    /// let list = Arc::new(Mutex::new(vec![1]));
    /// let mut guard = list.clone().lock_owned().await;
    /// // The guard may go into a task, a thread, a struct.
    /// std::thread::spawn(move || guard.push(2)).join().unwrap();
    /// assert_eq!(*list.lock().await, [1, 2]);
    /// # });
    /// ```
    #[track_caller]
    pub fn lock_owned(self: Arc<Self>) -> LockOwned<T> {
        LockOwned {
            mutex: Some(self),
            place: Place::new(1),
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Takes the mutex with a guard that keeps it alive, if it is free.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] when it is taken, or promised to somebody in line.
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedMutexGuard<T>, TryLockError> {
        match self.semaphore().take(1) {
            Ok(()) => Ok(OwnedMutexGuard::new(self)),
            Err(_) => Err(TryLockError::TAKEN),
        }
    }

    /// Waits for the mutex with a guard that keeps it alive, and blocks the thread meanwhile.
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`, as [`blocking_lock`](Self::blocking_lock).
    #[track_caller]
    pub fn blocking_lock_owned(self: Arc<Self>) -> OwnedMutexGuard<T> {
        block("blocking_lock_owned", "lock_owned", self.lock_owned())
    }
}

pin_project! {
    /// The future of [`Mutex::lock_owned`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct LockOwned<T: ?Sized> {
        // What it locks; moves into the guard.
        mutex: Option<Arc<Mutex<T>>>,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, as `Lock`.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T: ?Sized> PinnedDrop for LockOwned<T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(mutex) = this.mutex {
                mutex.semaphore().give_up(this.place);
            }
        }
    }
}

/// Says that the future has no mutex any more: its guard has it.
const POLLED_AGAIN: &str = "lock_owned: polled after it was ready; await it once";

impl<T: ?Sized> Future for LockOwned<T> {
    type Output = OwnedMutexGuard<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mutex = this.mutex.as_ref().expect(POLLED_AGAIN);
        ready!(mutex.poll_lock(this.place, this.location, cx));
        Poll::Ready(OwnedMutexGuard::new(this.mutex.take().expect(POLLED_AGAIN)))
    }
}

/// A mutex whose permit is held; dropped, the permit goes on.
pub(crate) struct Locked<T: ?Sized>(Arc<Mutex<T>>);

impl<T: ?Sized> Drop for Locked<T> {
    fn drop(&mut self) {
        self.0.semaphore().release(1);
    }
}

/// The right to use the value of a [`Mutex`], which it keeps alive; dropped, the next gets it.
#[must_use = "dropped at once the mutex is free again"]
#[clippy::has_significant_drop]
pub struct OwnedMutexGuard<T: ?Sized> {
    /// The mutex and its permit.
    locked: Locked<T>,
    /// `Sync` only with `T: Sync`: a shared guard gives shared references to the value.
    marker: PhantomData<Box<T>>,
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// The guard of who has just taken the permit.
    fn new(mutex: Arc<Mutex<T>>) -> Self {
        Self {
            locked: Locked(mutex),
            marker: PhantomData,
        }
    }

    /// The mutex that is locked.
    ///
    /// Called as `OwnedMutexGuard::mutex(&guard)`, so that no method of the value is hidden.
    pub fn mutex(this: &Self) -> &Arc<Mutex<T>> {
        &this.locked.0
    }

    /// The mutex and its permit, for a guard that shows less of the value.
    pub(crate) fn into_locked(self) -> Locked<T> {
        self.locked
    }
}

impl<T: ?Sized> Deref for OwnedMutexGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `locked` holds the one permit (`new` is called right after taking it) until it
        // is dropped, and `into_locked` uses the guard up, so nobody else has a reference to the
        // value; this one is shared as long as the guard is borrowed so.
        unsafe { &*self.locked.0.value() }
    }
}

impl<T: ?Sized> DerefMut for OwnedMutexGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the guard is borrowed mutably, so no other reference came from it.
        unsafe { &mut *self.locked.0.value() }
    }
}

impl<T: ?Sized> fmt::Debug for LockOwned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockOwned")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

shown_as_value! {
    [T: ?Sized] OwnedMutexGuard<T> => T;
}
