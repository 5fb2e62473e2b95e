//! The futures of `flush` and `shutdown`.
//!
//! Read next: `io/buf_writer.rs`, where both have something to do.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::io::async_write::AsyncWrite;
use crate::io::wait_line::at_line;
use crate::parts::wait_site::Kind;

pin_project! {
    /// Future of [`AsyncWriteExt::flush`](crate::io::AsyncWriteExt::flush).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Flush<'a, W: ?Sized> {
        writer: &'a mut W,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, W: ?Sized> Flush<'a, W> {
    /// A flush that has not begun.
    pub(crate) fn new(writer: &'a mut W, line: &'static Location<'static>) -> Self {
        Self {
            writer,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for Flush<'_, W> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.project();
        at_line(me.line, Kind::Write, || {
            Pin::new(&mut **me.writer).poll_flush(cx)
        })
    }
}

pin_project! {
    /// Future of [`AsyncWriteExt::shutdown`](crate::io::AsyncWriteExt::shutdown).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Shutdown<'a, W: ?Sized> {
        writer: &'a mut W,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, W: ?Sized> Shutdown<'a, W> {
    /// A shutdown that has not begun.
    pub(crate) fn new(writer: &'a mut W, line: &'static Location<'static>) -> Self {
        Self {
            writer,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for Shutdown<'_, W> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.project();
        at_line(me.line, Kind::Write, || {
            Pin::new(&mut **me.writer).poll_shutdown(cx)
        })
    }
}
