//! Bytes in and out of a pipe: read(2) and write(2), which sockets do not need.
//!
//! ```text
//!   poll_read_pipe, try_read_pipe ──► read(2), into memory that need not be initialised
//!   poll_write_pipe, try_write_pipe ► write(2), writev(2)
//! ```
//!
//! A short write(2) says that the pipe is full (epoll(7)) and clears the readiness; a writev(2) may
//! be short because it takes 1024 slices at most. A short read says nothing: a pipe in packet mode
//! (O_DIRECT, pipe(2)) gives one packet a read, and this end may have come from a stranger. So
//! only WouldBlock ends a run of reads.
//! There is no MSG_NOSIGNAL for pipes. That a write without readers gives EPIPE and no SIGPIPE is
//! the work of Rust's runtime, which ignores that signal before `main`.
//! Read next: `net/pipe_sender.rs`, `net/pipe_receiver.rs`.

#![allow(unsafe_code, reason = "read(2) fills memory that was not initialised")]

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::AsFd;
use std::panic::Location;
use std::task::{Context, Poll};

use bytes::BufMut;

use crate::io::evented::Evented;
use crate::io::read_buf::{ReadBuf, fill_spare};
use crate::io::wait::Wait;
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;
use crate::sys::pipe;

/// Reads into the unfilled part of `buf`.
fn read(file: &File, buf: &mut ReadBuf<'_>) -> io::Result<()> {
    // SAFETY: the slice goes to read(2) only, which writes bytes and never makes one uninitialised.
    let room = unsafe { buf.unfilled_mut() };
    let n = pipe::read(file.as_fd(), room)?;
    // SAFETY: read(2) has written the first `n` bytes of `room`, which is what is unfilled.
    unsafe { buf.assume_init(n) };
    buf.advance(n);
    Ok(())
}

impl Evented<File> {
    /// `AsyncRead::poll_read`.
    pub(super) fn poll_read_pipe(
        &self,
        cx: &mut Context<'_>,
        line: &'static Location<'static>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wait = Wait::of(Direction::Read, Kind::Read, line);
        let attempt = || read(self.get(), buf);
        self.registration()
            .poll_io(cx, &wait, None, attempt, |()| false)
    }

    /// Reads once, if there is something.
    pub(super) fn try_read_pipe(&self, buf: &mut [u8]) -> io::Result<usize> {
        let attempt = || self.get().read(buf);
        self.registration().try_now(Direction::Read, attempt)
    }

    /// Reads once into several buffers, if there is something.
    pub(super) fn try_read_pipe_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let attempt = || self.get().read_vectored(bufs);
        self.registration().try_now(Direction::Read, attempt)
    }

    /// Reads once into the spare room of `buf`, if there is something.
    pub(super) fn try_read_pipe_buf<B: BufMut + ?Sized>(&self, buf: &mut B) -> io::Result<usize> {
        let read = |buf: &mut ReadBuf<'_>| {
            let attempt = || read(self.get(), buf);
            Poll::Ready(self.registration().try_now(Direction::Read, attempt))
        };
        match fill_spare(buf, read) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// `AsyncWrite::poll_write`.
    pub(super) fn poll_write_pipe(
        &self,
        cx: &mut Context<'_>,
        line: &'static Location<'static>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wait = Wait::of(Direction::Write, Kind::Write, line);
        let attempt = || self.get().write(buf);
        self.registration()
            .poll_io(cx, &wait, None, attempt, |n| *n < buf.len())
    }

    /// `AsyncWrite::poll_write_vectored`.
    pub(super) fn poll_write_pipe_vectored(
        &self,
        cx: &mut Context<'_>,
        line: &'static Location<'static>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wait = Wait::of(Direction::Write, Kind::Write, line);
        let attempt = || self.get().write_vectored(bufs);
        self.registration()
            .poll_io(cx, &wait, None, attempt, |_| false)
    }

    /// Writes once, if there is room.
    pub(super) fn try_write_pipe(&self, buf: &[u8]) -> io::Result<usize> {
        let attempt = || self.get().write(buf);
        self.registration().try_now(Direction::Write, attempt)
    }

    /// Writes once from several buffers, if there is room.
    pub(super) fn try_write_pipe_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let attempt = || self.get().write_vectored(bufs);
        self.registration().try_now(Direction::Write, attempt)
    }
}
