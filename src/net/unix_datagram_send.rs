//! Sending Unix datagrams, to the peer or to a path.
//!
//! A receiver whose queue is full makes the sender wait. epoll(7) tells a connected sender when
//! there is room again, and any sender when one of its own datagrams was read. What it does not
//! tell a sender without a peer: that a receiver full of other senders' datagrams was read. So
//! connect to a receiver that many send to, or wait with a timeout.
//! Read next: `net/unix_datagram_recv.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use socket2::SockAddr;

use crate::io::waiting::Waiting;
use crate::net::datagram::Datagrams;
use crate::net::datagram_wait::SendDatagram;
use crate::net::unix_datagram::UnixDatagram;
use crate::reactor::bits::Direction;

/// Sending.
impl UnixDatagram {
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

    /// Sends a datagram to the socket at `target`; gives its length.
    ///
    /// While that one's queue is full it waits; connect to a socket that many send to, or a sender
    /// may wait longer than it must (`net/unix_datagram_send.rs` says why).
    ///
    /// # Errors
    ///
    /// What sendto(2) says; that `target` is too long for a path of a socket.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, nothing was sent.
    #[track_caller]
    pub fn send_to<'a, P: AsRef<Path>>(&'a self, buf: &'a [u8], target: P) -> SendToPath<'a> {
        let socket = self.datagrams();
        SendToPath {
            socket,
            buf,
            target: SockAddr::unix(target),
            waiting: socket.waiting(Direction::Write, Location::caller()),
        }
    }

    /// Polls for [`send_to`](Self::send_to). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_send_to<P: AsRef<Path>>(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: P,
    ) -> Poll<io::Result<usize>> {
        let (socket, target) = (self.datagrams(), SockAddr::unix(target)?);
        socket.poll(cx, Direction::Write, || socket.send_to_now(buf, &target))
    }

    /// Sends a datagram to the socket at `target`, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when there is no room; else as [`send_to`](Self::send_to).
    pub fn try_send_to<P: AsRef<Path>>(&self, buf: &[u8], target: P) -> io::Result<usize> {
        let (socket, target) = (self.datagrams(), SockAddr::unix(target)?);
        socket.try_now(Direction::Write, || socket.send_to_now(buf, &target))
    }
}

pin_project! {
    /// Future of [`UnixDatagram::send_to`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct SendToPath<'a> {
        socket: Datagrams<'a>,
        buf: &'a [u8],
        // Where to, or why that is no address.
        target: io::Result<SockAddr>,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl Future for SendToPath<'_> {
    type Output = io::Result<usize>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let this = self.project();
        let target = match this.target {
            Ok(target) => target,
            Err(error) => {
                let done = io::Error::other("send_to polled after it was done");
                return Poll::Ready(Err(std::mem::replace(error, done)));
            }
        };
        let (socket, buf) = (*this.socket, *this.buf);
        this.waiting.poll_io(cx, || socket.send_to_now(buf, target))
    }
}
