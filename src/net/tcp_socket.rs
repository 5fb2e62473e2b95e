//! `TcpSocket`: a TCP socket that is neither connected nor listening yet, to set options on.
//!
//! Not registered with the reactor: nobody can wait on it. `connect` and `listen` use it up.
//! Read next: `net/tcp_socket_options.rs`.

#![allow(
    unsafe_code,
    reason = "FromRawFd is an unsafe trait function: the caller vouches for the number"
)]

use std::fmt;
use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, RawFd};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

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

    /// The socket beneath.
    pub(super) fn get(&self) -> &Socket {
        &self.socket
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

impl FromRawFd for TcpSocket {
    /// The socket with this number, which is taken over as it is: make it non-blocking first.
    ///
    /// # Safety
    ///
    /// The number is open, and nobody else owns it.
    unsafe fn from_raw_fd(fd: RawFd) -> Self {
        // SAFETY: the caller's promise is the one that is asked for here.
        let socket = unsafe { Socket::from_raw_fd(fd) };
        Self { socket }
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
