//! `TcpStream::peek`: a look at what has come.
//!
//! Read next: `net/tcp_split.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::io::read_buf::ReadBuf;
use crate::io::wait::Wait;
use crate::io::waiting::Waiting;
use crate::net::tcp_stream::TcpStream;
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;

/// Peeking.
impl TcpStream {
    /// Reads without taking: the next read gives the same bytes again.
    ///
    /// # Errors
    ///
    /// What recv(2) says.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Peek<'a> {
        let wait = Wait::of(Direction::Read, Kind::Read, Location::caller());
        Peek {
            stream: self,
            buf,
            waiting: Waiting::new(self.evented().registration(), wait),
        }
    }

    /// Polls for [`peek`](Self::peek). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// What recv(2) says.
    #[track_caller]
    pub fn poll_peek(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let wait = Wait::of(Direction::Read, Kind::Read, Location::caller());
        let room = buf.initialize_unfilled();
        let attempt = || self.evented().get().peek(room);
        let registration = self.evented().registration();
        let n = ready!(registration.poll_io(cx, &wait, None, attempt, |_| false))?;
        buf.advance(n);
        Poll::Ready(Ok(n))
    }
}

pin_project! {
    /// Future of [`TcpStream::peek`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Peek<'a> {
        stream: &'a TcpStream,
        buf: &'a mut [u8],
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl Future for Peek<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let stream = this.stream.evented().get();
        this.waiting.poll_io(cx, || stream.peek(this.buf))
    }
}
