//! What a new process does to itself before it becomes a worker: its group, its five descriptors,
//! its lifeline, its limits.
//!
//! The lifeline is a pipe whose writing end only the parent has: when the parent dies, in whatever
//! way, the kernel sends SIGKILL to the child's whole group (fcntl(2): O_ASYNC, F_SETSIG).
//! It is run between clone and exec, in the parent's memory (`sys/process.rs`), or in a fork of the
//! fork server: so it makes system calls on values that were made before, and nothing else.
//! Read next: `sys/process.rs`.

#![allow(
    unsafe_code,
    reason = "system calls between clone and exec, which must take no memory"
)]

use std::ffi::{CString, c_int};
use std::os::fd::RawFd;

use crate::sys::step::Step;

pub(crate) use libc::{
    EAGAIN, EMFILE, RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_NPROC,
};

/// fcntl(2): which signal O_ASYNC sends. The same on all architectures
/// (asm-generic/fcntl.h); libc lacks it.
const F_SETSIG: c_int = 10;

/// Processors that a set has room for.
pub(crate) const MOST_CPUS: usize = libc::CPU_SETSIZE as usize;

/// One instruction of a filter of system calls: `struct sock_filter` of linux/filter.h.
///
/// What they mean: seccomp(2). Needs a filter that allows what the worker itself needs, from
/// execveat(2) on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct FilterStep {
    /// What to do.
    pub code: u16,
    /// How many instructions to skip when a test holds.
    pub jump_if: u8,
    /// How many instructions to skip when it does not.
    pub jump_else: u8,
    /// The operand.
    pub value: u32,
}

/// What is to be set up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Setup {
    /// What goes to which number: sources are at least 5, targets below; 4 is the lifeline.
    pub(crate) descriptors: Vec<(RawFd, RawFd)>,
    /// Resource and limit.
    pub(crate) limits: Vec<(u32, u64)>,
    /// What to write to `/proc/self/oom_score_adj`.
    pub(crate) oom_score: Option<CString>,
    /// No more privileges by exec, ever (prctl(2)).
    pub(crate) no_new_privs: bool,
    /// setpriority(2).
    pub(crate) nice: Option<i32>,
    /// SIGKILL when the thread ends that made the process (prctl(2)).
    pub(crate) pdeathsig: bool,
    /// Processors that it may run on; empty: all that the parent may.
    pub(crate) affinity: Vec<usize>,
    /// `cgroup.procs` of the cgroup that it joins.
    pub(crate) cgroup: Option<RawFd>,
    /// Its filter of system calls; empty: none.
    pub(crate) filter: Vec<FilterStep>,
}

/// The result of a step.
fn must(step: Step, result: c_int) -> Result<(), Step> {
    if result == -1 { Err(step) } else { Ok(()) }
}

