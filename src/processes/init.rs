//! `init`, the first line of main: registers the jobs; in a worker it never returns.
//!
//! ```text
//!   the program, started by a user          started by a pool: TREFOIL_WORKER=1:3
//!   init(..) ─► table, /proc/self/exe       init(..) ─► table ─► serve the parent ─► exit
//!     └─► main goes on, builds pools                       ▲
//!                                         =fork:1:3 ─► copies: fork_serve.rs
//! ```
//!
//! The variable is taken away again, so that a child of the worker that is the same program does
//! not take itself for a worker.
//! Why not a constructor that runs before main: the program's own set-up would not have run, and
//! nothing in main would tell that it happens.
//! Read next: `processes/launch.rs`.

#![allow(
    unsafe_code,
    reason = "the environment and the descriptors that exec left to this process"
)]

use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::sync::OnceLock;

use crate::processes::child;
use crate::processes::fork_serve;
use crate::processes::frame::VERSION;
use crate::processes::job::{Registry, table};
use crate::processes::line;
use crate::sys::process::{close_on_exec, open_program};

/// What tells a worker that it is one: the version of the protocol, and the descriptor.
pub(crate) const VARIABLE: &str = "TREFOIL_WORKER";
/// By what the orphans of a worker are known: they inherit it. Only where a pool asks for it.
pub(crate) const ORPHANS: &str = "TREFOIL_ORPHANS";
/// The socket.
pub(crate) const SOCKET: i32 = 3;
/// The reading end of the lifeline.
pub(crate) const LIFELINE: i32 = 4;

/// This program, opened before anybody could have replaced the file.
static PROGRAM: OnceLock<OwnedFd> = OnceLock::new();

/// This program; a worker opens it when a job there builds a pool, so that by default it has no
/// descriptor but its five.
pub(crate) fn program() -> Option<&'static OwnedFd> {
    if PROGRAM.get().is_none() {
        let opened = open_program("/proc/self/exe".as_ref()).ok()?;
        _ = PROGRAM.set(opened);
    }
    PROGRAM.get()
}

/// The value of [`VARIABLE`] for a worker, or for a fork server.
pub(crate) fn mark(server: bool) -> String {
    let kind = if server { "fork:" } else { "" };
    format!("{kind}{VERSION}:{SOCKET}")
}

/// Registers the jobs of this program. To be called first in `main`, before there are threads.
///
/// A pool starts its workers by executing this very program again; there, `init` does not return:
/// it runs jobs until the pool lets it go. So what stands before it in `main` happens in each
/// worker, what stands after it does not.
///
/// ```standalone_crate
/// use trefoil::processes::{self, ProcessPool};
///
/// fn square(x: u64) -> u64 {
///     x * x
/// }
///
/// fn main() {
///     processes::init(|r| r.job(square));
///
///     let pool = ProcessPool::builder().workers(1).build().unwrap();
///     assert_eq!(pool.submit(square, 12).wait().unwrap(), 144);
/// }
/// ```
///
/// # Panics
///
/// When it is called a second time, or `/proc` is not there.
pub fn init(jobs: impl FnOnce(Registry) -> Registry) {
    let installed = jobs(Registry::default()).install();
    assert!(
        installed,
        "processes::init: called twice; name all jobs in one call"
    );
    if let Some(value) = std::env::var_os(VARIABLE) {
        // SAFETY: the first line of main, as the documentation asks: there is no other thread
        // that could read the environment meanwhile.
        unsafe { std::env::remove_var(VARIABLE) };
        match value.to_str() {
            Some(text) if text == mark(false) => serve(),
            Some(text) if text == mark(true) => serve_forks(),
            _ => {}
        }
        eprintln!("trefoil: {VARIABLE} is of another version of this crate; ending");
        std::process::exit(1);
    }
    match open_program("/proc/self/exe".as_ref()) {
        Ok(program) => _ = PROGRAM.set(program),
        Err(error) => panic!("processes::init: cannot open /proc/self/exe: {error}"),
    }
}

/// The life of a fork server; each of its copies is a worker.
fn serve_forks() -> ! {
    close_on_exec(SOCKET);
    close_on_exec(LIFELINE);
    // SAFETY: as in `serve`: the pool put the server's socket there. It is never closed: in a copy
    // the number is the worker's socket.
    let socket = unsafe { BorrowedFd::borrow_raw(SOCKET) };
    if let Some(mark) = fork_serve::serve(socket) {
        // SAFETY: a process of one thread.
        unsafe { std::env::set_var(ORPHANS, mark) };
    }
    serve()
}

/// The life of a worker.
fn serve() -> ! {
    // What a job starts must have neither: the socket would have two readers, and the lifeline is
    // for the workers.
    close_on_exec(SOCKET);
    close_on_exec(LIFELINE);
    // SAFETY: the pool put the socket there (`processes/launch.rs`); this is the only place of
    // the worker that takes it.
    let socket = unsafe { OwnedFd::from_raw_fd(SOCKET) };
    line::open(socket);
    let (Some(table), Some(outlet)) = (table(), line::outlet()) else {
        unreachable!("both were set above");
    };
    child::serve(table, outlet)
}
