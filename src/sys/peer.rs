//! Who is at the other end of a Unix socket.
//!
//! Read next: `net/ucred.rs`.

#![allow(
    unsafe_code,
    reason = "getsockopt(2) with SO_PEERCRED; std has it only on nightly"
)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::sys::call::check;

/// What the kernel noted of a peer when the connection was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Its effective user.
    pub(crate) uid: u32,
    /// Its effective group.
    pub(crate) gid: u32,
    /// Its process; 0 when that one is invisible here (another pid namespace).
    pub(crate) pid: i32,
}

/// The process at the other end of `socket`: unix(7), SO_PEERCRED.
///
/// # Errors
///
/// What getsockopt(2) says.
pub(crate) fn peer(socket: BorrowedFd<'_>) -> io::Result<Peer> {
    // SAFETY: three integers: zeros are valid.
    let mut found: libc::ucred = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: both pointers are to locals that outlive the call, and `size` is the first one's.
    check(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut found).cast(),
            &raw mut size,
        )
    })?;
    Ok(Peer {
        uid: found.uid,
        gid: found.gid,
        pid: found.pid,
    })
}
