//! Tasks: coroutines on the heap.

pub(crate) mod builder;
pub(crate) mod error;
pub(crate) mod id;
pub(crate) mod join;
pub(crate) mod local_key;
pub(crate) mod owned;
pub(crate) mod raw;
pub(crate) mod set;
pub(crate) mod spawn;
pub(crate) mod state;
pub(crate) mod wait_slot;
pub(crate) mod yield_now;
