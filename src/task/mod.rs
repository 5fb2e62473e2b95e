//! Tasks: coroutines on the heap, started by [`spawn`], awaited through a [`JoinHandle`].
//!
//! A future does nothing by itself: something must poll it. A *task* is a future that a runtime
//! polls whenever it was woken, until it is done. It is one allocation with one word of state.
//!
//! In reading order: `state` (a task's life in one word), `header` and `raw` (its memory, and the step
//! that runs it), `join` (its output), `owned` (all live tasks of a runtime), `wait_slot` (where it waits,
//! for [`dump`](crate::dump)), then what programs call: `spawn`, `set`, `builder`, `local_key`,
//! `coop`, `yield_now`.

pub(crate) mod builder;
pub(crate) mod chain;
pub mod coop;
pub(crate) mod error;
pub(crate) mod header;
pub(crate) mod id;
pub(crate) mod join;
pub(crate) mod local_key;
pub(crate) mod local_set;
pub(crate) mod local_tasks;
pub(crate) mod owned;
pub(crate) mod raw;
pub(crate) mod set;
pub(crate) mod set_wait;
pub(crate) mod spawn;
pub(crate) mod state;
#[cfg(all(test, trefoil_loom))]
mod state_models;
pub(crate) mod wait_slot;
pub(crate) mod yield_now;

pub use builder::Builder;
pub use coop::{Unconstrained, consume_budget, unconstrained};
pub use error::JoinError;
pub use id::Id;
pub use join::{AbortHandle, JoinHandle};
pub use local_key::{AccessError, LocalKey};
pub use local_set::{LocalEnterGuard, LocalSet, spawn_local};
pub use set::JoinSet;
pub use spawn::{block_in_place, id, spawn, spawn_blocking, try_id};
pub use yield_now::{YieldNow, yield_now};

/// The futures that the types of this module return.
pub mod futures {
    pub use crate::task::coop::ConsumeBudget;
    pub use crate::task::local_key::TaskLocalFuture;
    pub use crate::task::local_set::RunUntil;
    pub use crate::task::set_wait::{JoinAll, JoinNext, JoinNextWithId, Shutdown};
}
