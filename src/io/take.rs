//! `Take`: a reader that ends after a given number of bytes.
//!
//! Read next: `io/chain.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_buf_read::AsyncBufRead;
use crate::io::async_read::AsyncRead;
use crate::io::read_buf::{ReadBuf, fill_spare};

pin_project! {
    /// A reader that gives at most so many bytes of another one.
    ///
    /// Made by [`AsyncReadExt::take`](crate::io::AsyncReadExt::take).
    ///
    /// ```
    /// use trefoil::io::AsyncReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut text = String::new();
    /// let mut head = AsyncReadExt::take(&b"hello world"[..], 5);
    /// head.read_to_string(&mut text).await?;
    /// assert_eq!((text.as_str(), head.limit()), ("hello", 0));
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[derive(Debug)]
    #[must_use = "a reader does nothing until it is read"]
    pub struct Take<R> {
        #[pin]
        reader: R,
        // Bytes that may still come.
        left: u64,
    }
}

impl<R> Take<R> {
    /// Nothing read yet.
    pub(crate) fn new(reader: R, limit: u64) -> Self {
        Self {
            reader,
            left: limit,
        }
    }

    /// Bytes that may still come; the reader may end before.
    pub fn limit(&self) -> u64 {
        self.left
    }

    /// Sets how many bytes may still come, whatever came before.
    pub fn set_limit(&mut self, limit: u64) {
        self.left = limit;
    }

    /// The reader behind.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The reader behind. What is read from it directly does not count.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The reader behind, pinned. What is read from it directly does not count.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut R> {
        self.project().reader
    }

    /// Gives the reader back.
    pub fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: AsyncRead> AsyncRead for Take<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.project();
        if *me.left == 0 {
            return Poll::Ready(Ok(()));
        }
        // A limit that does not fit into memory is none for this read.
        let most = usize::try_from(*me.left).unwrap_or(usize::MAX);
        let mut room = bytes::BufMut::limit(buf, most);
        let n = ready!(fill_spare(&mut room, |buf| me.reader.poll_read(cx, buf)))?;
        *me.left -= n as u64;
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncBufRead> AsyncBufRead for Take<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let me = self.project();
        // Not asked at the limit: it might wait for bytes that nobody may have.
        if *me.left == 0 {
            return Poll::Ready(Ok(&[]));
        }
        let shown = ready!(me.reader.poll_fill_buf(cx))?;
        let most = usize::try_from(*me.left).unwrap_or(usize::MAX);
        Poll::Ready(Ok(&shown[..shown.len().min(most)]))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let me = self.project();
        let n = n.min(usize::try_from(*me.left).unwrap_or(usize::MAX));
        *me.left -= n as u64;
        me.reader.consume(n);
    }
}
