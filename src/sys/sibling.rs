//! A fork that is no child: its parent is the parent of whoever makes it (CLONE_PARENT).
//!
//! ```text
//!   program ──exec──► fork server, one thread, little memory
//!      │                   │ sibling()
//!      ▼ its child         ▼
//!   worker ◄───────────────┘     a copy of the server, with a pidfd for the program
//! ```
//!
//! Never from a process with threads: a lock that another thread holds would be held for ever.
//! Why not fork(2): the worker would be the server's child, and only the server could reap it.
//! Read next: `processes/fork_serve.rs`.

#![allow(unsafe_code, reason = "clone(2) with flags that libc's fork lacks")]

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use crate::sys::call::check;

/// Which side of the clone this is.
pub(crate) enum Side {
    /// The new process.
    New,
    /// The one that made it: its number and its pidfd.
    Maker(i32, OwnedFd),
}

/// Where libc keeps the number of this thread; it set that address at the start of the process
/// (set_tid_address(2)), and wants the new process's number there. `None`: the kernel does not say.
fn thread_number() -> Option<*mut c_int> {
    let mut place: *mut c_int = ptr::null_mut();
    // SAFETY: prctl(2) writes one pointer into a local.
    let result = unsafe { libc::prctl(libc::PR_GET_TID_ADDRESS, &raw mut place) };
    (result == 0 && !place.is_null()).then_some(place)
}

/// Threads of this process.
pub(crate) fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(1, Iterator::count)
}

/// Makes the copy.
///
/// # Errors
///
/// What clone(2) says; `Unsupported` when this process has other threads.
pub(crate) fn sibling() -> io::Result<Side> {
    if threads() > 1 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut pidfd: c_int = -1;
    let mut flags = libc::CLONE_PARENT | libc::CLONE_PIDFD;
    let place = thread_number().unwrap_or(ptr::null_mut());
    if !place.is_null() {
        flags |= libc::CLONE_CHILD_SETTID | libc::CLONE_CHILD_CLEARTID;
    }
    let (none, pidfd_at) = (ptr::null_mut::<u8>(), &raw mut pidfd);
    let flags = c_long::from(flags);
    // The order of the last two differs between architectures: no TLS is asked for, and the place
    // of the number is given as both.
    // SAFETY: without CLONE_VM this is a fork: the copy has memory and a stack of its own, and this
    // process has one thread, so that no lock is held in it. `place` is libc's own.
    let pid =
        check(unsafe { libc::syscall(libc::SYS_clone, flags, none, pidfd_at, place, place) })?;
    if pid == 0 {
        return Ok(Side::New);
    }
    // SAFETY: clone succeeded with CLONE_PIDFD: an open descriptor that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Side::Maker(pid as i32, pidfd))
}

/// Ends this process, and runs nothing of what it was copied from.
pub(crate) fn leave(code: c_int) -> ! {
    // SAFETY: _exit(2) has no precondition; no exit handler runs.
    unsafe { libc::_exit(code) }
}
