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
use crate::io::interest::Interest;
use crate::io::wait::Wait;
use crate::io::waiting::Waiting;
use crate::reactor::waiters::Place;

/// Waiting.
impl<T: AsRawFd> AsyncFd<T> {
    /// Waits until something of `interest` is ready.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn ready(&self, interest: Interest) -> WaitFd<'_, T> {
        WaitFd::new(self, interest, Location::caller())
    }

    /// As [`ready`](Self::ready), with a guard that can change the object.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn ready_mut(&mut self, interest: Interest) -> WaitFdMut<'_, T> {
        WaitFdMut::new(self, interest, Location::caller())
    }

    /// Waits until it may be read.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn readable(&self) -> WaitFd<'_, T> {
        self.ready(Interest::READABLE)
    }

    /// As [`readable`](Self::readable), with a guard that can change the object.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn readable_mut(&mut self) -> WaitFdMut<'_, T> {
        self.ready_mut(Interest::READABLE)
    }

    /// Waits until it may be written.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn writable(&self) -> WaitFd<'_, T> {
        self.ready(Interest::WRITABLE)
    }

    /// As [`writable`](Self::writable), with a guard that can change the object.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn writable_mut(&mut self) -> WaitFdMut<'_, T> {
        self.ready_mut(Interest::WRITABLE)
    }

    /// Runs a system call of yours each time `interest` is ready, until it does not block.
    ///
    /// # Errors
    ///
    /// What `attempt` gives, but `WouldBlock`; that the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe if `attempt` is: it runs within one poll.
    #[track_caller]
    pub fn async_io<R, F: FnMut(&T) -> io::Result<R>>(
        &self,
        interest: Interest,
        attempt: F,
    ) -> FdAsyncIo<'_, T, F> {
        FdAsyncIo::new(self, interest, Location::caller(), attempt)
    }

    /// As [`async_io`](Self::async_io), for a call that changes the object.
    ///
    /// # Errors
    ///
    /// As [`async_io`](Self::async_io).
    ///
    /// # Cancel safety
    ///
    /// Safe if `attempt` is: it runs within one poll.
    #[track_caller]
    pub fn async_io_mut<R, F: FnMut(&mut T) -> io::Result<R>>(
        &mut self,
        interest: Interest,
        attempt: F,
    ) -> FdAsyncIoMut<'_, T, F> {
        FdAsyncIoMut::new(self, interest, Location::caller(), attempt)
    }
}

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
