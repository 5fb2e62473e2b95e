//! The options of `TcpSocket`; most must be set before it connects or listens.
//!
//! Read next: `net/udp.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::time::Duration;

use crate::net::packet_options::packet_options;
use crate::net::tcp_socket::TcpSocket;

/// Options. Each gives what getsockopt(2) or setsockopt(2) says when it fails.
impl TcpSocket {
    /// True when idle connections are probed (SO_KEEPALIVE).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn keepalive(&self) -> io::Result<bool> {
        self.get().keepalive()
    }

    /// Probes an idle connection now and then (SO_KEEPALIVE).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_keepalive(&self, keepalive: bool) -> io::Result<()> {
        self.get().set_keepalive(keepalive)
    }

    /// True when an address may be bound that is still in use by old connections (SO_REUSEADDR).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn reuseaddr(&self) -> io::Result<bool> {
        self.get().reuse_address()
    }

    /// Allows to bind an address that is still in use by old connections (SO_REUSEADDR).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_reuseaddr(&self, reuseaddr: bool) -> io::Result<()> {
        self.get().set_reuse_address(reuseaddr)
    }

    /// True when several sockets may share the address (SO_REUSEPORT).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn reuseport(&self) -> io::Result<bool> {
        self.get().reuse_port()
    }

    /// Lets several sockets share the address, if all of them say so (SO_REUSEPORT).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_reuseport(&self, reuseport: bool) -> io::Result<()> {
        self.get().set_reuse_port(reuseport)
    }

    /// Size of the kernel's send buffer, in bytes (SO_SNDBUF); Linux reports twice what was set.
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn send_buffer_size(&self) -> io::Result<u32> {
        self.get().send_buffer_size().map(clamped)
    }

    /// Sets the size of the kernel's send buffer, in bytes (SO_SNDBUF).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_send_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.get().set_send_buffer_size(bytes as usize)
    }

    /// Size of the kernel's receive buffer, in bytes (SO_RCVBUF); Linux reports twice what was set.
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn recv_buffer_size(&self) -> io::Result<u32> {
        self.get().recv_buffer_size().map(clamped)
    }

    /// Sets the size of the kernel's receive buffer, in bytes (SO_RCVBUF).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_recv_buffer_size(&self, bytes: u32) -> io::Result<()> {
        self.get().set_recv_buffer_size(bytes as usize)
    }

    /// How long close(2) waits for what was not sent yet; `None`: it does not (SO_LINGER).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        self.get().linger()
    }

    /// Lets close(2) wait up to that long (whole seconds); it blocks the thread that drops.
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        self.get().set_linger(linger)
    }

    /// Makes close(2) throw away what was not sent, and reset the connection.
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_zero_linger(&self) -> io::Result<()> {
        self.get().set_linger(Some(Duration::ZERO))
    }

    /// True when small writes go out at once (TCP_NODELAY).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.get().tcp_nodelay()
    }

    /// Sends small writes at once, instead of collecting them (TCP_NODELAY).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.get().set_tcp_nodelay(nodelay)
    }
}

packet_options!(TcpSocket);

/// A size that the kernel keeps in an int.
fn clamped(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
