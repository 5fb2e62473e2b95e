//! The operating system, one file a subject: the only place that says `libc::`.

pub(crate) mod barrier;
pub(crate) mod call;
pub(crate) mod cgroup;
pub(crate) mod fork;
pub(crate) mod memory;
pub(crate) mod orphans;
pub(crate) mod passing;
pub(crate) mod peer;
pub(crate) mod pidfd;
pub(crate) mod pipe;
pub(crate) mod process;
pub(crate) mod setup;
pub(crate) mod sibling;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod step;
