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

use crate::io::wait::Wait;
use crate::io::waiting::Waiting;
use crate::net::addr::{Addrs, ToSocketAddrs, none_worked};
use crate::net::udp::UdpSocket;
use crate::parts::wait_site::Kind;
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
        SendDatagram {
            socket: self,
            buf,
            waiting: writing(self, Location::caller()),
        }
    }

    /// Polls for [`send`](Self::send). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_own(cx, Direction::Write, || self.get().send(buf))
    }

    /// Sends a datagram to the peer, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room; what send(2) says.
    pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
        self.try_own(Direction::Write, || self.get().send(buf))
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
        let waiting = writing(self, Location::caller());
        SendTo {
            socket: self,
            buf,
            addrs,
            target: None,
            line: Location::caller(),
            waiting,
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
        self.poll_own(cx, Direction::Write, || self.get().send_to(buf, target))
    }

    /// Sends a datagram to `target`, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room; what sendto(2) says.
    pub fn try_send_to(&self, buf: &[u8], target: SocketAddr) -> io::Result<usize> {
        self.try_own(Direction::Write, || self.get().send_to(buf, target))
    }
}

/// Waits to write to `socket`, on the user's line.
fn writing<'a>(socket: &'a UdpSocket, line: &'static Location<'static>) -> Waiting<'a> {
    Waiting::new(
        socket.registration(),
        Wait::of(Direction::Write, Kind::Write, line),
    )
}

pin_project! {
    /// Future of [`UdpSocket::send`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct SendDatagram<'a> {
        socket: &'a UdpSocket,
        buf: &'a [u8],
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl Future for SendDatagram<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let (socket, buf) = (this.socket.get(), *this.buf);
        this.waiting.poll_io(cx, || socket.send(buf))
    }
}

pin_project! {
    /// Future of [`UdpSocket::send_to`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct SendTo<'a> {
        socket: &'a UdpSocket,
        buf: &'a [u8],
        addrs: Addrs,
        // The first of the addresses, once it is known.
        target: Option<SocketAddr>,
        line: &'static Location<'static>,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl Future for SendTo<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let target = match *this.target {
            Some(target) => target,
            None => match ready!(this.addrs.poll_next(cx, this.line))? {
                Some(target) => *this.target.insert(target),
                None => return Poll::Ready(Err(none_worked(None))),
            },
        };
        let (socket, buf) = (this.socket.get(), *this.buf);
        this.waiting.poll_io(cx, || socket.send_to(buf, target))
    }
}
