//! Datagrams in and out: what `UdpSocket` and `UnixDatagram` have in common.
//!
//! ```text
//!   recv, try_recv, poll_recv ─────┐
//!   recv_from, peek_from, …  ──────┼──► Datagrams: where it waits, and the fd ──► recvmsg(2)
//!   send, send_to, …  ─────────────┘                                         └──► sendto(2)
//! ```
//!
//! A datagram socket has no end and no short reads: only WouldBlock says that nothing is there.
//! The two differ in their addresses, so what tells one is generic over it.
//! Read next: `net/datagram_wait.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::Location;
use std::task::{Context, Poll};

use bytes::BufMut;
use socket2::{SockAddr, SockRef};

use crate::io::evented::{Evented, Registration};
use crate::io::read_buf::{ReadBuf, fill_spare};
use crate::io::wait::Wait;
use crate::io::waiting::Waiting;
use crate::net::receive::{peek_from, receive, receive_from};
use crate::net::unix_addr::{self, from_sock_addr};
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;
use crate::sys::socket::MSG_NOSIGNAL;

/// The addresses of one family.
pub trait Address: Sized {
    /// The address that the kernel told.
    ///
    /// # Errors
    ///
    /// When it is of another family, so never.
    fn told(addr: &SockAddr) -> io::Result<Self>;
}

impl Address for SocketAddr {
    fn told(addr: &SockAddr) -> io::Result<Self> {
        addr.as_socket()
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

impl Address for unix_addr::SocketAddr {
    fn told(addr: &SockAddr) -> io::Result<Self> {
        from_sock_addr(addr)
    }
}

/// Whether a datagram that was received is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It is the receiver's.
    Taken,
    /// It stays where it is, for the next one to receive.
    Stays,
}

/// A datagram socket, and where it waits.
#[derive(Clone, Copy)]
pub(super) struct Datagrams<'a> {
    /// The socket.
    fd: BorrowedFd<'a>,
    /// Where it waits.
    registration: &'a Registration,
}

impl<'a> Datagrams<'a> {
    /// Those of a socket.
    pub(super) fn of<S: AsFd>(io: &'a Evented<S>) -> Self {
        Self {
            fd: io.get().as_fd(),
            registration: io.registration(),
        }
    }

    /// Waits in a list, on the user's line.
    pub(super) fn waiting(
        self,
        direction: Direction,
        line: &'static Location<'static>,
    ) -> Waiting<'a> {
        Waiting::new(self.registration, wait(direction, line))
    }

    /// Polls for a system call, in the direction's slot.
    #[track_caller]
    pub(super) fn poll<R>(
        self,
        cx: &mut Context<'_>,
        direction: Direction,
        attempt: impl FnMut() -> io::Result<R>,
    ) -> Poll<io::Result<R>> {
        let wait = wait(direction, Location::caller());
        self.registration
            .poll_io(cx, &wait, None, attempt, |_| false)
    }

    /// Tries a system call once.
    pub(super) fn try_now<R>(
        self,
        direction: Direction,
        attempt: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration.try_now(direction, attempt)
    }
}

/// Receiving.
impl Datagrams<'_> {
    /// Takes, or looks at, the next datagram.
    pub(super) fn receive(self, buf: &mut ReadBuf<'_>, then: Then) -> io::Result<()> {
        match then {
            Then::Taken => receive(&self.fd, buf).map(|_| ()),
            Then::Stays => peek_from(&self.fd, buf).map(|_| ()),
        }
    }

    /// As [`Self::receive`], and tells the sender.
    pub(super) fn receive_from<A: Address>(
        self,
        buf: &mut ReadBuf<'_>,
        then: Then,
    ) -> io::Result<A> {
        let (_, addr) = match then {
            Then::Taken => receive_from(&self.fd, buf),
            Then::Stays => peek_from(&self.fd, buf),
        }?;
        A::told(&addr)
    }

    /// Tries to receive into plain memory.
    pub(super) fn try_recv(self, buf: &mut [u8], then: Then) -> io::Result<usize> {
        let mut buf = ReadBuf::new(buf);
        self.try_now(Direction::Read, || self.receive(&mut buf, then))?;
        Ok(buf.filled().len())
    }

    /// As [`Self::try_recv`], and tells the sender.
    pub(super) fn try_recv_from<A: Address>(
        self,
        buf: &mut [u8],
        then: Then,
    ) -> io::Result<(usize, A)> {
        let mut buf = ReadBuf::new(buf);
        let from = self.try_now(Direction::Read, || self.receive_from(&mut buf, then))?;
        Ok((buf.filled().len(), from))
    }

    /// Tries to receive into the spare room of `buf`.
    pub(super) fn try_recv_buf<B: BufMut + ?Sized>(self, buf: &mut B) -> io::Result<usize> {
        now(fill_spare(buf, |buf| {
            Poll::Ready(self.try_now(Direction::Read, || self.receive(buf, Then::Taken)))
        }))
    }

    /// As [`Self::try_recv_buf`], and tells the sender.
    pub(super) fn try_recv_buf_from<A: Address, B: BufMut + ?Sized>(
        self,
        buf: &mut B,
    ) -> io::Result<(usize, A)> {
        let mut from: io::Result<A> = Err(io::ErrorKind::InvalidData.into());
        let n = now(fill_spare(buf, |buf| {
            let received = self.try_now(Direction::Read, || self.receive_from(buf, Then::Taken));
            Poll::Ready(received.map(|addr| from = Ok(addr)))
        }))?;
        Ok((n, from?))
    }
}

/// Sending. MSG_NOSIGNAL: a socket that was shut down gives EPIPE and no signal.
impl Datagrams<'_> {
    /// Sends to the peer.
    pub(super) fn send_now(self, buf: &[u8]) -> io::Result<usize> {
        SockRef::from(&self.fd).send_with_flags(buf, MSG_NOSIGNAL)
    }

    /// Sends to `target`.
    pub(super) fn send_to_now(self, buf: &[u8], target: &SockAddr) -> io::Result<usize> {
        SockRef::from(&self.fd).send_to_with_flags(buf, target, MSG_NOSIGNAL)
    }
}

/// What an operation in `direction` waits for.
fn wait(direction: Direction, line: &'static Location<'static>) -> Wait {
    let kind = match direction {
        Direction::Read => Kind::Read,
        Direction::Write => Kind::Write,
    };
    Wait::of(direction, kind, line)
}

/// The result of something that does not wait.
fn now<R>(result: Poll<io::Result<R>>) -> io::Result<R> {
    match result {
        Poll::Ready(result) => result,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl fmt::Debug for Datagrams<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.registration.fmt(f)
    }
}
