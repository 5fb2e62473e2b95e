//! `empty`: a stream that has ended before it began, and swallows what is written.
//!
//! It is always ready, so each call spends a unit of budget: a loop over it would hold the thread.
//! Read next: `io/repeat.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::io::{IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::io::async_buf_read::AsyncBufRead;
use crate::io::async_read::AsyncRead;
use crate::io::async_seek::AsyncSeek;
use crate::io::async_write::AsyncWrite;
use crate::io::read_buf::ReadBuf;
use crate::io::sink::{poll_always, poll_swallow};

/// A stream without bytes: reads give the end, writes are swallowed.
///
/// ```
/// use trefoil::io::AsyncReadExt;
///
/// # futures_util::FutureExt::now_or_never(async {
/// let mut text = String::new();
/// assert_eq!(trefoil::io::empty().read_to_string(&mut text).await?, 0);
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
pub fn empty() -> Empty {
    Empty { _private: () }
}

/// The stream that [`empty`] makes.
#[derive(Debug)]
pub struct Empty {
    _private: (),
}

impl AsyncRead for Empty {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_always(cx)
    }
}

impl AsyncBufRead for Empty {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        ready!(poll_always(cx))?;
        Poll::Ready(Ok(&[]))
    }

    fn consume(self: Pin<&mut Self>, _n: usize) {}
}

impl AsyncWrite for Empty {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_swallow(cx, &[IoSlice::new(bytes)])
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_always(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_always(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        poll_swallow(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// Every position is 0.
impl AsyncSeek for Empty {
    fn start_seek(self: Pin<&mut Self>, _position: SeekFrom) -> io::Result<()> {
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        poll_always(cx).map_ok(|()| 0)
    }
}
