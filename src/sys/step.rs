//! Which step of making a worker failed: its name in errors, its number between processes.
//!
//! Read next: `sys/setup.rs`, where most of them are taken.

#![forbid(unsafe_code)]

use std::ffi::c_int;
use std::fmt;

/// Which step of starting a worker failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
#[repr(i32)]
pub enum Step {
    /// Descriptors for it: socketpair(2), pipe(2), `/dev/null`.
    Prepare = 1,
    /// clone(2) itself, or its stack.
    Clone,
    /// setpgid(2).
    Group,
    /// dup2(2) to the fixed numbers.
    Descriptors,
    /// fcntl(2) of the lifeline.
    Lifeline,
    /// setrlimit(2), prctl(2), setpriority(2), sched_setaffinity(2).
    Limits,
    /// close_range(2).
    CloseRange,
    /// execveat(2).
    Exec,
    /// pthread_create(3): a thread to start it on.
    Thread,
    /// Being moved into a cgroup: cgroups(7).
    Cgroup,
    /// The filter of system calls: seccomp(2).
    Seccomp,
}

impl Step {
    /// The step with this number; exec for a number that is none.
    pub(crate) fn from_number(number: c_int) -> Self {
        [
            Self::Prepare,
            Self::Clone,
            Self::Group,
            Self::Descriptors,
            Self::Lifeline,
            Self::Limits,
            Self::CloseRange,
            Self::Cgroup,
            Self::Seccomp,
        ]
        .into_iter()
        .find(|step| *step as c_int == number)
        .unwrap_or(Self::Exec)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prepare => "making descriptors",
            Self::Clone => "clone",
            Self::Group => "setpgid",
            Self::Descriptors => "dup2",
            Self::Lifeline => "lifeline",
            Self::Limits => "limits",
            Self::CloseRange => "close_range",
            Self::Exec => "exec",
            Self::Thread => "starting a thread",
            Self::Cgroup => "cgroup",
            Self::Seccomp => "seccomp",
        })
    }
}
