//! The runtime: two schedulers, the driver they share, and threads for what blocks.
//!
//! In reading order: `driver` (one turn of everything that wakes from outside), `pace` (when to
//! look), `handle` and `context` (what a task holds, and which runtime a thread is in); the event
//! loop on one thread: `queues`, `event_loop`, `current_thread`; on several: `park`, `workers`,
//! `worker`, `search`, `watch`, `multi_thread`, `in_place`; then `blocking`, `runtime`, `builder`,
//! `local_runtime`, `counters`, `metrics`, `dump`, and `config`, the knobs.

pub(crate) mod blocking;
pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod context;
pub(crate) mod counters;
pub(crate) mod current_thread;
pub(crate) mod driver;
pub(crate) mod dump;
pub(crate) mod event_loop;
pub(crate) mod handle;
pub(crate) mod in_place;
pub(crate) mod local_runtime;
pub(crate) mod metrics;
pub(crate) mod multi_thread;
pub(crate) mod pace;
pub(crate) mod park;
pub(crate) mod queues;
#[expect(clippy::module_inception, reason = "the file that defines Runtime")]
pub(crate) mod runtime;
pub(crate) mod search;
pub(crate) mod watch;
pub(crate) mod worker;
pub(crate) mod workers;

pub use crate::parts::lanes::{LaneReport, TaskReport, TaskState, WaitReport, WorkerReport};
pub use crate::reactor::shutdown::is_rt_shutdown_err;
pub use builder::Builder;
pub use context::TryCurrentError;
pub use handle::{Handle, RuntimeFlavor, RuntimeId as Id};
pub use local_runtime::{LocalOptions, LocalRuntime};
pub use metrics::{RuntimeMetrics, worker_index};
pub use runtime::{EnterGuard, Runtime};