impl Setup {
    /// Does all of it but the filter. Only system calls: see the head.
    ///
    /// # Errors
    ///
    /// The step that failed; errno says how.
    pub(crate) fn apply(&self) -> Result<(), Step> {
        // SAFETY: setpgid(2) of the process itself.
        must(Step::Group, unsafe { libc::setpgid(0, 0) })?;
        // First, so that what follows is charged there.
        if let Some(procs) = self.cgroup {
            // SAFETY: reads one byte, which is static. "0" is the process that writes.
            let written = unsafe { libc::write(procs, c"0".as_ptr().cast(), 1) };
            must(Step::Cgroup, if written == 1 { 0 } else { -1 })?;
        }
        for &(from, to) in &self.descriptors {
            // SAFETY: dup2(2) in the process's own table.
            must(Step::Descriptors, unsafe { libc::dup2(from, to) })?;
        }
        must(Step::Lifeline, arm_lifeline())?;
        if self.pdeathsig {
            // SAFETY: prctl(2) with integers. A parent that is gone already has ended the lifeline.
            must(Step::Limits, unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0)
            })?;
        }
        if let Some(score) = &self.oom_score {
            raise_oom_score(score);
        }
        self.confine()
    }

    /// Limits and privileges.
    fn confine(&self) -> Result<(), Step> {
        for &(resource, value) in &self.limits {
            // At the hard limit of processor time comes SIGKILL; SIGXCPU, at the soft one, says why.
            let later = u64::from(resource == RLIMIT_CPU);
            let limit = libc::rlimit {
                rlim_cur: value,
                rlim_max: value.saturating_add(later),
            };
            // SAFETY: `limit` outlives the call.
            must(Step::Limits, unsafe {
                libc::setrlimit(resource, &raw const limit)
            })?;
        }
        if !self.affinity.is_empty() {
            // SAFETY: a set of bits: zeros are valid, and mean none.
            let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            for &cpu in &self.affinity {
                // SAFETY: a local set; the builder has refused what is beyond CPU_SETSIZE.
                unsafe { libc::CPU_SET(cpu, &mut set) };
            }
            let size = size_of_val(&set);
            // SAFETY: `set` outlives the call, and has that size.
            must(Step::Limits, unsafe {
                libc::sched_setaffinity(0, size, &raw const set)
            })?;
        }
        if let Some(nice) = self.nice {
            // SAFETY: setpriority(2) of the process itself.
            must(Step::Limits, unsafe {
                libc::setpriority(libc::PRIO_PROCESS, 0, nice)
            })?;
        }
        if self.no_new_privs || !self.filter.is_empty() {
            // SAFETY: prctl(2) with integers.
            must(Step::Limits, unsafe {
                libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            })?;
        }
        Ok(())
    }

    /// Installs the filter, if there is one; -1 when that fails.
    pub(crate) fn filter(&self) -> c_int {
        /// `struct sock_fprog`.
        #[repr(C)]
        struct Program {
            len: u16,
            steps: *const FilterStep,
        }
        if self.filter.is_empty() {
            return 0;
        }
        let program = Program {
            len: self.filter.len() as u16,
            steps: self.filter.as_ptr(),
        };
        let mode = libc::SECCOMP_MODE_FILTER;
        // SAFETY: the program describes a slice that outlives the call.
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) }
    }
}

/// Closes descriptors, both ends included, or lets exec close them, by `flags`; -1 when that fails.
pub(crate) fn close_range(first: u32, last: u32, flags: u32) -> c_int {
    // SAFETY: close_range(2) in a table of the caller's own, who uses none of them again.
    match unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) } {
        -1 => -1,
        _ => 0,
    }
}

/// SIGKILL for the whole group as soon as nobody holds the writing end of descriptor 4; -1 when
/// that cannot be had.
fn arm_lifeline() -> c_int {
    // SAFETY: getpid(2) has no precondition.
    let group = -unsafe { libc::getpid() };
    // Signal, owner, then the flag that arms it.
    let steps = [
        (F_SETSIG, libc::SIGKILL),
        (libc::F_SETOWN, group),
        (libc::F_SETFL, libc::O_ASYNC | libc::O_NONBLOCK),
    ];
    for (command, value) in steps {
        // SAFETY: fcntl(2) with an integer argument.
        if unsafe { libc::fcntl(4, command, value) } == -1 {
            return -1;
        }
    }
    let mut hung_up = libc::pollfd {
        fd: 4,
        events: 0,
        revents: 0,
    };
    // A parent that died before the line above sends no signal: its end is seen here.
    // SAFETY: one entry, which outlives the call.
    match unsafe { libc::poll(&raw mut hung_up, 1, 0) } {
        0 => 0,
        _ => -1,
    }
}

/// Makes the OOM killer prefer this process. A refusal (a sandbox) is no reason not to start.
fn raise_oom_score(score: &CString) {
    let path = c"/proc/self/oom_score_adj".as_ptr();
    // SAFETY: a path that ends with 0.
    let file = unsafe { libc::open(path, libc::O_WRONLY | libc::O_CLOEXEC) };
    if file != -1 {
        // SAFETY: reads the text's bytes, which live in the plan.
        unsafe { libc::write(file, score.as_ptr().cast(), score.as_bytes().len()) };
        // SAFETY: opened above, in the child's own table.
        unsafe { libc::close(file) };
    }
}
