//! The futures of `AsyncFd`.
//!
//! The `_mut` ones hold the object exclusively, so they keep their place in the waiting list
//! beside it and take it out themselves; the others have a `Waiting` (`io/evented.rs`) for that.
//! Read next: `net/tcp_stream.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::os::fd::AsRawFd;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_fd::AsyncFd;
use crate::io::async_fd_guard::{AsyncFdReadyGuard, AsyncFdReadyMutGuard};
use crate::io::evented::{Wait, Waiting};
use crate::io::interest::Interest;
use crate::reactor::readiness::Place;

pin_project! {
    /// Future of [`AsyncFd::ready`], [`AsyncFd::readable`] and [`AsyncFd::writable`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct WaitFd<'a, T: AsRawFd> {
        fd: &'a AsyncFd<T>,
        interest: Interest,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl<'a, T: AsRawFd> WaitFd<'a, T> {
    /// Has not begun.
    pub(crate) fn new(
        fd: &'a AsyncFd<T>,
        interest: Interest,
        line: &'static Location<'static>,
    ) -> Self {
        let waiting = Waiting::new(fd.registration(), Wait::exactly(interest, line));
        Self {
            fd,
            interest,
            waiting,
        }
    }
}

impl<'a, T: AsRawFd> Future for WaitFd<'a, T> {
    type Output = io::Result<AsyncFdReadyGuard<'a, T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let seen = ready!(this.waiting.poll_ready(cx))?;
        Poll::Ready(Ok(AsyncFdReadyGuard::new(this.fd, seen, *this.interest)))
    }
}

impl<T: AsRawFd> fmt::Debug for WaitFd<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFd")
            .field("interest", &self.interest)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// Future of [`AsyncFd::async_io`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct FdAsyncIo<'a, T: AsRawFd, F> {
        fd: &'a AsyncFd<T>,
        attempt: F,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl<'a, T: AsRawFd, F> FdAsyncIo<'a, T, F> {
    /// Has not begun.
    pub(crate) fn new(
        fd: &'a AsyncFd<T>,
        interest: Interest,
        line: &'static Location<'static>,
        attempt: F,
    ) -> Self {
        let waiting = Waiting::new(fd.registration(), Wait::exactly(interest, line));
        Self {
            fd,
            attempt,
            waiting,
        }
    }
}

impl<T: AsRawFd, R, F: FnMut(&T) -> io::Result<R>> Future for FdAsyncIo<'_, T, F> {
    type Output = io::Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = self.project();
        let (attempt, inner) = (this.attempt, this.fd.get_ref());
        this.waiting.poll_io(cx, || attempt(inner))
    }
}

impl<T: AsRawFd, F> fmt::Debug for FdAsyncIo<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FdAsyncIo").finish_non_exhaustive()
    }
}

pin_project! {
    /// Future of [`AsyncFd::ready_mut`], [`AsyncFd::readable_mut`] and [`AsyncFd::writable_mut`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct WaitFdMut<'a, T: AsRawFd> {
        // Gone into the guard once it is ready.
        fd: Option<&'a mut AsyncFd<T>>,
        interest: Interest,
        wait: Wait,
        place: Option<Place>,
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T: AsRawFd> PinnedDrop for WaitFdMut<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(fd) = this.fd {
                fd.registration().leave(this.place);
            }
        }
    }
}

impl<'a, T: AsRawFd> WaitFdMut<'a, T> {
    /// Has not begun.
    pub(crate) fn new(
        fd: &'a mut AsyncFd<T>,
        interest: Interest,
        line: &'static Location<'static>,
    ) -> Self {
        let wait = Wait::exactly(interest, line);
        Self {
            fd: Some(fd),
            interest,
            wait,
            place: None,
            pinned: PhantomPinned,
        }
    }
}

impl<'a, T: AsRawFd> Future for WaitFdMut<'a, T> {
    type Output = io::Result<AsyncFdReadyMutGuard<'a, T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let fd = this.fd.as_ref().expect("AsyncFd: polled after it was done");
        let seen = ready!(
            fd.registration()
                .poll_ready(cx, this.wait, Some(this.place))
        )?;
        let fd = this.fd.take().expect("AsyncFd: seen two lines above");
        Poll::Ready(Ok(AsyncFdReadyMutGuard::new(fd, seen, *this.interest)))
    }
}

impl<T: AsRawFd> fmt::Debug for WaitFdMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFdMut")
            .field("interest", &self.interest)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// Future of [`AsyncFd::async_io_mut`].
    #[must_use = "a future does nothing until it is awaited"]
    pub struct FdAsyncIoMut<'a, T: AsRawFd, F> {
        fd: &'a mut AsyncFd<T>,
        attempt: F,
        wait: Wait,
        place: Option<Place>,
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T: AsRawFd, F> PinnedDrop for FdAsyncIoMut<'_, T, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.fd.registration().leave(this.place);
        }
    }
}

impl<'a, T: AsRawFd, F> FdAsyncIoMut<'a, T, F> {
    /// Has not begun.
    pub(crate) fn new(
        fd: &'a mut AsyncFd<T>,
        interest: Interest,
        line: &'static Location<'static>,
        attempt: F,
    ) -> Self {
        let wait = Wait::exactly(interest, line);
        Self {
            fd,
            attempt,
            wait,
            place: None,
            pinned: PhantomPinned,
        }
    }
}

impl<T: AsRawFd, R, F: FnMut(&mut T) -> io::Result<R>> Future for FdAsyncIoMut<'_, T, F> {
    type Output = io::Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = self.project();
        let (registration, inner) = this.fd.parts_mut();
        let attempt = || (this.attempt)(&mut *inner);
        registration.poll_io(cx, this.wait, Some(this.place), attempt, |_| false)
    }
}

impl<T: AsRawFd, F> fmt::Debug for FdAsyncIoMut<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FdAsyncIoMut").finish_non_exhaustive()
    }
}
