//! The builder's options that the kernel carries out: limits, privileges, places, ends.
//!
//! All of them are set up in the worker before it becomes one (`sys/setup.rs`), so that a job can
//! undo none of them but those that its own privileges allow.
//! Read next: `processes/shutdown.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;

use crate::processes::builder::Builder;
use crate::processes::launch::{Program, Recipe};
use crate::sys::orphans;
use crate::sys::setup::{
    FilterStep, MOST_CPUS, RLIMIT_AS, RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_NOFILE, RLIMIT_NPROC,
};

/// A limit of the kernel's for each worker: setrlimit(2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rlimit {
    /// Address space. Unit: bytes. Beyond it, taking memory fails, which aborts the worker.
    As(u64),
    /// Processor time. Unit: seconds. Beyond it SIGXCPU kills the worker.
    Cpu(u64),
    /// Open descriptors.
    Nofile(u64),
    /// Processes of the user.
    Nproc(u64),
    /// The size of a file that is written. Unit: bytes. Beyond it SIGXFSZ kills the worker.
    Fsize(u64),
}

impl Rlimit {
    /// Number and value for the kernel.
    fn raw(self) -> (u32, u64) {
        match self {
            Self::As(value) => (RLIMIT_AS, value),
            Self::Cpu(value) => (RLIMIT_CPU, value),
            Self::Nofile(value) => (RLIMIT_NOFILE, value),
            Self::Nproc(value) => (RLIMIT_NPROC, value),
            Self::Fsize(value) => (RLIMIT_FSIZE, value),
        }
    }
}

impl Builder {
    /// Gives each worker a limit of the kernel's. May be called several times.
    pub fn rlimit(mut self, limit: Rlimit) -> Self {
        self.recipe.limits.push(limit.raw());
        self
    }

    /// Workers can never get more privileges than they have: `PR_SET_NO_NEW_PRIVS` of prctl(2).
    pub fn no_new_privs(mut self, yes: bool) -> Self {
        self.recipe.no_new_privs = yes;
        self
    }

    /// How nice workers are to others: setpriority(2).
    pub fn nice(mut self, nice: i32) -> Self {
        self.recipe.nice = Some(nice);
        self
    }

    /// Workers run on these processors only: sched_setaffinity(2). Numbers as in
    /// `/sys/devices/system/cpu`.
    pub fn affinity(mut self, processors: impl IntoIterator<Item = usize>) -> Self {
        self.recipe.affinity = processors.into_iter().collect();
        let cpus = &self.recipe.affinity;
        let wrong = cpus.is_empty() || cpus.iter().any(|cpu| *cpu >= MOST_CPUS);
        self.refuse_if(wrong, "affinity: no processor, or a number beyond all");
        self
    }

    /// Workers, and what they start, may make only the system calls that this filter allows:
    /// seccomp(2). Sets [`no_new_privs`](Self::no_new_privs), too.
    ///
    /// It is in force from the execution of the worker on, so it must allow what a program needs
    /// to start. One that kills costs the worker: the job is a crash.
    pub fn seccomp(mut self, filter: impl IntoIterator<Item = FilterStep>) -> Self {
        self.recipe.filter = filter.into_iter().collect();
        let len = self.recipe.filter.len();
        self.refuse_if(
            len == 0 || len > 4096,
            "seccomp: a filter has 1 to 4096 steps",
        );
        self
    }

    /// Each worker gets a cgroup of its own below this one, a directory of cgroups(7), version 2,
    /// that this process may write to. When the worker ends, all that is in it ends, whatever
    /// group or session it is in.
    pub fn cgroup(mut self, directory: impl Into<PathBuf>) -> Self {
        self.recipe.cgroup = Some(directory.into());
        self
    }

    /// Workers end with the thread that made them: `PR_SET_PDEATHSIG` of prctl(2). The pool's
    /// driver makes them then, and waits meanwhile.
    ///
    /// Without it they end with this process. With it also when the runtime that drives the pool
    /// is polled by another thread than before, and the one before ends.
    pub fn pdeathsig(mut self, yes: bool) -> Self {
        self.recipe.pdeathsig = yes;
        self
    }

    /// Ends also those of a job's children that have left the worker's process group
    /// (`setsid`, a daemon): this process becomes the parent of all its orphaned descendants
    /// (`PR_SET_CHILD_SUBREAPER` of prctl(2)), for good.
    ///
    /// They are known by a variable that they inherit, `TREFOIL_ORPHANS`. With
    /// [`cgroup`](Self::cgroup) nothing escapes, whatever its environment.
    pub fn subreaper(mut self, yes: bool) -> Self {
        self.recipe.marked = yes;
        self
    }

    /// The frames go over standard input and output, not over descriptor 3: `TREFOIL_FD` is 0. The
    /// worker copies descriptor 0 to itself and points 1 to 2 first, or what it prints would
    /// stand among the frames. For workers of another program only.
    pub fn stdio(mut self, yes: bool) -> Self {
        match &mut self.recipe.program {
            Program::External { stdio, .. } => *stdio = yes,
            Program::Own => self.refuse_if(yes, "stdio: for workers of another program only"),
        }
        self
    }
}

impl Recipe {
    /// What can be known before the first worker is made.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a cgroup that is none; what prctl(2) says.
    pub(crate) fn check(&self) -> io::Result<()> {
        if let Some(directory) = &self.cgroup
            && !directory.join("cgroup.procs").is_file()
        {
            let what = format!(
                "ProcessPool::builder: cgroup({}): no cgroup of version 2",
                directory.display()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        if self.marked {
            orphans::adopt()
        } else {
            Ok(())
        }
    }
}
