//! `BufStream`: a buffer for each direction of a stream.
//!
//! ```text
//!   BufReader ──► BufWriter ──► stream
//!     reads from its buffer       writes go through the reader to this buffer
//! ```
//!
//! Nothing of its own: `BufReader` hands writes on, `BufWriter` hands reads on.
//! Read next: `io/copy.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::io::{IoSlice, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::io::async_buf_read::AsyncBufRead;
use crate::io::async_read::AsyncRead;
use crate::io::async_seek::AsyncSeek;
use crate::io::async_write::AsyncWrite;
use crate::io::buf_reader::BufReader;
use crate::io::buf_writer::BufWriter;
use crate::io::read_buf::ReadBuf;

pin_project! {
    /// A stream with a buffer for reading and one for writing.
    ///
    /// What is in the writing buffer is lost when it is dropped; flush it first.
    ///
    /// ```
    /// use trefoil::io::{AsyncBufReadExt, AsyncWriteExt, BufStream};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let (client, server) = trefoil::io::duplex(64);
    /// let (mut client, mut server) = (BufStream::new(client), BufStream::new(server));
    /// client.write_all(b"question\n").await?;
    /// client.flush().await?;
    /// let mut line = String::new();
    /// server.read_line(&mut line).await?;
    /// assert_eq!(line, "question\n");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[derive(Debug)]
    pub struct BufStream<S> {
        #[pin]
        inner: BufReader<BufWriter<S>>,
    }
}

impl<S: AsyncRead + AsyncWrite> BufStream<S> {
    /// With buffers of 8 KiB.
    pub fn new(stream: S) -> Self {
        Self {
            inner: BufReader::new(BufWriter::new(stream)),
        }
    }

    /// With buffers of so many bytes; writing past the second goes straight to the stream.
    ///
    /// # Panics
    ///
    /// When `reader_capacity` is 0: such a buffer would always look like the end of the stream.
    #[track_caller]
    pub fn with_capacity(reader_capacity: usize, writer_capacity: usize, stream: S) -> Self {
        let writer = BufWriter::with_capacity(writer_capacity, stream);
        Self {
            inner: BufReader::with_capacity(reader_capacity, writer),
        }
    }
}

impl<S> BufStream<S> {
    /// The stream behind.
    pub fn get_ref(&self) -> &S {
        self.inner.get_ref().get_ref()
    }

    /// The stream behind. What is done with it directly passes by both buffers.
    pub fn get_mut(&mut self) -> &mut S {
        self.inner.get_mut().get_mut()
    }

    /// The stream behind, pinned. What is done with it directly passes by both buffers.
    pub fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut S> {
        self.project().inner.get_pin_mut().get_pin_mut()
    }

    /// Gives the stream back; what is in the buffers is lost.
    pub fn into_inner(self) -> S {
        self.inner.into_inner().into_inner()
    }
}

impl<S> From<BufReader<BufWriter<S>>> for BufStream<S> {
    fn from(inner: BufReader<BufWriter<S>>) -> Self {
        Self { inner }
    }
}

/// Both buffers keep what they hold.
impl<S> From<BufWriter<BufReader<S>>> for BufStream<S> {
    fn from(writer: BufWriter<BufReader<S>>) -> Self {
        let (reader, writer) = writer.without_stream();
        let (stream, reader) = reader.without_stream();
        Self {
            inner: reader.with_stream(writer.with_stream(stream)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite> AsyncRead for BufStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().inner.poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite> AsyncBufRead for BufStream<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        self.project().inner.poll_fill_buf(cx)
    }

    fn consume(self: Pin<&mut Self>, n: usize) {
        self.project().inner.consume(n);
    }
}

impl<S: AsyncRead + AsyncWrite> AsyncWrite for BufStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

/// Writes out what one buffer holds, and throws away what the other does.
impl<S: AsyncRead + AsyncWrite + AsyncSeek> AsyncSeek for BufStream<S> {
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        self.project().inner.start_seek(position)
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        self.project().inner.poll_complete(cx)
    }
}
