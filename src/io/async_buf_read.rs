//! `AsyncBufRead`: a reader with a buffer of its own, which can be looked at before it is used up.
//!
//! Two steps instead of one copy: `poll_fill_buf` shows what is there, `consume` says how much of
//! it was used. A search for a newline thus reads each byte once.
//! Read next: `io/buf_read_ext.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::io::{BufRead, Cursor};
use std::ops::DerefMut;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::io::async_read::AsyncRead;

/// Shows bytes before they are used up.
///
/// Programs call the methods of [`AsyncBufReadExt`](crate::io::AsyncBufReadExt).
pub trait AsyncBufRead: AsyncRead {
    /// The bytes in the buffer; reads some first when it is empty. An empty slice is the end.
    ///
    /// # Errors
    ///
    /// The stream's own.
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>>;

    /// Marks the first `n` bytes of the buffer as used.
    ///
    /// `n` must not be more than the last [`poll_fill_buf`](Self::poll_fill_buf) showed.
    fn consume(self: Pin<&mut Self>, n: usize);
}

impl<T: AsyncBufRead + Unpin + ?Sized> AsyncBufRead for &mut T {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut **self.get_mut()).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        Pin::new(&mut **self).consume(n);
    }
}

impl<T: AsyncBufRead + Unpin + ?Sized> AsyncBufRead for Box<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut **self.get_mut()).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        Pin::new(&mut **self).consume(n);
    }
}

impl<P> AsyncBufRead for Pin<P>
where
    P: DerefMut,
    P::Target: AsyncBufRead,
{
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.as_deref_mut().poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        self.as_deref_mut().consume(n);
    }
}

/// Never waits; what was used is cut off the front.
impl AsyncBufRead for &[u8] {
    fn poll_fill_buf(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(Ok(*self))
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        *self = &self[n..];
    }
}

/// Never waits.
impl<T: AsRef<[u8]> + Unpin> AsyncBufRead for Cursor<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(BufRead::fill_buf(self.get_mut()))
    }

    fn consume(mut self: Pin<&mut Self>, n: usize) {
        BufRead::consume(&mut *self, n);
    }
}
