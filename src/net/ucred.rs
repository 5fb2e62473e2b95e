//! `UCred`: the process at the other end of a `UnixStream`, as the kernel knows it.
//!
//! Noted when the connection was made, and never changed: a program that drops its rights later
//! still shows the old ones, and its number may belong to another process by now.
//! Read next: `net/unix_socket.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::os::fd::AsFd;

use crate::net::unix_stream::UnixStream;
use crate::sys::peer::peer;

/// A user's number, as in uid_t of the C library.
#[allow(non_camel_case_types, reason = "the name of the C library")]
pub type uid_t = u32;

/// A group's number, as in gid_t of the C library.
#[allow(non_camel_case_types, reason = "the name of the C library")]
pub type gid_t = u32;

/// A process's number, as in pid_t of the C library.
#[allow(non_camel_case_types, reason = "the name of the C library")]
pub type pid_t = i32;

/// User, group and process at the other end of a [`UnixStream`].
///
/// Made by [`UnixStream::peer_cred`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct UCred {
    uid: uid_t,
    gid: gid_t,
    pid: Option<pid_t>,
}

impl UCred {
    /// The user that it ran as.
    pub fn uid(&self) -> uid_t {
        self.uid
    }

    /// The group that it ran as.
    pub fn gid(&self) -> gid_t {
        self.gid
    }

    /// Its process number; `None` when the process is in a pid namespace that is invisible here.
    pub fn pid(&self) -> Option<pid_t> {
        self.pid
    }
}

impl UnixStream {
    /// User, group and process at the other end, as they were when the connection was made.
    ///
    /// # Errors
    ///
    /// What getsockopt(2) says.
    ///
    /// ```
    /// use trefoil::net::UnixStream;
    ///
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// # rt.block_on(async {
    /// let (a, _b) = UnixStream::pair()?;
    /// assert_eq!(a.peer_cred()?.pid(), Some(std::process::id() as i32));
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    pub fn peer_cred(&self) -> io::Result<UCred> {
        let peer = peer(self.as_fd())?;
        Ok(UCred {
            uid: peer.uid,
            gid: peer.gid,
            pid: (peer.pid != 0).then_some(peer.pid),
        })
    }
}
