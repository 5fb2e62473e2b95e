//! The guards that `AsyncFd` gives out when it is ready: proof of what was seen, to clear it.
//!
//! A guard clears only what it has seen: an event that came after it stays (`Readiness::clear`).
//! The end of a stream stays in any case.
//! Read next: `io/async_fd_wait.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::panic::Location;
use std::task::{Context, Poll, ready};

use crate::io::async_fd::AsyncFd;
use crate::io::evented::Registration;
use crate::io::interest::{Interest, Ready};
use crate::io::wait::{Wait, ready_of};
use crate::reactor::readiness::Seen;

/// What a guard holds beside the fd.
#[derive(Debug, Clone, Copy)]
struct Noted {
    /// The moment at which it was ready.
    seen: Seen,
    /// What of it has not been cleared or retained by this guard.
    ready: Ready,
}

impl Noted {
    /// What a wait for `interest` saw.
    fn new(seen: Seen, interest: Interest) -> Self {
        Self {
            seen,
            ready: ready_of(seen, interest),
        }
    }

    /// Clears all of it.
    fn clear(&mut self, registration: &Registration) {
        self.clear_matching(registration, self.ready);
    }

    /// Clears `ready`.
    fn clear_matching(&mut self, registration: &Registration, ready: Ready) {
        registration.clear(self.seen, self.ready & ready);
        self.ready = self.ready - ready;
    }

    /// Clears all of it if `result` says that there was nothing.
    fn after<R>(
        &mut self,
        registration: &Registration,
        result: io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.clear(registration);
                Err(TryIoError(()))
            }
            result => Ok(result),
        }
    }
}

/// Says that an [`AsyncFd`] is ready, and lets its readiness be cleared.
///
/// Clear it when, and only when, a system call has said that it would block: nothing else brings
/// the next event.
#[must_use = "say whether the descriptor is still ready: clear_ready, retain_ready, or use try_io"]
pub struct AsyncFdReadyGuard<'a, T: AsRawFd> {
    fd: &'a AsyncFd<T>,
    noted: Noted,
}

impl<'a, T: AsRawFd> AsyncFdReadyGuard<'a, T> {
    /// What a wait for `interest` saw.
    pub(crate) fn new(fd: &'a AsyncFd<T>, seen: Seen, interest: Interest) -> Self {
        Self {
            fd,
            noted: Noted::new(seen, interest),
        }
    }

    /// Clears the readiness, unless an event has come since the guard was made.
    pub fn clear_ready(&mut self) {
        self.noted.clear(self.fd.registration());
    }

    /// Clears part of it: `ready`, unless an event has come since the guard was made.
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        self.noted.clear_matching(self.fd.registration(), ready);
    }

    /// Keeps the readiness as it is; says that this is meant.
    pub fn retain_ready(&mut self) {}

    /// What is ready, without what this guard has cleared.
    pub fn ready(&self) -> Ready {
        self.noted.ready
    }

    /// Runs a system call; a `WouldBlock` clears the readiness.
    ///
    /// # Errors
    ///
    /// [`TryIoError`] for `WouldBlock`; every other result of `attempt` is within the `Ok`.
    pub fn try_io<R>(
        &mut self,
        attempt: impl FnOnce(&'a AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        let result = attempt(self.fd);
        self.noted.after(self.fd.registration(), result)
    }

    /// The descriptor that is ready.
    pub fn get_ref(&self) -> &'a AsyncFd<T> {
        self.fd
    }

    /// The object within.
    pub fn get_inner(&self) -> &'a T {
        self.fd.get_ref()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFdReadyGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFdReadyGuard")
            .field("fd", self.fd)
            .field("ready", &self.noted.ready)
            .finish()
    }
}

/// As [`AsyncFdReadyGuard`], and may change the object.
#[must_use = "say whether the descriptor is still ready: clear_ready, retain_ready, or use try_io"]
pub struct AsyncFdReadyMutGuard<'a, T: AsRawFd> {
    fd: &'a mut AsyncFd<T>,
    noted: Noted,
}

