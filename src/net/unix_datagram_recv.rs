//! Receiving Unix datagrams.
//!
//! Read next: `net/unix_socket.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::panic::Location;
use std::task::{Context, Poll};

use bytes::BufMut;

use crate::io::read_buf::ReadBuf;
use crate::net::datagram::Then;
use crate::net::datagram_wait::{Recv, RecvBuf, RecvBufFrom, RecvFrom};
use crate::net::unix_addr::SocketAddr;
use crate::net::unix_datagram::UnixDatagram;
use crate::reactor::bits::Direction;

/// Receiving.
impl UnixDatagram {
    /// Receives a datagram; gives its length. What does not fit into `buf` is lost.
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
        self.datagrams().recv(buf, Then::Taken, Location::caller())
    }

    /// Polls for [`recv`](Self::recv). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let socket = self.datagrams();
        socket.poll(cx, Direction::Read, || socket.receive(buf, Then::Taken))
    }

    /// Receives a datagram, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; what recv(2) says.
    pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.datagrams().try_recv(buf, Then::Taken)
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
        self.datagrams().recv_buf(buf, Location::caller())
    }

    /// As [`try_recv`](Self::try_recv), to the end of `buf`.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_recv_buf<B: BufMut + ?Sized>(&self, buf: &mut B) -> io::Result<usize> {
        self.datagrams().try_recv_buf(buf)
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
    pub fn recv_from<'a>(&'a self, buf: &'a mut [u8]) -> RecvFrom<'a, SocketAddr> {
        self.datagrams()
            .recv_from(buf, Then::Taken, Location::caller())
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
        let socket = self.datagrams();
        let receive = || socket.receive_from(buf, Then::Taken);
        socket.poll(cx, Direction::Read, receive)
    }

    /// Receives a datagram and its sender, without waiting.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there; what recvfrom(2) says.
    pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.datagrams().try_recv_from(buf, Then::Taken)
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
    pub fn recv_buf_from<'a, B: BufMut + ?Sized>(
        &'a self,
        buf: &'a mut B,
    ) -> RecvBufFrom<'a, B, SocketAddr> {
        self.datagrams().recv_buf_from(buf, Location::caller())
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
        self.datagrams().try_recv_buf_from(buf)
    }
}
