//! `AsyncFd`: any file descriptor that epoll takes, waited for in a task.
//!
//! ```text
//!   fd.readable().await ──► guard ──► your system call ──┬─► bytes
//!                                                        └─► WouldBlock: guard.clear_ready(),
//!                                                            or guard.try_io does it for you
//! ```
//!
//! The sockets in `net` know what their system calls say and keep the readiness up to date
//! themselves; here the caller makes the calls, so the caller clears. The guard is there to ask
//! for that decision, and to clear only what was seen.
//! Read next: `io/async_fd_guard.rs`.

#![allow(
    unsafe_code,
    reason = "`register` is an unsafe fn, as its callers expect; no unsafe operation is made"
)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::io::evented::{Evented, Registration};
use crate::io::interest::Interest;

/// What [`AsyncFd::new`] and its like register for.
const BOTH: Interest = Interest::READABLE.add(Interest::WRITABLE);

/// A file descriptor of yours, registered with the runtime, to wait until it is ready.
///
/// For what trefoil has no type for: an eventfd, a timerfd, inotify, a device. The descriptor must
/// be non-blocking, and one that epoll(7) takes: a plain file is not (it counts as always ready).
///
/// ```
/// use std::io::Read;
/// use std::os::unix::net::UnixStream;
///
/// use trefoil::io::unix::AsyncFd;
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let (ours, theirs) = UnixStream::pair()?;
/// ours.set_nonblocking(true)?;
/// let fd = AsyncFd::new(ours)?;
/// std::io::Write::write_all(&mut &theirs, b"!")?;
///
/// let mut byte = [0; 1];
/// loop {
///     let mut guard = fd.readable().await?;
///     match guard.try_io(|fd| fd.get_ref().read(&mut byte)) {
///         Ok(result) => break assert_eq!(result?, 1),
///         Err(_would_block) => continue,
///     }
/// }
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct AsyncFd<T: AsRawFd> {
    io: Evented<T>,
}

impl<T: AsRawFd> AsyncFd<T> {
    /// Registers `inner` for reading and writing.
    ///
    /// The descriptor must stay open, and the same one, as long as this object lives.
    ///
    /// # Errors
    ///
    /// What epoll_ctl(2) says: EPERM for a plain file, EEXIST when it is registered already.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn new(inner: T) -> io::Result<Self> {
        Self::with_interest(inner, BOTH)
    }

    /// Registers `inner` for `interest`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[track_caller]
    pub fn with_interest(inner: T, interest: Interest) -> io::Result<Self> {
        Self::try_with_interest(inner, interest).map_err(|error| error.cause)
    }

    /// As [`new`](Self::new), and gives `inner` back when it fails.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[track_caller]
    pub fn try_new(inner: T) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::try_with_interest(inner, BOTH)
    }

    /// As [`with_interest`](Self::with_interest), and gives `inner` back when it fails.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[track_caller]
    pub fn try_with_interest(
        inner: T,
        interest: Interest,
    ) -> Result<Self, AsyncFdRegisterError<T>> {
        match Evented::with_interest(inner, interest, "AsyncFd") {
            Ok(io) => Ok(Self { io }),
            Err((inner, cause)) => Err(AsyncFdRegisterError { cause, inner }),
        }
    }

    /// As [`try_new`](Self::try_new), for code that states the condition on the descriptor.
    ///
    /// # Safety
    ///
    /// `inner`'s descriptor stays open, and the same one, until this object is dropped or taken
    /// apart by [`into_inner`](Self::into_inner). (trefoil itself risks a lost or foreign event
    /// otherwise, no memory.)
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[track_caller]
    pub unsafe fn register(inner: T) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::try_new(inner)
    }

    /// As [`register`](Self::register), for `interest`.
    ///
    /// # Safety
    ///
    /// As [`register`](Self::register).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// As [`new`](Self::new).
    #[track_caller]
    pub unsafe fn register_with_interest(
        inner: T,
        interest: Interest,
    ) -> Result<Self, AsyncFdRegisterError<T>> {
        Self::try_with_interest(inner, interest)
    }

    /// The object within.
    pub fn get_ref(&self) -> &T {
        self.io.get()
    }

    /// The object within, to change it. Its descriptor must stay the same.
    pub fn get_mut(&mut self) -> &mut T {
        self.io.get_mut()
    }

    /// Takes it out of the runtime.
    pub fn into_inner(self) -> T {
        self.io.into_io()
    }

    /// Where it waits.
    pub(crate) fn registration(&self) -> &Registration {
        self.io.registration()
    }

    /// Runs a system call of yours if `interest` is ready; a `WouldBlock` clears the readiness.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when it is not ready; what `attempt` gives.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        attempt: impl FnOnce(&T) -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration()
            .try_io(interest, || attempt(self.io.get()))
    }

    /// As [`try_io`](Self::try_io), for a call that changes the object.
    ///
    /// # Errors
    ///
    /// As [`try_io`](Self::try_io).
    pub fn try_io_mut<R>(
        &mut self,
        interest: Interest,
        attempt: impl FnOnce(&mut T) -> io::Result<R>,
    ) -> io::Result<R> {
        let (registration, inner) = self.io.parts_mut();
        registration.try_io(interest, || attempt(inner))
    }

    /// Registration and object, for a future that changes the object.
    pub(crate) fn parts_mut(&mut self) -> (&Registration, &mut T) {
        self.io.parts_mut()
    }
}

impl<T: AsRawFd> AsRawFd for AsyncFd<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get().as_raw_fd()
    }
}

impl<T: AsRawFd + AsFd> AsFd for AsyncFd<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get().as_fd()
    }
}

impl<T: AsRawFd + fmt::Debug> fmt::Debug for AsyncFd<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFd")
            .field("inner", self.get_ref())
            .finish()
    }
}

/// A descriptor could not be registered; it comes back with the reason.
pub struct AsyncFdRegisterError<T> {
    cause: io::Error,
    inner: T,
}

impl<T> AsyncFdRegisterError<T> {
    /// The object and the reason.
    pub fn into_parts(self) -> (T, io::Error) {
        (self.inner, self.cause)
    }
}

impl<T> fmt::Display for AsyncFdRegisterError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot register the file descriptor with the runtime")
    }
}

impl<T> fmt::Debug for AsyncFdRegisterError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncFdRegisterError")
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}

impl<T> std::error::Error for AsyncFdRegisterError<T> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl<T> From<AsyncFdRegisterError<T>> for io::Error {
    fn from(error: AsyncFdRegisterError<T>) -> Self {
        error.cause
    }
}
