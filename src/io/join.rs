//! `join`: a reader and a writer that look like one stream; the way back from `split`.
//!
//! Read next: `io/split.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::io::async_buf_read::AsyncBufRead;
use crate::io::async_read::AsyncRead;
use crate::io::async_write::AsyncWrite;
use crate::io::read_buf::ReadBuf;

/// Puts a reader and a writer together to one stream.
///
/// ```
/// use trefoil::io::{AsyncReadExt, AsyncWriteExt};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let mut stream = trefoil::io::join(&b"question"[..], Vec::new());
/// let mut text = String::new();
/// stream.read_to_string(&mut text).await?;
/// stream.write_all(b"answer").await?;
/// assert_eq!((text.as_str(), stream.writer().as_slice()), ("question", &b"answer"[..]));
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
pub fn join<R: AsyncRead, W: AsyncWrite>(reader: R, writer: W) -> Join<R, W> {
    Join { reader, writer }
}

pin_project! {
    /// A stream that reads from one thing and writes to another.
    ///
    /// Made by [`join`].
    #[derive(Debug)]
    pub struct Join<R, W> {
        #[pin]
        reader: R,
        #[pin]
        writer: W,
    }
}

impl<R, W> Join<R, W> {
    /// Gives both back.
    pub fn into_inner(self) -> (R, W) {
        (self.reader, self.writer)
    }

    /// What is read from.
    pub fn reader(&self) -> &R {
        &self.reader
    }

    /// What is written to.
    pub fn writer(&self) -> &W {
        &self.writer
    }

    /// What is read from.
    pub fn reader_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// What is written to.
    pub fn writer_mut(&mut self) -> &mut W {
        &mut self.writer
    }

    /// What is read from, pinned.
    pub fn reader_pin_mut(self: Pin<&mut Self>) -> Pin<&mut R> {
        self.project().reader
    }

    /// What is written to, pinned.
    pub fn writer_pin_mut(self: Pin<&mut Self>) -> Pin<&mut W> {
        self.project().writer
    }
}

impl<R: AsyncRead, W> AsyncRead for Join<R, W> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reader_pin_mut().poll_read(cx, buf)
    }
}

impl<R: AsyncBufRead, W> AsyncBufRead for Join<R, W> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.reader_pin_mut().poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        self.reader_pin_mut().consume(n);
    }
}

impl<R, W: AsyncWrite> AsyncWrite for Join<R, W> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer_pin_mut().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer_pin_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer_pin_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writer_pin_mut().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.writer.is_write_vectored()
    }
}
