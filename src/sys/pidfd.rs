//! A child that is watched by its pidfd: killed with its group, reaped once, on every way out.
//!
//! ```text
//!   Child ── pidfd readable ──► try_reap ──► Exit { status, memory }
//!     │                            │ ECHILD: somebody else reaped it
//!     │ dropped                    └─► ioctl(PIDFD_GET_INFO), Linux 6.15; before: status unknown
//!     ▼
//!   SIGKILL to the group, then reaped
//! ```
//!
//! A pidfd names the process itself: no number that may be somebody else's by now.
//! Why not SIGCHLD: it coalesces, and its handler belongs to the program.
//! Read next: `processes/launch.rs`.

#![allow(
    unsafe_code,
    reason = "waitid with rusage, pidfd_send_signal, an ioctl; std has none of them"
)]

use std::ffi::{c_int, c_long, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::sys::call::{check, retry};
use crate::sys::cgroup::Cgroup;
use crate::sys::fork::Process;
use crate::sys::orphans;

/// How a child ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exit {
    /// `None` when somebody else reaped it, and the kernel does not tell.
    pub(crate) status: Option<ExitStatus>,
    /// The most memory it had. Unit: bytes; 0 when it is not known.
    pub(crate) maxrss: u64,
}

/// A child process and the right to reap it.
#[derive(Debug)]
pub(crate) struct Child {
    pid: i32,
    pidfd: Arc<OwnedFd>,
    /// Set once it is reaped: a flag, nothing else depends on it.
    reaped: AtomicBool,
    /// A forked copy of the parent must leave the child alone.
    parent: Process,
    /// What it and all its descendants are in.
    cgroup: Option<Cgroup>,
    /// The variable by which its orphans are known, `NAME=value`.
    mark: Option<Vec<u8>>,
}

/// The answer of waitid(2) and the memory it tells of.
fn wait(pidfd: RawFd, flags: c_int) -> io::Result<Option<Exit>> {
    // SAFETY: integers and padding only: zeros are valid.
    let mut info: libc::siginfo_t = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: as above.
    let mut usage: libc::rusage = unsafe { MaybeUninit::zeroed().assume_init() };
    let flags = libc::WEXITED | flags;
    // The system call itself: libc's waitid(3) leaves out the last argument, the rusage.
    // SAFETY: both answers have room in locals.
    retry(|| unsafe {
        libc::syscall(
            libc::SYS_waitid,
            libc::P_PIDFD,
            pidfd,
            &raw mut info,
            flags,
            &raw mut usage,
        )
    })?;
    // SAFETY: waitid filled it, or it is all zeros.
    let pid = unsafe { info.si_pid() };
    if pid == 0 {
        return Ok(None);
    }
    // SAFETY: a child's end has this field.
    let value = unsafe { info.si_status() };
    // Back to the form of wait(2), which `ExitStatus` takes.
    let raw = match info.si_code {
        libc::CLD_EXITED => (value & 0xff) << 8,
        libc::CLD_DUMPED => value | 0x80,
        _ => value,
    };
    Ok(Some(Exit {
        status: Some(ExitStatus::from_raw(raw)),
        maxrss: u64::try_from(usage.ru_maxrss).unwrap_or(0) << 10,
    }))
}

/// `struct pidfd_info` of linux/pidfd.h, its first version.
#[repr(C)]
struct Info {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

/// Asks the kernel for the exit code of a child that somebody else has reaped.
fn exit_code(pidfd: RawFd) -> Option<ExitStatus> {
    /// `PIDFD_INFO_EXIT`.
    const EXIT: u64 = 1 << 3;
    /// `PIDFD_GET_INFO`: `_IOWR(0xFF, 11, struct pidfd_info)`.
    const GET_INFO: u64 = (3 << 30) | ((size_of::<Info>() as u64) << 16) | (0xFF << 8) | 11;
    let mut info = Info {
        mask: EXIT,
        cgroup: 0,
        ids: [0; 11],
        exit_code: 0,
    };
    // SAFETY: the ioctl writes at most the size that its number states into `info`.
    let result = unsafe { libc::ioctl(pidfd, GET_INFO as libc::Ioctl, &raw mut info) };
    (result == 0 && info.mask & EXIT != 0).then(|| ExitStatus::from_raw(info.exit_code))
}

impl Child {
    /// The child of a clone.
    pub(crate) fn new(pid: i32, pidfd: OwnedFd) -> Self {
        Self {
            pid,
            pidfd: Arc::new(pidfd),
            reaped: AtomicBool::new(false),
            parent: Process::this(),
            cgroup: None,
            mark: None,
        }
    }

    /// With what keeps its descendants from outliving it.
    pub(crate) fn with(mut self, cgroup: Option<Cgroup>, mark: Option<Vec<u8>>) -> Self {
        (self.cgroup, self.mark) = (cgroup, mark);
        self
    }

