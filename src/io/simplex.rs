//! `simplex`: one direction of bytes in memory, its two ends apart or in one hand.
//!
//! ```text
//!   WriteHalf ──► Pipe (max bytes) ──► ReadHalf        simplex
//!   SimplexStream ──► Pipe ──► SimplexStream           new_unsplit: reads back what it wrote
//! ```
//!
//! The halves are those of `io/split.rs`: a stream and a lock. So a half that is dropped closes
//! nothing, unlike an end of a `duplex`; the writer ends the stream by `shutdown`.
//! Read next: `io/split.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::io::async_read::AsyncRead;
use crate::io::async_write::AsyncWrite;
use crate::io::pipe::Pipe;
use crate::io::read_buf::ReadBuf;
use crate::io::split::{ReadHalf, WriteHalf, split};

/// A pipe in memory: what is written to one half is read from the other.
///
/// It holds at most `max_buf_size` bytes; a write waits while it is full. The reader sees the end
/// after the writer's `shutdown`: a writer that is only dropped leaves it waiting.
///
/// # Panics
///
/// When `max_buf_size` is 0: nothing could ever be written.
///
/// ```
/// use trefoil::io::{AsyncReadExt, AsyncWriteExt};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let (mut reader, mut writer) = trefoil::io::simplex(64);
/// writer.write_all(b"ping").await?;
/// writer.shutdown().await?;
/// let mut text = String::new();
/// reader.read_to_string(&mut text).await?;
/// assert_eq!(text, "ping");
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn simplex(max_buf_size: usize) -> (ReadHalf<SimplexStream>, WriteHalf<SimplexStream>) {
    split(SimplexStream {
        pipe: Pipe::new(max_buf_size, "simplex"),
    })
}

/// A pipe in memory with both ends in one hand: it reads what was written to it.
///
/// Made by [`new_unsplit`](Self::new_unsplit), or from the halves of a [`simplex`] by
/// [`ReadHalf::unsplit`].
#[derive(Debug)]
pub struct SimplexStream {
    pipe: Pipe,
}

impl SimplexStream {
    /// An empty pipe that holds at most `max_buf_size` bytes.
    ///
    /// # Panics
    ///
    /// When `max_buf_size` is 0: nothing could ever be written.
    ///
    /// ```
    /// use trefoil::io::{AsyncReadExt, AsyncWriteExt, SimplexStream};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut pipe = SimplexStream::new_unsplit(64);
    /// pipe.write_u16(7).await?;
    /// assert_eq!(pipe.read_u16().await?, 7);
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    pub fn new_unsplit(max_buf_size: usize) -> Self {
        Self {
            pipe: Pipe::new(max_buf_size, "SimplexStream::new_unsplit"),
        }
    }
}

impl AsyncRead for SimplexStream {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.pipe.poll_read(cx, buf)
    }
}

impl AsyncWrite for SimplexStream {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.pipe.poll_write(cx, &[IoSlice::new(bytes)])
    }

    /// Does nothing: what was written is where the reader reads.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe.close();
        Poll::Ready(Ok(()))
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.pipe.poll_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}
