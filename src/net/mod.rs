//! Sockets: TCP, UDP and Unix, all waiting through `io/evented.rs`.
//!
//! | to | use |
//! |---|---|
//! | accept or open TCP connections | [`TcpListener`], [`TcpStream`] |
//! | set options before that | [`TcpSocket`] |
//! | send datagrams | [`UdpSocket`] |
//! | talk on one machine | [`UnixListener`], [`UnixStream`] |
//! | look up a host name | [`lookup_host`] |
//!
//! Every descriptor is close-on-exec and non-blocking from birth. A write to a closed connection
//! gives `BrokenPipe` and never a SIGPIPE; EINTR is never seen.

pub(crate) mod addr;

pub(crate) mod receive;

pub(crate) mod stream_io;

pub(crate) mod waits;

pub(crate) mod tcp_stream;

pub(crate) mod tcp_connect;
pub(crate) mod tcp_options;
pub(crate) mod tcp_peek;
pub(crate) mod tcp_split;
pub(crate) mod tcp_split_owned;

pub(crate) mod tcp_listener;

pub(crate) mod tcp_socket;

pub(crate) mod udp;

pub(crate) mod udp_bind;

pub(crate) mod udp_send;

pub(crate) mod udp_recv;

pub(crate) mod udp_peek;

pub(crate) mod udp_options;

pub(crate) mod unix_addr;

pub(crate) mod unix_stream;

pub(crate) mod unix_connect;
pub(crate) mod unix_split;
pub(crate) mod unix_split_owned;

pub(crate) mod unix_listener;

pub use self::addr::{ToSocketAddrs, lookup_host};
pub use self::tcp_listener::TcpListener;
pub use self::tcp_socket::TcpSocket;
pub use self::tcp_stream::TcpStream;
pub use self::udp::UdpSocket;
pub use self::unix_listener::UnixListener;
pub use self::unix_stream::UnixStream;

/// What goes with [`TcpStream`]: its halves.
pub mod tcp {
    pub use crate::net::tcp_split::{ReadHalf, WriteHalf};
    pub use crate::net::tcp_split_owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
}

/// What goes with the Unix sockets: their address, and the halves of [`UnixStream`].
pub mod unix {
    pub use crate::net::unix_addr::SocketAddr;
    pub use crate::net::unix_split::{ReadHalf, WriteHalf};
    pub use crate::net::unix_split_owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
}

/// The futures of the sockets' methods.
pub mod futures {
    pub use crate::net::addr::{LookupHost, SocketAddrs};
    pub use crate::net::tcp_connect::Connect;
    pub use crate::net::tcp_listener::{Accept, Bind};
    pub use crate::net::tcp_peek::Peek;
    pub use crate::net::tcp_socket::ConnectSocket;
    pub use crate::net::udp_bind::{BindUdp, ConnectUdp};
    pub use crate::net::udp_peek::PeekSender;
    pub use crate::net::udp_recv::{Recv, RecvBuf, RecvBufFrom, RecvFrom};
    pub use crate::net::udp_send::{SendDatagram, SendTo};
    pub use crate::net::unix_connect::ConnectUnix;
    pub use crate::net::unix_listener::AcceptUnix;
    pub use crate::net::waits::{AsyncIo, Readable, ReadyFor, Writable};
}
