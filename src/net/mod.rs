//! Sockets: TCP, UDP and Unix, all waiting through `io/evented.rs`.
//!
//! | to | use |
//! |---|---|
//! | accept or open TCP connections | [`TcpListener`], [`TcpStream`] |
//! | set options before that | [`TcpSocket`] |
//! | send datagrams | [`UdpSocket`] |
//! | talk on one machine | [`UnixListener`], [`UnixStream`], [`UnixDatagram`], [`unix::pipe`] |
//! | look up a host name | [`lookup_host`] |
//!
//! Every descriptor is close-on-exec and non-blocking from birth. A write to a closed connection
//! gives `BrokenPipe` and never a SIGPIPE (of a pipe that is Rust's doing: `net/pipe_io.rs`); EINTR
//! is never seen.

pub(crate) mod addr;
pub(crate) mod datagram;
pub(crate) mod datagram_wait;
pub(crate) mod packet_options;
pub(crate) mod pipe;
pub(crate) mod pipe_file;
pub(crate) mod pipe_io;
pub(crate) mod pipe_receiver;
pub(crate) mod pipe_sender;
pub(crate) mod receive;
pub(crate) mod socket_methods;
pub(crate) mod stream_io;
pub(crate) mod tcp_connect;
pub(crate) mod tcp_listener;
pub(crate) mod tcp_options;
pub(crate) mod tcp_peek;
pub(crate) mod tcp_socket;
pub(crate) mod tcp_socket_options;
pub(crate) mod tcp_split;
pub(crate) mod tcp_split_owned;
pub(crate) mod tcp_stream;
pub(crate) mod ucred;
pub(crate) mod udp;
pub(crate) mod udp_bind;
pub(crate) mod udp_options;
pub(crate) mod udp_peek;
pub(crate) mod udp_recv;
pub(crate) mod udp_send;
pub(crate) mod unix_addr;
pub(crate) mod unix_connect;
pub(crate) mod unix_datagram;
pub(crate) mod unix_datagram_recv;
pub(crate) mod unix_datagram_send;
pub(crate) mod unix_listener;
pub(crate) mod unix_socket;
pub(crate) mod unix_split;
pub(crate) mod unix_split_owned;
pub(crate) mod unix_stream;
pub(crate) mod waits;

pub use self::addr::{ToSocketAddrs, lookup_host};
pub use self::tcp_listener::TcpListener;
pub use self::tcp_socket::TcpSocket;
pub use self::tcp_stream::TcpStream;
pub use self::udp::UdpSocket;
pub use self::unix_datagram::UnixDatagram;
pub use self::unix_listener::UnixListener;
pub use self::unix_socket::UnixSocket;
pub use self::unix_stream::UnixStream;

/// What goes with [`TcpStream`]: its halves.
pub mod tcp {
    pub use crate::net::tcp_split::{ReadHalf, WriteHalf};
    pub use crate::net::tcp_split_owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};
}

/// What goes with the Unix sockets: their address, who the peer is, the halves of [`UnixStream`];
/// and pipes.
pub mod unix {
    pub use crate::net::ucred::{UCred, gid_t, pid_t, uid_t};
    pub use crate::net::unix_addr::SocketAddr;
    pub use crate::net::unix_split::{ReadHalf, WriteHalf};
    pub use crate::net::unix_split_owned::{OwnedReadHalf, OwnedWriteHalf, ReuniteError};

    /// Pipes, with a name or without.
    pub mod pipe {
        pub use crate::net::pipe::{OpenOptions, pipe};
        pub use crate::net::pipe_receiver::Receiver;
        pub use crate::net::pipe_sender::Sender;
    }
}

/// The futures of the sockets' methods.
pub mod futures {
    pub use crate::net::addr::{LookupHost, SocketAddrs};
    pub use crate::net::datagram_wait::{Recv, RecvBuf, RecvBufFrom, RecvFrom, SendDatagram};
    pub use crate::net::tcp_connect::Connect;
    pub use crate::net::tcp_listener::{Accept, Bind};
    pub use crate::net::tcp_peek::Peek;
    pub use crate::net::tcp_socket::ConnectSocket;
    pub use crate::net::udp_bind::{BindUdp, ConnectUdp};
    pub use crate::net::udp_peek::PeekSender;
    pub use crate::net::udp_send::SendTo;
    pub use crate::net::unix_connect::ConnectUnix;
    pub use crate::net::unix_datagram_send::SendToPath;
    pub use crate::net::unix_listener::AcceptUnix;
    pub use crate::net::unix_socket::ConnectUnixSocket;
    pub use crate::net::waits::{AsyncIo, Readable, ReadyFor, Writable};
}
