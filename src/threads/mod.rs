//! A work-stealing thread pool for computations: `join`, `scope`, `spawn`, `install`.
//!
//! Names and semantics are rayon-core 1.13's; [`submit`] is its own: a job whose result can be
//! awaited. It knows nothing of the event loop, as a waker is all that one needs to know.
//!
//! ```
//! use trefoil::threads;
//!
//! fn fib(n: u64) -> u64 {
//!     if n < 2 {
//!         return n;
//!     }
//!     let (a, b) = threads::join(|| fib(n - 1), || fib(n - 2));
//!     a + b
//! }
//! assert_eq!(fib(20), 6765);
//! ```
//!
//! In reading order: `latch`, `pages`, `job`, `ring` and `account` (the small machines); `registry` and `worker` (a
//! pool's shared part, and the loop over it) with `spin` and `counters`; `visit` (how a thread
//! outside waits); `join`; `global`, `start`, `builder`, `configuration` and `pool` (how a pool
//! comes to be); `spawn` with `fifo`, `scope` and `scope_fifo`, `broadcast`; `submit` with
//! `ticket`, `pending` and `job_error`; `slices` and `sort`; `current`, `yielding` and `metrics`.

mod account;
mod broadcast;
mod build_error;
mod builder;
mod configuration;
mod counters;
mod current;
mod fifo;
mod global;
mod job;
mod job_error;
mod join;
mod latch;
mod metrics;
mod pages;
mod pending;
mod pool;
mod registry;
mod ring;
mod scope;
mod scope_fifo;
mod slices;
mod sort;
mod spawn;
mod spin;
mod start;
mod submit;
mod ticket;
mod visit;
mod worker;
mod yielding;

pub use broadcast::{BroadcastContext, broadcast, spawn_broadcast};
pub use build_error::ThreadPoolBuildError;
pub use builder::ThreadPoolBuilder;
#[allow(deprecated, reason = "old names")]
pub use configuration::{Configuration, initialize};
pub use current::{current_num_threads, current_thread_has_pending_tasks, current_thread_index};
pub use job_error::{JobError, Payload};
pub use join::{FnContext, join, join_context};
pub use metrics::ThreadPoolMetrics;
pub use pending::{CancelOnDrop, Pending};
pub use pool::ThreadPool;
pub use scope::{Scope, in_place_scope, scope};
pub use scope_fifo::{ScopeFifo, in_place_scope_fifo, scope_fifo};
pub use slices::{for_each, map, reduce};
pub use sort::{sort_unstable, sort_unstable_by};
pub use spawn::{spawn, spawn_fifo};
#[doc(hidden)]
pub use start::{CustomSpawn, DefaultSpawn};
pub use start::{ThreadBuilder, max_num_threads};
pub use submit::submit;
pub use yielding::{Yield, yield_local, yield_now};
