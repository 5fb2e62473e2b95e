//! A look at the next datagram, which stays where it is.
//!
//! Read next: `net/udp_options.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use socket2::SockRef;

use crate::io::read_buf::ReadBuf;
use crate::io::waiting::Waiting;
use crate::net::datagram::{Address, Then};
use crate::net::datagram_wait::{Recv, RecvFrom};
use crate::net::udp::UdpSocket;
use crate::reactor::bits::Direction;

/// Looking at the next datagram without taking it.
impl UdpSocket {
    /// As [`recv`](Self::recv), and leaves the datagram where it is.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn peek<'a>(&'a self, buf: &'a mut [u8]) -> Recv<'a> {
        self.datagrams().recv(buf, Then::Stays, Location::caller())
    }

    /// Polls for [`peek`](Self::peek). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = self.datagrams();
        socket.poll(cx, Direction::Read, || socket.receive(buf, Then::Stays))
    }

    /// As [`try_recv`](Self::try_recv), and leaves the datagram where it is.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.datagrams().try_recv(buf, Then::Stays)
    }

    /// As [`recv_from`](Self::recv_from), and leaves the datagram where it is.
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn peek_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a> {
        self.datagrams()
            .recv_from(buf, Then::Stays, Location::caller())
    }

    /// Polls for [`peek_from`](Self::peek_from). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let socket = self.datagrams();
        let look = || socket.receive_from(buf, Then::Stays);
        socket.poll(cx, Direction::Read, look)
    }

    /// As [`try_recv_from`](Self::try_recv_from), and leaves the datagram where it is.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.datagrams().try_recv_from(buf, Then::Stays)
    }

    /// Waits for a datagram, and tells its sender without taking it.
    ///
    /// # Errors
    ///
    /// What recvfrom(2) says.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken nothing.
    #[track_caller]
    pub fn peek_sender(&self) -> PeekSender<'_> {
        PeekSender {
            socket: self,
            waiting: self
                .datagrams()
                .waiting(Direction::Read, Location::caller()),
        }
    }

    /// Polls for [`peek_sender`](Self::peek_sender). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_peek_sender(&self, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        self.datagrams()
            .poll(cx, Direction::Read, || self.peek_sender_now())
    }

    /// Tells the sender of the next datagram, without waiting and without taking it.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; what recvfrom(2) says.
    pub fn try_peek_sender(&self) -> io::Result<SocketAddr> {
        self.datagrams()
            .try_now(Direction::Read, || self.peek_sender_now())
    }

    /// recvfrom(2) without room for bytes.
    pub(super) fn peek_sender_now(&self) -> io::Result<SocketAddr> {
        Address::told(&SockRef::from(self.get()).peek_sender()?)
    }
}

pin_project! {
    /// Future of [`UdpSocket::peek_sender`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct PeekSender<'a> {
        socket: &'a UdpSocket,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl Future for PeekSender<'_> {
    type Output = io::Result<SocketAddr>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<SocketAddr>> {
        let this = self.project();
        let socket = *this.socket;
        this.waiting.poll_io(cx, || socket.peek_sender_now())
    }
}
