//! Sockets.

pub(crate) mod addr;
pub(crate) mod tcp_listener;
pub(crate) mod tcp_socket;
pub(crate) mod tcp_split;
pub(crate) mod tcp_stream;
pub(crate) mod udp;
pub(crate) mod unix_addr;
pub(crate) mod unix_listener;
pub(crate) mod unix_split;
pub(crate) mod unix_stream;