    /// A child whose pidfd was lost, if there is one with this number.
    ///
    /// # Errors
    ///
    /// ECHILD when it is no child of ours, what pidfd_open(2) says.
    pub(crate) fn lost(pid: i32) -> io::Result<Self> {
        let pidfd = orphans::open(pid)?;
        wait(pidfd.as_raw_fd(), libc::WNOHANG | libc::WNOWAIT)?;
        Ok(Self::new(pid, pidfd))
    }

    /// Its number, as long as it is not reaped.
    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable once it is dead.
    pub(crate) fn pidfd(&self) -> &Arc<OwnedFd> {
        &self.pidfd
    }

    /// Sends SIGKILL to it and to its group; valid for a stopped one, too.
    pub(crate) fn kill(&self) {
        /// `PIDFD_SIGNAL_PROCESS_GROUP` of linux/pidfd.h, Linux 6.9.
        const GROUP: c_int = 1 << 2;
        if self.reaped.load(Ordering::Relaxed) {
            return;
        }
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
        let result = self.signal(GROUP);
        if result.is_err_and(|error| error.raw_os_error() == Some(libc::EINVAL)) {
            // An older kernel: the process by its pidfd, and the group by number, which is still
            // its own: it is not reaped.
            _ = self.signal(0);
            // SAFETY: kill(2) has no precondition.
            unsafe { libc::kill(-self.pid, libc::SIGKILL) };
        }
    }

    /// pidfd_send_signal(2) of SIGKILL.
    fn signal(&self, flags: c_int) -> io::Result<c_long> {
        let (fd, no_info) = (self.pidfd.as_raw_fd(), ptr::null::<c_void>());
        let number = libc::SYS_pidfd_send_signal;
        // SAFETY: it reads no memory when the info is null.
        check(unsafe { libc::syscall(number, fd, libc::SIGKILL, no_info, flags) })
    }

    /// Waits for its end, at most so long; true when it is dead.
    pub(crate) fn dies_within(&self, limit: Duration) -> bool {
        let mut dead = libc::pollfd {
            fd: self.pidfd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let limit = c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: one entry, which outlives the call.
        retry(|| unsafe { libc::poll(&raw mut dead, 1, limit) }).is_ok_and(|count| count > 0)
    }

    /// How it ended, if it has; what is left of its group is killed before its number is free.
    pub(crate) fn try_reap(&self) -> Option<Exit> {
        self.reap_with(libc::WNOHANG)
    }

    /// Waits for its end. It has been killed, or this waits for ever.
    pub(crate) fn reap(&self) -> Exit {
        self.reap_with(0).unwrap_or(Exit {
            status: None,
            maxrss: 0,
        })
    }

    /// Both of the above.
    fn reap_with(&self, flags: c_int) -> Option<Exit> {
        let fd = self.pidfd.as_raw_fd();
        // WNOWAIT: it stays a zombie, whose number is nobody else's, while its group is killed.
        match wait(fd, flags | libc::WNOWAIT) {
            Ok(None) => return None,
            Ok(Some(_)) => self.kill(),
            Err(_) => {}
        }
        let exit = match wait(fd, flags) {
            Ok(exit) => exit?,
            // ECHILD: SIGCHLD is ignored, or somebody waits for everybody.
            Err(_) => Exit {
                status: exit_code(fd),
                maxrss: 0,
            },
        };
        self.reaped.store(true, Ordering::Relaxed);
        if let Some(mark) = &self.mark {
            orphans::sweep(self.pid, mark);
        }
        Some(exit)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.reaped.load(Ordering::Relaxed) && !self.parent.is_another() {
            self.kill();
            self.reap();
        }
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use crate::sys::process::{Plan, Program, open_program, raised, start};
    use crate::sys::setup::Setup;
    use std::ffi::CString;

    /// A shell that runs a script, and the writing end of its lifeline.
    fn shell(script: &str) -> (Child, io::PipeWriter) {
        let program = open_program("/bin/sh".as_ref()).unwrap();
        let (read, write) = io::pipe().unwrap();
        let read = raised(read.into()).unwrap();
        let args = ["sh", "-c", script].map(|text| CString::new(text).unwrap());
        let plan = Plan {
            program: Program::Open(program.as_raw_fd()),
            args: &args,
            env: &[],
            setup: &Setup {
                descriptors: vec![(read.as_raw_fd(), 4)],
                limits: vec![(libc::RLIMIT_CORE, 0)],
                oom_score: Some(CString::new("500").unwrap()),
                no_new_privs: true,
                nice: Some(1),
                ..Setup::default()
            },
        };
        (start(&plan).unwrap(), write)
    }

    #[test]
    fn a_child_runs_and_its_code_is_known() {
        let (child, _write) = shell("exit 7");
        let exit = child.reap();
        assert_eq!(exit.status.and_then(|status| status.code()), Some(7));
        assert!(exit.maxrss > 0);
    }

    #[test]
    fn the_end_of_the_lifeline_kills_the_child() {
        let (child, write) = shell("while :; do :; done");
        drop(write);
        let status = child.reap().status.unwrap();
        assert_eq!(status.signal(), Some(libc::SIGKILL));
    }
}
