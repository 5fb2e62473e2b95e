//! A pool of worker processes with awaitable results, which no crash can wedge.
//!
//! Each worker is this very program, executed again, with memory of its own. A job that crashes,
//! loops, eats memory or is killed costs exactly itself: its worker is replaced, and its error says
//! what happened.
//!
//! ```standalone_crate
//! use trefoil::processes::{self, ProcessPool};
//!
//! fn square(x: u64) -> u64 {
//!     x * x
//! }
//!
//! fn crash(_: ()) {
//!     std::process::abort();
//! }
//!
//! fn main() {
//!     // The first line of main: in a worker it never returns.
//!     processes::init(|r| r.job(square).job(crash));
//!
//!     let rt = trefoil::runtime::Runtime::new().unwrap();
//!     rt.block_on(async {
//!         let pool = ProcessPool::builder().workers(2).build().unwrap();
//!         let (good, bad) = (pool.submit(square, 12), pool.submit(crash, ()));
//!         assert!(bad.await.unwrap_err().is_crash());
//!         assert_eq!(good.await.unwrap(), 144);
//!     });
//! }
//! ```
//!
//! In reading order: `error`, `spare`, `wire`, `frame`, `inbox`, `slab`, `luggage` (what
//! travels); `failure`, `job`, `service`,
//! `line`, `child`, `fork_serve`, `init` (the worker); `events`, `queue`, `slots`, `sizing`, `state` with
//! `state_jobs`, `state_leave`, `state_settle` (the pure state machine); `output`, `launch`, `fork_server`,
//! `outbox`, `parcel`, `after`, `core`, `core_mail`, `core_workers`,
//! `watch`, `driver` (where it meets processes);
//! `pending`, `pool`, `builder`, `confine`, `external`, `shutdown`, `feed`, `progress`, `stream`, `map` with
//! `mailbox`, `landing`, `flights` and `map_take`, `together`, `shared` (what a program holds).

mod after;
mod builder;
mod child;
mod confine;
mod core;
mod core_mail;
mod core_workers;
mod driver;
mod error;
mod events;
mod external;
mod failure;
mod feed;
mod flights;
mod fork_serve;
mod fork_server;
mod frame;
mod inbox;
mod init;
mod job;
mod landing;
mod launch;
mod line;
mod luggage;
mod mailbox;
mod map;
mod map_take;
mod outbox;
mod output;
mod parcel;
mod pending;
mod pool;
mod progress;
mod queue;
mod service;
mod shared;
mod shutdown;
mod sizing;
mod slab;
mod slots;
mod spare;
mod state;
mod state_jobs;
mod state_leave;
mod state_settle;
mod stream;
mod together;
mod watch;
mod wire;

pub use crate::sys::memory::Plain;
pub use crate::sys::setup::FilterStep;
pub use crate::sys::step::Step;
pub use after::WorkerEvent;
pub use builder::{Builder, MAX_DEPTH};
pub use confine::Rlimit;
pub use error::{JobError, Violation};
pub use flights::{Chunk, OnError};
pub use init::init;
pub use job::{Registry, Setup};
pub use launch::StartMethod;
pub use map::{Map, MapUnordered};
pub use map_take::{CollectMap, MapError, NextResult, NextUnordered};
pub use output::{LineFn, Output};
pub use pending::{CancelOnDrop, Pending};
pub use pool::{Job, ProcessPool, Retry};
pub use progress::{Events, NextEvent, report};
pub use service::Service;
pub use shared::{SharedSlice, SharedVec};
pub use shutdown::{Shutdown, ShuttingDown};
pub use stream::{Emitter, JobStream, NextItem};
pub use together::{AsCompleted, NextCompleted, Until, Waited, as_completed, wait};
pub use wire::Blob;
