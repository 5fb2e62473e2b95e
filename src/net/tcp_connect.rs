//! `TcpStream::connect`: from a name to a connection.
//!
//! ```text
//!   connect(addr):  names ──► one address ──► connect(2): EINPROGRESS ──► writable?
//!                               ▲                                           │ SO_ERROR
//!                               └──────────── the next one ◄── an error ────┤
//!                                                                           └─► connected
//! ```
//!
//! Writable and no error is not enough: readiness is a hint, and a connect that goes on has no
//! error either. So the peer is asked for too; without one it goes on waiting.
//! Read next: `net/tcp_options.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::net::SocketAddr;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use socket2::{Domain, Protocol, Socket, Type};

use crate::io::wait::Wait;
use crate::net::addr::{Addrs, ToSocketAddrs, none_worked};
use crate::net::tcp_stream::TcpStream;
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;
use crate::sys::socket::EINPROGRESS;

/// Connecting.
impl TcpStream {
    /// Opens a connection. Each address of `addr` is tried in turn, until one answers.
    ///
    /// # Errors
    ///
    /// What connect(2) says of the last address; that `addr` is none, or cannot be looked up.
    ///
    /// # Panics
    ///
    /// When polled outside of a runtime, or in one without I/O.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, the connection is closed.
    #[track_caller]
    pub fn connect<A: ToSocketAddrs>(addr: A) -> Connect {
        Connect::new(addr.ask(), Location::caller())
    }

    /// Starts to connect `socket`.
    #[track_caller]
    pub(crate) fn start(socket: Socket, addr: SocketAddr) -> io::Result<Self> {
        match socket.connect(&addr.into()) {
            Err(error) if error.raw_os_error() != Some(EINPROGRESS) => return Err(error),
            _ => {}
        }
        Self::registered(socket.into(), "TcpStream::connect")
    }

    /// Waits until the connect has ended, and tells how.
    pub(crate) fn poll_connected(
        &self,
        cx: &mut Context<'_>,
        line: &'static Location<'static>,
    ) -> Poll<io::Result<()>> {
        let wait = Wait::of(Direction::Write, Kind::Connect, line);
        let ended = || match self.evented().get().take_error()? {
            Some(error) => Err(error),
            // No error and no peer: the event lied, and the connect goes on.
            None => match self.evented().get().peer_addr() {
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {
                    Err(io::ErrorKind::WouldBlock.into())
                }
                _ => Ok(()),
            },
        };
        self.evented()
            .registration()
            .poll_io(cx, &wait, None, ended, |()| false)
    }
}

/// A non-blocking TCP socket for addresses like `addr`.
pub(crate) fn new_socket(addr: &SocketAddr) -> io::Result<Socket> {
    Socket::new(
        Domain::for_address(*addr),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )
}

pin_project! {
    /// Future of [`TcpStream::connect`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Connect {
        addrs: Addrs,
        // The address that is being tried.
        trying: Option<TcpStream>,
        // What the one before said.
        last: Option<io::Error>,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Connect {
    /// Has not begun.
    fn new(addrs: Addrs, line: &'static Location<'static>) -> Self {
        Self {
            addrs,
            trying: None,
            last: None,
            line,
            pinned: PhantomPinned,
        }
    }
}

impl Future for Connect {
    type Output = io::Result<TcpStream>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let this = self.project();
        loop {
            if let Some(stream) = this.trying.as_ref() {
                let result = ready!(stream.poll_connected(cx, this.line));
                let stream = this.trying.take();
                match (result, stream) {
                    (Ok(()), Some(stream)) => return Poll::Ready(Ok(stream)),
                    (Err(error), _) => *this.last = Some(error),
                    (Ok(()), None) => {}
                }
            }
            let Some(addr) = ready!(this.addrs.poll_next(cx, this.line))? else {
                return Poll::Ready(Err(none_worked(this.last.take())));
            };
            match new_socket(&addr).and_then(|socket| TcpStream::start(socket, addr)) {
                Ok(stream) => *this.trying = Some(stream),
                Err(error) => *this.last = Some(error),
            }
        }
    }
}
