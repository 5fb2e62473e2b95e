//! The futures of `read_until`, `read_line` and `fill_buf`.
//!
//! `read_until` appends to the caller's `Vec` as bytes come, so nothing is lost when it is dropped.
//! `read_line` cannot do that with a `String`, which never holds half a character: it goes by
//! `io/text.rs`.
//! Read next: `io/lines.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::mem;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_buf_read::AsyncBufRead;
use crate::io::text::Text;
use crate::io::wait_line::at_line;
use crate::parts::budget;
use crate::parts::wait_site::Kind;

/// Appends to `bytes` up to and with `delimiter`, or to the end of the stream.
///
/// `total` counts on over several polls, and is 0 again when it is given out.
pub(crate) fn poll_read_until<R: AsyncBufRead + ?Sized>(
    mut reader: Pin<&mut R>,
    cx: &mut Context<'_>,
    delimiter: u8,
    bytes: &mut Vec<u8>,
    total: &mut usize,
) -> Poll<io::Result<usize>> {
    loop {
        let mut shown = match reader.as_mut().poll_fill_buf(cx) {
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
            shown => ready!(shown)?,
        };
        // std's search looks at a word at a time; on a slice it neither waits nor fails.
        let n = io::BufRead::read_until(&mut shown, delimiter, bytes)?;
        reader.as_mut().consume(n);
        *total += n;
        if n == 0 || bytes.last() == Some(&delimiter) {
            return Poll::Ready(Ok(mem::take(total)));
        }
    }
}

pin_project! {
    /// Future of [`AsyncBufReadExt::read_until`](crate::io::AsyncBufReadExt::read_until).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ReadUntil<'a, R: ?Sized> {
        reader: &'a mut R,
        delimiter: u8,
        bytes: &'a mut Vec<u8>,
        // Bytes appended so far.
        total: usize,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, R: ?Sized> ReadUntil<'a, R> {
    /// A read that has not begun.
    pub(crate) fn new(
        reader: &'a mut R,
        delimiter: u8,
        bytes: &'a mut Vec<u8>,
        line: &'static Location<'static>,
    ) -> Self {
        Self {
            reader,
            delimiter,
            bytes,
            total: 0,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<R: AsyncBufRead + Unpin + ?Sized> Future for ReadUntil<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let me = self.project();
        at_line(me.line, Kind::Read, || {
            let reader = Pin::new(&mut **me.reader);
            poll_read_until(reader, cx, *me.delimiter, me.bytes, me.total)
        })
    }
}

pin_project! {
    /// Future of [`AsyncBufReadExt::read_line`](crate::io::AsyncBufReadExt::read_line).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ReadLine<'a, R: ?Sized> {
        reader: &'a mut R,
        text: Text<'a>,
        // Bytes read so far.
        total: usize,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, R: ?Sized> ReadLine<'a, R> {
    /// A read that has not begun.
    pub(crate) fn new(
        reader: &'a mut R,
        target: &'a mut String,
        line: &'static Location<'static>,
    ) -> Self {
        let text = Text::new(target);
        Self {
            reader,
            text,
            total: 0,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<R: AsyncBufRead + Unpin + ?Sized> Future for ReadLine<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let me = self.project();
        let bytes = me.text.bytes().vec();
        let n = ready!(at_line(me.line, Kind::Read, || {
            poll_read_until(Pin::new(&mut **me.reader), cx, b'\n', bytes, me.total)
        }));
        // Also after an error of the stream: the text that came before it is the caller's. The
        // stream's own error comes first.
        let text = me.text.finish();
        Poll::Ready(n.and_then(|n| text.map(|()| n)))
    }
}

pin_project! {
    /// Future of [`AsyncBufReadExt::fill_buf`](crate::io::AsyncBufReadExt::fill_buf).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct FillBuf<'a, R: ?Sized> {
        // Given away with the bytes, which borrow it.
        reader: Option<&'a mut R>,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, R: ?Sized> FillBuf<'a, R> {
    /// A read that has not begun.
    pub(crate) fn new(reader: &'a mut R, line: &'static Location<'static>) -> Self {
        Self {
            reader: Some(reader),
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<'a, R: AsyncBufRead + Unpin + ?Sized> Future for FillBuf<'a, R> {
    type Output = io::Result<&'a [u8]>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&'a [u8]>> {
        let me = self.project();
        let reader = me
            .reader
            .as_mut()
            .expect("fill_buf: polled again after it was done");
        let at_end = ready!(at_line(me.line, Kind::Read, || {
            Pin::new(&mut **reader)
                .poll_fill_buf(cx)
                .map_ok(<[u8]>::is_empty)
        }));
        let reader = me.reader.take().expect("was there above");
        if at_end? {
            return Poll::Ready(Ok(&[]));
        }
        // Asked a second time, since the borrow checker lends a reader for `'a` in one of the two
        // outcomes only if it is given away in both. What was shown is shown again, at once: the
        // budget is off, because to wait here would lose the reader.
        match budget::unlimited(|| Pin::new(reader).poll_fill_buf(cx)) {
            Poll::Ready(shown) => Poll::Ready(shown),
            Poll::Pending => Poll::Ready(Err(io::Error::other(
                "fill_buf: the reader took back the bytes it had shown",
            ))),
        }
    }
}
