//! A read-write lock for tasks: a semaphore whose permits are the right to read.
//!
//! ```text
//!   read().await  ──► 1 permit ─────────► RwLockReadGuard  ──► &T
//!   write().await ──► all the permits ──► RwLockWriteGuard ──► &mut T
//!                                              │ downgrade: gives back all but one
//!                                              ▼
//!                                         RwLockReadGuard
//! ```
//!
//! The semaphore's line is fair, and a request for many permits collects them piece by piece. So a
//! writer in line is not overtaken by readers that come later, and readers in line are not by
//! later writers. The price: who holds a read guard and asks for a second one may wait for ever,
//! if a writer came in between.
//! There is no poisoning: a panic drops the guard like any return does.
//! Why not a protocol of its own: as for `sync/mutex.rs`, the fast path would be the same.
//! Read next: `sync/rwlock_guard.rs`, then `sync/rwlock_owned.rs`.

#![allow(
    unsafe_code,
    reason = "a value behind a shared reference, lent to those who hold permits"
)]

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{self, Kind};
use crate::shim::const_fn;
use crate::sync::mutex::TryLockError;
use crate::sync::rwlock_guard::{Held, RwLockReadGuard, RwLockWriteGuard};
use crate::sync::semaphore::Semaphore;
use crate::sync::semaphore_error::AcquireError;
use crate::sync::semaphore_line::Place;
use crate::sync::wait::block;

/// Readers at once, when nothing else is said; also the most that may be said.
///
/// Unit: read guards. Source: tokio's documented limit.
const MAX_READERS: u32 = u32::MAX >> 3;

/// A value that many tasks may read at once, or one may change.
///
/// The line is fair: first come, first served, readers and writers alike. So a task that holds a
/// read guard must not ask for another one: a writer in line between would wait for the first and
/// keep the second waiting.
///
/// # Examples
///
/// ```
/// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use trefoil::sync::RwLock;
///
/// let names = RwLock::new(vec!["a"]);
/// {
///     let (one, two) = (names.read().await, names.try_read().unwrap());
///     assert_eq!(one.len() + two.len(), 2);
///     assert!(names.try_write().is_err());
/// }
/// names.write().await.push("b");
/// assert_eq!(names.into_inner(), ["a", "b"]);
/// # });
/// ```
pub struct RwLock<T: ?Sized> {
    /// One permit a reader; never closed.
    semaphore: Semaphore,
    /// How many permits there are: a writer takes all.
    readers: u32,
    /// Read by who holds a permit, changed by who holds all, or has the lock to itself.
    value: UnsafeCell<T>,
}

