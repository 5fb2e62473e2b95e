//! The futures of `read`, `read_buf` and `read_exact`.
//!
//! Each polls the reader through `fill_slice` or `fill_spare` (`io/read_buf.rs`), which check the
//! count, and marks its wait with the user's line (`io/wait_line.rs`).
//! Read next: `io/read_to_end.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use pin_project_lite::pin_project;

use crate::io::async_read::AsyncRead;
use crate::io::interrupted::uninterrupted;
use crate::io::read_buf::{fill_slice, fill_spare};
use crate::io::wait_line::at_line;
use crate::parts::wait_site::Kind;

pin_project! {
    /// Future of [`AsyncReadExt::read`](crate::io::AsyncReadExt::read).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Read<'a, R: ?Sized> {
        reader: &'a mut R,
        buf: &'a mut [u8],
        line: &'static Location<'static>,
        // tokio's is `!Unpin`, and so is each of the futures in `io/`.
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, R: ?Sized> Read<'a, R> {
    /// A read that has not begun.
    pub(crate) fn new(
        reader: &'a mut R,
        buf: &'a mut [u8],
        line: &'static Location<'static>,
    ) -> Self {
        Self {
            reader,
            buf,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<R: AsyncRead + Unpin + ?Sized> Future for Read<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let me = self.project();
        at_line(me.line, Kind::Read, || {
            fill_slice(me.buf, |buf| Pin::new(&mut **me.reader).poll_read(cx, buf))
        })
    }
}

pin_project! {
    /// Future of [`AsyncReadExt::read_buf`](crate::io::AsyncReadExt::read_buf).
    ///
    /// Not called `ReadBuf`: that is the buffer which readers are given.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ReadIntoBuf<'a, R: ?Sized, B: ?Sized> {
        reader: &'a mut R,
        buf: &'a mut B,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, R: ?Sized, B: ?Sized> ReadIntoBuf<'a, R, B> {
    /// A read that has not begun.
    pub(crate) fn new(reader: &'a mut R, buf: &'a mut B, line: &'static Location<'static>) -> Self {
        Self {
            reader,
            buf,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<R, B> Future for ReadIntoBuf<'_, R, B>
where
    R: AsyncRead + Unpin + ?Sized,
    B: BufMut + ?Sized,
{
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let me = self.project();
        // A full buffer may not even have a chunk to show.
        if !me.buf.has_remaining_mut() {
            return Poll::Ready(Ok(0));
        }
        at_line(me.line, Kind::Read, || {
            fill_spare(&mut **me.buf, |buf| {
                Pin::new(&mut **me.reader).poll_read(cx, buf)
            })
        })
    }
}

pin_project! {
    /// Future of [`AsyncReadExt::read_exact`](crate::io::AsyncReadExt::read_exact).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ReadExact<'a, R: ?Sized> {
        reader: &'a mut R,
        buf: &'a mut [u8],
        // Bytes of `buf` that have come.
        filled: usize,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, R: ?Sized> ReadExact<'a, R> {
    /// A read that has not begun.
    pub(crate) fn new(
        reader: &'a mut R,
        buf: &'a mut [u8],
        line: &'static Location<'static>,
    ) -> Self {
        Self {
            reader,
            buf,
            filled: 0,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadExact<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let me = self.project();
        at_line(me.line, Kind::Read, || {
            poll_fill(&mut **me.reader, cx, me.buf, me.filled).map_ok(|()| me.buf.len())
        })
    }
}

/// Reads until all of `buf` is filled; `filled` counts on over several polls.
pub(crate) fn poll_fill<R: AsyncRead + Unpin + ?Sized>(
    reader: &mut R,
    cx: &mut Context<'_>,
    buf: &mut [u8],
    filled: &mut usize,
) -> Poll<io::Result<()>> {
    while *filled < buf.len() {
        let rest = &mut buf[*filled..];
        let mut read = || fill_slice(rest, |buf| Pin::new(&mut *reader).poll_read(cx, buf));
        match ready!(uninterrupted(&mut read))? {
            0 => return Poll::Ready(Err(ended_early(*filled, buf.len()))),
            n => *filled += n,
        }
    }
    Poll::Ready(Ok(()))
}

/// The stream ended amid something whose length is known.
fn ended_early(got: usize, wanted: usize) -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        format!("stream ended after {got} of {wanted} bytes"),
    )
}
