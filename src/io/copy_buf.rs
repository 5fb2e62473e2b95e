//! `copy_buf`: everything from a buffered reader to a writer, without a buffer in between.
//!
//! ```text
//!   1. look into the reader's buffer     Pending: flush the writer, then wait
//!                                        empty: the end: flush, done
//!   2. write what is there               the reader gives up what the writer took; to 1
//! ```
//!
//! Nothing is lost on the way: a byte leaves the reader when the writer has it.
//! Read next: `io/pipe.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_buf_read::AsyncBufRead;
use crate::io::async_write::AsyncWrite;
use crate::io::wait_line::at_line;
use crate::io::write::poll_write_some;
use crate::parts::budget;
use crate::parts::wait_site::Kind;

/// Copies everything from `reader` to `writer`, flushes, and gives the number of bytes.
///
/// It ends when the reader ends; the writer is not shut down. As [`copy`](crate::io::copy()), and
/// saves its buffer.
///
/// # Errors
///
/// The first error of either side, at once; `WriteZero` when the writer takes no more; interrupted
/// calls are made again. What was not written is still in the reader.
///
/// # Cancel safety
///
/// Safe for the bytes: what was not written is still in the reader. A second call counts from
/// there.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// let mut reader: &[u8] = b"hello";
/// let mut writer = Vec::new();
/// assert_eq!(trefoil::io::copy_buf(&mut reader, &mut writer).await?, 5);
/// assert_eq!(writer, b"hello");
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn copy_buf<'a, R, W>(reader: &'a mut R, writer: &'a mut W) -> CopyBuf<'a, R, W>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    CopyBuf {
        reader,
        writer,
        ended: false,
        unflushed: true,
        total: 0,
        line: Location::caller(),
        pinned: PhantomPinned,
    }
}

pin_project! {
    /// Future of [`copy_buf`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct CopyBuf<'a, R: ?Sized, W: ?Sized> {
        reader: &'a mut R,
        writer: &'a mut W,
        // The reader has given its last byte.
        ended: bool,
        // Something may have been written since the last flush, perhaps before the copy.
        unflushed: bool,
        // Bytes written.
        total: u64,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<R, W> Future for CopyBuf<'_, R, W>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<u64>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let me = self.project();
        let (reader, writer) = (&mut **me.reader, &mut **me.writer);
        at_line(me.line, Kind::Read, || {
            loop {
                // A reader and a writer that never wait would hold the thread for ever.
                let spent = ready!(budget::spend(cx));
                // Not asked again after the end: it might wait then.
                let shown = if *me.ended {
                    Poll::Ready(&[][..])
                } else {
                    match Pin::new(&mut *reader).poll_fill_buf(cx) {
                        Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => {
                            spent.made_progress();
                            continue;
                        }
                        shown => shown?,
                    }
                };
                match shown {
                    Poll::Ready(shown) if !shown.is_empty() => {
                        let n = ready!(poll_write_some(Pin::new(&mut *writer), cx, shown))?;
                        Pin::new(&mut *reader).consume(n);
                        *me.unflushed = true;
                        *me.total += n as u64;
                        spent.made_progress();
                    }
                    waits_or_ended => {
                        *me.ended = waits_or_ended.is_ready();
                        if *me.unflushed {
                            ready!(Pin::new(&mut *writer).poll_flush(cx))?;
                            *me.unflushed = false;
                        }
                        return waits_or_ended.map(|_| Ok(*me.total));
                    }
                }
            }
        })
    }
}
