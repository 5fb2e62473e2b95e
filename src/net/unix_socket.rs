//! `UnixSocket`: a Unix socket that is neither connected nor listening yet.
//!
//! ```text
//!   new_stream ───► bind? ──► listen ──► UnixListener
//!                         └─► connect ─► UnixStream
//!   new_datagram ─► bind? ──► datagram ► UnixDatagram
//! ```
//!
//! Not registered with the reactor: nobody can wait on it. What it is made for is asked of the
//! kernel (SO_TYPE), since a socket may come from a bare number too.
//! Read next: `net/pipe.rs`.

#![allow(
    unsafe_code,
    reason = "FromRawFd is an unsafe trait function: the caller vouches for the number"
)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, RawFd};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::net::unix_datagram::UnixDatagram;
use crate::net::unix_listener::UnixListener;
use crate::net::unix_stream::UnixStream;

/// A Unix socket before it connects, listens, or exchanges datagrams.
///
/// ```
/// use trefoil::net::UnixSocket;
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// # let dir = std::env::temp_dir().join(format!("trefoil-doc-socket-{}", std::process::id()));
/// # std::fs::create_dir(&dir)?;
/// let (server, client) = (dir.join("server"), dir.join("client"));
/// let socket = UnixSocket::new_stream()?;
/// socket.bind(&server)?;
/// let listener = socket.listen(16)?;
///
/// // A client with a name of its own.
/// let socket = UnixSocket::new_stream()?;
/// socket.bind(&client)?;
/// let _stream = socket.connect(&server).await?;
/// let (_, peer) = listener.accept().await?;
/// assert_eq!(peer.as_pathname(), Some(&*client));
/// # std::fs::remove_dir_all(&dir)?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct UnixSocket {
    socket: Socket,
}

impl UnixSocket {
    /// A socket for datagrams.
    ///
    /// # Errors
    ///
    /// What socket(2) says.
    pub fn new_datagram() -> io::Result<Self> {
        Self::new(Type::DGRAM)
    }

    /// A socket for connections.
    ///
    /// # Errors
    ///
    /// What socket(2) says.
    pub fn new_stream() -> io::Result<Self> {
        Self::new(Type::STREAM)
    }

    /// Non-blocking and close-on-exec at birth.
    fn new(kind: Type) -> io::Result<Self> {
        let socket = Socket::new(Domain::UNIX, kind.nonblocking(), None)?;
        Ok(Self { socket })
    }

    /// Binds it to `path`, which must not exist yet.
    ///
    /// # Errors
    ///
    /// What bind(2) says.
    pub fn bind(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.socket.bind(&SockAddr::unix(path)?)
    }

    /// Listens; `backlog` connections may wait before anybody accepts them.
    ///
    /// # Errors
    ///
    /// What listen(2) says; an error that names the remedy for a datagram socket.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn listen(self, backlog: u32) -> io::Result<UnixListener> {
        if self.socket.r#type()? == Type::DGRAM {
            return Err(io::Error::other(
                "listen cannot be called on a datagram socket; make one by UnixSocket::new_stream",
            ));
        }
        // The kernel caps it anyway, and would take a negative number for a large one.
        self.socket
            .listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        UnixListener::registered(self.socket.into(), "UnixSocket::listen")
    }

    /// Connects to the listener at `path`.
    ///
    /// # Errors
    ///
    /// What connect(2) says; an error that names the remedy for a datagram socket.
    ///
    /// # Panics
    ///
    /// When polled outside of a runtime, or in one without I/O.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, the socket is closed.
    pub fn connect(self, path: impl AsRef<Path>) -> ConnectUnixSocket {
        ConnectUnixSocket {
            socket: Some(self.socket),
            path: path.as_ref().to_owned(),
            pinned: PhantomPinned,
        }
    }

    /// Makes it a datagram socket that can be waited on.
    ///
    /// # Errors
    ///
    /// What epoll_ctl(2) says; an error that names the remedy for a stream socket.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn datagram(self) -> io::Result<UnixDatagram> {
        if self.socket.r#type()? == Type::STREAM {
            return Err(io::Error::other(
                "datagram cannot be called on a stream socket; make one by UnixSocket::new_datagram",
            ));
        }
        UnixDatagram::registered(self.socket.into(), "UnixSocket::datagram")
    }
}

impl AsFd for UnixSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for UnixSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl FromRawFd for UnixSocket {
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

impl IntoRawFd for UnixSocket {
    fn into_raw_fd(self) -> RawFd {
        self.socket.into_raw_fd()
    }
}

pin_project! {
    /// Future of [`UnixSocket::connect`].
    ///
    /// Never waits, today; it is a future so that it may.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ConnectUnixSocket {
        // `None` once it is done.
        socket: Option<Socket>,
        path: PathBuf,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Future for ConnectUnixSocket {
    type Output = io::Result<UnixStream>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        let this = self.project();
        let socket = this
            .socket
            .take()
            .expect("UnixSocket::connect polled after it was done");
        if socket.r#type()? == Type::DGRAM {
            return Poll::Ready(Err(io::Error::other(
                "connect cannot be called on a datagram socket; make one by UnixSocket::new_stream",
            )));
        }
        socket.connect(&SockAddr::unix(&*this.path)?)?;
        Poll::Ready(UnixStream::connected(socket.into(), "UnixSocket::connect"))
    }
}
