//! Makes a worker: its socket, its lifeline, its output, then clone and exec.
//!
//! | number in the worker | what |
//! |---|---|
//! | 0 | `/dev/null`: a background group that reads a terminal would be stopped |
//! | 1, 2 | as [`Output`] says |
//! | 3 | the socket: frames in both directions |
//! | 4 | the lifeline: its end is the end of the worker |
//!
//! Everything else is closed by exec. The parent keeps at most four: socket, pidfd, lifeline, and
//! the reading end of what is captured.
//! It blocks for a millisecond or so: on the runtime's blocking pool, never in the driver.
//! Read next: `processes/outbox.rs`.

#![forbid(unsafe_code)]

use std::ffi::{CString, OsString};
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;

use crate::processes::init::{self, LIFELINE, SOCKET, VARIABLE};
use crate::processes::output::Output;
use crate::sys::pidfd::Child;
use crate::sys::process::{
    Plan, Program as Executed, RLIMIT_CORE, Step, raised, set_nonblocking, start,
};

/// By how much a worker's chance to be taken by the OOM killer is raised.
///
/// Unit: of proc(5)'s `oom_score_adj`, whose highest value is 1000. Effect: the worker dies, not
/// the program that it works for.
const OOM_RAISE: i32 = 500;

/// Which program a pool's workers run.
#[derive(Debug, Clone)]
pub(crate) enum Program {
    /// This one.
    Own,
    /// Another one, which speaks the frames by itself.
    External {
        /// Its file.
        path: PathBuf,
        /// All arguments, the name first.
        args: Vec<OsString>,
        /// Variables beside the inherited ones.
        env: Vec<(OsString, OsString)>,
    },
}

/// How workers of a pool are made.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) program: Program,
    /// Resource and limit.
    pub(crate) limits: Vec<(u32, u64)>,
    pub(crate) no_new_privs: bool,
    pub(crate) nice: Option<i32>,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

/// A worker that was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) child: Arc<Child>,
    pub(crate) socket: Arc<OwnedFd>,
    /// While it is open, the worker may live.
    pub(crate) lifeline: PipeWriter,
    /// What it writes to 1 and 2, where that is captured.
    pub(crate) stdout: Option<PipeReader>,
    pub(crate) stderr: Option<PipeReader>,
}

/// `NAME=value` for exec.
fn assignment(name: &OsString, value: &OsString) -> Option<CString> {
    let mut text = name.clone().into_vec();
    text.push(b'=');
    text.extend_from_slice(value.as_encoded_bytes());
    CString::new(text).ok()
}

/// A text for exec.
fn text(value: &OsString) -> io::Result<CString> {
    CString::new(value.clone().into_vec()).map_err(io::Error::from)
}

impl Recipe {
    /// The arguments.
    fn args(&self) -> io::Result<Vec<CString>> {
        match &self.program {
            Program::Own => {
                let name = std::env::args_os()
                    .next()
                    .unwrap_or_else(|| "worker".into());
                Ok(vec![text(&name)?])
            }
            Program::External { args, .. } => args.iter().map(text).collect(),
        }
    }

    /// The environment: this process's, and what tells the worker that it is one.
    fn env(&self) -> Vec<CString> {
        let (more, mark): (&[_], (OsString, OsString)) = match &self.program {
            Program::Own => (&[], (VARIABLE.into(), init::mark().into())),
            Program::External { env, .. } => {
                (env, ("TREFOIL_FD".into(), SOCKET.to_string().into()))
            }
        };
        let replaced = |name: &OsString| more.iter().any(|(n, _)| n == name) || *name == mark.0;
        let mut env: Vec<_> = std::env::vars_os()
            .filter(|(name, _)| !replaced(name))
            .filter_map(|(name, value)| assignment(&name, &value))
            .collect();
        env.extend(
            more.iter()
                .filter_map(|(name, value)| assignment(name, value)),
        );
        env.extend(assignment(&mark.0, &mark.1));
        env
    }

    /// Makes a worker.
    ///
    /// # Errors
    ///
    /// Which step failed, and how; nothing is left of it then.
    pub(crate) fn launch(&self) -> Result<Made, (Step, io::Error)> {
        let prepare = |error| (Step::Prepare, error);
        let path;
        let program = match &self.program {
            Program::Own => {
                let open = init::program()
                    .ok_or_else(|| prepare(io::Error::other("processes::init was not called")))?;
                Executed::Open(open.as_raw_fd())
            }
            Program::External { path: file, .. } => {
                path = text(&file.clone().into_os_string()).map_err(prepare)?;
                Executed::Named(&path)
            }
        };
        let (socket, theirs) = UnixStream::pair().map_err(prepare)?;
        let theirs = raised(theirs.into()).map_err(prepare)?;
        let (lifeline_read, lifeline) = io::pipe().map_err(prepare)?;
        let lifeline_read = raised(lifeline_read.into()).map_err(prepare)?;
        let null = File::options()
            .read(true)
            .write(true)
            .open("/dev/null")
            .map_err(prepare)?;
        let null = raised(null.into()).map_err(prepare)?;
        let mut descriptors = vec![
            (null.as_raw_fd(), 0),
            (theirs.as_raw_fd(), SOCKET),
            (lifeline_read.as_raw_fd(), LIFELINE),
        ];
        let (stdout, out_end) =
            output(&self.stdout, 1, &null, &mut descriptors).map_err(prepare)?;
        let (stderr, err_end) =
            output(&self.stderr, 2, &null, &mut descriptors).map_err(prepare)?;
        let mut limits = vec![(RLIMIT_CORE, 0)];
        limits.extend_from_slice(&self.limits);
        let (args, env) = (self.args().map_err(prepare)?, self.env());
        let child = start(&Plan {
            program,
            args: &args,
            env: &env,
            descriptors: &descriptors,
            limits: &limits,
            oom_score: oom_score(),
            no_new_privs: self.no_new_privs,
            nice: self.nice,
        })?;
        // The worker's ends are closed here and now, or its death would not be an end of file.
        drop((theirs, lifeline_read, out_end, err_end));
        Ok(Made {
            child: Arc::new(child),
            socket: Arc::new(socket.into()),
            lifeline,
            stdout,
            stderr,
        })
    }
}

/// Where descriptor `number` of a worker goes; the end to read from, and the one to be closed.
fn output(
    output: &Output,
    number: RawFd,
    null: &OwnedFd,
    descriptors: &mut Vec<(RawFd, RawFd)>,
) -> io::Result<(Option<PipeReader>, Option<OwnedFd>)> {
    match output {
        Output::Inherit => Ok((None, None)),
        Output::Null => {
            descriptors.push((null.as_raw_fd(), number));
            Ok((None, None))
        }
        Output::Tail(_) | Output::Lines(_) => {
            let (read, write) = io::pipe()?;
            set_nonblocking(&read)?;
            let write = raised(write.into())?;
            descriptors.push((write.as_raw_fd(), number));
            Ok((Some(read), Some(write)))
        }
    }
}

/// What to write to a worker's `oom_score_adj`: this process's, raised.
fn oom_score() -> Option<CString> {
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").ok()?;
    let own: i32 = own.trim().parse().ok()?;
    CString::new((own + OOM_RAISE).min(1000).to_string()).ok()
}