// SAFETY: a shared reference lets a thread take the value out (through a write guard) and drop it,
// hence `T: Send`, and lets several look at it at once (read guards), hence `T: Sync`.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T> RwLock<T> {
    /// A lock that is free.
    pub fn new(value: T) -> Self {
        Self::const_new(value)
    }

    /// A lock that lets at most `max_readers` read at once.
    ///
    /// # Panics
    ///
    /// When `max_readers` is 0, or more than `u32::MAX >> 3`.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::RwLock;
    ///
    /// let lock = RwLock::with_max_readers(1, 2);
    /// let readers = (lock.try_read().unwrap(), lock.try_read().unwrap());
    /// assert!(lock.try_read().is_err());
    /// # drop(readers);
    /// ```
    #[track_caller]
    pub fn with_max_readers(value: T, max_readers: u32) -> Self {
        Self::const_with_max_readers(value, max_readers)
    }

    const_fn! {
        /// The same as [`new`](Self::new), for a `static`.
        ///
        /// # Examples
        ///
        /// ```
        /// use trefoil::sync::RwLock;
        ///
        /// static NAMES: RwLock<Vec<String>> = RwLock::const_new(Vec::new());
        /// assert!(NAMES.try_read().unwrap().is_empty());
        /// ```
        pub const fn const_new(value: T) -> Self {
            Self::const_with_max_readers(value, MAX_READERS)
        }
    }

    const_fn! {
        /// The same as [`with_max_readers`](Self::with_max_readers), for a `static`.
        ///
        /// # Panics
        ///
        /// As [`with_max_readers`](Self::with_max_readers); in a `static` that does not compile.
        #[track_caller]
        pub const fn const_with_max_readers(value: T, max_readers: u32) -> Self {
            assert!(
                max_readers > 0,
                "a RwLock may not be created with 0 readers; allow at least 1"
            );
            assert!(
                max_readers <= MAX_READERS,
                "a RwLock may not be created with more than 536870911 readers"
            );
            Self {
                semaphore: Semaphore::const_new(max_readers as usize),
                readers: max_readers,
                value: UnsafeCell::new(value),
            }
        }
    }

    /// The value; the lock is used up.
    pub fn into_inner(self) -> T {
        self.value.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Waits until no writer has the lock or is in line before it, and takes it for reading.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in line.
    #[track_caller]
    pub fn read(&self) -> Read<'_, T> {
        Read {
            lock: self,
            place: Place::new(1),
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Waits until nobody has the lock or is in line before it, and takes it for writing.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost but the place in line.
    #[track_caller]
    pub fn write(&self) -> Write<'_, T> {
        Write {
            lock: self,
            place: Place::new(self.readers as usize),
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Takes the lock for reading, if no writer has it or is in line.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] when it would have to wait.
    #[inline]
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        self.try_hold(1)?;
        Ok(self.read_guard())
    }

    /// Takes the lock for writing, if nobody has it or is in line.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] when it would have to wait.
    #[inline]
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        self.try_hold(self.readers)?;
        Ok(self.write_guard())
    }

    /// Waits to read and blocks the thread meanwhile, for code that is not async.
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`: who holds the lock may need this thread to go on.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::RwLock;
    ///
    /// let count = RwLock::new(1);
    /// *count.blocking_write() += 1;
    /// assert_eq!(*count.blocking_read(), 2);
    /// ```
    #[track_caller]
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        block("blocking_read", "read", self.read())
    }

    /// Waits to write and blocks the thread meanwhile, for code that is not async.
    ///
    /// # Panics
    ///
    /// As [`blocking_read`](Self::blocking_read).
    #[track_caller]
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        block("blocking_write", "write", self.write())
    }

    /// The value, without locking: who has the only reference needs no permit.
    pub fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }

    /// How many permits a writer takes.
    pub(crate) fn readers(&self) -> u32 {
        self.readers
    }

    /// The semaphore, whose permits the guards hold.
    pub(crate) fn semaphore(&self) -> &Semaphore {
        &self.semaphore
    }

    /// Where the value is. To look at it takes a permit, to change it all of them.
    pub(crate) fn value(&self) -> *mut T {
        self.value.get()
    }

    /// Takes so many permits if they are there.
    #[inline]
    pub(crate) fn try_hold(&self, permits: u32) -> Result<(), TryLockError> {
        self.semaphore
            .take(permits as usize)
            .map_err(|_| TryLockError::TAKEN)
    }

    /// Polls for the permits of `place`, whose owner gives it up when it ends early.
    #[inline]
    pub(crate) fn poll_hold(
        &self,
        place: &mut Place,
        location: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        match self.semaphore.poll_acquire(place, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(()),
            Poll::Ready(Err(AcquireError { .. })) => {
                unreachable!("rwlock: nobody closes its semaphore")
            }
            Poll::Pending => {
                let address = std::ptr::from_ref(self).addr();
                wait_site::leave(Kind::Lock, location, address as u64);
                Poll::Pending
            }
        }
    }

    /// The guard of who has just taken one permit.
    #[inline]
    fn read_guard(&self) -> RwLockReadGuard<'_, T> {
        RwLockReadGuard::new(Held::new(&self.semaphore, 1), self.value.get())
    }

    /// The guard of who has just taken all permits.
    #[inline]
    fn write_guard(&self) -> RwLockWriteGuard<'_, T> {
        let held = Held::new(&self.semaphore, self.readers);
        RwLockWriteGuard::new(held, self.value.get())
    }
}

pin_project! {
    /// The future of [`RwLock::read`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Read<'a, T: ?Sized> {
        // What it locks.
        lock: &'a RwLock<T>,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, so that a node of the line could move in here one day.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T: ?Sized> PinnedDrop for Read<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.lock.semaphore.give_up(this.place);
        }
    }
}

impl<'a, T: ?Sized> Future for Read<'a, T> {
    type Output = RwLockReadGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        ready!(this.lock.poll_hold(this.place, this.location, cx));
        Poll::Ready(this.lock.read_guard())
    }
}

pin_project! {
    /// The future of [`RwLock::write`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Write<'a, T: ?Sized> {
        // What it locks.
        lock: &'a RwLock<T>,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, as `Read`.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T: ?Sized> PinnedDrop for Write<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.lock.semaphore.give_up(this.place);
        }
    }
}

impl<'a, T: ?Sized> Future for Write<'a, T> {
    type Output = RwLockWriteGuard<'a, T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        ready!(this.lock.poll_hold(this.place, this.location, cx));
        Poll::Ready(this.lock.write_guard())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lock = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(value) => lock.field("data", &&*value),
            Err(_) => lock.field("data", &format_args!("<locked>")),
        };
        lock.finish()
    }
}

impl<T: ?Sized> fmt::Debug for Read<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read").finish_non_exhaustive()
    }
}

impl<T: ?Sized> fmt::Debug for Write<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write").finish_non_exhaustive()
    }
}

#[cfg(all(test, trefoil_loom))]
#[path = "rwlock_models.rs"]
mod rwlock_models;
