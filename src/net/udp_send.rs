//! Sending datagrams.
//!
//! Read next: `net/udp_recv.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use socket2::SockAddr;

use crate::io::waiting::Waiting;
use crate::net::addr::{Addrs, ToSocketAddrs, none_worked};
use crate::net::datagram::Datagrams;
use crate::net::datagram_wait::SendDatagram;
use crate::net::udp::UdpSocket;
use crate::reactor::bits::Direction;

/// Sending.
impl UdpSocket {
    /// Sends a datagram to the peer; gives its length.
    ///
    /// # Errors
    ///
    /// What send(2) says; `NotConnected` without a peer.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, nothing was sent.
    #[track_caller]
    pub fn send<'a>(&'a self, buf: &'a [u8]) -> SendDatagram<'a> {
        self.datagrams().send(buf, Location::caller())
    }

    /// Polls for [`send`](Self::send). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let socket = self.datagrams();
        socket.poll(cx, Direction::Write, || socket.send_now(buf))
    }

    /// Sends a datagram to the peer, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room; what send(2) says.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        let socket = self.datagrams();
        socket.try_now(Direction::Write, || socket.send_now(buf))
    }

    /// Sends a datagram to `target`, the first of its addresses; gives its length.
    ///
    /// # Errors
    ///
    /// What sendto(2) says; that `target` is no address.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, nothing was sent.
    #[track_caller]
    pub fn send_to<'a, A: ToSocketAddrs>(&'a self, buf: &'a [u8], target: A) -> SendTo<'a> {
        let addrs: Addrs = target.ask();
        let socket = self.datagrams();
        SendTo {
            socket,
            buf,
            addrs,
            target: None,
            line: Location::caller(),
            waiting: socket.waiting(Direction::Write, Location::caller()),
        }
    }

    /// Polls for [`send_to`](Self::send_to). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// What sendto(2) says.
    #[track_caller]
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        let (socket, target) = (self.datagrams(), target.into());
        socket.poll(cx, Direction::Write, || socket.send_to_now(buf, &target))
    }

    /// Sends a datagram to `target`, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room; what sendto(2) says.
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        let (socket, target) = (self.datagrams(), target.into());
        socket.try_now(Direction::Write, || socket.send_to_now(buf, &target))
    }
}

pin_project! {
    /// Future of [`UdpSocket::send_to`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct SendTo<'a> {
        socket: Datagrams<'a>,
        buf: &'a [u8],
        addrs: Addrs,
        // The first of the addresses, once it is known.
        target: Option<SockAddr>,
        line: &'static Location<'static>,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl Future for SendTo<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let target = match this.target {
            Some(target) => target,
            None => match ready!(this.addrs.poll_next(cx, this.line))? {
                Some(target) => this.target.insert(target.into()),
                None => return Poll::Ready(Err(none_worked(None))),
            },
        };
        let (socket, buf) = (*this.socket, *this.buf);
        this.waiting.poll_io(cx, || socket.send_to_now(buf, target))
    }
}
