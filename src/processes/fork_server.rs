//! The program's side of the fork server: starts it, asks it for workers, and does without it when
//! it dies.
//!
//! ```text
//!   launch ──► server there? ──no──► exec it (once)
//!                 │ yes                        ┌── failed twice: workers by exec, as without it
//!                 ▼                            │
//!              ask ──► worker, its pidfd       │
//!                 └──► server dead or silent ──┴──► killed, a new one asked
//! ```
//!
//! One request at a time, each with a limit: nothing waits for a server that is stopped.
//! A server that dies between making a worker and telling of it: the worker's HELLO tells.
//! Read next: `processes/outbox.rs`.

#![forbid(unsafe_code)]

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::processes::fork_serve::{CGROUP, REPLY, request};
use crate::processes::frame::{HEADER, Header, Kind};
use crate::processes::launch::{Ends, Made, Program, Recipe, StartMethod};
use crate::sys::orphans;
use crate::sys::passing;
use crate::sys::pidfd::Child;
use crate::sys::step::Step;

/// How long a server may take for one worker. Effect: one that is stopped costs so much, once.
/// Not tuned.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often a server is asked, a fresh one each time.
const TRIES: usize = 2;

/// A pool's server, if it has one.
#[derive(Default)]
pub(crate) struct Servers {
    /// Whoever asks holds it.
    server: Mutex<Option<Server>>,
    /// Its process, to be killed while somebody asks it.
    process: Mutex<Process>,
}

/// The process of a server.
#[derive(Default)]
struct Process {
    child: Option<Arc<Child>>,
    /// No server is started any more.
    closed: bool,
}

/// A server that runs.
struct Server {
    child: Arc<Child>,
    socket: UnixStream,
    /// While it is open, the server may live.
    _lifeline: io::PipeWriter,
}

/// Why there is no worker.
enum Refusal {
    /// A step of making it failed: another server would say the same.
    Failed(Step, io::Error),
    /// The server is dead, or silent.
    Dead,
}

impl Servers {
    /// Makes a worker as the recipe says.
    ///
    /// # Errors
    ///
    /// Which step failed, and how; nothing is left of it then.
    pub(crate) fn launch(&self, recipe: &Recipe) -> Result<Made, (Step, io::Error)> {
        if recipe.start_method == StartMethod::ForkServer && recipe.program == Program::Own {
            let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
            for _ in 0..TRIES {
                if server.is_none() {
                    *server = self.start(recipe);
                }
                let Some(running) = &*server else { break };
                match running.ask(recipe, Ends::new(recipe)?) {
                    Ok(made) => return Ok(made),
                    Err(Refusal::Failed(step, error)) => return Err((step, error)),
                    Err(Refusal::Dead) => self.forget(server.take()),
                }
            }
        }
        Ends::new(recipe)?.exec(recipe)
    }

    /// Starts a server; `None` when that fails.
    fn start(&self, recipe: &Recipe) -> Option<Server> {
        let plain = recipe.for_server();
        let made = Ends::new(&plain).and_then(|ends| ends.exec(&plain)).ok()?;
        let socket = UnixStream::from(Arc::into_inner(made.socket)?);
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        socket.set_write_timeout(Some(PATIENCE)).ok()?;
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if process.closed {
            return None;
        }
        process.child = Some(Arc::clone(&made.child));
        Some(Server {
            child: made.child,
            socket,
            _lifeline: made.lifeline,
        })
    }

    /// Ends a server.
    fn forget(&self, server: Option<Server>) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.child = None;
        drop(process);
        if let Some(server) = server {
            server.child.kill();
            // A copy that had not left the server's group died with it, and is our child.
            orphans::reap_group(server.child.pid(), PATIENCE);
            server.child.reap();
        }
    }

    /// Ends the server, and whoever waits for it. No worker is made any more.
    pub(crate) fn close(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.closed = true;
        let child = process.child.take();
        drop(process);
        if let Some(child) = child {
            child.kill();
            // Whoever asks it sees its end.
            let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
            self.forget(server.take());
        }
    }
}

impl Server {
    /// Asks for a worker.
    fn ask(&self, recipe: &Recipe, ends: Ends) -> Result<Made, Refusal> {
        let prepare = |error| Refusal::Failed(Step::Prepare, error);
        let plugs = ends
            .plugs()
            .chain(ends.cgroup().map(|procs| (procs, CGROUP)));
        let (fds, numbers): (Vec<_>, Vec<_>) = plugs.unzip();
        let bytes = request(recipe.setup(), numbers, ends.mark.clone()).map_err(prepare)?;
        let parts = [IoSlice::new(&bytes)];
        match passing::send(self.socket.as_fd(), &parts, &fds, true) {
            Ok(sent) if sent == bytes.len() => {}
            _ => return Err(Refusal::Dead),
        }
        let (mut reply, mut have, mut pidfd) = ([0; REPLY], 0, None);
        while have < REPLY {
            match passing::receive(self.socket.as_fd(), &mut reply[have..], true) {
                Ok(received) if received.len > 0 => {
                    have += received.len;
                    pidfd = pidfd.or(received.fds.into_iter().next());
                }
                _ => {
                    // It may be stopped, and then would hold the worker's end of the socket.
                    self.child.kill();
                    return salvaged(ends);
                }
            }
        }
        let number = |at: usize| i32::from_le_bytes([0, 1, 2, 3].map(|i| reply[at + i]));
        let (pid, step, errno) = (number(0), number(4), number(8));
        let child = match (pid, pidfd) {
            (0, _) => None,
            (pid, Some(pidfd)) => Some(Child::new(pid, pidfd)),
            // No room for the descriptor here; by its number it is found all the same, or not.
            (pid, None) => Some(Child::lost(pid).map_err(prepare)?),
        };
        match child {
            Some(child) if step == 0 => Ok(ends.made(child)),
            // Dropping the child of a failed set-up reaps it.
            _ => {
                let error = io::Error::from_raw_os_error(errno);
                Err(Refusal::Failed(Step::from_number(step), error))
            }
        }
    }
}

/// The server ended without a reply. A worker that it had made says its number in HELLO, which the
/// driver will read; without one there is nobody at the other end of its socket.
fn salvaged(mut ends: Ends) -> Result<Made, Refusal> {
    ends.close_theirs();
    match said_hello(ends.socket()).map(Child::lost) {
        Some(Ok(child)) => Ok(ends.made(child)),
        _ => Err(Refusal::Dead),
    }
}

/// The number in a worker's HELLO, which stays to be read.
fn said_hello(socket: &UnixStream) -> Option<i32> {
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut bytes = [0; HEADER];
    let len = passing::peek(socket.as_fd(), &mut bytes).ok()?;
    socket.set_read_timeout(None).ok()?;
    let header = Header::decode(&bytes).ok().filter(|_| len == HEADER)?;
    (header.kind == Kind::Hello).then(|| i32::try_from(header.job).ok())?
}
