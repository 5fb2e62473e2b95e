//! `pipe::Receiver`: the end of a pipe that is read from.
//!
//! The end of a FIFO is not for ever: it lasts until the next writer opens it. A receiver that has
//! read 0 reads 0 again at once while nobody writes; once somebody has opened it, it waits for
//! bytes as before.
//! Read next: `io/async_fd.rs`.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;

use crate::io::async_read::AsyncRead;
use crate::io::evented::Evented;
use crate::io::interest::Interest;
use crate::io::read_buf::ReadBuf;
use crate::net::pipe_file::pipe_end;
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

pipe_end!(
    Receiver,
    Read,
    READABLE,
    "reading",
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
);

impl Receiver {
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
