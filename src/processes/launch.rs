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
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::processes::init::{self, LIFELINE, ORPHANS, SOCKET, VARIABLE};
use crate::processes::output::Output;
use crate::sys::cgroup::Cgroup;
use crate::sys::pidfd::Child;
use crate::sys::process::{Plan, Program as Executed, raised, set_nonblocking, start};
use crate::sys::setup::{FilterStep, RLIMIT_CORE, Setup};
use crate::sys::step::Step;

/// By how much a worker's chance to be taken by the OOM killer is raised.
///
/// Unit: of proc(5)'s `oom_score_adj`, whose highest value is 1000. Effect: the worker dies, not
/// the program that it works for.
const OOM_RAISE: i32 = 500;

/// Which program a pool's workers run.
#[derive(Debug, Clone, PartialEq)]
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
        /// The frames go over its standard input and output.
        stdio: bool,
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
    /// Workers end with the thread that made them.
    pub(crate) pdeathsig: bool,
    /// Processors; empty: all.
    pub(crate) affinity: Vec<usize>,
    /// System calls; empty: all.
    pub(crate) filter: Vec<FilterStep>,
    /// Each worker gets a cgroup of its own below this one.
    pub(crate) cgroup: Option<PathBuf>,
    /// What a worker leaves behind is found by a mark, and ended.
    pub(crate) marked: bool,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    /// The worker is to fork others.
    pub(crate) server: bool,
    pub(crate) start_method: StartMethod,
}