impl<'a, T: AsRawFd> AsyncFdReadyMutGuard<'a, T> {
    /// What a wait for `interest` saw.
    pub(crate) fn new(fd: &'a mut AsyncFd<T>, seen: Seen, interest: Interest) -> Self {
        Self {
            fd,
            noted: Noted::new(seen, interest),
        }
    }

    /// Clears the readiness, unless an event has come since the guard was made.
    pub fn clear_ready(&mut self) {
        self.noted.clear(self.fd.registration());
    }

    /// Clears part of it: `ready`, unless an event has come since the guard was made.
    pub fn clear_ready_matching(&mut self, ready: Ready) {
        self.noted.clear_matching(self.fd.registration(), ready);
    }

    /// Keeps the readiness as it is; says that this is meant.
    pub fn retain_ready(&mut self) {}

    /// What is ready, without what this guard has cleared.
    pub fn ready(&self) -> Ready {
        self.noted.ready
    }

    /// Runs a system call; a `WouldBlock` clears the readiness.
    ///
    /// # Errors
    ///
    /// [`TryIoError`] for `WouldBlock`; every other result of `attempt` is within the `Ok`.
    pub fn try_io<R>(
        &mut self,
        attempt: impl FnOnce(&mut AsyncFd<T>) -> io::Result<R>,
    ) -> Result<io::Result<R>, TryIoError> {
        let result = attempt(self.fd);
        self.noted.after(self.fd.registration(), result)
    }

    /// The descriptor that is ready.
    pub fn get_ref(&self) -> &AsyncFd<T> {
        self.fd
    }

    /// The descriptor that is ready, to change it.
    pub fn get_mut(&mut self) -> &mut AsyncFd<T> {
        self.fd
    }

    /// The object within.
    pub fn get_inner(&self) -> &T {
        self.fd.get_ref()
    }

    /// The object within, to change it.
    pub fn get_inner_mut(&mut self) -> &mut T {
        self.fd.get_mut()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFdReadyMutGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFdReadyMutGuard")
            .field("fd", self.fd)
            .field("ready", &self.noted.ready)
            .finish()
    }
}

/// The system call would have blocked; the readiness has been cleared, so wait again.
#[derive(Debug)]
pub struct TryIoError(());

/// Polling.
impl<T: AsRawFd> AsyncFd<T> {
    /// Polls for [`readable`](Self::readable). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    #[track_caller]
    pub fn poll_read_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let wait = Wait::exactly(Interest::READABLE, Location::caller());
        let seen = ready!(self.registration().poll_ready(cx, &wait, None))?;
        Poll::Ready(Ok(AsyncFdReadyGuard::new(self, seen, Interest::READABLE)))
    }

    /// Polls for [`readable_mut`](Self::readable_mut). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    #[track_caller]
    pub fn poll_read_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let wait = Wait::exactly(Interest::READABLE, Location::caller());
        let seen = ready!(self.registration().poll_ready(cx, &wait, None))?;
        Poll::Ready(Ok(AsyncFdReadyMutGuard::new(
            self,
            seen,
            Interest::READABLE,
        )))
    }

    /// Polls for [`writable`](Self::writable). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    #[track_caller]
    pub fn poll_write_ready<'a>(
        &'a self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyGuard<'a, T>>> {
        let wait = Wait::exactly(Interest::WRITABLE, Location::caller());
        let seen = ready!(self.registration().poll_ready(cx, &wait, None))?;
        Poll::Ready(Ok(AsyncFdReadyGuard::new(self, seen, Interest::WRITABLE)))
    }

    /// Polls for [`writable_mut`](Self::writable_mut). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    #[track_caller]
    pub fn poll_write_ready_mut<'a>(
        &'a mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<AsyncFdReadyMutGuard<'a, T>>> {
        let wait = Wait::exactly(Interest::WRITABLE, Location::caller());
        let seen = ready!(self.registration().poll_ready(cx, &wait, None))?;
        Poll::Ready(Ok(AsyncFdReadyMutGuard::new(
            self,
            seen,
            Interest::WRITABLE,
        )))
    }
}
