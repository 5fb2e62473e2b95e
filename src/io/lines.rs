//! `Lines` and `Split`: a buffered reader, cut at newlines or at another byte.
//!
//! The unfinished piece lives here and not in the future that waits for it, so that future may be
//! dropped and nothing is lost.
//! Read next: `io/buf_reader.rs`.

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
use crate::io::read_until::poll_read_until;
use crate::io::wait_line::at_line;
use crate::parts::wait_site::Kind;

pin_project! {
    /// The lines of a reader, one after the other.
    ///
    /// Made by [`AsyncBufReadExt::lines`](crate::io::AsyncBufReadExt::lines).
    #[derive(Debug)]
    #[must_use = "reads nothing until `next_line` is awaited"]
    pub struct Lines<R> {
        #[pin]
        reader: R,
        // The line so far.
        bytes: Vec<u8>,
        // Its length, kept by `poll_read_until`.
        total: usize,
    }
}

impl<R> Lines<R> {
    /// Nothing read yet.
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            bytes: Vec::new(),
            total: 0,
        }
    }

    /// The reader behind.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The reader behind. Reading from it directly may tear a line.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The reader behind, pinned. Reading from it directly may tear a line.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut R> {
        self.project().reader
    }

    /// Gives the reader back. The unfinished line, if there is one, is lost.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// Waits for the next line, without its `\n` or `\r\n`; `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the line is not UTF-8: its bytes are in the `FromUtf8Error` inside, the
    /// next call gives the line after it; else the stream's own.
    ///
    /// # Cancel safety
    ///
    /// Safe: what was read of the line is kept for the next call.
    ///
    /// ```
    /// use trefoil::io::AsyncBufReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut lines = AsyncBufReadExt::lines(&b"one\r\ntwo"[..]);
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("one"));
    /// assert_eq!(lines.next_line().await?.as_deref(), Some("two"));
    /// assert_eq!(lines.next_line().await?, None);
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn next_line(&mut self) -> NextLine<'_, R>
    where
        R: Unpin,
    {
        NextLine {
            lines: self,
            line: Location::caller(),
            pinned: PhantomPinned,
        }
    }
}

impl<R: AsyncBufRead> Lines<R> {
    /// The poll behind [`next_line`](Self::next_line).
    ///
    /// # Errors
    ///
    /// As [`next_line`](Self::next_line).
    pub fn poll_next_line(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<String>>> {
        let me = self.project();
        if ready!(poll_read_until(me.reader, cx, b'\n', me.bytes, me.total))? == 0 {
            return Poll::Ready(Ok(None));
        }
        let mut bytes = mem::take(me.bytes);
        if bytes.pop_if(|last| *last == b'\n').is_some() {
            bytes.pop_if(|last| *last == b'\r');
        }
        let not_utf8 = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        Poll::Ready(String::from_utf8(bytes).map(Some).map_err(not_utf8))
    }
}

pin_project! {
    /// Future of [`Lines::next_line`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct NextLine<'a, R> {
        lines: &'a mut Lines<R>,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<R: AsyncBufRead + Unpin> Future for NextLine<'_, R> {
    type Output = io::Result<Option<String>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        at_line(me.line, Kind::Read, || {
            Pin::new(&mut **me.lines).poll_next_line(cx)
        })
    }
}

pin_project! {
    /// The pieces of a reader between one byte and the next of its kind.
    ///
    /// Made by [`AsyncBufReadExt::split`](crate::io::AsyncBufReadExt::split).
    #[derive(Debug)]
    #[must_use = "reads nothing until `next_segment` is awaited"]
    pub struct Split<R> {
        #[pin]
        reader: R,
        // The segment so far.
        bytes: Vec<u8>,
        // The byte that ends it.
        delimiter: u8,
        // Its length, kept by `poll_read_until`.
        total: usize,
    }
}

impl<R> Split<R> {
    /// Nothing read yet.
    pub(crate) fn new(reader: R, delimiter: u8) -> Self {
        Self {
            reader,
            bytes: Vec::new(),
            delimiter,
            total: 0,
        }
    }

    /// Waits for the next segment, without the byte that ends it; `None` at the end of the stream.
    ///
    /// # Errors
    ///
    /// The stream's own.
    ///
    /// # Cancel safety
    ///
    /// Safe: what was read of the segment is kept for the next call.
    ///
    /// ```
    /// use trefoil::io::AsyncBufReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut segments = AsyncBufReadExt::split(&b"a,b"[..], b',');
    /// assert_eq!(segments.next_segment().await?, Some(b"a".to_vec()));
    /// assert_eq!(segments.next_segment().await?, Some(b"b".to_vec()));
    /// assert_eq!(segments.next_segment().await?, None);
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn next_segment(&mut self) -> NextSegment<'_, R>
    where
        R: Unpin,
    {
        NextSegment {
            split: self,
            line: Location::caller(),
            pinned: PhantomPinned,
        }
    }
}

impl<R: AsyncBufRead> Split<R> {
    /// The poll behind [`next_segment`](Self::next_segment).
    ///
    /// # Errors
    ///
    /// The stream's own.
    pub fn poll_next_segment(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Option<Vec<u8>>>> {
        let me = self.project();
        if ready!(poll_read_until(
            me.reader,
            cx,
            *me.delimiter,
            me.bytes,
            me.total
        ))? == 0
        {
            return Poll::Ready(Ok(None));
        }
        let mut bytes = mem::take(me.bytes);
        bytes.pop_if(|last| last == me.delimiter);
        Poll::Ready(Ok(Some(bytes)))
    }
}

pin_project! {
    /// Future of [`Split::next_segment`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct NextSegment<'a, R> {
        split: &'a mut Split<R>,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<R: AsyncBufRead + Unpin> Future for NextSegment<'_, R> {
    type Output = io::Result<Option<Vec<u8>>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let me = self.project();
        at_line(me.line, Kind::Read, || {
            Pin::new(&mut **me.split).poll_next_segment(cx)
        })
    }
}
