//! Workers that are other programs: the same frames, jobs by name, bytes in and out.
//!
//! ```text
//!   Command python3 worker.py ──► TREFOIL_FD=3 ──► HELLO with the names it serves
//!   submit_bytes("resize", bytes) ──► JOB, kind = index of the name ──► DONE with bytes
//! ```
//!
//! What the bytes mean is the two sides' affair. `examples/worker.py` is such a worker.
//! Read next: `processes/pool.rs`.

#![forbid(unsafe_code)]

use std::env;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::panic::Location;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::processes::builder::Builder;
use crate::processes::launch::Program;
use crate::processes::parcel::Payload;
use crate::processes::pending::Pending;
use crate::processes::pool::{Job, ProcessPool};

impl ProcessPool {
    /// Describes a pool whose workers run another program, which speaks the pool's frames on the
    /// descriptor that `TREFOIL_FD` names.
    ///
    /// Of the command, the program, the arguments and the variables count.
    ///
    /// ```no_run
    /// use std::process::Command;
    /// use trefoil::processes::ProcessPool;
    ///
    /// let mut command = Command::new("python3");
    /// command.arg("examples/worker.py");
    /// let pool = ProcessPool::external(&command).workers(2).build().unwrap();
    /// let answer = pool.submit_bytes("upper", b"hey".to_vec()).wait().unwrap();
    /// assert_eq!(answer, b"HEY");
    /// ```
    pub fn external(command: &Command) -> Builder {
        let name = command.get_program();
        let mut args = vec![name.to_owned()];
        args.extend(command.get_args().map(ToOwned::to_owned));
        let env = command
            .get_envs()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
            .collect();
        Builder::of(Program::External {
            path: found(name.as_ref()),
            args,
            env,
            stdio: false,
        })
    }

    /// Runs the job that an external worker calls `name`, with these bytes.
    ///
    /// # Errors
    ///
    /// In the [`Pending`]: [`JobError::NotRegistered`](crate::processes::JobError::NotRegistered)
    /// when the worker has not announced the name; all others are in
    /// [`JobError`](crate::processes::JobError).
    #[track_caller]
    pub fn submit_bytes(&self, name: &str, bytes: Vec<u8>) -> Pending<Vec<u8>> {
        self.job_bytes(name, bytes).submit()
    }

    /// As [`submit_bytes`](Self::submit_bytes), with terms of its own.
    #[track_caller]
    pub fn job_bytes(&self, name: &str, bytes: Vec<u8>) -> Job<'_, Vec<u8>> {
        let kind = Ok(u32::MAX);
        let decode = |bytes: &[u8]| Ok(bytes.to_vec());
        Job::new(
            self,
            kind,
            Payload {
                bytes,
                slabs: Vec::new(),
            },
            Arc::from(name),
            decode,
            Location::caller(),
        )
    }
}

/// The file of a program: as it is when it has a slash, else the first on the PATH.
fn found(name: &Path) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    if name.components().count() > 1 {
        return name.to_owned();
    }
    let runs = |path: &PathBuf| -> io::Result<bool> {
        let meta = path.metadata()?;
        Ok(meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|path| runs(path).unwrap_or(false))
        // Not there: the launch will say so, with the name.
        .unwrap_or_else(|| name.to_owned())
}
