//! Three kinds of concurrency, each made by hand: an event loop, a thread pool, a process pool.
//!
//! The event loop's names and semantics are tokio's, so that a program written for it runs after
//! `use tokio as rt` becomes `use trefoil as rt`; the thread pool's are rayon-core's; the process
//! pool's follow Python's `concurrent.futures`.
//!
//! ```
//! use trefoil as rt; // or: use tokio as rt;
//!
//! #[rt::main]
//! async fn main() {
//!     let (tx, mut rx) = rt::sync::mpsc::channel(8);
//!     for i in 0..3 {
//!         let tx = tx.clone();
//!         rt::spawn(async move { tx.send(i).await });
//!     }
//!     drop(tx);
//!     let mut sum = 0;
//!     while let Some(i) = rx.recv().await {
//!         sum += i;
//!     }
//!     assert_eq!(sum, 3);
//! }
//! ```
//!
//! | what a program uses | where it is made |
//! |---|---|
//! | `spawn`, `JoinHandle`, `JoinSet`, `task_local!` | [`task`]: `src/task/` |
//! | `Runtime`, `Builder`, `Handle`, [`dump`] | [`runtime`]: `src/runtime/` |
//! | `sleep`, `timeout`, `interval` | [`time`]: `src/time/` |
//! | `mpsc`, `oneshot`, `Mutex`, `Semaphore`, `Notify` | [`sync`]: `src/sync/` |
//! | `AsyncRead`, `BufReader`, `copy`, `AsyncFd` | [`io`]: `src/io/` |
//! | `TcpStream`, `UdpSocket`, `UnixStream` | [`net`]: `src/net/` |
//! | `ctrl_c`, `signal::unix` | [`signal`]: `src/signal/` |
//! | `threads::join`, `scope`, `spawn`, `ThreadPool` | [`threads`]: `src/threads/` |
//! | `ProcessPool`, `processes::init` | [`processes`]: `src/processes/` |
//! | `select!`, `join!`, `pin!`, `#[main]`, `#[test]` | [`macros`]: `src/macros/`, `macros/` |
//!
//! To read it: `src/parts/parker.rs` and `src/parts/block_on.rs` are the smallest executor; then
//! `src/task/state.rs`. Each file opens with a drawing and says what to read next. DESIGN.md has
//! the table of all files and the answers to *why*.

#[cfg(not(target_os = "linux"))]
compile_error!("trefoil runs on Linux only: it is built on epoll and pidfd");

pub mod macros;

pub mod io;
pub mod net;
pub mod processes;
pub mod runtime;
pub mod signal;
pub mod sync;
pub mod task;
pub mod threads;
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
