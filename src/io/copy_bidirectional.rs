//! `copy_bidirectional`: what a proxy does, everything from each of two streams to the other.
//!
//! ```text
//!   one way:   Copying ── the reader has ended, all is written and flushed ──► Ending
//!              Ending ─── the writer is shut down ──► Ended
//!
//!   a ──► b    both ways in one task; done when both have ended
//!   a ◄── b    one that has ended leaves the other alone: half-closed connections go on
//! ```
//!
//! The way that is polled first changes with each poll. Otherwise one that never waits would eat
//! the whole budget each time, and the other would starve.
//! Read next: `io/copy_buf.rs`.

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
use crate::io::copy::{BUFFER_BYTES, Pump};
use crate::io::wait_line::at_line;
use crate::parts::wait_site::Kind;

/// Copies both ways between `a` and `b`, and gives the numbers of bytes from `a` to `b` and back.
///
/// When one stream ends, the other is shut down for writing after its last byte; the other way
/// goes on. It is done when both streams have ended. Each way has a buffer of 8 KiB.
///
/// # Errors
///
/// The first error of either stream, at once, also of a flush or a shutdown; interrupted calls are
/// made again. Bytes that were read and not yet written are lost.
///
/// # Cancel safety
///
/// None: dropped early, bytes that were read and not yet written are lost.
///
/// ```
/// use trefoil::io::{AsyncReadExt, AsyncWriteExt};
///
/// # futures_util::FutureExt::now_or_never(async {
/// let (mut client, mut proxy_a) = trefoil::io::duplex(64);
/// let (mut proxy_b, mut server) = trefoil::io::duplex(64);
/// client.write_all(b"ping").await?;
/// client.shutdown().await?;
/// server.write_all(b"hello").await?;
/// server.shutdown().await?;
/// assert_eq!(trefoil::io::copy_bidirectional(&mut proxy_a, &mut proxy_b).await?, (4, 5));
/// let mut text = String::new();
/// client.read_to_string(&mut text).await?;
/// assert_eq!(text, "hello");
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
#[track_caller]
pub fn copy_bidirectional<'a, A, B>(a: &'a mut A, b: &'a mut B) -> CopyBidirectional<'a, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    copy_bidirectional_with_sizes(a, b, BUFFER_BYTES, BUFFER_BYTES)
}

/// As [`copy_bidirectional`], with buffers of so many bytes for each way.
///
/// # Errors
///
/// As there.
///
/// # Panics
///
/// When a size is 0: no byte would move.
///
/// # Cancel safety
///
/// As there.
#[track_caller]
pub fn copy_bidirectional_with_sizes<'a, A, B>(
    a: &'a mut A,
    b: &'a mut B,
    a_to_b_buf_size: usize,
    b_to_a_buf_size: usize,
) -> CopyBidirectional<'a, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    assert!(
        a_to_b_buf_size > 0,
        "copy_bidirectional: `a_to_b_buf_size` must be greater than 0, or no byte moves"
    );
    assert!(
        b_to_a_buf_size > 0,
        "copy_bidirectional: `b_to_a_buf_size` must be greater than 0, or no byte moves"
    );
    CopyBidirectional {
        a,
        b,
        there: Way::Copying(Pump::new(a_to_b_buf_size)),
        back: Way::Copying(Pump::new(b_to_a_buf_size)),
        back_first: false,
        line: Location::caller(),
        pinned: PhantomPinned,
    }
}

/// One direction: the drawing in the file's head.
#[derive(Debug)]
enum Way {
    /// The reader may still give bytes.
    Copying(Pump),
    /// All is written; the writer is being shut down. With the number of bytes.
    Ending(u64),
    /// Nothing is left to do. With the number of bytes.
    Ended(u64),
}

impl Way {
    /// Goes on until it has ended; gives the number of bytes.
    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<u64>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        loop {
            match self {
                Self::Copying(pump) => {
                    let moved = pump.poll(cx, Pin::new(&mut *reader), Pin::new(&mut *writer));
                    *self = Self::Ending(ready!(moved)?);
                }
                Self::Ending(total) => {
                    ready!(Pin::new(&mut *writer).poll_shutdown(cx))?;
                    *self = Self::Ended(*total);
                }
                Self::Ended(total) => return Poll::Ready(Ok(*total)),
            }
        }
    }
}

pin_project! {
    /// Future of [`copy_bidirectional`] and [`copy_bidirectional_with_sizes`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct CopyBidirectional<'a, A: ?Sized, B: ?Sized> {
        a: &'a mut A,
        b: &'a mut B,
        // From a to b.
        there: Way,
        // From b to a.
        back: Way,
        // Which one the next poll begins with.
        back_first: bool,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<A, B> Future for CopyBidirectional<'_, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<(u64, u64)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<(u64, u64)>> {
        let me = self.project();
        let back_first = std::mem::replace(me.back_first, !*me.back_first);
        at_line(me.line, Kind::Read, || {
            // Both are polled, whatever the first says, unless it is an error.
            let (there, back) = if back_first {
                let back = me.back.poll(cx, &mut **me.b, &mut **me.a)?;
                (me.there.poll(cx, &mut **me.a, &mut **me.b)?, back)
            } else {
                let there = me.there.poll(cx, &mut **me.a, &mut **me.b)?;
                (there, me.back.poll(cx, &mut **me.b, &mut **me.a)?)
            };
            Poll::Ready(Ok((ready!(there), ready!(back))))
        })
    }
}
