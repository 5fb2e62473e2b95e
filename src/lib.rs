//! Three kinds of concurrency, each made by hand: an event loop, a thread pool, a process pool.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "trefoil runs on Linux only: it is built on epoll, signalfd's older cousin the self-pipe, and pidfd"
);

pub mod macros;

pub mod io;
pub mod net;
pub mod runtime;
pub mod signal;
pub mod sync;
pub mod task;
pub mod time;

mod parts;
mod reactor;
mod shim;
mod sys;

pub use runtime::dump::{Dump, dump};
pub use task::spawn::spawn;
pub use trefoil_macros::{main, test};

/// Switches for this package's own tests.
#[doc(hidden)]
pub mod testing {
    pub use crate::parts::blocks::set_cap as set_block_cap;
}