/// How a pool's workers are made; see [`Builder::start_method`](crate::processes::Builder::start_method).
///
/// Copying this very process (Python's "fork") is deliberately absent: the copy of a process with
/// threads waits for locks that nobody holds any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum StartMethod {
    /// Each worker executes the program anew: about 0.75 ms.
    #[default]
    Exec,
    /// A server process, which has executed the program once, copies itself: about 0.1 ms.
    ///
    /// Workers see the environment of the moment when the first of them was made. When the server
    /// dies it is started again; when it cannot be had, workers are made as by `Exec`.
    ForkServer,
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
    fn env(&self, orphans: Option<&str>) -> Vec<CString> {
        let (more, mark): (&[_], (OsString, OsString)) = match &self.program {
            Program::Own => (&[], (VARIABLE.into(), init::mark(self.server).into())),
            Program::External { env, stdio, .. } => {
                let number = if *stdio { 0 } else { SOCKET };
                (env, ("TREFOIL_FD".into(), number.to_string().into()))
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
        env.extend(orphans.and_then(|value| assignment(&ORPHANS.into(), &value.into())));
        env
    }

    /// What a worker does to itself, but for the descriptors.
    pub(crate) fn setup(&self) -> Setup {
        let mut limits = vec![(RLIMIT_CORE, 0)];
        limits.extend_from_slice(&self.limits);
        Setup {
            limits,
            oom_score: oom_score(),
            no_new_privs: self.no_new_privs,
            nice: self.nice,
            pdeathsig: self.pdeathsig,
            affinity: self.affinity.clone(),
            filter: self.filter.clone(),
            ..Setup::default()
        }
    }

    /// The same for a fork server: what is for workers is set up in them.
    pub(crate) fn for_server(&self) -> Self {
        let kept = |output: &Output| match output {
            Output::Null => Output::Null,
            _ => Output::Inherit,
        };
        Self {
            program: Program::Own,
            limits: Vec::new(),
            no_new_privs: false,
            nice: None,
            pdeathsig: self.pdeathsig,
            affinity: Vec::new(),
            filter: Vec::new(),
            cgroup: None,
            marked: false,
            stdout: kept(&self.stdout),
            stderr: kept(&self.stderr),
            server: true,
            start_method: StartMethod::Exec,
        }
    }
}

/// Both ends of all that connects a worker with its parent.
pub(crate) struct Ends {
    socket: UnixStream,
    lifeline: PipeWriter,
    stdout: Option<PipeReader>,
    stderr: Option<PipeReader>,
    /// The worker's ends, and their numbers there.
    theirs: Vec<(Arc<OwnedFd>, RawFd)>,
    cgroup: Option<(Cgroup, OwnedFd)>,
    /// The value of [`ORPHANS`].
    pub(crate) mark: Option<String>,
}

impl Ends {
    /// Makes them.
    ///
    /// # Errors
    ///
    /// Which step failed, and how.
    pub(crate) fn new(recipe: &Recipe) -> Result<Self, (Step, io::Error)> {
        /// Of cgroups and marks of this process.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = || {
            format!(
                "{}-{}",
                std::process::id(),
                NEXT.fetch_add(1, Ordering::Relaxed)
            )
        };
        let cgroup = recipe.cgroup.as_deref().map(|parent| {
            let (cgroup, procs) = Cgroup::below(parent, &format!("trefoil-{}", name()))?;
            Ok((cgroup, raised(procs.into())?))
        });
        let cgroup = cgroup.transpose().map_err(|error| (Step::Cgroup, error))?;
        let ends = || -> io::Result<Self> {
            let (socket, theirs) = UnixStream::pair()?;
            let theirs = Arc::new(raised(theirs.into())?);
            let (lifeline_read, lifeline) = io::pipe()?;
            let lifeline_read = Arc::new(raised(lifeline_read.into())?);
            let null = File::options().read(true).write(true).open("/dev/null")?;
            let null = Arc::new(raised(null.into())?);
            let stdio = matches!(recipe.program, Program::External { stdio: true, .. });
            let mut plugs = vec![(lifeline_read, LIFELINE)];
            let (mut stdout, mut stderr) = (None, None);
            if stdio {
                plugs.extend([(Arc::clone(&theirs), 0), (theirs, 1)]);
            } else {
                plugs.extend([(theirs, SOCKET), (Arc::clone(&null), 0)]);
                stdout = output(&recipe.stdout, 1, &null, &mut plugs)?;
            }
            stderr = output(&recipe.stderr, 2, &null, &mut plugs)?.or(stderr);
            Ok(Self {
                socket,
                lifeline,
                stdout,
                stderr,
                theirs: plugs,
                cgroup: None,
                mark: recipe.marked.then(name),
            })
        };
        let ends = ends().map_err(|error| (Step::Prepare, error))?;
        Ok(Self { cgroup, ..ends })
    }

    /// The worker's ends, and their numbers there.
    pub(crate) fn plugs(&self) -> impl Iterator<Item = (BorrowedFd<'_>, RawFd)> {
        self.theirs.iter().map(|(fd, number)| (fd.as_fd(), *number))
    }

    /// The file by which the worker's cgroup is joined.
    pub(crate) fn cgroup(&self) -> Option<BorrowedFd<'_>> {
        self.cgroup.as_ref().map(|(_, procs)| procs.as_fd())
    }

    /// The program's end of the socket.
    pub(crate) fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// Closes the worker's ends.
    pub(crate) fn close_theirs(&mut self) {
        self.theirs.clear();
    }

    /// Makes a worker by exec.
    ///
    /// # Errors
    ///
    /// Which step failed, and how; nothing is left of it then.
    pub(crate) fn exec(self, recipe: &Recipe) -> Result<Made, (Step, io::Error)> {
        let prepare = |error| (Step::Prepare, error);
        let path;
        let program = match &recipe.program {
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
        let raw = |(fd, number): (BorrowedFd<'_>, RawFd)| (fd.as_raw_fd(), number);
        let setup = Setup {
            descriptors: self.plugs().map(raw).collect(),
            cgroup: self.cgroup().map(|procs| procs.as_raw_fd()),
            ..recipe.setup()
        };
        let child = start(&Plan {
            program,
            args: &recipe.args().map_err(prepare)?,
            env: &recipe.env(self.mark.as_deref()),
            setup: &setup,
        })?;
        Ok(self.made(child))
    }

    /// The worker is there. Its ends are closed here and now, or its death would not be an end of
    /// file.
    pub(crate) fn made(self, child: Child) -> Made {
        let mark = self
            .mark
            .map(|value| format!("{ORPHANS}={value}").into_bytes());
        let cgroup = self.cgroup.map(|(cgroup, _procs)| cgroup);
        Made {
            child: Arc::new(child.with(cgroup, mark)),
            socket: Arc::new(self.socket.into()),
            lifeline: self.lifeline,
            stdout: self.stdout,
            stderr: self.stderr,
        }
    }
}

/// Where descriptor `number` of a worker goes; the end to read from.
fn output(
    output: &Output,
    number: RawFd,
    null: &Arc<OwnedFd>,
    plugs: &mut Vec<(Arc<OwnedFd>, RawFd)>,
) -> io::Result<Option<PipeReader>> {
    match output {
        Output::Inherit => Ok(None),
        Output::Null => {
            plugs.push((Arc::clone(null), number));
            Ok(None)
        }
        Output::Tail(_) | Output::Lines(_) => {
            let (read, write) = io::pipe()?;
            set_nonblocking(&read)?;
            plugs.push((Arc::new(raised(write.into())?), number));
            Ok(Some(read))
        }
    }
}

/// What to write to a worker's `oom_score_adj`: this process's, raised.
fn oom_score() -> Option<CString> {
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").ok()?;
    let own: i32 = own.trim().parse().ok()?;
    CString::new((own + OOM_RAISE).min(1000).to_string()).ok()
}
