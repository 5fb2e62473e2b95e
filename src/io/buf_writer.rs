//! `BufWriter`: few large writes instead of many small ones.
//!
//! ```text
//!   ├── written on ──┼──── held ────┼──── free ────┤
//!   0             written         len           capacity
//! ```
//!
//! Bytes are held until the buffer is full, or until a flush. They go on in the order they came:
//! whatever goes past the buffer waits until the buffer is empty.
//!
//! A drop does not write: it could not wait. Call `flush` or `shutdown`. A seek empties the buffer
//! first: what is held belongs where the stream stands now.
//! Read next: `io/buf_stream.rs`.

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
use crate::io::buf_reader::DEFAULT_CAPACITY_BYTES;
use crate::io::read_buf::ReadBuf;
use crate::io::write::poll_write_some;

pin_project! {
    /// A writer with a buffer.
    ///
    /// What is in the buffer is lost when it is dropped; flush it first.
    ///
    /// ```
    /// use trefoil::io::{AsyncWriteExt, BufWriter};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut writer = BufWriter::new(Vec::new());
    /// writer.write_all(b"hello").await?;
    /// assert!(writer.get_ref().is_empty());
    /// writer.flush().await?;
    /// assert_eq!(writer.into_inner(), b"hello");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    pub struct BufWriter<W> {
        #[pin]
        stream: W,
        // Never longer than `capacity`.
        buffer: Vec<u8>,
        // Bytes at its front that the stream has already.
        written: usize,
        // What the user asked for; a `Vec` may have more.
        capacity: usize,
        seek: Seek,
    }
}

/// How far a seek has come.
#[derive(Debug, Clone, Copy)]
enum Seek {
    /// Nobody asked, or it is done.
    None,
    /// Asked for; the buffer is emptied first.
    Asked(SeekFrom),
    /// The stream seeks.
    Started,
}

impl<W: AsyncWrite> BufWriter<W> {
    /// With a buffer of 8 KiB.
    pub fn new(stream: W) -> Self {
        Self::with_capacity(DEFAULT_CAPACITY_BYTES, stream)
    }

    /// With a buffer of `capacity` bytes; with 0 everything goes straight to the stream.
    pub fn with_capacity(capacity: usize, stream: W) -> Self {
        Self {
            stream,
            buffer: Vec::with_capacity(capacity),
            written: 0,
            capacity,
            seek: Seek::None,
        }
    }

    /// Empties the buffer into the stream. What it took is not offered again, also when a later
    /// write fails or has to wait.
    fn poll_empty(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut me = self.project();
        while *me.written < me.buffer.len() {
            let held = &me.buffer[*me.written..];
            *me.written += ready!(poll_write_some(me.stream.as_mut(), cx, held))?;
        }
        me.buffer.clear();
        *me.written = 0;
        Poll::Ready(Ok(()))
    }
}

impl<W> BufWriter<W> {
    /// The stream behind.
    pub fn get_ref(&self) -> &W {
        &self.stream
    }

    /// The stream behind. What is written to it directly overtakes the buffer.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.stream
    }

    /// The stream behind, pinned. What is written to it directly overtakes the buffer.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut W> {
        self.project().stream
    }

    /// Gives the stream back; what is in the buffer is lost.
    pub fn into_inner(self) -> W {
        self.stream
    }

    /// What is in the buffer, not yet written on.
    pub fn buffer(&self) -> &[u8] {
        &self.buffer[self.written..]
    }

    /// The stream, and the buffer apart from it.
    pub(super) fn without_stream(self) -> (W, BufWriter<()>) {
        (
            self.stream,
            BufWriter {
                stream: (),
                buffer: self.buffer,
                written: self.written,
                capacity: self.capacity,
                seek: self.seek,
            },
        )
    }
}

impl BufWriter<()> {
    /// The buffer over another stream.
    pub(super) fn with_stream<W>(self, stream: W) -> BufWriter<W> {
        BufWriter {
            stream,
            buffer: self.buffer,
            written: self.written,
            capacity: self.capacity,
            seek: self.seek,
        }
    }
}

impl<W: AsyncWrite> AsyncWrite for BufWriter<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if bytes.len() > self.capacity - self.buffer.len() {
            ready!(self.as_mut().poll_empty(cx))?;
        }
        let me = self.project();
        if bytes.len() >= *me.capacity {
            // A way through the buffer would cost a copy and save no write.
            me.stream.poll_write(cx, bytes)
        } else {
            me.buffer.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_empty(cx))?;
        self.get_pin_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_empty(cx))?;
        self.get_pin_mut().poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        // A stream that takes several slices gets them all or none; another one takes the first.
        let all = self.stream.is_write_vectored();
        let mut filled = slices.iter().filter(|slice| !slice.is_empty());
        let first = filled.next().map_or(&[][..], |slice| slice);
        let needed = if all {
            // Slices may overlap, so their sum has no bound.
            filled.fold(first.len(), |sum, slice| sum.saturating_add(slice.len()))
        } else {
            first.len()
        };
        if needed > self.capacity - self.buffer.len() {
            ready!(self.as_mut().poll_empty(cx))?;
        }
        let me = self.project();
        if needed >= *me.capacity {
            return if all {
                me.stream.poll_write_vectored(cx, slices)
            } else {
                me.stream.poll_write(cx, first)
            };
        }
        let mut taken = 0;
        for slice in slices {
            if slice.len() > *me.capacity - me.buffer.len() {
                break;
            }
            me.buffer.extend_from_slice(slice);
            taken += slice.len();
        }
        Poll::Ready(Ok(taken))
    }

    /// True: several small slices are one copy into the buffer.
    fn is_write_vectored(&self) -> bool {
        true
    }
}

/// Seeking writes out what is held.
impl<W: AsyncWrite + AsyncSeek> AsyncSeek for BufWriter<W> {
    /// Notes the position; the stream is told in `poll_complete`.
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        *self.project().seek = Seek::Asked(position);
        Ok(())
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        if let Seek::Asked(to) = self.seek {
            let emptied = ready!(self.as_mut().poll_empty(cx));
            let mut me = self.as_mut().project();
            // An error ends the seek: what is still held stays.
            *me.seek = Seek::None;
            emptied?;
            // What was just written may still be under way; the stream does one thing at a time.
            if me.stream.as_mut().poll_complete(cx)?.is_pending() {
                *me.seek = Seek::Asked(to);
                return Poll::Pending;
            }
            me.stream.start_seek(to)?;
            *me.seek = Seek::Started;
        }
        let me = self.project();
        let done = ready!(me.stream.poll_complete(cx));
        *me.seek = Seek::None;
        Poll::Ready(done)
    }
}

/// Straight from the stream.
impl<S: AsyncRead> AsyncRead for BufWriter<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.get_pin_mut().poll_read(cx, buf)
    }
}

/// Straight from the stream.
impl<S: AsyncBufRead> AsyncBufRead for BufWriter<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.get_pin_mut().poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        self.get_pin_mut().consume(n);
    }
}

impl<W: fmt::Debug> fmt::Debug for BufWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufWriter")
            .field("stream", &self.stream)
            .field("held", &self.buffer().len())
            .field("capacity", &self.capacity)
            .finish()
    }
}
