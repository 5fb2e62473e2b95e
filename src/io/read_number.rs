//! The future of `read_u8` to `read_f64_le`: an array of bytes, then a function to decode it.
//!
//! One type for all 22 methods; they differ in the function they pass (`u16::from_be_bytes` and
//! its sisters in std).
//! Read next: `io/write_number.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_read::AsyncRead;
use crate::io::read::poll_fill;
use crate::io::wait_line::at_line;
use crate::parts::wait_site::Kind;

pin_project! {
    /// Future of [`AsyncReadExt`](crate::io::AsyncReadExt)'s methods that read a number:
    /// `T` from `B`, an array of bytes.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ReadNumber<'a, R: ?Sized, T, B> {
        reader: &'a mut R,
        bytes: B,
        // Bytes that have come.
        filled: usize,
        decode: fn(B) -> T,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, R: ?Sized, T, B> ReadNumber<'a, R, T, B> {
    /// A read that has not begun; `room` is as long as the number, whatever it holds.
    pub(crate) fn new(
        reader: &'a mut R,
        room: B,
        decode: fn(B) -> T,
        line: &'static Location<'static>,
    ) -> Self {
        Self {
            reader,
            bytes: room,
            filled: 0,
            decode,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<R, T, B> Future for ReadNumber<'_, R, T, B>
where
    R: AsyncRead + Unpin + ?Sized,
    B: AsMut<[u8]> + Copy,
{
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let me = self.project();
        ready!(at_line(me.line, Kind::Read, || {
            poll_fill(&mut **me.reader, cx, me.bytes.as_mut(), me.filled)
        }))?;
        Poll::Ready(Ok((me.decode)(*me.bytes)))
    }
}
