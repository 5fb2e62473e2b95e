//! Pipes: making one, what a descriptor may be used for, and read(2) into fresh memory.
//!
//! Read next: `net/pipe.rs`.

#![allow(unsafe_code, reason = "pipe2(2), fcntl(2), read(2)")]

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::sys::call::{check, retry};

/// Non-blocking at open(2).
pub(crate) use libc::O_NONBLOCK;

/// A pipe, non-blocking and close-on-exec at birth: the end to read from, the end to write to.
///
/// # Errors
///
/// What pipe2(2) says (EMFILE, ENFILE).
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends: [c_int; 2] = [-1; 2];
    // SAFETY: pipe2(2) writes two descriptors to the array, which has room for two.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC | libc::O_NONBLOCK) })?;
    // SAFETY: pipe2(2) succeeded, so this is an open descriptor that nobody else owns.
    let read = unsafe { OwnedFd::from_raw_fd(ends[0]) };
    // SAFETY: as above, the other end.
    let write = unsafe { OwnedFd::from_raw_fd(ends[1]) };
    Ok((read, write))
}

/// How a descriptor was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Access {
    /// It may be read from.
    pub(crate) read: bool,
    /// It may be written to.
    pub(crate) write: bool,
}

/// What `fd` may be used for.
///
/// # Errors
///
/// What fcntl(2) says.
pub(crate) fn access(fd: BorrowedFd<'_>) -> io::Result<Access> {
    // SAFETY: F_GETFL takes no argument and changes nothing.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    Ok(match flags & libc::O_ACCMODE {
        libc::O_RDONLY => Access {
            read: true,
            write: false,
        },
        libc::O_WRONLY => Access {
            read: false,
            write: true,
        },
        libc::O_RDWR => Access {
            read: true,
            write: true,
        },
        // Of O_PATH and its like nothing may be said.
        _ => Access {
            read: false,
            write: false,
        },
    })
}

/// Reads to the front of `room`, and gives the number of bytes that were written there.
///
/// # Errors
///
/// What read(2) says, but EINTR.
pub(crate) fn read(fd: BorrowedFd<'_>, room: &mut [MaybeUninit<u8>]) -> io::Result<usize> {
    let n = retry(|| {
        // SAFETY: the slice is room for that many bytes, and read(2) only writes to it.
        unsafe { libc::read(fd.as_raw_fd(), room.as_mut_ptr().cast(), room.len()) }
    })?;
    Ok(n.unsigned_abs())
}
