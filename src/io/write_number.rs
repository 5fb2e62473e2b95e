//! The future of `write_u8` to `write_f64_le`: the number's bytes, all of them.
//!
//! The method turns the number into bytes at once; a future that kept the number would need a
//! second type argument for nothing.
//! Read next: `io/read_number.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::async_write::AsyncWrite;
use crate::io::wait_line::at_line;
use crate::io::write::poll_write_some;
use crate::parts::wait_site::Kind;

pin_project! {
    /// Future of [`AsyncWriteExt`](crate::io::AsyncWriteExt)'s methods that write a number,
    /// as the array of bytes `B`.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct WriteNumber<'a, W: ?Sized, B> {
        writer: &'a mut W,
        bytes: B,
        // Bytes that the writer has taken.
        written: usize,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl<'a, W: ?Sized, B> WriteNumber<'a, W, B> {
    /// A write that has not begun.
    pub(crate) fn new(writer: &'a mut W, bytes: B, line: &'static Location<'static>) -> Self {
        Self {
            writer,
            bytes,
            written: 0,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl<W: AsyncWrite + Unpin + ?Sized, B: AsRef<[u8]>> Future for WriteNumber<'_, W, B> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.project();
        at_line(me.line, Kind::Write, || {
            while *me.written < me.bytes.as_ref().len() {
                let left = &me.bytes.as_ref()[*me.written..];
                *me.written += ready!(poll_write_some(Pin::new(&mut **me.writer), cx, left))?;
            }
            Poll::Ready(Ok(()))
        })
    }
}
