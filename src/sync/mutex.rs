//! A mutex for tasks: a semaphore with one permit, and the value that the permit guards.
//!
//! ```text
//!   lock().await ──► the permit ──► MutexGuard ──► &mut T
//!                                       │ drop
//!                        the next in line, or back into the word
//! ```
//!
//! Waiting suspends the task instead of its thread, and the guard may be held across an await:
//! that, not speed, is what it has over `std::sync::Mutex`. There is no poisoning: a panic drops
//! the guard like any return does.
//! Why not a protocol of its own: the semaphore has the same fast path (one compare-and-swap to
//! take, one to give) and is fair already.
//! Read next: `sync/mutex_owned.rs` and `sync/mutex_mapped.rs`, the other guards.

#![allow(
    unsafe_code,
    reason = "a value behind a shared reference, lent to the one who holds the permit"
)]

use std::cell::UnsafeCell;
use std::error::Error;
use std::fmt;
use std::marker::{PhantomData, PhantomPinned};
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{self, Kind};
use crate::shim::const_fn;
use crate::sync::guard_fmt::shown_as_value;
use crate::sync::semaphore::Semaphore;
use crate::sync::semaphore_error::AcquireError;
use crate::sync::semaphore_line::Place;
use crate::sync::wait::block;

/// A value that one task at a time may use.
///
/// The line is fair: first come, first served. Prefer `std::sync::Mutex` when the guard is never
/// held across an `.await`; it is faster, and short critical sections are its purpose.
///
/// # Examples
///
/// ```
/// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use trefoil::sync::Mutex;
///
/// let count = Mutex::new(0);
/// *count.lock().await += 1;
/// assert_eq!(*count.lock().await, 1);
/// # });
/// ```
pub struct Mutex<T: ?Sized> {
    /// One permit; never closed.
    semaphore: Semaphore,
    /// Touched by who holds the permit, and by who has the mutex to itself.
    value: UnsafeCell<T>,
}

// SAFETY: a shared reference lets a thread take the value out (`mem::replace` through the guard)
// and drop it, so `T: Send` is needed; it is enough, since the permit lets one in at a time.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}

impl<T> Mutex<T> {
    /// A mutex that is free.
    pub fn new(value: T) -> Self {
        Self::const_new(value)
    }

    const_fn! {
        /// The same as [`new`](Self::new), for a `static`.
        ///
        /// # Examples
        ///
        /// ```
        /// use trefoil::sync::Mutex;
        ///
        /// static NAMES: Mutex<Vec<String>> = Mutex::const_new(Vec::new());
        /// assert!(NAMES.try_lock().unwrap().is_empty());
        /// ```
        pub const fn const_new(value: T) -> Self {
            Self {
                semaphore: Semaphore::const_new(1),
                value: UnsafeCell::new(value),
            }
        }
    }

    /// The value; the mutex is used up.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits until the mutex is free, and takes it.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in line.
    #[track_caller]
    pub fn lock(&self) -> Lock<'_, T> {
        Lock {
            mutex: self,
            place: Place::new(1),
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Takes the mutex if it is free.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] when it is taken, or promised to somebody in line.
    #[inline]
    pub fn try_lock(&self) -> Result<MutexGuard<'_, T>, TryLockError> {
        match self.semaphore.take(1) {
            Ok(()) => Ok(MutexGuard::new(self)),
            Err(_) => Err(TryLockError::TAKEN),
        }
    }

    /// Waits for the mutex and blocks the thread meanwhile, for code that is not async.
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`: who holds the mutex may need this thread to go on.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::Mutex;
    ///
    /// let count = Mutex::new(1);
    /// *count.blocking_lock() += 1;
    /// assert_eq!(count.into_inner(), 2);
    /// ```
    #[track_caller]
    pub fn blocking_lock(&self) -> MutexGuard<'_, T> {
        block("blocking_lock", "lock", self.lock())
    }

    /// The value, without locking: who has the only reference needs no permit.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// Polls for the permit. The owner of `place` gives it up when it ends early.
    #[inline]
    pub(crate) fn poll_lock(
        &self,
        place: &mut Place,
        location: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match self.semaphore.poll_acquire(place, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(AcquireError { .. })) => {
                unreachable!("mutex: nobody closes its semaphore")
            }
            Poll::Pending => {
                let address = std::ptr::from_ref(self).addr();
                wait_site::leave(Kind::Lock, location, address as u64);
                Poll::Pending
            }
        }
    }

    /// The semaphore, whose permit the guards hold.
    pub(crate) fn semaphore(&self) -> &Semaphore {
        &self.semaphore
    }

    /// Where the value is. To look at it takes the permit.
    pub(crate) fn value(&self) -> *mut T {
        self.value.get()
    }
}

pin_project! {
    /// The future of [`Mutex::lock`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Lock<'a, T: ?Sized> {
        // What it locks.
        mutex: &'a Mutex<T>,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, so that a node of the line could move in here one day.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T: ?Sized> PinnedDrop for Lock<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.mutex.semaphore.give_up(this.place);
        }
    }
}

impl<'a, T: ?Sized> Future for Lock<'a, T> {
    type Output = MutexGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mutex = *this.mutex;
        mutex
            .poll_lock(this.place, this.location, cx)
            .map(|()| MutexGuard::new(mutex))
    }
}

/// The right to use the value of a [`Mutex`]; dropped, the next in line gets it.
#[must_use = "dropped at once the mutex is free again"]
#[clippy::has_significant_drop]
pub struct MutexGuard<'a, T: ?Sized> {
    /// The mutex, whose permit this guard holds.
    mutex: &'a Mutex<T>,
    /// `Sync` only with `T: Sync`: a shared guard gives shared references to the value.
    marker: PhantomData<&'a mut T>,
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// The guard of who has just taken the permit.
    #[inline]
    fn new(mutex: &'a Mutex<T>) -> Self {
        Self {
            mutex,
            marker: PhantomData,
        }
    }

    /// The mutex that is locked.
    ///
    /// Called as `MutexGuard::mutex(&guard)`, so that no method of the value is hidden.
    pub fn mutex(this: &Self) -> &'a Mutex<T> {
        this.mutex
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.semaphore.release(1);
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard exists only from taking the one permit to its drop (`new` is called
        // right after, `map` forgets the guard), so nobody else has a reference to the value;
        // this one is shared as long as the guard is borrowed so.
        unsafe { &*self.mutex.value() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the guard is borrowed mutably, so no other reference came from it.
        unsafe { &mut *self.mutex.value() }
    }
}

/// What [`Mutex::try_lock`] says when the mutex is taken, and `RwLock::try_read` and `try_write`.
#[derive(Debug)]
pub struct TryLockError(());

impl TryLockError {
    /// The only one there is.
    pub(crate) const TAKEN: Self = Self(());
}

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lock is taken")
    }
}

impl Error for TryLockError {}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut mutex = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(value) => mutex.field("data", &&*value),
            Err(TryLockError(())) => mutex.field("data", &format_args!("<locked>")),
        };
        mutex.finish()
    }
}

impl<T: ?Sized> fmt::Debug for Lock<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

shown_as_value! {
    [T: ?Sized] MutexGuard<'_, T> => T;
}
