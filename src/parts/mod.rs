//! Small machines, each read alone: no task, no reactor, no runtime in sight.

pub(crate) mod block_on;
pub(crate) mod blocks;
pub(crate) mod budget;
pub(crate) mod idle;
pub(crate) mod lanes;
pub(crate) mod lifo_slot;
pub(crate) mod list;
pub(crate) mod names;
pub(crate) mod outcome;
pub(crate) mod pad;
pub(crate) mod parker;
pub(crate) mod rng;
pub(crate) mod scoped;
pub(crate) mod slab;
pub(crate) mod steal;
pub(crate) mod unwind;
pub(crate) mod wait_site;
pub(crate) mod wakers;
