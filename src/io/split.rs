//! `split`: a stream cut into a half that reads and a half that writes.
//!
//! ```text
//!   ReadHalf ───┐
//!               ├──► Arc ──► Mutex ──► Pin<Box<stream>>
//!   WriteHalf ──┘
//! ```
//!
//! One lock for both, held for the length of a poll: an arbitrary stream has only `&mut self`
//! methods. It is the one lock under which foreign code is polled, so a stream must not poll its
//! own other half. Sockets have halves of their own that need no lock (`net/tcp_split.rs`).
//!
//! The stream is boxed, although the `Arc` has it on the heap already: so it can be pinned without
//! unsafe code, and moved out again only where `T: Unpin` says that it may.
//! Read next: `net/tcp_split.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use crate::io::async_read::AsyncRead;
use crate::io::async_write::AsyncWrite;
use crate::io::read_buf::ReadBuf;

/// Cuts a stream in two halves that may live in different tasks.
///
/// The halves share one lock. When one half is dropped the stream stays open; it is closed when
/// both are gone.
///
/// ```
/// use trefoil::io::{AsyncReadExt, AsyncWriteExt};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let (stream, mut other) = trefoil::io::duplex(64);
/// let (mut reader, mut writer) = trefoil::io::split(stream);
/// writer.write_all(b"ping").await?;
/// let mut buf = [0; 4];
/// other.read_exact(&mut buf).await?;
/// other.write_all(b"pong").await?;
/// reader.read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"pong");
/// let _stream = reader.unsplit(writer);
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
pub fn split<T: AsyncRead + AsyncWrite>(stream: T) -> (ReadHalf<T>, WriteHalf<T>) {
    let shared = Arc::new(Shared(Mutex::new(Box::pin(stream))));
    (
        ReadHalf {
            shared: Arc::clone(&shared),
        },
        WriteHalf { shared },
    )
}

/// The half that reads. Made by [`split`].
pub struct ReadHalf<T> {
    /// The stream, also the other half's.
    shared: Arc<Shared<T>>,
}

/// The half that writes. Made by [`split`].
pub struct WriteHalf<T> {
    /// The stream, also the other half's.
    shared: Arc<Shared<T>>,
}

/// The stream behind its lock.
struct Shared<T>(Mutex<Pin<Box<T>>>);

impl<T> Shared<T> {
    /// Runs `f` on the stream, which nobody else touches meanwhile.
    ///
    /// A poll that panicked leaves the stream in whatever state it chose; that is its own matter.
    fn with<U>(&self, f: impl FnOnce(Pin<&mut T>) -> U) -> U {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        f(stream.as_mut())
    }
}

impl<T> ReadHalf<T> {
    /// True when both halves are of the same stream.
    pub fn is_pair_of(&self, other: &WriteHalf<T>) -> bool {
        other.is_pair_of(self)
    }

    /// Puts the stream together again.
    ///
    /// Only for streams that are `Unpin`: the others are pinned since the first poll of a half.
    ///
    /// ```compile_fail
    /// # use trefoil::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
    /// fn whole<T: AsyncRead + AsyncWrite>(r: ReadHalf<T>, w: WriteHalf<T>) -> T {
    ///     r.unsplit(w)
    /// }
    /// ```
    ///
    /// ```
    /// # use trefoil::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
    /// fn whole<T: AsyncRead + AsyncWrite + Unpin>(r: ReadHalf<T>, w: WriteHalf<T>) -> T {
    ///     r.unsplit(w)
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// When `other` is a half of another stream; ask [`is_pair_of`](Self::is_pair_of) first.
    #[track_caller]
    pub fn unsplit(self, other: WriteHalf<T>) -> T
    where
        T: Unpin,
    {
        assert!(
            self.is_pair_of(&other),
            "unsplit: the two halves are of different streams; `is_pair_of` tells"
        );
        drop(other);
        // Only halves hold the Arc, a stream has one of each, and the other is gone.
        let shared = Arc::into_inner(self.shared).expect("a third half of a stream");
        let stream = shared
            .0
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        *Pin::into_inner(stream)
    }
}

impl<T> WriteHalf<T> {
    /// True when both halves are of the same stream.
    pub fn is_pair_of(&self, other: &ReadHalf<T>) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T: AsyncRead> AsyncRead for ReadHalf<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.shared.with(|stream| stream.poll_read(cx, buf))
    }
}

impl<T: AsyncWrite> AsyncWrite for WriteHalf<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared.with(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.with(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.with(|stream| stream.poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.shared
            .with(|stream| stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        self.shared.with(|stream| stream.is_write_vectored())
    }
}

impl<T: fmt::Debug> fmt::Debug for ReadHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf").finish_non_exhaustive()
    }
}

impl<T: fmt::Debug> fmt::Debug for WriteHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf").finish_non_exhaustive()
    }
}
