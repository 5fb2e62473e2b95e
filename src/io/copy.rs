//! `copy`: everything from a reader to a writer, through one buffer.
//!
//! ```text
//!   reader ──► ├── written ──┼──── read ────┼──── free ────┤ ──► writer
//!              0           start           end          8 KiB
//!
//!   1. read, if there is free space     Pending: remember it
//!   2. write all that was read          Pending: back to 1 while the reader has more
//!   3. both empty: from the front again
//!   reader Pending and nothing to write: flush, then wait
//!   reader ended and nothing to write: flush, done
//! ```
//!
//! Reading on while the writer waits makes the next write larger. Flushing when the reader waits
//! keeps a buffered writer from holding back an answer that the other side needs before it sends
//! more.
//!
//! A reader and a writer that never wait would hold the thread for ever, so each round costs one
//! unit of budget.
//! Read next: `io/copy_bidirectional.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_read::AsyncRead;
use crate::io::async_write::AsyncWrite;
use crate::io::interrupted::uninterrupted;
use crate::io::read_buf::fill_slice;
use crate::io::wait_line::at_line;
use crate::io::write::poll_write_some;
use crate::parts::budget;
use crate::parts::wait_site::Kind;

/// Size of the buffer.
///
/// Unit: bytes. Source: tokio's documented value; not tuned here.
pub(super) const BUFFER_BYTES: usize = 8 * 1024;

/// Copies everything from `reader` to `writer`, flushes, and gives the number of bytes.
///
/// It ends when the reader ends; the writer is not shut down.
///
/// # Errors
///
/// The first error of either side, at once; `WriteZero` when the writer takes no more; interrupted
/// calls are made again. Bytes that were read and not yet written are lost.
///
/// # Cancel safety
///
/// None: dropped early, bytes that were read and not yet written are lost.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// let mut reader: &[u8] = b"hello";
/// let mut writer = Vec::new();
/// assert_eq!(trefoil::io::copy(&mut reader, &mut writer).await?, 5);
/// assert_eq!(writer, b"hello");
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn copy<'a, R, W>(reader: &'a mut R, writer: &'a mut W) -> Copy<'a, R, W>
where
    R: AsyncRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    Copy {
        reader,
        writer,
        pump: Pump::new(BUFFER_BYTES),
        line: Location::caller(),
        pinned: PhantomPinned,
    }
}

/// Moves bytes in one direction; the state of a copy between two polls.
#[derive(Debug)]
pub(crate) struct Pump {
    /// Read and not yet written is `buffer[start..end]`.
    buffer: Box<[u8]>,
    /// Where the writer goes on.
    start: usize,
    /// Where the reader goes on.
    end: usize,
    /// The reader has given its last byte.
    ended: bool,
    /// Something may have been written since the last flush, perhaps before the copy.
    unflushed: bool,
    /// Bytes written.
    total: u64,
}

impl Pump {
    /// Nothing moved yet.
    pub(crate) fn new(buffer_bytes: usize) -> Self {
        let buffer = vec![0; buffer_bytes].into_boxed_slice();
        Self {
            buffer,
            start: 0,
            end: 0,
            ended: false,
            unflushed: true,
            total: 0,
        }
    }

    /// Moves bytes until the reader ends; gives their number.
    pub(crate) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        mut reader: Pin<&mut R>,
        mut writer: Pin<&mut W>,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + ?Sized,
        W: AsyncWrite + ?Sized,
    {
        loop {
            let spent = ready!(budget::spend(cx));
            let may_read_more = match self.read(cx, reader.as_mut()) {
                Poll::Ready(read) => read?,
                Poll::Pending => false,
            };
            if self.start == self.end {
                if self.unflushed {
                    ready!(writer.as_mut().poll_flush(cx))?;
                    self.unflushed = false;
                }
                return if self.ended {
                    spent.made_progress();
                    Poll::Ready(Ok(self.total))
                } else {
                    Poll::Pending
                };
            }
            match self.write(cx, writer.as_mut()) {
                Poll::Ready(written) => written?,
                Poll::Pending if may_read_more => {}
                Poll::Pending => return Poll::Pending,
            }
            spent.made_progress();
        }
    }

    /// Reads once, if there is room and an end is not known; says whether to try again.
    fn read<R: AsyncRead + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        mut reader: Pin<&mut R>,
    ) -> Poll<io::Result<bool>> {
        if self.ended || self.end == self.buffer.len() {
            return Poll::Ready(Ok(false));
        }
        let room = &mut self.buffer[self.end..];
        let n = ready!(uninterrupted(|| {
            fill_slice(room, |buf| reader.as_mut().poll_read(cx, buf))
        }))?;
        self.end += n;
        self.ended = n == 0;
        Poll::Ready(Ok(!self.ended))
    }

    /// Writes all that was read.
    fn write<W: AsyncWrite + ?Sized>(
        &mut self,
        cx: &mut Context<'_>,
        mut writer: Pin<&mut W>,
    ) -> Poll<io::Result<()>> {
        while self.start < self.end {
            let held = &self.buffer[self.start..self.end];
            let n = ready!(poll_write_some(writer.as_mut(), cx, held))?;
            self.start += n;
            self.total += n as u64;
            self.unflushed = true;
        }
        (self.start, self.end) = (0, 0);
        Poll::Ready(Ok(()))
    }
}

pin_project! {
    /// Future of [`copy`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Copy<'a, R: ?Sized, W: ?Sized> {
        reader: &'a mut R,
        writer: &'a mut W,
        pump: Pump,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<R, W> Future for Copy<'_, R, W>
where
    R: AsyncRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<u64>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let me = self.project();
        at_line(me.line, Kind::Read, || {
            me.pump
                .poll(cx, Pin::new(&mut **me.reader), Pin::new(&mut **me.writer))
        })
    }
}
