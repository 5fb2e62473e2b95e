//! `UnixStream::connect` and `pair`.
//!
//! ```text
//!   connect(path): socket(2), connect(2) ──► done at once: the kernel queues it with the listener
//!                                      └──► EAGAIN, when that queue is full: the caller's error
//! ```
//!
//! connect(2) on a Unix socket does not wait like TCP's: it ends at once, and a full backlog gives
//! no event later, so there is nothing to wait for.
//! Read next: `net/unix_split.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::net::unix_addr::{SocketAddr, to_sock_addr};
use crate::net::unix_stream::UnixStream;

/// Connecting.
impl UnixStream {
    /// Connects to the listener at `path`.
    ///
    /// # Errors
    ///
    /// What connect(2) says; `WouldBlock` when the listener's queue is full.
    ///
    /// # Panics
    ///
    /// When polled outside of a runtime, or in one without I/O.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, the connection is closed.
    #[track_caller]
    pub fn connect<P: AsRef<Path>>(path: P) -> ConnectUnix {
        ConnectUnix {
            target: Target::Path(path.as_ref().to_owned()),
            pinned: PhantomPinned,
        }
    }

    /// Connects to the listener at `addr`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Panics
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, the connection is closed.
    #[track_caller]
    pub fn connect_addr(addr: &SocketAddr) -> ConnectUnix {
        ConnectUnix {
            target: Target::Addr(addr.clone()),
            pinned: PhantomPinned,
        }
    }

    /// Two streams that are connected to each other.
    ///
    /// # Errors
    ///
    /// What socketpair(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = Socket::pair(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
        Ok((
            Self::connected(a.into(), "UnixStream::pair")?,
            Self::connected(b.into(), "UnixStream::pair")?,
        ))
    }
}

/// A socket that takes addresses of a path or an abstract name; non-blocking.
pub(crate) fn new_socket() -> io::Result<Socket> {
    Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)
}

/// Where to connect.
#[derive(Debug)]
enum Target {
    /// A path.
    Path(PathBuf),
    /// Any name.
    Addr(SocketAddr),
}

pin_project! {
    /// Future of [`UnixStream::connect`] and [`UnixStream::connect_addr`].
    ///
    /// Never waits, today; it is a future so that it may.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ConnectUnix {
        target: Target,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Future for ConnectUnix {
    type Output = io::Result<UnixStream>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<UnixStream>> {
        let addr = match self.project().target {
            Target::Path(path) => SockAddr::unix(path)?,
            Target::Addr(addr) => to_sock_addr(addr)?,
        };
        let socket = new_socket()?;
        socket.connect(&addr)?;
        Poll::Ready(UnixStream::connected(socket.into(), "UnixStream::connect"))
    }
}
