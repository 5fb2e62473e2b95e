//! `UdpSocket::bind` and `connect`: names to addresses, one after the other.
//!
//! Read next: `net/udp_send.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::net::addr::{Addrs, ToSocketAddrs, none_worked};
use crate::net::udp::UdpSocket;

/// Addresses.
impl UdpSocket {
    /// Binds to the first of `addr`'s addresses that works; port 0 lets the kernel choose.
    ///
    /// # Errors
    ///
    /// What bind(2) says of the last address; that `addr` is none.
    ///
    /// # Panics
    ///
    /// When polled outside of a runtime, or in one without I/O.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has bound nothing.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> BindUdp {
        BindUdp {
            addrs: addr.ask(),
            last: None,
            line: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Notes a peer: `send` sends to it, and only its datagrams are received.
    ///
    /// # Errors
    ///
    /// What connect(2) says of the last address; that `addr` is none.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, no peer is noted.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> ConnectUdp<'_> {
        ConnectUdp {
            socket: self,
            addrs: addr.ask(),
            last: None,
            line: Location::caller(),
            pinned: PhantomPinned,
        }
    }
}

pin_project! {
    /// Future of [`UdpSocket::bind`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct BindUdp {
        addrs: Addrs,
        last: Option<io::Error>,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Future for BindUdp {
    type Output = io::Result<UdpSocket>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<UdpSocket>> {
        let this = self.project();
        while let Some(addr) = ready!(this.addrs.poll_next(cx, this.line))? {
            match UdpSocket::bind_addr(addr) {
                Ok(socket) => return Poll::Ready(Ok(socket)),
                Err(error) => *this.last = Some(error),
            }
        }
        Poll::Ready(Err(none_worked(this.last.take())))
    }
}

pin_project! {
    /// Future of [`UdpSocket::connect`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ConnectUdp<'a> {
        socket: &'a UdpSocket,
        addrs: Addrs,
        last: Option<io::Error>,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Future for ConnectUdp<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        while let Some(addr) = ready!(this.addrs.poll_next(cx, this.line))? {
            // A datagram socket only notes the peer: connect(2) does not wait.
            match this.socket.get().connect(addr) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(error) => *this.last = Some(error),
            }
        }
        Poll::Ready(Err(none_worked(this.last.take())))
    }
}
