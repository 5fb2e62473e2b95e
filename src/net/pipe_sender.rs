//! `pipe::Sender`: the end of a pipe that is written to.
//!
//! Read next: `net/pipe_receiver.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::io::async_write::AsyncWrite;
use crate::io::evented::Evented;
use crate::io::interest::Interest;
use crate::net::pipe_file::{Use, checked, set_nonblocking};
use crate::net::waits::{ReadyFor, Writable};

/// The end of a pipe that is written to.
///
/// Made by [`pipe`](crate::net::unix::pipe::pipe), by
/// [`OpenOptions`](crate::net::unix::pipe::OpenOptions), or from a file or descriptor that is one.
/// Writing is in [`AsyncWriteExt`](crate::io::AsyncWriteExt); dropping it closes the pipe,
/// `shutdown` does nothing.
///
/// A write of at most 4096 bytes (PIPE_BUF, pipe(7)) is done whole, and not mixed with others'.
/// Without a reader it gives `BrokenPipe`.
pub struct Sender {
    io: Evented<File>,
}

impl Sender {
    /// Takes over a file that is a pipe opened for writing; makes it non-blocking.
    ///
    /// # Errors
    ///
    /// `InvalidInput` when it is no pipe, or not opened for writing; what fcntl(2) or epoll_ctl(2)
    /// says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn from_file(file: File) -> io::Result<Self> {
        Self::new(checked(file, Use::Write)?)
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
    /// use trefoil::io::AsyncWriteExt;
    /// use trefoil::net::unix::pipe;
    ///
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// # rt.block_on(async {
    /// let (mut theirs, ours) = std::io::pipe()?;
    /// let mut tx = pipe::Sender::from_owned_fd(ours.into())?;
    /// tx.write_all(b"!").await?;
    /// let mut byte = [0; 1];
    /// std::io::Read::read_exact(&mut theirs, &mut byte)?;
    /// assert_eq!(byte, [b'!']);
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn from_owned_fd(fd: OwnedFd) -> io::Result<Self> {
        Self::from_file(fd.into())
    }

    /// Takes over a file as it is: it must be a non-blocking pipe opened for writing.
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
        let io = Evented::with_interest(file, Interest::WRITABLE, "pipe::Sender");
        let io = io.map_err(|(_, error)| error)?;
        Ok(Self { io })
    }

    /// Waits until something of `interest` is ready, and tells what.
    ///
    /// Of a sender that is `WRITABLE` and `ERROR`; anything else alone never ends.
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

    /// Waits until a write is worth a try: room, or nobody who reads any more.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn writable(&self) -> Writable<'_> {
        Writable::new(self.io.registration(), Location::caller())
    }

    /// Polls for [`writable`](Self::writable). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    #[track_caller]
    pub fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let line = Location::caller();
        self.io.registration().poll_write_ready(cx, line)
    }

    /// Writes what there is room for, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room, as far as is known; what write(2) says.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.try_write_pipe(buf)
    }

    /// As [`try_write`](Self::try_write), from several buffers.
    ///
    /// # Errors
    ///
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io.try_write_pipe_vectored(bufs)
    }

    /// Runs a system call of yours if the pipe is writable.
    ///
    /// When `attempt` gives `WouldBlock`, the readiness is cleared; so it must be the pipe that
    /// said so.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when it is not ready; what `attempt` gives.
    pub fn try_io<R>(&self, attempt: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        self.io.registration().try_io(Interest::WRITABLE, attempt)
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

impl AsyncWrite for Sender {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_write_pipe(cx, Location::caller(), buf)
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io
            .poll_write_pipe_vectored(cx, Location::caller(), bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is kept back here.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Does nothing: the end of a pipe is a close, so drop it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get().as_fd()
    }
}

impl AsRawFd for Sender {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get().as_raw_fd()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sender").field(&self.io).finish()
    }
}
