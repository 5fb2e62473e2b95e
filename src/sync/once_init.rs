//! The futures that make the value of a [`OnceCell`], or wait for another task to make it.
//!
//! One machine ([`Init`]) for both: `get_or_init` is `get_or_try_init` without the error.
//! While it runs `init` the permit lies in the machine, and during each poll on the stack: so a
//! panic gives it back at once, and a dropped future when it has dropped what it ran.
//! Read next: `sync/set_once.rs`.

#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::sync::once_cell::OnceCell;
use crate::sync::semaphore_permit::{Acquire, SemaphorePermit};

impl<T> OnceCell<T> {
    /// The value; if it is not there, `init` makes it.
    ///
    /// While another task makes it, this waits for that one. `init` is called at most once, and not
    /// before this future is polled. It must not ask for the same cell: it would wait for itself.
    ///
    /// # Panics
    ///
    /// When `init` panics. Then the next in line makes the value.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits it loses its place in line; dropped while it runs `init`, what that
    /// has done. The next in line makes the value then.
    #[track_caller]
    pub fn get_or_init<F, Fut>(&self, init: F) -> GetOrInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetOrInit {
            init: Init::new(self, init),
        }
    }

    /// The value; if it is not there, `init` makes it or fails.
    ///
    /// # Errors
    ///
    /// What `init` fails with. The cell stays empty, and the next in line tries.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Cancel safety
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Examples
    ///
    /// ```
    /// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use trefoil::sync::OnceCell;
    ///
    /// let cell = OnceCell::new();
    /// let number = |text: &'static str| move || async move { text.parse::<u32>() };
    /// assert!(cell.get_or_try_init(number("none")).await.is_err());
    /// assert_eq!(cell.get_or_try_init(number("7")).await, Ok(&7));
    /// assert_eq!(cell.get_or_try_init(number("none")).await, Ok(&7));
    /// # });
    /// ```
    #[track_caller]
    pub fn get_or_try_init<E, F, Fut>(&self, init: F) -> GetOrTryInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInit {
            init: Init::new(self, init),
        }
    }
}

pin_project! {
    /// Makes the value of a cell, or waits for it.
    #[project(!Unpin)]
    struct Init<'a, T, F, Fut> {
        // Where the value goes.
        cell: &'a OnceCell<T>,
        // Makes the future that makes the value.
        init: Option<F>,
        // The right to do so, as long as it is waited for.
        #[pin]
        acquire: Acquire<'a>,
        // What runs. Before the permit, so that it is dropped first.
        #[pin]
        running: Option<Fut>,
        // The right to do so.
        permit: Option<SemaphorePermit<'a>>,
    }
}

impl<'a, T, F, Fut> Init<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    /// Nothing has happened yet; the caller's line is the line of the user's call.
    #[track_caller]
    fn new(cell: &'a OnceCell<T>, init: F) -> Self {
        Self {
            cell,
            init: Some(init),
            acquire: cell.semaphore().acquire(),
            running: None,
            permit: None,
        }
    }

    /// Goes on; `outcome` tells what the output of `init` means.
    #[inline]
    fn poll<E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        outcome: impl FnOnce(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        let mut this = self.project();
        let cell: &'a OnceCell<T> = this.cell;
        let permit = match this.permit.take() {
            Some(permit) => permit,
            None => {
                if let Some(value) = cell.get() {
                    return Poll::Ready(Ok(value));
                }
                let Ok(permit) = ready!(this.acquire.poll(cx)) else {
                    return Poll::Ready(Ok(cell.made()));
                };
                let init = this.init.take().expect(POLLED_AGAIN);
                this.running.set(Some(init()));
                permit
            }
        };
        let running = this.running.as_mut().as_pin_mut().expect(POLLED_AGAIN);
        let Poll::Ready(output) = running.poll(cx) else {
            *this.permit = Some(permit);
            return Poll::Pending;
        };
        this.running.set(None);
        Poll::Ready(outcome(output).map(|value| cell.put(value, permit)))
    }
}

/// Says that nothing is left to be run: it failed before.
const POLLED_AGAIN: &str = "get_or_init: polled after it was ready or panicked; await it once";

pin_project! {
    /// The future of [`OnceCell::get_or_init`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct GetOrInit<'a, T, F, Fut> {
        #[pin]
        init: Init<'a, T, F, Fut>,
    }
}

impl<'a, T, F, Fut> Future for GetOrInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let made = ready!(self.project().init.poll(cx, Ok::<T, Infallible>));
        Poll::Ready(match made {
            Ok(value) => value,
            Err(never) => match never {},
        })
    }
}

pin_project! {
    /// The future of [`OnceCell::get_or_try_init`].
    #[must_use = "futures do nothing unless awaited"]
    pub struct GetOrTryInit<'a, T, F, Fut> {
        #[pin]
        init: Init<'a, T, F, Fut>,
    }
}

impl<'a, T, E, F, Fut> Future for GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().init.poll(cx, |made| made)
    }
}

impl<T, F, Fut> fmt::Debug for GetOrInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrInit").finish_non_exhaustive()
    }
}

impl<T, F, Fut> fmt::Debug for GetOrTryInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetOrTryInit").finish_non_exhaustive()
    }
}
