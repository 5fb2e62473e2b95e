//! The futures that receive and send datagrams, for both kinds of sockets.
//!
//! Any number of tasks may wait on one socket; each datagram goes to one of them. A future that is
//! dropped before it is done has taken nothing: the system call and the end are one poll.
//! Read next: `net/udp_recv.rs`, `net/unix_datagram.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use pin_project_lite::pin_project;

use crate::io::read_buf::{fill_slice, fill_spare};
use crate::io::waiting::Waiting;
use crate::net::datagram::{Address, Datagrams, Then};
use crate::reactor::bits::Direction;

/// Making them; each remembers the user's line.
impl<'a> Datagrams<'a> {
    /// Waits for a datagram, on the user's line.
    pub(super) fn recv(
        self,
        buf: &'a mut [u8],
        then: Then,
        line: &'static Location<'static>,
    ) -> Recv<'a> {
        Recv {
            socket: self,
            buf,
            then,
            waiting: self.waiting(Direction::Read, line),
        }
    }

    /// As [`Self::recv`], and tells the sender.
    pub(super) fn recv_from<A>(
        self,
        buf: &'a mut [u8],
        then: Then,
        line: &'static Location<'static>,
    ) -> RecvFrom<'a, A> {
        RecvFrom {
            socket: self,
            buf,
            then,
            waiting: self.waiting(Direction::Read, line),
            told: PhantomData,
        }
    }

    /// As [`Self::recv`], into spare room.
    pub(super) fn recv_buf<B: ?Sized>(
        self,
        buf: &'a mut B,
        line: &'static Location<'static>,
    ) -> RecvBuf<'a, B> {
        RecvBuf {
            socket: self,
            buf,
            waiting: self.waiting(Direction::Read, line),
        }
    }

    /// As [`Self::recv_from`], into spare room.
    pub(super) fn recv_buf_from<A, B: ?Sized>(
        self,
        buf: &'a mut B,
        line: &'static Location<'static>,
    ) -> RecvBufFrom<'a, B, A> {
        RecvBufFrom {
            socket: self,
            buf,
            waiting: self.waiting(Direction::Read, line),
            told: PhantomData,
        }
    }

    /// Waits for room and sends to the peer, on the user's line.
    pub(super) fn send(self, buf: &'a [u8], line: &'static Location<'static>) -> SendDatagram<'a> {
        SendDatagram {
            socket: self,
            buf,
            waiting: self.waiting(Direction::Write, line),
        }
    }
}

pin_project! {
    /// Future of the datagram sockets' `recv` and `peek`.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Recv<'a> {
        socket: Datagrams<'a>,
        buf: &'a mut [u8],
        then: Then,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl Future for Recv<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let (socket, then, waiting) = (*this.socket, *this.then, this.waiting);
        fill_slice(this.buf, |buf| {
            waiting.poll_io(cx, || socket.receive(buf, then))
        })
    }
}

pin_project! {
    /// Future of the datagram sockets' `recv_from` and `peek_from`; `A` is the sender's address.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct RecvFrom<'a, A = SocketAddr> {
        socket: Datagrams<'a>,
        buf: &'a mut [u8],
        then: Then,
        #[pin]
        waiting: Waiting<'a>,
        told: PhantomData<fn() -> A>,
    }
}

impl<A: Address> Future for RecvFrom<'_, A> {
    type Output = io::Result<(usize, A)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (socket, then, waiting) = (*this.socket, *this.then, this.waiting);
        let mut from: io::Result<A> = Err(io::ErrorKind::InvalidData.into());
        let n = ready!(fill_slice(this.buf, |buf| {
            waiting
                .poll_io(cx, || socket.receive_from(buf, then))
                .map_ok(|addr| from = Ok(addr))
        }))?;
        Poll::Ready(Ok((n, from?)))
    }
}

pin_project! {
    /// Future of the datagram sockets' `recv_buf`.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct RecvBuf<'a, B: ?Sized> {
        socket: Datagrams<'a>,
        buf: &'a mut B,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl<B: BufMut + ?Sized> Future for RecvBuf<'_, B> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let (socket, waiting) = (*this.socket, this.waiting);
        fill_spare(&mut **this.buf, |buf| {
            waiting.poll_io(cx, || socket.receive(buf, Then::Taken))
        })
    }
}

pin_project! {
    /// Future of the datagram sockets' `recv_buf_from`; `A` is the sender's address.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct RecvBufFrom<'a, B: ?Sized, A = SocketAddr> {
        socket: Datagrams<'a>,
        buf: &'a mut B,
        #[pin]
        waiting: Waiting<'a>,
        told: PhantomData<fn() -> A>,
    }
}

impl<B: BufMut + ?Sized, A: Address> Future for RecvBufFrom<'_, B, A> {
    type Output = io::Result<(usize, A)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (socket, waiting) = (*this.socket, this.waiting);
        let mut from: io::Result<A> = Err(io::ErrorKind::InvalidData.into());
        let n = ready!(fill_spare(&mut **this.buf, |buf| {
            waiting
                .poll_io(cx, || socket.receive_from(buf, Then::Taken))
                .map_ok(|addr| from = Ok(addr))
        }))?;
        Poll::Ready(Ok((n, from?)))
    }
}

pin_project! {
    /// Future of the datagram sockets' `send`.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct SendDatagram<'a> {
        socket: Datagrams<'a>,
        buf: &'a [u8],
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl Future for SendDatagram<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let (socket, buf) = (*this.socket, *this.buf);
        this.waiting.poll_io(cx, || socket.send_now(buf))
    }
}
