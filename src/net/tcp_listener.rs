//! `TcpListener`: waits for connections.
//!
//! ```text
//!   bind(addr):  names ──► socket, SO_REUSEADDR, bind(2), listen(2) ──► registered
//!   accept():    accept4(2), non-blocking and close-on-exec at birth ──► registered too
//! ```
//!
//! When accept4(2) fails, for want of a free fd say, the caller gets the error and the listener
//! stays ready: the connection is still in the backlog, and no new event would tell of it.
//! Read next: `net/tcp_stream.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::marker::PhantomPinned;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use socket2::SockRef;

use crate::io::evented::Evented;
use crate::io::wait::Wait;
use crate::io::waiting::Waiting;
use crate::net::addr::{Addrs, ToSocketAddrs, none_worked};
use crate::net::socket_methods::descriptor_and_debug;
use crate::net::tcp_connect::new_socket;
use crate::net::tcp_stream::TcpStream;
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;
use crate::sys::socket::{SOCK_CLOEXEC, SOCK_NONBLOCK};

/// Connections that the kernel completes before anybody accepts them.
///
/// Unit: connections; the kernel caps it at `net.core.somaxconn`. Source: tokio's and mio's
/// documented value.
pub(crate) const BACKLOG: i32 = 1024;

/// A TCP socket that waits for connections.
///
/// ```
/// use trefoil::net::{TcpListener, TcpStream};
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let addr = listener.local_addr()?;
/// let client = trefoil::spawn(async move { TcpStream::connect(addr).await });
/// let (stream, peer) = listener.accept().await?;
/// assert_eq!(client.await.unwrap()?.local_addr()?, peer);
/// # drop(stream);
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct TcpListener {
    io: Evented<StdListener>,
}

impl TcpListener {
    /// Listens at the first of `addr`'s addresses that can be bound; port 0 lets the kernel choose.
    ///
    /// Sets SO_REUSEADDR, so that a restarted server gets its port back at once.
    ///
    /// # Errors
    ///
    /// What bind(2) or listen(2) says of the last address; that `addr` is none.
    ///
    /// # Panics
    ///
    /// When polled outside of a runtime, or in one without I/O.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has bound nothing.
    #[track_caller]
    pub fn bind<A: ToSocketAddrs>(addr: A) -> Bind {
        Bind {
            addrs: addr.ask(),
            last: None,
            line: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Binds and listens at once.
    fn bind_addr(addr: SocketAddr) -> io::Result<Self> {
        let socket = new_socket(&addr)?;
        socket.set_reuse_address(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        Self::registered(socket.into())
    }

    /// Registers a socket that listens and is non-blocking.
    #[track_caller]
    pub(crate) fn registered(listener: StdListener) -> io::Result<Self> {
        Ok(Self {
            io: Evented::new(listener, "TcpListener")?,
        })
    }

    /// Takes over a listener of the standard library; makes it non-blocking.
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
    pub fn from_std(listener: StdListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Self::registered(listener)
    }

    /// Gives the listener to the standard library; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_std(self) -> io::Result<StdListener> {
        Ok(self.io.into_io())
    }

    /// Waits for a connection; gives it, and the peer's address.
    ///
    /// Several tasks may wait; each connection goes to one of them.
    ///
    /// # Errors
    ///
    /// What accept(2) says, at each poll while it lasts: for EMFILE and ENFILE wait a little
    /// before the next try.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped early, it has taken no connection.
    #[track_caller]
    pub fn accept(&self) -> Accept<'_> {
        let wait = Wait::of(Direction::Read, Kind::Accept, Location::caller());
        Accept {
            listener: self,
            waiting: Waiting::new(self.io.registration(), wait),
        }
    }

    /// Polls for [`accept`](Self::accept). One task at a time: the last one is woken.
    ///
    /// # Errors
    ///
    /// As there.
    #[track_caller]
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let wait = Wait::of(Direction::Read, Kind::Accept, Location::caller());
        let registration = self.io.registration();
        let accepted = registration.poll_io(cx, &wait, None, || self.accept_now(), |_| false);
        Poll::Ready(self.register(ready!(accepted)?))
    }

    /// accept4(2).
    fn accept_now(&self) -> io::Result<(StdStream, SocketAddr)> {
        let (socket, addr) = SockRef::from(self).accept4(SOCK_CLOEXEC | SOCK_NONBLOCK)?;
        let addr = addr.as_socket().ok_or(io::ErrorKind::InvalidData)?;
        Ok((socket.into(), addr))
    }

    /// Registers an accepted connection where the listener is.
    fn register(
        &self,
        (stream, addr): (StdStream, SocketAddr),
    ) -> io::Result<(TcpStream, SocketAddr)> {
        Ok((TcpStream::accepted(stream, self.io.registration())?, addr))
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr()
    }

    /// Routers that a packet may pass (IP_TTL).
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get().ttl()
    }

    /// Sets how many routers a packet may pass (IP_TTL); connections inherit it.
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get().set_ttl(ttl)
    }
}

impl TryFrom<StdListener> for TcpListener {
    type Error = io::Error;

    /// As [`TcpListener::from_std`].
    #[track_caller]
    fn try_from(listener: StdListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

descriptor_and_debug!(TcpListener);

pin_project! {
    /// Future of [`TcpListener::bind`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Bind {
        addrs: Addrs,
        // What the last address said.
        last: Option<io::Error>,
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Future for Bind {
    type Output = io::Result<TcpListener>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<TcpListener>> {
        let this = self.project();
        while let Some(addr) = ready!(this.addrs.poll_next(cx, this.line))? {
            match TcpListener::bind_addr(addr) {
                Ok(listener) => return Poll::Ready(Ok(listener)),
                Err(error) => *this.last = Some(error),
            }
        }
        Poll::Ready(Err(none_worked(this.last.take())))
    }
}

pin_project! {
    /// Future of [`TcpListener::accept`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Accept<'a> {
        listener: &'a TcpListener,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl Future for Accept<'_> {
    type Output = io::Result<(TcpStream, SocketAddr)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let listener = *this.listener;
        let accepted = ready!(this.waiting.poll_io(cx, || listener.accept_now()))?;
        Poll::Ready(listener.register(accepted))
    }
}
