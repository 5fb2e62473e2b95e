//! `UnixDatagram`: datagrams within one machine, each sent and received whole.
//!
//! ```text
//!   unbound ── connect(path) ──► has a peer: send, recv
//!   bound at a path ◄── send_to(path) ── anybody; recv_from tells who, if that one is bound too
//!   pair: two that are each other's peers, without names
//! ```
//!
//! Unlike UDP, nothing is lost and nothing overtakes: a sender waits while the receiver's queue is
//! full (unix(7)).
//! Read next: `net/unix_datagram_send.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};

use crate::io::evented::Evented;
use crate::net::datagram::Datagrams;
use crate::net::socket_methods::{descriptor_and_debug, readiness_methods};
use crate::net::unix_addr::SocketAddr;

/// A datagram socket of the Unix family.
///
/// All methods take `&self`: share it in an `Arc` to send in one task and receive in another. The
/// path that it is bound to is a file, which stays when the socket goes.
///
/// ```
/// use trefoil::net::UnixDatagram;
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// # let dir = std::env::temp_dir().join(format!("trefoil-doc-dgram-{}", std::process::id()));
/// # std::fs::create_dir(&dir)?;
/// let path = dir.join("server");
/// let server = UnixDatagram::bind(&path)?;
/// let client = UnixDatagram::unbound()?;
/// client.send_to(b"ping", &path).await?;
/// let mut buf = [0; 16];
/// let (n, from) = server.recv_from(&mut buf).await?;
/// assert_eq!((&buf[..n], from.is_unnamed()), (&b"ping"[..], true));
/// # std::fs::remove_dir_all(&dir)?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixDatagram {
    io: Evented<StdDatagram>,
}

/// Making one.
impl UnixDatagram {
    /// Binds it to `path`, which must not exist yet.
    ///
    /// # Errors
    ///
    /// What bind(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        let socket = new_socket()?;
        socket.bind(&SockAddr::unix(path)?)?;
        Self::registered(socket.into(), "UnixDatagram::bind")
    }

    /// Two sockets that are each other's peers.
    ///
    /// # Errors
    ///
    /// What socketpair(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    ///
    /// ```
    /// use trefoil::net::UnixDatagram;
    ///
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// # rt.block_on(async {
    /// let (a, b) = UnixDatagram::pair()?;
    /// a.send(b"one").await?;
    /// a.send(b"two").await?;
    /// let mut buf = [0; 16];
    /// assert_eq!(b.recv(&mut buf).await?, 3);
    /// assert_eq!(&buf[..3], b"one");
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = Socket::pair(Domain::UNIX, Type::DGRAM.nonblocking(), None)?;
        Ok((
            Self::registered(a.into(), "UnixDatagram::pair")?,
            Self::registered(b.into(), "UnixDatagram::pair")?,
        ))
    }

    /// A socket without a name: it can send, and with a peer receive.
    ///
    /// # Errors
    ///
    /// What socket(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn unbound() -> io::Result<Self> {
        Self::registered(new_socket()?.into(), "UnixDatagram::unbound")
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
    pub fn from_std(socket: StdDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let io = Evented::new(socket, "UnixDatagram::from_std")?;
        Ok(Self { io })
    }

    /// Registers a socket that is new and non-blocking.
    #[track_caller]
    pub(super) fn registered(socket: StdDatagram, what: &str) -> io::Result<Self> {
        let io = Evented::new(socket, what)?;
        // Its send buffer is empty; and a wrong guess costs one system call.
        io.registration().assume_writable();
        Ok(Self { io })
    }

    /// Gives the socket to the standard library; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_std(self) -> io::Result<StdDatagram> {
        Ok(self.io.into_io())
    }

    /// Notes the socket at `path` as the peer: `send` sends to it, and only its datagrams are
    /// received.
    ///
    /// # Errors
    ///
    /// What connect(2) says.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.io.get().connect(path)
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr().map(SocketAddr::from)
    }

    /// The address of the peer.
    ///
    /// # Errors
    ///
    /// What getpeername(2) says; `NotConnected` without a peer.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().peer_addr().map(SocketAddr::from)
    }

    /// Takes the error that waits on the socket (SO_ERROR), if there is one.
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get().take_error()
    }

    /// Closes one direction, or both: sends give `BrokenPipe`, here or at the peer.
    ///
    /// A receive that waits goes on waiting: Linux tells a non-blocking one nothing.
    ///
    /// # Errors
    ///
    /// What shutdown(2) says.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get().shutdown(how)
    }

    /// Its datagrams, in and out.
    pub(super) fn datagrams(&self) -> Datagrams<'_> {
        Datagrams::of(&self.io)
    }
}

/// A socket without a name; non-blocking.
fn new_socket() -> io::Result<Socket> {
    Socket::new(Domain::UNIX, Type::DGRAM.nonblocking(), None)
}

impl TryFrom<StdDatagram> for UnixDatagram {
    type Error = io::Error;

    /// As [`UnixDatagram::from_std`].
    #[track_caller]
    fn try_from(socket: StdDatagram) -> io::Result<Self> {
        Self::from_std(socket)
    }
}

readiness_methods!(
    UnixDatagram,
    poll_recv_ready,
    poll_send_ready,
    "a receive is worth a try.",
    "a send is worth a try."
);
descriptor_and_debug!(UnixDatagram);
