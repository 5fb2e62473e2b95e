//! The options of `TcpStream`.
//!
//! Each method is one getsockopt(2) or setsockopt(2).
//! Read next: `net/tcp_split.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use socket2::SockRef;

use crate::net::tcp_stream::TcpStream;

/// Options of the socket.
impl TcpStream {
    /// True when small writes go out at once (TCP_NODELAY).
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.evented().get().nodelay()
    }

    /// Sends small writes at once, instead of collecting them (TCP_NODELAY).
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.evented().get().set_nodelay(nodelay)
    }

    /// True when what comes is acknowledged at once (TCP_QUICKACK).
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn quickack(&self) -> io::Result<bool> {
        SockRef::from(self).tcp_quickack()
    }

    /// Acknowledges what comes at once. Not for ever: the kernel may switch it off (tcp(7)).
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    pub fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        SockRef::from(self).set_tcp_quickack(quickack)
    }

    /// How long close(2) waits for what was not sent yet; `None`: it does not (SO_LINGER).
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self).linger()
    }

    /// Lets close(2) wait up to that long (whole seconds) for what was not sent yet.
    ///
    /// It blocks the thread that drops the socket; zero does not, see
    /// [`set_zero_linger`](Self::set_zero_linger).
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self).set_linger(linger)
    }

    /// Makes close(2) throw away what was not sent, and reset the connection.
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        SockRef::from(self).set_linger(Some(Duration::ZERO))
    }

    /// Routers that a packet may pass (IP_TTL).
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.evented().get().ttl()
    }

    /// Sets how many routers a packet may pass (IP_TTL).
    ///
    /// # Errors
    ///
    /// What setsockopt(2) says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.evented().get().set_ttl(ttl)
    }
}
