//! `pipe::Receiver`: the end of a pipe that is read from.
//!
//! The end of a FIFO is not for ever: it lasts until the next writer opens it. A receiver that has
//! read 0 reads 0 again at once while nobody writes; once somebody has opened it, it waits for
//! bytes as before.
//! Read next: `io/async_fd.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;

use crate::io::async_read::AsyncRead;
use crate::io::evented::Evented;
use crate::io::interest::Interest;
use crate::io::read_buf::ReadBuf;
use crate::net::pipe_file::{Use, checked, set_nonblocking};
use crate::net::waits::{Readable, ReadyFor};

/// The end of a pipe that is read from.
///
/// Made by [`pipe`](crate::net::unix::pipe::pipe), by
/// [`OpenOptions`](crate::net::unix::pipe::OpenOptions), or from a file or descriptor that is one.
/// Reading is in [`AsyncReadExt`](crate::io::AsyncReadExt). It reads the end when the last writer
/// has gone; a FIFO that nobody has opened for writing yet waits for the first one.
pub struct Receiver {
    io: Evented<File>,
}

impl Receiver {
    /// Takes over a file that is a pipe opened for reading; makes it non-blocking.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is no pipe, or not opened for reading; what fcntl(2) or epoll_ctl(2)
    /// says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn from_file(file: File) -> io::Result<Self> {
        Self::new(checked(file, Use::Read)?)
    }

    /// As [`from_file`](Self::from_file), of a descriptor.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    ///
    /// ```
    /// use trefoil::io::AsyncReadExt;
    /// use trefoil::net::unix::pipe;
    ///
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// # rt.block_on(async {
    /// let (ours, mut theirs) = std::io::pipe()?;
    /// let mut rx = pipe::Receiver::from_owned_fd(ours.into())?;
    /// std::io::Write::write_all(&mut theirs, b"!")?;
    /// assert_eq!(rx.read_u8().await?, b'!');
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn from_owned_fd(fd: OwnedFd) -> io::Result<Self> {
        Self::from_file(fd.into())
    }

    /// Takes over a file as it is: it must be a non-blocking pipe opened for reading.
    ///
    /// # Errors
    ///
    /// What epoll_ctl(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn from_file_unchecked(file: File) -> io::Result<Self> {
        Self::new(file)
    }

    /// As [`from_file_unchecked`](Self::from_file_unchecked), of a descriptor.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// As there.
    #[track_caller]
    pub fn from_owned_fd_unchecked(fd: OwnedFd) -> io::Result<Self> {
        Self::new(fd.into())
    }

    /// Registers it.
    #[track_caller]
    pub(super) fn new(file: File) -> io::Result<Self> {
        let io = Evented::with_interest(file, Interest::READABLE, "pipe::Receiver");
        let io = io.map_err(|(_, error)| error)?;
        Ok(Self { io })
    }

    /// Waits until something of `interest` is ready, and tells what.
    ///
    /// Of a receiver that is `READABLE` and `ERROR`; anything else alone never ends.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn ready(&self, interest: Interest) -> ReadyFor<'_> {
        ReadyFor::new(self.io.registration(), interest, Location::caller())
    }

    /// Waits until a read is worth a try: bytes, or their end.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn readable(&self) -> Readable<'_> {
        Readable::new(self.io.registration(), Location::caller())
    }

    /// Polls for [`readable`](Self::readable). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    #[track_caller]
    pub fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let line = Location::caller();
        self.io.registration().poll_read_ready(cx, line)
    }

    /// Reads what is there, without waiting; 0 is the end.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there, as far as is known; what read(2) says.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_read_pipe(buf)
    }

    /// As [`try_read`](Self::try_read), into several buffers.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.try_read_pipe_vectored(bufs)
    }

    /// As [`try_read`](Self::try_read), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.io.try_read_pipe_buf(buf)
    }

    /// Runs a system call of yours if the pipe is readable.
    ///
    /// When `attempt` gives `WouldBlock`, the readiness is cleared; so it must be the pipe that
    /// said so.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when it is not ready; what `attempt` gives.
    pub fn try_io<R>(&self, attempt: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.io.registration().try_io(Interest::READABLE, attempt)
    }

    /// Gives the descriptor away, and makes it block: for a child process, for example.
    ///
    /// The other descriptors of this end block too: that is a property of the open file.
    ///
    /// # Errors
    ///
    /// What fcntl(2) says.
    pub fn into_blocking_fd(self) -> io::Result<OwnedFd> {
        let file = self.io.into_io();
        set_nonblocking(&file, false)?;
        Ok(file.into())
    }

    /// Gives the descriptor away; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_nonblocking_fd(self) -> io::Result<OwnedFd> {
        Ok(self.io.into_io().into())
    }
}

impl AsyncRead for Receiver {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.poll_read_pipe(cx, Location::caller(), buf)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get().as_fd()
    }
}

impl AsRawFd for Receiver {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get().as_raw_fd()
    }
}

impl fmt::Debug for Receiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Receiver").field(&self.io).finish()
    }
}
