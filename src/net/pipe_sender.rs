//! `pipe::Sender`: the end of a pipe that is written to.
//!
//! Read next: `net/pipe_receiver.rs`.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, IoSlice};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::io::async_write::AsyncWrite;
use crate::io::evented::Evented;
use crate::io::interest::Interest;
use crate::net::pipe_file::pipe_end;
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

pipe_end!(
    Sender,
    Write,
    WRITABLE,
    "writing",
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
);

impl Sender {
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
