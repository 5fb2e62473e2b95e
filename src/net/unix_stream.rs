//! `UnixStream`: a connection within one machine.
//!
//! Read next: `net/unix_connect.rs`.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::os::unix::net::UnixStream as StdStream;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BufMut;

use crate::io::async_read::AsyncRead;
use crate::io::async_write::AsyncWrite;
use crate::io::evented::{Evented, Registration};
use crate::io::read_buf::ReadBuf;
use crate::net::socket_methods::{descriptor_and_debug, readiness_methods};
use crate::net::unix_addr::SocketAddr;

/// A connection of a Unix socket.
///
/// ```
/// use trefoil::io::{AsyncReadExt, AsyncWriteExt};
/// use trefoil::net::UnixStream;
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let (mut a, mut b) = UnixStream::pair()?;
/// a.write_all(b"hello").await?;
/// let mut buf = [0; 5];
/// b.read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"hello");
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixStream {
    io: Evented<StdStream>,
}

impl UnixStream {
    /// Takes over a connection of the standard library; makes it non-blocking.
    ///
    /// tokio differs: there the caller must have done that.
    ///
    /// # Errors
    ///
    /// What fcntl(2) or epoll_ctl(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn from_std(stream: StdStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            io: Evented::new(stream, "UnixStream::from_std")?,
        })
    }

    /// Registers a stream that is connected and whose send buffer is empty.
    #[track_caller]
    pub(super) fn connected(stream: StdStream, what: &str) -> io::Result<Self> {
        let io = Evented::new(stream, what)?;
        io.registration().assume_writable();
        Ok(Self { io })
    }

    /// A connection that has just been accepted; it is waited for where its listener is.
    pub(crate) fn accepted(stream: StdStream, listener: &Registration) -> io::Result<Self> {
        let io = Evented::beside(stream, listener)?;
        io.registration().assume_writable();
        Ok(Self { io })
    }

    /// The address of this end.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr().map(SocketAddr::from)
    }

    /// The address of the other end.
    ///
    /// # Errors
    ///
    /// What getpeername(2) says.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().peer_addr().map(SocketAddr::from)
    }

    /// Gives the connection to the standard library; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_std(self) -> io::Result<StdStream> {
        Ok(self.io.into_io())
    }

    /// Takes the error that waits on the socket (SO_ERROR), if there is one.
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get().take_error()
    }

    /// Reads what is there, without waiting; 0 is the end of the stream.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there, as far as is known; what recv(2) says.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io.try_receive(buf)
    }

    /// As [`try_read`](Self::try_read), into several buffers.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.io.try_receive_vectored(bufs)
    }

    /// As [`try_read`](Self::try_read), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    pub fn try_read_buf<B: BufMut>(&self, buf: &mut B) -> io::Result<usize> {
        self.io.try_receive_buf(buf)
    }

    /// Writes what there is room for, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room, as far as is known; what send(2) says.
    pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
        self.io.try_send(buf)
    }

    /// As [`try_write`](Self::try_write), from several buffers.
    ///
    /// # Errors
    ///
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.io.try_send_vectored(bufs)
    }

    /// Closes one direction, or both.
    pub(crate) fn shutdown_std(&self, how: Shutdown) -> io::Result<()> {
        self.io.get().shutdown(how)
    }
}

/// Reading and writing by a shared reference, for the halves too.
impl UnixStream {
    /// `AsyncRead::poll_read`.
    #[track_caller]
    pub(crate) fn poll_read_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.poll_receive(cx, Location::caller(), buf)
    }

    /// `AsyncWrite::poll_write`.
    #[track_caller]
    pub(crate) fn poll_write_shared(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_send(cx, Location::caller(), buf)
    }

    /// `AsyncWrite::poll_write_vectored`.
    #[track_caller]
    pub(crate) fn poll_write_vectored_shared(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.io.poll_send_vectored(cx, Location::caller(), bufs)
    }
}

impl AsyncRead for UnixStream {
    #[track_caller]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read_shared(cx, buf)
    }
}

impl AsyncWrite for UnixStream {
    #[track_caller]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_shared(cx, buf)
    }

    #[track_caller]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored_shared(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Nothing is kept back here.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the writing half.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown_std(Shutdown::Write))
    }
}

impl TryFrom<StdStream> for UnixStream {
    type Error = io::Error;

    /// As [`UnixStream::from_std`].
    #[track_caller]
    fn try_from(stream: StdStream) -> io::Result<Self> {
        Self::from_std(stream)
    }
}

impl AsRef<Self> for UnixStream {
    fn as_ref(&self) -> &Self {
        self
    }
}

readiness_methods!(
    UnixStream,
    poll_read_ready,
    poll_write_ready,
    "a read is worth a try: bytes, their end, or an error.",
    "a write is worth a try: room, or an error."
);
descriptor_and_debug!(UnixStream);
