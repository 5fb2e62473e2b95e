//! Receiving datagrams.
//!
//! Any number of tasks may wait on one socket; each datagram goes to one of them.
//! Read next: `net/udp_peek.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BufMut;
use pin_project_lite::pin_project;
use socket2::SockAddr;

use crate::io::read_buf::{ReadBuf, fill_spare};
use crate::io::wait::Wait;
use crate::io::waiting::Waiting;
use crate::net::receive::{receive, receive_from};
use crate::net::udp::UdpSocket;
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;

/// Receiving.
impl UdpSocket {
    /// Receives a datagram from the peer; gives its length. What does not fit into `buf` is lost.
    ///
    /// # Errors
    ///
    /// What recv(2) says.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn recv<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a> {
        Recv {
            socket: self,
            buf,
            peek: false,
            waiting: reading(self, Location::caller()),
        }
    }

    /// Polls for [`recv`](Self::recv). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.poll_own(cx, Direction::Read, || self.recv_now(buf))
    }

    /// Receives a datagram from the peer, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; what recv(2) says.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.try_own(Direction::Read, || self.get().recv(buf))
    }

    /// As [`recv`](Self::recv), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn recv_buf<'a, B: BufMut + ?Sized>(&'a self, buf: &'a mut B) -> RecvBuf<'a, B> {
        RecvBuf {
            socket: self,
            buf,
            waiting: reading(self, Location::caller()),
        }
    }

    /// As [`try_recv`](Self::try_recv), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_recv_buf<B: BufMut + ?Sized>(&self, buf: &mut B) -> io::Result<usize> {
        now(fill_spare(buf, |buf| {
            Poll::Ready(self.try_own(Direction::Read, || self.recv_now(buf)))
        }))
    }

    /// Receives a datagram; gives its length and its sender. What does not fit is lost.
    ///
    /// # Errors
    ///
    /// What recvfrom(2) says.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a> {
        RecvFrom {
            socket: self,
            buf,
            peek: false,
            waiting: reading(self, Location::caller()),
        }
    }

    /// Polls for [`recv_from`](Self::recv_from). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.poll_own(cx, Direction::Read, || self.recv_from_now(buf))
    }

    /// Receives a datagram and its sender, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; what recvfrom(2) says.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.try_own(Direction::Read, || self.get().recv_from(buf))
    }

    /// As [`recv_from`](Self::recv_from), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn recv_buf_from<'a, B: BufMut + ?Sized>(&'a self, buf: &'a mut B) -> RecvBufFrom<'a, B> {
        RecvBufFrom {
            socket: self,
            buf,
            waiting: reading(self, Location::caller()),
        }
    }

    /// As [`try_recv_from`](Self::try_recv_from), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_recv_buf_from<B: BufMut + ?Sized>(
        &self,
        buf: &mut B,
    ) -> io::Result<(usize, SocketAddr)> {
        let mut from: io::Result<SocketAddr> = Err(io::ErrorKind::InvalidData.into());
        let n = now(fill_spare(buf, |buf| {
            let received = self.try_own(Direction::Read, || self.recv_from_now(buf));
            Poll::Ready(received.map(|addr| from = Ok(addr)))
        }))?;
        Ok((n, from?))
    }

    /// recv(2).
    pub(super) fn recv_now(&self, buf: &mut ReadBuf<'_>) -> io::Result<()> {
        receive(self.get(), buf).map(|_| ())
    }

    /// recvfrom(2).
    pub(super) fn recv_from_now(&self, buf: &mut ReadBuf<'_>) -> io::Result<SocketAddr> {
        addr_of(&receive_from(self.get(), buf)?.1)
    }
}

/// Waits to read from `socket`, on the user's line.
pub(super) fn reading<'a>(socket: &'a UdpSocket, line: &'static Location<'static>) -> Waiting<'a> {
    Waiting::new(
        socket.registration(),
        Wait::of(Direction::Read, Kind::Read, line),
    )
}

/// The address of a datagram's sender.
pub(super) fn addr_of(addr: &SockAddr) -> io::Result<SocketAddr> {
    addr.as_socket()
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// The result of something that does not wait.
fn now<R>(result: Poll<io::Result<R>>) -> io::Result<R> {
    match result {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

pin_project! {
    /// Future of [`UdpSocket::recv`] and [`UdpSocket::peek`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Recv<'a> {
        pub(super) socket: &'a UdpSocket,
        pub(super) buf: &'a mut [u8],
        // Leave the datagram where it is.
        pub(super) peek: bool,
        #[pin]
        pub(super) waiting: Waiting<'a>,
    }
}

impl Future for Recv<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let (socket, peek) = (this.socket.get(), *this.peek);
        this.waiting.poll_io(cx, || match peek {
            true => socket.peek(this.buf),
            false => socket.recv(this.buf),
        })
    }
}

pin_project! {
    /// Future of [`UdpSocket::recv_from`] and [`UdpSocket::peek_from`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct RecvFrom<'a> {
        pub(super) socket: &'a UdpSocket,
        pub(super) buf: &'a mut [u8],
        // Leave the datagram where it is.
        pub(super) peek: bool,
        #[pin]
        pub(super) waiting: Waiting<'a>,
    }
}

impl Future for RecvFrom<'_> {
    type Output = io::Result<(usize, SocketAddr)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let (socket, peek) = (this.socket.get(), *this.peek);
        this.waiting.poll_io(cx, || match peek {
            true => socket.peek_from(this.buf),
            false => socket.recv_from(this.buf),
        })
    }
}

pin_project! {
    /// Future of [`UdpSocket::recv_buf`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct RecvBuf<'a, B: ?Sized> {
        socket: &'a UdpSocket,
        buf: &'a mut B,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl<B: BufMut + ?Sized> Future for RecvBuf<'_, B> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let socket = *this.socket;
        let waiting = this.waiting;
        fill_spare(&mut **this.buf, |buf: &mut ReadBuf<'_>| {
            waiting.poll_io(cx, || socket.recv_now(buf))
        })
    }
}

pin_project! {
    /// Future of [`UdpSocket::recv_buf_from`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct RecvBufFrom<'a, B: ?Sized> {
        socket: &'a UdpSocket,
        buf: &'a mut B,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl<B: BufMut + ?Sized> Future for RecvBufFrom<'_, B> {
    type Output = io::Result<(usize, SocketAddr)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let socket = *this.socket;
        let waiting = this.waiting;
        let mut from = None;
        let n = ready!(fill_spare(&mut **this.buf, |buf: &mut ReadBuf<'_>| {
            waiting
                .poll_io(cx, || socket.recv_from_now(buf))
                .map_ok(|addr| from = Some(addr))
        }))?;
        let from = from.ok_or(io::ErrorKind::InvalidData)?;
        Poll::Ready(Ok((n, from)))
    }
}
