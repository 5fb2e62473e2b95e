//! The options of `UdpSocket`.
//!
//! Each method is one getsockopt(2) or setsockopt(2).
//! Read next: `net/unix_addr.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::net::packet_options::packet_options;
use crate::net::udp::UdpSocket;

/// Options. Each gives what getsockopt(2) or setsockopt(2) says when it fails.
impl UdpSocket {
    /// True when it may send to broadcast addresses (SO_BROADCAST).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.get().broadcast()
    }

    /// Allows sending to broadcast addresses (SO_BROADCAST).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_broadcast(&self, on: bool) -> io::Result<()> {
        self.get().set_broadcast(on)
    }

    /// True when its own multicast datagrams come back to it (IP_MULTICAST_LOOP).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.get().multicast_loop_v4()
    }

    /// Lets its own multicast datagrams come back to it (IP_MULTICAST_LOOP).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_multicast_loop_v4(&self, on: bool) -> io::Result<()> {
        self.get().set_multicast_loop_v4(on)
    }

    /// Routers that a multicast datagram may pass (IP_MULTICAST_TTL).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.get().multicast_ttl_v4()
    }

    /// Sets how many routers a multicast datagram may pass (IP_MULTICAST_TTL).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.get().set_multicast_ttl_v4(ttl)
    }

    /// As [`multicast_loop_v4`](Self::multicast_loop_v4), for IPv6 (IPV6_MULTICAST_LOOP).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.get().multicast_loop_v6()
    }

    /// As [`set_multicast_loop_v4`](Self::set_multicast_loop_v4), for IPv6 (IPV6_MULTICAST_LOOP).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_multicast_loop_v6(&self, on: bool) -> io::Result<()> {
        self.get().set_multicast_loop_v6(on)
    }

    /// Routers that a datagram may pass (IP_TTL).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn ttl(&self) -> io::Result<u32> {
        self.get().ttl()
    }

    /// Sets how many routers a datagram may pass (IP_TTL).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.get().set_ttl(ttl)
    }

    /// Joins a multicast group, on the interface with that address (IP_ADD_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn join_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.get().join_multicast_v4(&group, &interface)
    }

    /// Joins a multicast group, on the interface with that number (IPV6_ADD_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.get().join_multicast_v6(group, interface)
    }

    /// Leaves a multicast group (IP_DROP_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn leave_multicast_v4(&self, group: Ipv4Addr, interface: Ipv4Addr) -> io::Result<()> {
        self.get().leave_multicast_v4(&group, &interface)
    }

    /// Leaves a multicast group (IPV6_DROP_MEMBERSHIP).
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.get().leave_multicast_v6(group, interface)
    }

    /// Takes the error that waits on the socket (SO_ERROR), if there is one.
    ///
    /// # Errors
    ///
    /// As the system call.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.get().take_error()
    }
}

packet_options!(UdpSocket);
