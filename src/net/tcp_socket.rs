//! `TcpSocket`: a TCP socket that is neither connected nor listening yet, to set options on.
//!
//! Not registered with the reactor: nobody can wait on it. `connect` and `listen` use it up.
//! Read next: `net/udp.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use socket2::{Domain, Protocol, Socket, Type};

use crate::net::tcp_listener::TcpListener;
use crate::net::tcp_stream::TcpStream;

/// A TCP socket before it connects or listens, to set what must be set before.
///
/// ```
/// use trefoil::net::{TcpSocket, TcpStream};
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let socket = TcpSocket::new_v4()?;
/// socket.set_reuseaddr(true)?;
/// socket.bind("127.0.0.1:0".parse().unwrap())?;
/// let listener = socket.listen(16)?;
/// let client = TcpStream::connect(listener.local_addr()?).await?;
/// # drop(client);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpSocket {
    socket: Socket,
}

impl TcpSocket {
    /// A socket for IPv4.
    ///
    /// # Errors
    ///
    /// What socket(2) says.
    pub fn new_v4() -> io::Result<Self> {
        Self::new(Domain::IPV4)
    }

    /// A socket for IPv6.
    ///
    /// # Errors
    ///
    /// What socket(2) says.
    pub fn new_v6() -> io::Result<Self> {
        Self::new(Domain::IPV6)
    }

    /// Non-blocking and close-on-exec at birth.
    fn new(domain: Domain) -> io::Result<Self> {
        let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        Ok(Self { socket })
    }

    /// Takes over a socket of the standard library, whatever its state; makes it non-blocking.
    ///
    /// # Panics
    ///
    /// When the fd is bad.
    #[track_caller]
    pub fn from_std_stream(stream: StdStream) -> Self {
        let socket = Socket::from(stream);
        if let Err(error) = socket.set_nonblocking(true) {
            panic!("TcpSocket::from_std_stream: cannot make the socket non-blocking: {error}");
        }
        Self { socket }
    }

    /// Binds it to an address of this machine; port 0 lets the kernel choose.
    ///
    /// # Errors
    ///
    /// What bind(2) says.
    pub fn bind(&self, addr: SocketAddr) -> io::Result<()> {
        self.socket.bind(&addr.into())
    }

    /// Connects it.
    ///
    /// # Errors
    ///
    /// What connect(2) says.
    ///
    /// # Panics
    ///
    /// When polled outside of a runtime, or in one without I/O.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, the socket is closed.
    #[track_caller]
    pub fn connect(self, addr: SocketAddr) -> ConnectSocket {
        ConnectSocket {
            state: Progress::Idle(self.socket),
            addr,
            line: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Listens; `backlog` connections are completed before anybody accepts them.
    ///
    /// # Errors
    ///
    /// What listen(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<TcpListener> {
        // The kernel caps it anyway, and would take a negative number for a large one.
        self.socket
            .listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        TcpListener::registered(self.socket.into())
    }

    /// The address that it is bound to.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Takes the error that waits on the socket (SO_ERROR), if there is one.
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.socket.take_error()
    }
}

