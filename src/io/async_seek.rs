//! `AsyncSeek`: a stream with a position that can be set.
//!
//! ```text
//!   start_seek(to) ──► under way ──► poll_complete: Ready(new position)
//!                                └─► poll_complete: Pending
//! ```
//!
//! Two steps, since the first must not wait: a file's seek runs on another thread. One seek at a
//! time: call `poll_complete` before `start_seek`, which may refuse otherwise.
//! Read next: `io/seek_ext.rs`, the methods a program calls.

#![forbid(unsafe_code)]

use std::io;
use std::io::{Cursor, Seek, SeekFrom};
use std::ops::DerefMut;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Sets the position where the next read or write happens.
///
/// Programs call the methods of [`AsyncSeekExt`](crate::io::AsyncSeekExt); this trait is what
/// streams implement.
pub trait AsyncSeek {
    /// Begins to seek, and does not wait. The position is set when
    /// [`poll_complete`](Self::poll_complete) says so.
    ///
    /// # Errors
    ///
    /// The stream's own; `Other` while another operation is under way: call
    /// [`poll_complete`](Self::poll_complete) until it is ready, then this.
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()>;

    /// Waits until the seek is done, and gives the position, in bytes from the start.
    ///
    /// Without a seek under way the position that it gives may be any number.
    ///
    /// # Errors
    ///
    /// The stream's own.
    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>>;
}

impl<T: AsyncSeek + Unpin + ?Sized> AsyncSeek for &mut T {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut **self).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut **self).poll_complete(cx)
    }
}

impl<T: AsyncSeek + Unpin + ?Sized> AsyncSeek for Box<T> {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut **self).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut **self).poll_complete(cx)
    }
}

impl<P> AsyncSeek for Pin<P>
where
    P: DerefMut,
    P::Target: AsyncSeek,
{
    fn start_seek(self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        self.as_deref_mut().start_seek(position)
    }

    fn poll_complete(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        self.as_deref_mut().poll_complete(cx)
    }
}

/// Never waits.
impl<T: AsRef<[u8]> + Unpin> AsyncSeek for Cursor<T> {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Seek::seek(&mut *self, position).map(|_| ())
    }

    fn poll_complete(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Poll::Ready(Ok(self.position()))
    }
}
