//! Bytes in and out of a connected socket: what `TcpStream` and `UnixStream` have in common.
//!
//! ```text
//!   poll_receive, try_receive ──► recv(2), through net/receive.rs
//!   poll_send, try_send       ──► send(2), sendmsg(2) with MSG_NOSIGNAL: EPIPE, no SIGPIPE
//! ```
//!
//! A call that moves fewer bytes than it might says that the next one would block (epoll(7)), and
//! clears the readiness. Two rare things break the rule: TCP's urgent mark, and file descriptors
//! that a Unix peer sends unasked. Then the rest waits for the next bytes; who deals in those uses
//! the `try_*` calls, which know no such shortcut: after `readable().await` one tries until
//! WouldBlock, and only that clears the readiness.
//! Why not std's `Write`: it uses writev(2), which may raise SIGPIPE.
//! Read next: `net/tcp_stream.rs`.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut, Read};
use std::os::fd::AsFd;
use std::panic::Location;
use std::task::{Context, Poll};

use bytes::BufMut;
use socket2::SockRef;

use crate::io::evented::Evented;
use crate::io::read_buf::{ReadBuf, fill_spare};
use crate::io::wait::Wait;
use crate::net::receive::receive;
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;
use crate::sys::socket::MSG_NOSIGNAL;

/// Sends from `buf`; never raises SIGPIPE.
fn send(socket: &impl AsFd, buf: &[u8]) -> io::Result<usize> {
    SockRef::from(socket).send_with_flags(buf, MSG_NOSIGNAL)
}

/// Buffers that one call takes; the others wait for the next.
///
/// Unit: slices. Source: UIO_MAXIOV, of which sendmsg(2) and readv(2) say that more is an error.
const MAX_SLICES: usize = 1024;

/// Sends from several buffers; never raises SIGPIPE.
fn send_vectored(socket: &impl AsFd, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
    SockRef::from(socket).send_vectored_with_flags(bufs, MSG_NOSIGNAL)
}

/// True when a call that moved `n` of `most` bytes has left nothing for the next one.
fn drained(n: usize, most: usize) -> bool {
    0 < n && n < most
}

/// The bytes in all of some buffers, which may overlap: their sum has no bound.
fn total(lengths: impl Iterator<Item = usize>) -> usize {
    lengths.fold(0, usize::saturating_add)
}

impl<S: AsFd> Evented<S> {
    /// `AsyncRead::poll_read`.
    pub(crate) fn poll_receive(
        &self,
        cx: &mut Context<'_>,
        line: &'static Location<'static>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wait = Wait::of(Direction::Read, Kind::Read, line);
        let most = buf.remaining();
        let attempt = || receive(self.get(), buf);
        self.registration()
            .poll_io(cx, &wait, None, attempt, |n| drained(*n, most))
            .map_ok(|_| ())
    }

    /// `AsyncWrite::poll_write`.
    pub(crate) fn poll_send(
        &self,
        cx: &mut Context<'_>,
        line: &'static Location<'static>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wait = Wait::of(Direction::Write, Kind::Write, line);
        let attempt = || send(self.get(), buf);
        self.registration()
            .poll_io(cx, &wait, None, attempt, |n| drained(*n, buf.len()))
    }

    /// `AsyncWrite::poll_write_vectored`.
    pub(crate) fn poll_send_vectored(
        &self,
        cx: &mut Context<'_>,
        line: &'static Location<'static>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wait = Wait::of(Direction::Write, Kind::Write, line);
        let bufs = &bufs[..bufs.len().min(MAX_SLICES)];
        let most = total(bufs.iter().map(|buf| buf.len()));
        let attempt = || send_vectored(self.get(), bufs);
        self.registration()
            .poll_io(cx, &wait, None, attempt, |n| drained(*n, most))
    }

    /// Receives once, if there is something.
    pub(crate) fn try_receive(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        let attempt = || receive(self.get(), &mut buf);
        self.registration().try_now(Direction::Read, attempt)
    }

    /// Receives once into the spare room of `buf`, if there is something.
    pub(crate) fn try_receive_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        let read = |buf: &mut ReadBuf<'_>| {
            let attempt = || receive(self.get(), buf);
            let result = self.registration().try_now(Direction::Read, attempt);
            Poll::Ready(result.map(|_| ()))
        };
        match fill_spare(buf, read) {
            Poll::Ready(result) => result,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Receives once into several buffers, if there is something.
    pub(crate) fn try_receive_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize>
    where
        for<'a> &'a S: Read,
    {
        let attempt = || self.get().read_vectored(bufs);
        self.registration().try_now(Direction::Read, attempt)
    }

    /// Sends once, if there is room.
    pub(crate) fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        let attempt = || send(self.get(), buf);
        self.registration().try_now(Direction::Write, attempt)
    }

    /// Sends once from several buffers, if there is room.
    pub(crate) fn try_send_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let bufs = &bufs[..bufs.len().min(MAX_SLICES)];
        let attempt = || send_vectored(self.get(), bufs);
        self.registration().try_now(Direction::Write, attempt)
    }
}
