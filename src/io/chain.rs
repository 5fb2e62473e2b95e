//! `Chain`: two readers, one after the other.
//!
//! Read next: `io/async_buf_read.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_buf_read::AsyncBufRead;
use crate::io::async_read::AsyncRead;
use crate::io::read_buf::ReadBuf;

pin_project! {
    /// A reader that gives the bytes of one reader, then those of another.
    ///
    /// Made by [`AsyncReadExt::chain`](crate::io::AsyncReadExt::chain).
    ///
    /// ```
    /// use trefoil::io::AsyncReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut text = String::new();
    /// let mut both = AsyncReadExt::chain(&b"hello "[..], &b"world"[..]);
    /// both.read_to_string(&mut text).await?;
    /// assert_eq!(text, "hello world");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[derive(Debug)]
    #[must_use = "a reader does nothing until it is read"]
    pub struct Chain<A, B> {
        #[pin]
        first: A,
        #[pin]
        second: B,
        // The first has ended, and is not asked again.
        first_ended: bool,
    }
}

impl<A, B> Chain<A, B> {
    /// Nothing read yet.
    pub(crate) fn new(first: A, second: B) -> Self {
        Self {
            first,
            second,
            first_ended: false,
        }
    }

    /// Both readers.
    pub fn get_ref(&self) -> (&A, &B) {
        (&self.first, &self.second)
    }

    /// Both readers. Reading from them directly may mix up the order.
    pub fn get_mut(&mut self) -> (&mut A, &mut B) {
        (&mut self.first, &mut self.second)
    }

    /// Both readers, pinned. Reading from them directly may mix up the order.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> (Pin<&mut A>, Pin<&mut B>) {
        let me = self.project();
        (me.first, me.second)
    }

    /// Gives both readers back.
    pub fn into_inner(self) -> (A, B) {
        (self.first, self.second)
    }
}

impl<A: AsyncRead, B: AsyncRead> AsyncRead for Chain<A, B> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.project();
        if !*me.first_ended {
            let room = buf.remaining();
            ready!(me.first.poll_read(cx, buf))?;
            // Without room nothing is learned: only "no byte, though there was room" is the end.
            if buf.remaining() != room || room == 0 {
                return Poll::Ready(Ok(()));
            }
            *me.first_ended = true;
        }
        me.second.poll_read(cx, buf)
    }
}

impl<A: AsyncBufRead, B: AsyncBufRead> AsyncBufRead for Chain<A, B> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let me = self.project();
        if !*me.first_ended {
            let shown = ready!(me.first.poll_fill_buf(cx))?;
            if !shown.is_empty() {
                return Poll::Ready(Ok(shown));
            }
            *me.first_ended = true;
        }
        me.second.poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let me = self.project();
        if *me.first_ended {
            me.second.consume(n);
        } else {
            me.first.consume(n);
        }
    }
}
