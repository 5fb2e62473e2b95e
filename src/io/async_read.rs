//! `AsyncRead`: a source of bytes that may have to be waited for.
//!
//! The shape is tokio's, so that its users' streams need no change. The bytes come by a
//! [`ReadBuf`], not by a count: a count would have to be believed.
//! Read next: `io/read_ext.rs`, the methods a program calls.

#![forbid(unsafe_code)]

use std::io;
use std::io::{BufRead, Cursor};
use std::ops::DerefMut;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::io::read_buf::ReadBuf;

/// Reads bytes, or arranges a wake-up for when there are some.
///
/// Programs call the methods of [`AsyncReadExt`](crate::io::AsyncReadExt); this trait is what
/// streams implement.
pub trait AsyncRead {
    /// Appends bytes to `buf`.
    ///
    /// - `Ready(Ok(()))`: some came; nothing appended means the end (or a `buf` without room).
    /// - `Pending`: none yet, and the task of `cx` is woken when to try again.
    /// - `Ready(Err(_))`: failed, and nothing was appended.
    ///
    /// # Errors
    ///
    /// The stream's own.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>;
}

impl<T: AsyncRead + Unpin + ?Sized> AsyncRead for &mut T {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut **self).poll_read(cx, buf)
    }
}

impl<T: AsyncRead + Unpin + ?Sized> AsyncRead for Box<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut **self).poll_read(cx, buf)
    }
}

impl<P> AsyncRead for Pin<P>
where
    P: DerefMut,
    P::Target: AsyncRead,
{
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.as_deref_mut().poll_read(cx, buf)
    }
}

/// Never waits; what was read is cut off the front.
impl AsyncRead for &[u8] {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (now, later) = self.split_at(self.len().min(buf.remaining()));
        buf.put_slice(now);
        *self = later;
        Poll::Ready(Ok(()))
    }
}

/// Never waits.
impl<T: AsRef<[u8]> + Unpin> AsyncRead for Cursor<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let rest = BufRead::fill_buf(&mut *self)?;
        let n = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..n]);
        BufRead::consume(&mut *self, n);
        Poll::Ready(Ok(()))
    }
}