/// Options. Each gives what getsockopt(2) or setsockopt(2) says when it fails.
impl TcpSocket {
    /// True when idle connections are probed (SO_KEEPALIVE).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.socket.keepalive()
    }

    /// Probes an idle connection now and then (SO_KEEPALIVE).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.socket.set_keepalive(keepalive)
    }

    /// True when an address may be bound that is still in use by old connections (SO_REUSEADDR).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        self.socket.reuse_address()
    }

    /// Allows to bind an address that is still in use by old connections (SO_REUSEADDR).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        self.socket.set_reuse_address(reuseaddr)
    }

    /// True when several sockets may share the address (SO_REUSEPORT).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn reuseport(&self) -> io::Result<bool> {
        self.socket.reuse_port()
    }

    /// Lets several sockets share the address, if all of them say so (SO_REUSEPORT).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_reuseport(&self, reuseport: bool) -> io::Result<()> {
        self.socket.set_reuse_port(reuseport)
    }

    /// Size of the kernel's send buffer, in bytes (SO_SNDBUF); Linux reports twice what was set.
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.socket.send_buffer_size().map(clamped)
    }

    /// Sets the size of the kernel's send buffer, in bytes (SO_SNDBUF).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_send_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.socket.set_send_buffer_size(bytes as usize)
    }

    /// Size of the kernel's receive buffer, in bytes (SO_RCVBUF); Linux reports twice what was set.
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.socket.recv_buffer_size().map(clamped)
    }

    /// Sets the size of the kernel's receive buffer, in bytes (SO_RCVBUF).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_recv_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.socket.set_recv_buffer_size(bytes as usize)
    }

    /// How long close(2) waits for what was not sent yet; `None`: it does not (SO_LINGER).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.socket.linger()
    }

    /// Lets close(2) wait up to that long (whole seconds); it blocks the thread that drops.
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.socket.set_linger(linger)
    }

    /// Makes close(2) throw away what was not sent, and reset the connection.
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.socket.set_linger(Some(Duration::ZERO))
    }

    /// True when small writes go out at once (TCP_NODELAY).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.socket.tcp_nodelay()
    }

    /// Sends small writes at once, instead of collecting them (TCP_NODELAY).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.socket.set_tcp_nodelay(nodelay)
    }

    /// The type-of-service byte of IPv4 packets (IP_TOS).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn tos_v4(&self) -> io::Result<u32> {
        self.socket.tos_v4()
    }

    /// Sets the type-of-service byte of IPv4 packets (IP_TOS).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_tos_v4(&self, tos: u32) -> io::Result<()> {
        self.socket.set_tos_v4(tos)
    }

    /// The traffic class of IPv6 packets (IPV6_TCLASS).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn tclass_v6(&self) -> io::Result<u32> {
        self.socket.tclass_v6()
    }

    /// Sets the traffic class of IPv6 packets (IPV6_TCLASS).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_tclass_v6(&self, tclass: u32) -> io::Result<()> {
        self.socket.set_tclass_v6(tclass)
    }

    /// The network device that it is bound to (SO_BINDTODEVICE).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn device(&self) -> io::Result<Option<Vec<u8>>> {
        self.socket.device()
    }

    /// Binds it to one network device, or with `None` to none (SO_BINDTODEVICE).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn bind_device(&self, interface: Option<&[u8]>) -> io::Result<()> {
        self.socket.bind_device(interface)
    }
}

/// A size that the kernel keeps in an int.
fn clamped(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

impl AsFd for TcpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for TcpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl IntoRawFd for TcpSocket {
    fn into_raw_fd(self) -> RawFd {
        self.socket.into_raw_fd()
    }
}

impl fmt::Debug for TcpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

/// How far a connect has come.
#[derive(Debug)]
enum Progress {
    /// Not begun.
    Idle(Socket),
    /// Waiting.
    Trying(TcpStream),
    /// Over.
    Done,
}

pin_project! {
    /// Future of [`TcpSocket::connect`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ConnectSocket {
        state: Progress,
        addr: SocketAddr,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Future for ConnectSocket {
    type Output = io::Result<TcpStream>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let this = self.project();
        let stream = match std::mem::replace(this.state, Progress::Done) {
            Progress::Idle(socket) => TcpStream::start(socket, *this.addr)?,
            Progress::Trying(stream) => stream,
            Progress::Done => panic!("TcpSocket::connect polled after it was done"),
        };
        match stream.poll_connected(cx, this.line) {
            Poll::Ready(result) => Poll::Ready(result.map(|()| stream)),
            Poll::Pending => {
                *this.state = Progress::Trying(stream);
                Poll::Pending
            }
        }
    }
}
