//! `UdpSocket`: datagrams, each sent and received whole.
//!
//! An error that the network reports (nobody listens there: ECONNREFUSED) arrives at the next
//! call, also at one that waits to receive.
//! Read next: `net/udp_bind.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::net::{SocketAddr, UdpSocket as StdSocket};

use socket2::{Domain, Protocol, Socket, Type};

use crate::io::evented::Evented;
use crate::net::datagram::Datagrams;
use crate::net::socket_methods::{descriptor_and_debug, readiness_methods};

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
}

impl TryFrom<StdSocket> for UdpSocket {
    type Error = io::Error;

    /// As [`UdpSocket::from_std`].
    #[track_caller]
    fn try_from(socket: StdSocket) -> io::Result<Self> {
        Self::from_std(socket)
    }
}

readiness_methods!(
    UdpSocket,
    poll_recv_ready,
    poll_send_ready,
    "a receive is worth a try.",
    "a send is worth a try."
);
descriptor_and_debug!(UdpSocket);
