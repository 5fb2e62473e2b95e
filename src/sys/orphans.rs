//! What a dead worker's jobs have left running: adopted by this process, known by a mark, ended.
//!
//! ```text
//!   worker ── job ── setsid ── daemon        the group's kill does not reach the daemon
//!     │ dies                    │
//!     ▼                         ▼ this process is a "subreaper" (prctl(2)): its parent now
//!   sweep: my children whose environment has the worker's mark ─► SIGKILL, reaped
//! ```
//!
//! Whoever adopts must reap: also the members of the worker's group, which are ours then.
//! The mark is a variable that children inherit. One that was started with an environment without
//! it is not found, and one that ended by itself before its worker stays a zombie: a cgroup
//! (`sys/cgroup.rs`) has neither limit.
//! Read next: `sys/pidfd.rs`.

#![allow(
    unsafe_code,
    reason = "prctl, waitid by group, pidfd_open; std has none of them"
)]

use std::ffi::c_int;
use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::thread;
use std::time::{Duration, Instant};

use crate::sys::call::{check, retry};

/// How long a sweep may take. Effect: what has been killed and cannot die (it waits for a disk)
/// is left. Not tuned.
const LIMIT: Duration = Duration::from_millis(50);
/// Between two looks.
const MOMENT: Duration = Duration::from_micros(200);

/// Makes this process the parent of its orphaned descendants, for good.
///
/// # Errors
///
/// What prctl(2) says.
pub(crate) fn adopt() -> io::Result<()> {
    // SAFETY: prctl(2) with integers.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })?;
    Ok(())
}

/// A pidfd for a child of ours.
///
/// # Errors
///
/// What pidfd_open(2) says.
pub(crate) fn open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open(2) has no precondition.
    let fd = check(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}

/// Reaps one child of those that `kind` and `id` name, if it is dead: true. False: one lives.
fn reap(kind: libc::idtype_t, id: u32) -> io::Result<bool> {
    // SAFETY: integers and padding only: zeros are valid.
    let mut info: libc::siginfo_t = unsafe { MaybeUninit::zeroed().assume_init() };
    let flags = libc::WEXITED | libc::WNOHANG;
    // SAFETY: `info` outlives the call.
    retry(|| unsafe { libc::waitid(kind, id, &raw mut info, flags) as isize })?;
    // SAFETY: waitid filled it, or it is all zeros.
    Ok(unsafe { info.si_pid() } != 0)
}

/// The processes whose parent is this one: the fourth field of stat, proc(5).
fn children() -> Vec<i32> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id().to_string();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
            fields.split(' ').nth(1) == Some(&own)
        })
        .collect()
}

/// Ends one child that has the mark, if it has. True when it had.
fn end(pid: i32, mark: &[u8]) -> bool {
    // First, so that the number is the process's whose environment is read.
    let Ok(pidfd) = open(pid) else { return false };
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    if !environment.split(|byte| *byte == 0).any(|var| var == mark) {
        return false;
    }
    let (fd, none) = (pidfd.as_raw_fd(), ptr::null::<libc::siginfo_t>());
    // SAFETY: it reads no memory when the info is null.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, libc::SIGKILL, none, 0) };
    let start = Instant::now();
    while start.elapsed() < LIMIT && matches!(reap(libc::P_PIDFD, fd as u32), Ok(false)) {
        thread::sleep(MOMENT);
    }
    true
}

/// Reaps all children of ours that are in this process group, which was killed.
pub(crate) fn reap_group(group: i32, limit: Duration) {
    let start = Instant::now();
    while start.elapsed() < limit {
        match reap(libc::P_PGID, group.unsigned_abs()) {
            Ok(true) => {}
            Ok(false) => thread::sleep(MOMENT),
            // ECHILD: none is left.
            Err(_) => break,
        }
    }
}

/// Ends and reaps what a worker has left: the rest of its group, which was killed, and all that
/// has its mark.
pub(crate) fn sweep(group: i32, mark: &[u8]) {
    reap_group(group, LIMIT);
    let start = Instant::now();
    // What one of them had started is ours once it is dead: so until nothing is found.
    while start.elapsed() < LIMIT {
        let found = children().into_iter().filter(|pid| end(*pid, mark)).count();
        if found == 0 {
            return;
        }
    }
}
