//! `UnixListener`: waits for connections within one machine.
//!
//! The path that it is bound to is a file, which stays when the listener goes: whoever binds it
//! again must remove it first (unix(7)).
//! Read next: `net/ucred.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::panic::Location;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use socket2::{SockAddr, SockRef};

use crate::io::evented::Evented;
use crate::io::wait::Wait;
use crate::io::waiting::Waiting;
use crate::net::socket_methods::descriptor_and_debug;
use crate::net::tcp_listener::BACKLOG;
use crate::net::unix_addr::{SocketAddr, from_sock_addr, to_sock_addr};
use crate::net::unix_connect::new_socket;
use crate::net::unix_stream::UnixStream;
use crate::parts::wait_site::Kind;
use crate::reactor::bits::Direction;
use crate::sys::socket::{SOCK_CLOEXEC, SOCK_NONBLOCK};

/// A Unix socket that waits for connections.
///
/// ```
/// use trefoil::net::{UnixListener, UnixStream};
///
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// # let dir = std::env::temp_dir().join(format!("trefoil-doc-{}", std::process::id()));
/// # std::fs::create_dir(&dir)?;
/// let path = dir.join("socket");
/// let listener = UnixListener::bind(&path)?;
/// let _client = UnixStream::connect(&path).await?;
/// let (_server, peer) = listener.accept().await?;
/// assert!(peer.is_unnamed());
/// # std::fs::remove_dir_all(&dir)?;
/// # std::io::Result::Ok(()) }).unwrap();
/// ```
pub struct UnixListener {
    io: Evented<StdListener>,
}

impl UnixListener {
    /// Listens at `path`, which must not exist yet.
    ///
    /// # Errors
    ///
    /// What bind(2) or listen(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<Self> {
        Self::bind_to(&SockAddr::unix(path)?)
    }

    /// Listens at `addr`, which may be an abstract name.
    ///
    /// # Errors
    ///
    /// What bind(2) or listen(2) says.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub fn bind_addr(addr: &SocketAddr) -> io::Result<Self> {
        Self::bind_to(&to_sock_addr(addr)?)
    }

    /// Binds and listens.
    #[track_caller]
    fn bind_to(addr: &SockAddr) -> io::Result<Self> {
        let socket = new_socket()?;
        socket.bind(addr)?;
        socket.listen(BACKLOG)?;
        Self::registered(socket.into(), "UnixListener::bind")
    }

    /// Registers a listener that is non-blocking.
    #[track_caller]
    pub(super) fn registered(listener: StdListener, what: &str) -> io::Result<Self> {
        Ok(Self {
            io: Evented::new(listener, what)?,
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
        Self::registered(listener, "UnixListener::from_std")
    }

    /// Gives the listener to the standard library; it stays non-blocking.
    ///
    /// # Errors
    ///
    /// None today.
    pub fn into_std(self) -> io::Result<StdListener> {
        Ok(self.io.into_io())
    }

    /// Waits for a connection; gives it, and the peer's address, which mostly has no name.
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
    pub fn accept(&self) -> AcceptUnix<'_> {
        let wait = Wait::of(Direction::Read, Kind::Accept, Location::caller());
        AcceptUnix {
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
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        let wait = Wait::of(Direction::Read, Kind::Accept, Location::caller());
        let registration = self.io.registration();
        let accepted = registration.poll_io(cx, &wait, None, || self.accept_now(), |_| false);
        Poll::Ready(self.register(ready!(accepted)?))
    }

    /// accept4(2).
    fn accept_now(&self) -> io::Result<(StdStream, SocketAddr)> {
        let (socket, addr) = SockRef::from(self).accept4(SOCK_CLOEXEC | SOCK_NONBLOCK)?;
        Ok((socket.into(), from_sock_addr(&addr)?))
    }

    /// Registers an accepted connection where the listener is.
    fn register(
        &self,
        (stream, addr): (StdStream, SocketAddr),
    ) -> io::Result<(UnixStream, SocketAddr)> {
        Ok((UnixStream::accepted(stream, self.io.registration())?, addr))
    }

    /// The address that it listens at.
    ///
    /// # Errors
    ///
    /// What getsockname(2) says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr().map(SocketAddr::from)
    }

    /// Takes the error that waits on the socket (SO_ERROR), if there is one.
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.io.get().take_error()
    }
}

impl TryFrom<StdListener> for UnixListener {
    type Error = io::Error;

    /// As [`UnixListener::from_std`].
    #[track_caller]
    fn try_from(listener: StdListener) -> io::Result<Self> {
        Self::from_std(listener)
    }
}

descriptor_and_debug!(UnixListener);

pin_project! {
    /// Future of [`UnixListener::accept`].
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct AcceptUnix<'a> {
        listener: &'a UnixListener,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl Future for AcceptUnix<'_> {
    type Output = io::Result<(UnixStream, SocketAddr)>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let listener = *this.listener;
        let accepted = ready!(this.waiting.poll_io(cx, || listener.accept_now()))?;
        Poll::Ready(listener.register(accepted))
    }
}
