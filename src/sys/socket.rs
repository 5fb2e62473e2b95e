//! The numbers of sockets that socket2 takes as they are.
//!
//! Read next: `net/stream_io.rs`, `net/tcp_listener.rs`.

#![forbid(unsafe_code)]

/// A connect that goes on in the background: connect(2).
pub(crate) use libc::EINPROGRESS;
/// A write to a closed stream gives EPIPE and no signal: send(2).
pub(crate) use libc::MSG_NOSIGNAL;
/// Close-on-exec at birth, for accept4(2).
pub(crate) use libc::SOCK_CLOEXEC;
/// Non-blocking at birth, for accept4(2).
pub(crate) use libc::SOCK_NONBLOCK;
