//! `AsyncSeekExt`: what a program calls on a stream with a position.
//!
//! ```text
//!   seek(to):  Asked(to) ── an earlier seek is over? ──► start_seek(to) ──► Started ──► position
//! ```
//!
//! The earlier one may be left over from a `seek` that was dropped: a stream takes one at a time.
//! Read next: `io/buf_reader.rs`, which seeks over its buffer.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::io::SeekFrom;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_seek::AsyncSeek;
use crate::io::wait_line::at_line;
use crate::parts::wait_site::Kind;

/// The methods of every [`AsyncSeek`].
///
/// ```
/// use std::io::{Cursor, SeekFrom};
/// use trefoil::io::{AsyncReadExt, AsyncSeekExt};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let mut stream = Cursor::new(b"hello");
/// assert_eq!(stream.seek(SeekFrom::End(-3)).await?, 2);
/// assert_eq!(stream.read_u8().await?, b'l');
/// assert_eq!(stream.stream_position().await?, 3);
/// stream.rewind().await?;
/// assert_eq!(stream.read_u8().await?, b'h');
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
pub trait AsyncSeekExt: AsyncSeek {
    /// Sets the position, and gives the new one, in bytes from the start.
    ///
    /// # Errors
    ///
    /// The stream's own: `InvalidInput` for a position before the start. The position is then what
    /// it was.
    ///
    /// # Cancel safety
    ///
    /// None: dropped early, the stream may or may not seek.
    #[track_caller]
    fn seek(&mut self, position: SeekFrom) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        Seek {
            stream: self,
            asked: Some(position),
            line: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Goes back to the start; short for `seek(SeekFrom::Start(0))`.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek).
    ///
    /// # Cancel safety
    ///
    /// As [`seek`](Self::seek).
    #[track_caller]
    fn rewind(&mut self) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        self.seek(SeekFrom::Start(0))
    }

    /// Gives the position; short for `seek(SeekFrom::Current(0))`.
    ///
    /// # Errors
    ///
    /// As [`seek`](Self::seek).
    ///
    /// # Cancel safety
    ///
    /// Safe: whether it is done or not, the position stays.
    #[track_caller]
    fn stream_position(&mut self) -> Seek<'_, Self>
    where
        Self: Unpin,
    {
        self.seek(SeekFrom::Current(0))
    }
}

impl<S: AsyncSeek + ?Sized> AsyncSeekExt for S {}

pin_project! {
    /// Future of [`AsyncSeekExt`]'s methods.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Seek<'a, S: ?Sized> {
        stream: &'a mut S,
        // Where to; `None` once the stream knows it.
        asked: Option<SeekFrom>,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<S: AsyncSeek + Unpin + ?Sized> Future for Seek<'_, S> {
    type Output = io::Result<u64>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        let me = self.project();
        at_line(me.line, Kind::Unknown, || {
            if let Some(position) = *me.asked {
                ready!(Pin::new(&mut **me.stream).poll_complete(cx))?;
                *me.asked = None;
                Pin::new(&mut **me.stream).start_seek(position)?;
            }
            Pin::new(&mut **me.stream).poll_complete(cx)
        })
    }
}
