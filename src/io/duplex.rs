//! `duplex`: two connected streams in memory, for tests and for code that wants a socket.
//!
//! ```text
//!   DuplexStream A                          DuplexStream B
//!     outgoing ───────► Pipe (max bytes) ───────► incoming
//!     incoming ◄─────── Pipe (max bytes) ◄─────── outgoing
//! ```
//!
//! An end that is dropped closes both: the other end reads what is left and can write no more.
//! Read next: `io/simplex.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::io::async_read::AsyncRead;
use crate::io::async_write::AsyncWrite;
use crate::io::pipe::Pipe;
use crate::io::read_buf::ReadBuf;

/// Two streams in memory: what is written to one is read from the other.
///
/// Each direction holds at most `max_buf_size` bytes; a write waits while it is full.
///
/// # Panics
///
/// When `max_buf_size` is 0: nothing could ever be written.
///
/// ```
/// use trefoil::io::{AsyncReadExt, AsyncWriteExt};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let (mut client, mut server) = trefoil::io::duplex(64);
/// client.write_all(b"ping").await?;
/// let mut buf = [0; 4];
/// server.read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"ping");
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn duplex(max_buf_size: usize) -> (DuplexStream, DuplexStream) {
    let there = Arc::new(Pipe::new(max_buf_size, "duplex"));
    let back = Arc::new(Pipe::new(max_buf_size, "duplex"));
    let a = DuplexStream {
        incoming: Arc::clone(&back),
        outgoing: Arc::clone(&there),
    };
    let b = DuplexStream {
        incoming: there,
        outgoing: back,
    };
    (a, b)
}

/// One end of a [`duplex`].
///
/// When it is dropped the other end reads what is left, then the end of the stream; its writes
/// fail with `BrokenPipe`.
#[derive(Debug)]
pub struct DuplexStream {
    /// What the other end writes.
    incoming: Arc<Pipe>,
    /// What the other end reads.
    outgoing: Arc<Pipe>,
}

impl AsyncRead for DuplexStream {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.incoming.poll_read(cx, buf)
    }
}

impl AsyncWrite for DuplexStream {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, &[IoSlice::new(bytes)])
    }

    /// Does nothing: what was written is where the other end reads.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.close();
        Poll::Ready(Ok(()))
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.outgoing.poll_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        self.outgoing.close();
        self.incoming.close();
    }
}
