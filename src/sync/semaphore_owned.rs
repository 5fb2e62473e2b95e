//! Permits that keep their semaphore alive: `sync/semaphore_permit.rs` over an `Arc`.
//!
//! A task outlives the function that spawned it, so a permit that goes into one cannot borrow.
//! Why not one generic type for both: the borrowed permit would carry the `Arc`'s count, or both
//! a type argument that only documentation sees.
//! Read next: `sync/mutex.rs`.

#![forbid(unsafe_code)]

use std::marker::PhantomPinned;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{self, Kind};
use crate::sync::semaphore::Semaphore;
use crate::sync::semaphore_error::{AcquireError, TryAcquireError};
use crate::sync::semaphore_line::Place;
use crate::sync::semaphore_permit::address;
use crate::sync::wait::block;

impl Semaphore {
    /// Waits for a permit that keeps the semaphore alive.
    ///
    /// # Errors
    ///
    /// [`AcquireError`] when the semaphore is or gets closed.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire): nothing but the place in line is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use std::sync::Arc;
    /// use trefoil::sync::Semaphore;
    ///
    /// let slots = Arc::new(Semaphore::new(1));
    /// let permit = slots.clone().acquire_owned().await.unwrap();
    /// // The permit may go into a task, a thread, a struct.
    /// std::thread::spawn(move || drop(permit)).join().unwrap();
    /// assert_eq!(slots.available_permits(), 1);
    /// # });
    /// ```
    #[track_caller]
    pub fn acquire_owned(self: Arc<Self>) -> AcquireOwned {
        self.acquire_many_owned(1)
    }

    /// Waits for `n` permits, which it gets together and which keep the semaphore alive.
    ///
    /// # Errors
    ///
    /// [`AcquireError`] when the semaphore is or gets closed.
    ///
    /// # Cancel safety
    ///
    /// As [`acquire_many`](Self::acquire_many).
    #[track_caller]
    pub fn acquire_many_owned(self: Arc<Self>, n: u32) -> AcquireOwned {
        AcquireOwned {
            semaphore: Some(self),
            permits: n,
            place: Place::new(n as usize),
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Takes a permit that keeps the semaphore alive, if one is there.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// Takes `n` permits that keep the semaphore alive, if they are there.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.take(n as usize)?;
        Ok(OwnedSemaphorePermit {
            semaphore: self,
            permits: n as usize,
        })
    }

    /// Waits for a permit that keeps the semaphore alive, and blocks the thread meanwhile.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`.
    #[track_caller]
    pub fn blocking_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        block(
            "blocking_acquire_owned",
            "acquire_owned",
            self.acquire_owned(),
        )
    }

    /// Waits for `n` permits that keep the semaphore alive, and blocks the thread meanwhile.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Panics
    ///
    /// Inside a task or a `block_on`.
    #[track_caller]
    pub fn blocking_acquire_many_owned(
        self: Arc<Self>,
        n: u32,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        block(
            "blocking_acquire_many_owned",
            "acquire_many_owned",
            self.acquire_many_owned(n),
        )
    }
}

pin_project! {
    /// The future of [`Semaphore::acquire_owned`] and [`Semaphore::acquire_many_owned`].
    #[project(!Unpin)]
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct AcquireOwned {
        // What it takes from; moves into the permit.
        semaphore: Option<Arc<Semaphore>>,
        // How many permits.
        permits: u32,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, as `Acquire`.
        #[pin]
        pinned: PhantomPinned,
    }

    impl PinnedDrop for AcquireOwned {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(semaphore) = this.semaphore {
                semaphore.give_up(this.place);
            }
        }
    }
}

impl Future for AcquireOwned {
    type Output = Result<OwnedSemaphorePermit, AcquireError>;

    #[inline]
    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let semaphore = this.semaphore.as_ref().expect(POLLED_AGAIN);
        match semaphore.poll_acquire(this.place, cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(OwnedSemaphorePermit {
                semaphore: this.semaphore.take().expect(POLLED_AGAIN),
                permits: *this.permits as usize,
            })),
            Poll::Ready(Err(closed)) => Poll::Ready(Err(closed)),
            Poll::Pending => {
                wait_site::leave(Kind::Semaphore, this.location, address(semaphore));
                Poll::Pending
            }
        }
    }
}

/// Says that the future has no semaphore any more: its permit has it.
const POLLED_AGAIN: &str = "acquire_owned: polled after it was ready; await it once";

/// Permits of a [`Semaphore`] that keep it alive; dropped, they go back.
#[derive(Debug)]
#[must_use = "dropped at once the permit goes back"]
#[clippy::has_significant_drop]
pub struct OwnedSemaphorePermit {
    /// Where they go back to.
    semaphore: Arc<Semaphore>,
    /// How many they are; by merging more than one call takes.
    permits: usize,
}

impl OwnedSemaphorePermit {
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
            Arc::ptr_eq(&self.semaphore, &other.semaphore),
            "merge: the permits are of two semaphores; keep them apart"
        );
        self.permits += mem::take(&mut other.permits);
    }

    /// Takes `n` permits off this one, as a permit of their own; `None` when it has fewer.
    pub fn split(&mut self, n: usize) -> Option<Self> {
        self.permits = self.permits.checked_sub(n)?;
        Some(Self {
            semaphore: self.semaphore.clone(),
            permits: n,
        })
    }

    /// How many permits it holds.
    pub fn num_permits(&self) -> usize {
        self.permits
    }

    /// The semaphore they are of.
    pub fn semaphore(&self) -> &Arc<Semaphore> {
        &self.semaphore
    }
}

impl Drop for OwnedSemaphorePermit {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.release(self.permits);
    }
}
