//! The futures of `write`, `write_vectored`, `write_buf`, `write_all` and `write_all_buf`.
//!
//! The first three make one write and are done; the last two go on until everything is taken. A
//! writer's count is checked before it is believed: more than it was given is a panic, since the
//! stream's content is unknown from there on.
//! Read next: `io/flush.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::io::IoSlice;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use pin_project_lite::pin_project;

use crate::io::async_write::AsyncWrite;
use crate::io::interrupted::uninterrupted;
use crate::io::wait_line::at_line;
use crate::parts::wait_site::Kind;

/// Slices given to one vectored write of a `Buf`.
///
/// Unit: slices (16 bytes of stack each). Source: not tuned; writev(2) takes 1024.
const MAX_SLICES: usize = 64;

/// Writes some of `bytes`, which must not be empty, and checks the count.
///
/// # Errors
///
/// The writer's own; `WriteZero` when it takes nothing.
///
/// # Panics
///
/// When it claims more than it was given.
pub(crate) fn poll_write_some<W: AsyncWrite + ?Sized>(
    mut writer: Pin<&mut W>,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    let n = ready!(uninterrupted(|| writer.as_mut().poll_write(cx, bytes)))?;
    check_count(n, bytes.len());
    Poll::Ready(if n == 0 { Err(takes_nothing()) } else { Ok(n) })
}

/// Writes some of `buf` and marks it as used; 0 is no error here.
fn poll_write_buf<W: AsyncWrite + Unpin + ?Sized, B: Buf + ?Sized>(
    writer: &mut W,
    cx: &mut Context<'_>,
    buf: &mut B,
) -> Poll<io::Result<usize>> {
    let n = if writer.is_write_vectored() {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let used = buf.chunks_vectored(&mut slices);
        ready!(Pin::new(writer).poll_write_vectored(cx, &slices[..used]))?
    } else {
        ready!(Pin::new(writer).poll_write(cx, buf.chunk()))?
    };
    check_count(n, buf.remaining());
    buf.advance(n);
    Poll::Ready(Ok(n))
}

/// Refuses a count that cannot be true.
fn check_count(claimed: usize, given: usize) {
    assert!(
        claimed <= given,
        "poll_write: the writer claims {claimed} bytes, but was given {given}"
    );
}

/// The error of a writer that takes no byte of several.
fn takes_nothing() -> io::Error {
    io::Error::new(io::ErrorKind::WriteZero, "writer takes no more bytes")
}

pin_project! {
    /// Future of [`AsyncWriteExt::write`](crate::io::AsyncWriteExt::write).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Write<'a, W: ?Sized> {
        writer: &'a mut W,
        bytes: &'a [u8],
        line: &'static Location<'static>,
        // tokio's is `!Unpin`, and so is each of the futures in `io/`.
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, W: ?Sized> Write<'a, W> {
    /// A write that has not begun.
    pub(crate) fn new(
        writer: &'a mut W,
        bytes: &'a [u8],
        line: &'static Location<'static>,
    ) -> Self {
        Self {
            writer,
            bytes,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for Write<'_, W> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let me = self.project();
        at_line(me.line, Kind::Write, || {
            Pin::new(&mut **me.writer).poll_write(cx, me.bytes)
        })
    }
}

pin_project! {
    /// Future of [`AsyncWriteExt::write_vectored`](crate::io::AsyncWriteExt::write_vectored).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct WriteVectored<'a, 'b, W: ?Sized> {
        writer: &'a mut W,
        slices: &'a [IoSlice<'b>],
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, 'b, W: ?Sized> WriteVectored<'a, 'b, W> {
    /// A write that has not begun.
    pub(crate) fn new(
        writer: &'a mut W,
        slices: &'a [IoSlice<'b>],
        line: &'static Location<'static>,
    ) -> Self {
        Self {
            writer,
            slices,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteVectored<'_, '_, W> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let me = self.project();
        at_line(me.line, Kind::Write, || {
            Pin::new(&mut **me.writer).poll_write_vectored(cx, me.slices)
        })
    }
}

pin_project! {
    /// Future of [`AsyncWriteExt::write_buf`](crate::io::AsyncWriteExt::write_buf).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct WriteBuf<'a, W: ?Sized, B: ?Sized> {
        writer: &'a mut W,
        buf: &'a mut B,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, W: ?Sized, B: ?Sized> WriteBuf<'a, W, B> {
    /// A write that has not begun.
    pub(crate) fn new(writer: &'a mut W, buf: &'a mut B, line: &'static Location<'static>) -> Self {
        Self {
            writer,
            buf,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<W, B> Future for WriteBuf<'_, W, B>
where
    W: AsyncWrite + Unpin + ?Sized,
    B: Buf + ?Sized,
{
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let me = self.project();
        if !me.buf.has_remaining() {
            return Poll::Ready(Ok(0));
        }
        at_line(me.line, Kind::Write, || {
            poll_write_buf(&mut **me.writer, cx, &mut **me.buf)
        })
    }
}

pin_project! {
    /// Future of [`AsyncWriteExt::write_all`](crate::io::AsyncWriteExt::write_all).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct WriteAll<'a, W: ?Sized> {
        writer: &'a mut W,
        // What the writer has not taken yet.
        left: &'a [u8],
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, W: ?Sized> WriteAll<'a, W> {
    /// A write that has not begun.
    pub(crate) fn new(
        writer: &'a mut W,
        bytes: &'a [u8],
        line: &'static Location<'static>,
    ) -> Self {
        Self {
            writer,
            left: bytes,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteAll<'_, W> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.project();
        at_line(me.line, Kind::Write, || {
            while !me.left.is_empty() {
                let n = ready!(poll_write_some(Pin::new(&mut **me.writer), cx, me.left))?;
                *me.left = &me.left[n..];
            }
            Poll::Ready(Ok(()))
        })
    }
}

pin_project! {
    /// Future of [`AsyncWriteExt::write_all_buf`](crate::io::AsyncWriteExt::write_all_buf).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct WriteAllBuf<'a, W: ?Sized, B: ?Sized> {
        writer: &'a mut W,
        buf: &'a mut B,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, W: ?Sized, B: ?Sized> WriteAllBuf<'a, W, B> {
    /// A write that has not begun.
    pub(crate) fn new(writer: &'a mut W, buf: &'a mut B, line: &'static Location<'static>) -> Self {
        Self {
            writer,
            buf,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<W, B> Future for WriteAllBuf<'_, W, B>
where
    W: AsyncWrite + Unpin + ?Sized,
    B: Buf + ?Sized,
{
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.project();
        at_line(me.line, Kind::Write, || {
            while me.buf.has_remaining() {
                let mut write = || poll_write_buf(&mut **me.writer, cx, &mut **me.buf);
                if ready!(uninterrupted(&mut write))? == 0 {
                    return Poll::Ready(Err(takes_nothing()));
                }
            }
            Poll::Ready(Ok(()))
        })
    }
}
