//! The futures of `read_to_end` and `read_to_string`: all that comes, into memory that grows.
//!
//! ```text
//!             room left: read into it ◄───────┐
//!    poll ──►                                 ├── until a read gives 0 bytes
//!             full: is it the end already? ───┤   (asked once, with a few bytes of stack)
//!                   grow                   ───┘
//! ```
//!
//! The question at "full" pays when the caller knew the size: a `Vec` that fits exactly would
//! otherwise double, only to learn that nothing more comes.
//!
//! A reader is offered [`FIRST_OFFER_BYTES`], and twice as much after each read that used all of
//! it. Why not all the room there is: a reader that wants plain bytes zeroes what it is offered.
//! Read next: `io/text.rs`.

#![forbid(unsafe_code)]

use std::borrow::BorrowMut;
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_read::AsyncRead;
use crate::io::growing::Growing;
use crate::io::interrupted::uninterrupted;
use crate::io::read_buf::fill_slice;
use crate::io::text::Text;
use crate::io::wait_line::at_line;
use crate::parts::wait_site::Kind;

/// What a reader is offered first.
///
/// Unit: bytes. Source: the size of std's first read; not tuned here.
const FIRST_OFFER_BYTES: usize = 8 * 1024;

/// By how much full memory grows at least; `Vec` doubles it in any case.
///
/// Unit: bytes. Source: not tuned.
const GROWTH_BYTES: usize = 512;

/// How many bytes are asked for before memory of the caller's size grows.
///
/// Unit: bytes of stack. Source: std's value; not tuned here.
const PROBE_BYTES: usize = 32;

/// How far a read to the end has come.
#[derive(Debug)]
struct Progress {
    /// Bytes read so far.
    total: usize,
    /// Bytes the next read may bring.
    offer: usize,
    /// The capacity that the caller chose; `None` when that is not known yet.
    chosen: Option<usize>,
}

impl Progress {
    /// Nothing read.
    fn new() -> Self {
        Self {
            total: 0,
            offer: FIRST_OFFER_BYTES,
            chosen: None,
        }
    }

    /// Reads until the end; gives the number of bytes since [`new`](Self::new).
    fn poll<R, V>(
        &mut self,
        reader: &mut R,
        cx: &mut Context<'_>,
        bytes: &mut Growing<V>,
    ) -> Poll<io::Result<usize>>
    where
        R: AsyncRead + Unpin + ?Sized,
        V: BorrowMut<Vec<u8>>,
    {
        let chosen = *self.chosen.get_or_insert(bytes.capacity());
        loop {
            let n = if bytes.is_full() && chosen != 0 && bytes.capacity() == chosen {
                ready!(probe(reader, cx, bytes.vec()))?
            } else {
                if bytes.is_full() {
                    bytes.vec().reserve(GROWTH_BYTES);
                }
                let offer = self.offer;
                ready!(uninterrupted(|| {
                    bytes.fill(offer, |buf| Pin::new(&mut *reader).poll_read(cx, buf))
                }))?
            };
            self.total += n;
            match n {
                0 => return Poll::Ready(Ok(self.total)),
                n if n == self.offer => self.offer = self.offer.saturating_mul(2),
                _ => {}
            }
        }
    }
}

/// Reads a few bytes past full memory: it grows only if there are some.
fn probe<R: AsyncRead + Unpin + ?Sized>(
    reader: &mut R,
    cx: &mut Context<'_>,
    bytes: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    let mut few = [0; PROBE_BYTES];
    let mut read = || fill_slice(&mut few, |buf| Pin::new(&mut *reader).poll_read(cx, buf));
    let n = ready!(uninterrupted(&mut read))?;
    bytes.extend_from_slice(&few[..n]);
    Poll::Ready(Ok(n))
}

pin_project! {
    /// Future of [`AsyncReadExt::read_to_end`](crate::io::AsyncReadExt::read_to_end).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ReadToEnd<'a, R: ?Sized> {
        reader: &'a mut R,
        bytes: Growing<&'a mut Vec<u8>>,
        progress: Progress,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, R: ?Sized> ReadToEnd<'a, R> {
    /// A read that has not begun.
    pub(crate) fn new(
        reader: &'a mut R,
        bytes: &'a mut Vec<u8>,
        line: &'static Location<'static>,
    ) -> Self {
        Self {
            reader,
            bytes: Growing::borrowed(bytes),
            progress: Progress::new(),
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadToEnd<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let me = self.project();
        at_line(me.line, Kind::Read, || {
            me.progress.poll(&mut **me.reader, cx, me.bytes)
        })
    }
}

pin_project! {
    /// Future of [`AsyncReadExt::read_to_string`](crate::io::AsyncReadExt::read_to_string).
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ReadToString<'a, R: ?Sized> {
        reader: &'a mut R,
        text: Text<'a>,
        progress: Progress,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, R: ?Sized> ReadToString<'a, R> {
    /// A read that has not begun.
    pub(crate) fn new(
        reader: &'a mut R,
        target: &'a mut String,
        line: &'static Location<'static>,
    ) -> Self {
        let text = Text::new(target);
        Self {
            reader,
            text,
            progress: Progress::new(),
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadToString<'_, R> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let me = self.project();
        let bytes = me.text.bytes();
        let n = ready!(at_line(me.line, Kind::Read, || {
            me.progress.poll(&mut **me.reader, cx, bytes)
        }))?;
        me.text.finish()?;
        Poll::Ready(Ok(n))
    }
}
