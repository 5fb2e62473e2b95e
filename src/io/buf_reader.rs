//! `BufReader`: few large reads instead of many small ones.
//!
//! ```text
//!   ├── used ──┼──── unread ────┼──── free ────┤
//!   0        start             end         capacity
//! ```
//!
//! The buffer is read only when nothing is unread, so the bytes never move. A read that is larger
//! than the buffer goes past it. What is written goes straight to the stream.
//!
//! A seek sees one position, that of the next byte the reader gives; the stream is further on by
//! what is unread. So a seek from here is one from there, by so many bytes less; after it the
//! buffer is empty.
//! Read next: `io/buf_writer.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::io::{IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_buf_read::AsyncBufRead;
use crate::io::async_read::AsyncRead;
use crate::io::async_seek::AsyncSeek;
use crate::io::async_write::AsyncWrite;
use crate::io::read_buf::{ReadBuf, fill_slice};

/// Size of the buffer of [`BufReader::new`] and of a `BufWriter`.
///
/// Unit: bytes. Source: std's and tokio's documented value; not tuned here.
pub(crate) const DEFAULT_CAPACITY_BYTES: usize = 8 * 1024;

pin_project! {
    /// A reader with a buffer.
    ///
    /// Dropping it, or taking the reader out, loses what is in the buffer.
    ///
    /// ```
    /// use trefoil::io::{AsyncBufReadExt, BufReader};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut reader = BufReader::new(&b"one\ntwo\n"[..]);
    /// let mut line = String::new();
    /// reader.read_line(&mut line).await?;
    /// assert_eq!((line.as_str(), reader.buffer()), ("one\n", &b"two\n"[..]));
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    pub struct BufReader<R> {
        #[pin]
        stream: R,
        buffer: Box<[u8]>,
        // Unread are `buffer[start..end]`.
        start: usize,
        end: usize,
        seek: Seek,
    }
}

/// How far a seek has come.
#[derive(Debug, Clone, Copy)]
enum Seek {
    /// Nobody asked, or it is done.
    None,
    /// Asked for; the stream does not know yet.
    Asked(SeekFrom),
    /// The stream goes back over the buffer; then it goes on by so many bytes. In two steps,
    /// because their sum is too large for one.
    Back(i64),
    /// The stream seeks.
    Started,
}

impl<R: AsyncRead> BufReader<R> {
    /// With a buffer of 8 KiB.
    pub fn new(stream: R) -> Self {
        Self::with_capacity(DEFAULT_CAPACITY_BYTES, stream)
    }

    /// With a buffer of `capacity` bytes.
    ///
    /// # Panics
    ///
    /// When `capacity` is 0: such a buffer would always look like the end of the stream.
    #[track_caller]
    pub fn with_capacity(capacity: usize, stream: R) -> Self {
        assert!(
            capacity > 0,
            "BufReader: capacity must be greater than zero; 8 KiB is usual"
        );
        Self {
            stream,
            buffer: vec![0; capacity].into_boxed_slice(),
            start: 0,
            end: 0,
            seek: Seek::None,
        }
    }
}

impl<R> BufReader<R> {
    /// The stream behind.
    pub fn get_ref(&self) -> &R {
        &self.stream
    }

    /// The stream behind. Reading from it directly passes by what is in the buffer.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.stream
    }

    /// The stream behind, pinned. Reading from it directly passes by what is in the buffer.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut R> {
        self.project().stream
    }

    /// Gives the stream back; what is in the buffer is lost.
    pub fn into_inner(self) -> R {
        self.stream
    }

    /// What is in the buffer, unread.
    pub fn buffer(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The stream, and the buffer apart from it.
    pub(super) fn without_stream(self) -> (R, BufReader<()>) {
        (
            self.stream,
            BufReader {
                stream: (),
                buffer: self.buffer,
                start: self.start,
                end: self.end,
                seek: self.seek,
            },
        )
    }
}

impl BufReader<()> {
    /// The buffer over another stream.
    pub(super) fn with_stream<R>(self, stream: R) -> BufReader<R> {
        BufReader {
            stream,
            buffer: self.buffer,
            start: self.start,
            end: self.end,
            seek: self.seek,
        }
    }
}

impl<R: AsyncRead> AsyncRead for BufReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.start == self.end && buf.remaining() >= self.buffer.len() {
            // A way through the buffer would cost a copy and save no read.
            let me = self.project();
            *me.seek = Seek::None;
            return me.stream.poll_read(cx, buf);
        }
        let unread = ready!(self.as_mut().poll_fill_buf(cx))?;
        let n = unread.len().min(buf.remaining());
        buf.put_slice(&unread[..n]);
        self.consume(n);
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncRead> AsyncBufRead for BufReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let me = self.project();
        if *me.start == *me.end {
            // A seek that was dropped half-way must not throw these bytes away later.
            *me.seek = Seek::None;
            let n = ready!(fill_slice(me.buffer, |buf| me.stream.poll_read(cx, buf)))?;
            (*me.start, *me.end) = (0, n);
        }
        Poll::Ready(Ok(&me.buffer[*me.start..*me.end]))
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        let me = self.project();
        // Never past the end, whatever the caller says: what lies there was read before.
        *me.start = me.start.saturating_add(n).min(*me.end);
    }
}

/// Seeking empties the buffer, also when the new position lies within it.
impl<R: AsyncRead + AsyncSeek> AsyncSeek for BufReader<R> {
    /// Notes the position; the stream is told in `poll_complete`.
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        *self.project().seek = Seek::Asked(position);
        Ok(())
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let mut me = self.project();
        loop {
            let unread = *me.end - *me.start;
            // A slice is never longer than `i64::MAX`.
            let back = -(unread as i64);
            // An error ends the seek: the position and the buffer stay.
            let (to, next) = match *me.seek {
                Seek::None => {
                    let position = ready!(me.stream.poll_complete(cx))?;
                    return Poll::Ready(Ok(position.saturating_sub(unread as u64)));
                }
                Seek::Asked(SeekFrom::Current(by)) => match by.checked_add(back) {
                    Some(sum) => (SeekFrom::Current(sum), Seek::Started),
                    None => (SeekFrom::Current(back), Seek::Back(by)),
                },
                Seek::Asked(to) => (to, Seek::Started),
                Seek::Back(_) | Seek::Started => {
                    let done = ready!(me.stream.as_mut().poll_complete(cx));
                    let step = std::mem::replace(me.seek, Seek::None);
                    let position = done?;
                    (*me.start, *me.end) = (0, 0);
                    match step {
                        Seek::Back(by) => (SeekFrom::Current(by), Seek::Started),
                        _ => return Poll::Ready(Ok(position)),
                    }
                }
            };
            *me.seek = Seek::None;
            me.stream.as_mut().start_seek(to)?;
            *me.seek = next;
        }
    }
}

/// Straight to the stream.
impl<S: AsyncWrite> AsyncWrite for BufReader<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.get_pin_mut().poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_pin_mut().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_pin_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.get_pin_mut().poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl<R: fmt::Debug> fmt::Debug for BufReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufReader")
            .field("stream", &self.stream)
            .field("unread", &(self.end - self.start))
            .field("capacity", &self.buffer.len())
            .finish()
    }
}
