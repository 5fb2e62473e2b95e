//! A cgroup for one process and all that it starts: none of them can leave it.
//!
//! ```text
//!   the program's directory ─► mkdir ─► cgroup.procs, opened ─► the worker writes itself into it
//!                                       cgroup.kill: "1" ─► all that is in it dies
//!   dropped: killed, and the directory is removed
//! ```
//!
//! Why the worker joins by a write and not by clone3(CLONE_INTO_CGROUP): clone3 returns twice on one
//! stack, which Rust cannot express without assembler; before exec the worker has no memory of its
//! own that could be charged elsewhere.
//! Facts: cgroups(7), version 2; cgroup.kill needs Linux 5.14.
//! Read next: `sys/pidfd.rs`.

#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Tries to remove the directory, a moment apart. Effect: what was killed in it has so long to be
/// gone. Not tuned.
const TRIES: u32 = 100;
/// Between two tries.
const MOMENT: Duration = Duration::from_micros(500);

/// A cgroup of our own.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes one below `parent`; and the file that a process joins it by.
    ///
    /// # Errors
    ///
    /// What mkdir(2) and open(2) say: `NotFound` where `parent` is no cgroup of version 2.
    pub(crate) fn below(parent: &Path, name: &str) -> io::Result<(Self, File)> {
        let path = parent.join(name);
        fs::create_dir(&path)?;
        let cgroup = Self(path);
        let procs = File::options()
            .write(true)
            .open(cgroup.0.join("cgroup.procs"))?;
        Ok((cgroup, procs))
    }

    /// Kills all that is in it.
    pub(crate) fn kill(&self) {
        _ = fs::write(self.0.join("cgroup.kill"), "1");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.kill();
        for _ in 0..TRIES {
            match fs::remove_dir(&self.0) {
                Err(error) if error.kind() == io::ErrorKind::ResourceBusy => thread::sleep(MOMENT),
                _ => return,
            }
        }
    }
}
