//! Permits that borrow their semaphore, and the ways to get one: at once, awaited, blocking.
//!
//! [`Acquire`] is the pattern of all waiting futures of this chapter: a reference to the primitive,
//! a place in its line, the caller's line of code. Its poll asks the primitive, its drop gives the
//! place up.
//! Why not part of `sync/semaphore.rs`: that file is the protocol, which `Mutex` and the bounded
//! channel use without permits.
//! Read next: `sync/semaphore_owned.rs`, the same over an `Arc`.

#![forbid(unsafe_code)]

use std::marker::PhantomPinned;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{self, Kind};
use crate::sync::semaphore::Semaphore;
use crate::sync::semaphore_error::{AcquireError, TryAcquireError};
use crate::sync::semaphore_line::Place;
use crate::sync::wait::block;

impl Semaphore {
    /// Waits for a permit.
    ///
    /// # Errors
    ///
    /// [`AcquireError`] when the semaphore is or gets closed.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: what was taken goes to the next in line. The place in line is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use trefoil::sync::Semaphore;
    ///
    /// let slots = Semaphore::new(1);
    /// let permit = slots.acquire().await.unwrap();
    /// assert_eq!(slots.available_permits(), 0);
    /// drop(permit);
    /// assert_eq!(slots.available_permits(), 1);
    /// # });
    /// ```
    #[track_caller]
    pub fn acquire(&self) -> Acquire<'_> {
        self.acquire_many(1)
    }

    /// Waits for `n` permits, which it gets together.
    ///
    /// In line it collects them piece by piece, and nobody behind it gets any before.
    ///
    /// # Errors
    ///
    /// [`AcquireError`] when the semaphore is or gets closed.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire): what it had collected goes to the next in line.
    #[track_caller]
    pub fn acquire_many(&self, n: u32) -> Acquire<'_> {
        Acquire {
            semaphore: self,
            permits: n,
            place: Place::new(n as usize),
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Takes a permit if one is there.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError::NoPermits`] also when others wait in line, [`TryAcquireError::Closed`]
    /// after `close`.
    #[inline]
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `n` permits if they are there.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    #[inline]
    pub fn try_acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.take(n as usize).map(|()| SemaphorePermit {
            semaphore: self,
            permits: n as usize,
        })
    }

    /// Waits for a permit and blocks the thread meanwhile, for code that is not async.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::Semaphore;
    ///
    /// let slots = Semaphore::new(1);
    /// let permit = slots.blocking_acquire().unwrap();
    /// # drop(permit);
    /// ```
    #[track_caller]
    pub fn blocking_acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        block("blocking_acquire", "acquire", self.acquire())
    }

    /// Waits for `n` permits and blocks the thread meanwhile, for code that is not async.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`.
    #[track_caller]
    pub fn blocking_acquire_many(&self, n: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        block(
            "blocking_acquire_many",
            "acquire_many",
            self.acquire_many(n),
        )
    }
}

pin_project! {
    /// The future of [`Semaphore::acquire`] and [`Semaphore::acquire_many`].
    #[project(!Unpin)]
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Acquire<'a> {
        // What it takes from.
        semaphore: &'a Semaphore,
        // How many permits.
        permits: u32,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, so that a node of the line could move in here one day.
        #[pin]
        pinned: PhantomPinned,
    }

    impl PinnedDrop for Acquire<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.semaphore.give_up(this.place);
        }
    }
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<SemaphorePermit<'a>, AcquireError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let semaphore = *this.semaphore;
        match semaphore.poll_acquire(this.place, cx) {
            Poll::Ready(taken) => Poll::Ready(taken.map(|()| SemaphorePermit {
                semaphore,
                permits: *this.permits as usize,
            })),
            Poll::Pending => {
                wait_site::leave(Kind::Semaphore, this.location, address(semaphore));
                Poll::Pending
            }
        }
    }
}

/// What names a semaphore in a dump.
pub(crate) fn address(semaphore: &Semaphore) -> u64 {
    std::ptr::from_ref(semaphore).addr() as u64
}

/// Permits of a [`Semaphore`]; dropped, they go back.
///
/// To keep one longer than the borrow, take an
/// [`OwnedSemaphorePermit`](crate::sync::OwnedSemaphorePermit).
#[derive(Debug)]
#[must_use = "dropped at once the permit goes back"]
#[clippy::has_significant_drop]
pub struct SemaphorePermit<'a> {
    /// Where they go back to.
    semaphore: &'a Semaphore,
    /// How many they are; by merging more than one call takes.
    permits: usize,
}

impl<'a> SemaphorePermit<'a> {
    /// Throws the permits away: the semaphore has that many less from now on.
    ///
    /// [`Semaphore::add_permits`] makes new ones.
    pub fn forget(mut self) {
        self.permits = 0;
    }

    /// Adds the permits of `other` to this one.
    ///
    /// # Panics
    ///
    /// When they are not of the same semaphore.
    #[track_caller]
    pub fn merge(&mut self, mut other: Self) {
        assert!(
            std::ptr::eq(self.semaphore, other.semaphore),
            "merge: the permits are of two semaphores; keep them apart"
        );
        self.permits += mem::take(&mut other.permits);
    }

    /// Takes `n` permits off this one, as a permit of their own; `None` when it has fewer.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::Semaphore;
    ///
    /// let slots = Semaphore::new(3);
    /// let mut all = slots.try_acquire_many(3).unwrap();
    /// let two = all.split(2).unwrap();
    /// assert_eq!((all.num_permits(), two.num_permits()), (1, 2));
    /// assert!(all.split(2).is_none());
    /// ```
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.permits = self.permits.checked_sub(n)?;
        Some(Self {
            semaphore: self.semaphore,
            permits: n,
        })
    }

    /// How many permits it holds.
    pub fn num_permits(&self) -> usize {
        self.permits
    }

    /// The semaphore they are of.
    pub fn semaphore(&self) -> &'a Semaphore {
        self.semaphore
    }
}

impl Drop for SemaphorePermit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.release(self.permits);
    }
}
