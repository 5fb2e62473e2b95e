//! `UdpSocket`: datagrams, each sent and received whole.
//!
//! An error that the network reports (nobody listens there: ECONNREFUSED) arrives at the next
//! call, also at one that waits to receive.
//! Read next: `net/udp_bind.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::Location;
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, Socket, Type};

use crate::io::evented::{Evented, Registration};
use crate::io::interest::Interest;
use crate::io::wait::Wait;
use crate::net::datagram::Datagrams;
use crate::net::waits::{AsyncIo, Readable, ReadyFor, Writable};
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;

/// A UDP socket.
///
/// All methods take `&self`: share it in an `Arc` to send in one task and receive in another.
///
/// ```
/// use trefoil::net::UdpSocket;
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let server = UdpSocket::bind("127.0.0.1:0").await?;
/// let client = UdpSocket::bind("127.0.0.1:0").await?;
/// client.send_to(b"ping", server.local_addr()?).await?;
/// let mut buf = [0; 16];
/// let (n, from) = server.recv_from(&mut buf).await?;
/// assert_eq!((&buf[..n], from), (&b"ping"[..], client.local_addr()?));
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UdpSocket {
    io: Evented<StdSocket>,
}

/// Making one.
impl UdpSocket {
    /// Binds at once.
    pub(super) fn bind_addr(addr: SocketAddr) -> io::Result<Self> {
        let kind = Type::DGRAM.nonblocking();
        let socket = Socket::new(Domain::for_address(addr), kind, Some(Protocol::UDP))?;
        socket.bind(&addr.into())?;
        Self::registered(socket.into(), "UdpSocket::bind")
    }

    /// Registers a socket that is non-blocking.
    #[track_caller]
    fn registered(socket: StdSocket, what: &str) -> io::Result<Self> {
        let io = Evented::new(socket, what)?;
        // Its send buffer is empty; and a wrong guess costs one system call.
        io.registration().assume_writable();
        Ok(Self { io })
    }

    /// Takes over a socket of the standard library; makes it non-blocking.
    ///
    /// tokio differs: there the caller must have done that.
    ///
    /// # Errors
    ///
    /// What fcntl(2) or epoll_ctl(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn from_std(socket: StdSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::registered(socket, "UdpSocket::from_std")
    }

    /// Gives the socket to the standard library; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_std(self) -> io::Result<StdSocket> {
        Ok(self.io.into_io())
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr()
    }

    /// The peer that [`connect`](Self::connect) has noted.
    ///
    /// # Errors
    ///
    /// What getpeername(2) says.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().peer_addr()
    }

    /// The socket beneath.
    pub(super) fn get(&self) -> &StdSocket {
        self.io.get()
    }

    /// Its datagrams, in and out.
    pub(super) fn datagrams(&self) -> Datagrams<'_> {
        Datagrams::of(&self.io)
    }

    /// Where it waits.
    fn registration(&self) -> &Registration {
        self.io.registration()
    }
}

/// Readiness.
impl UdpSocket {
    /// Waits until a receive is worth a try.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn readable(&self) -> Readable<'_> {
        Readable::new(self.registration(), Location::caller())
    }

    /// Waits until a send is worth a try.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn writable(&self) -> Writable<'_> {
        Writable::new(self.registration(), Location::caller())
    }

    /// Waits until something of `interest` is ready, and tells what.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe: it takes nothing.
    #[track_caller]
    pub fn ready(&self, interest: Interest) -> ReadyFor<'_> {
        ReadyFor::new(self.registration(), interest, Location::caller())
    }

    /// Polls for [`readable`](Self::readable). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    #[track_caller]
    pub fn poll_recv_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wait = Wait::of(Direction::Read, Kind::Read, Location::caller());
        self.registration()
            .poll_ready(cx, &wait, None)
            .map_ok(|_| ())
    }

    /// Polls for [`writable`](Self::writable). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// That the runtime has ended.
    #[track_caller]
    pub fn poll_send_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wait = Wait::of(Direction::Write, Kind::Write, Location::caller());
        self.registration()
            .poll_ready(cx, &wait, None)
            .map_ok(|_| ())
    }

    /// Runs a system call of yours if `interest` is ready.
    ///
    /// When `attempt` gives `WouldBlock`, the readiness is cleared; so it must be the socket that
    /// said so.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when it is not ready; what `attempt` gives.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        attempt: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.registration().try_io(interest, attempt)
    }

    /// Runs a system call of yours each time `interest` is ready, until it does not block.
    ///
    /// # Errors
    ///
    /// What `attempt` gives, but `WouldBlock`; that the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// Safe if `attempt` is: it runs within one poll.
    #[track_caller]
    pub fn async_io<R, F: FnMut() -> io::Result<R>>(
        &self,
        interest: Interest,
        attempt: F,
    ) -> AsyncIo<'_, F> {
        AsyncIo::new(self.registration(), interest, Location::caller(), attempt)
    }
}

impl TryFrom<StdSocket> for UdpSocket {
    type Error = io::Error;

    /// As [`UdpSocket::from_std`].
    #[track_caller]
    fn try_from(socket: StdSocket) -> io::Result<Self> {
        Self::from_std(socket)
    }
}

impl AsFd for UdpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.io.get().as_fd()
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.io.get().as_raw_fd()
    }
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}
