//! Small machines, each read alone: no task, no reactor, no runtime in sight.
//!
//! In reading order: `parker` and `block_on` (the smallest executor); `slab` and `list` (numbers
//! instead of pointers); `wakers` and `budget` (how to wake, and when to step back); `steal`,
//! `idle` and `lifo_slot` (work stealing); `leaving`, `outcome_block` and `outcome` (one value from
//! one thread to another); `biased` (a lock for its owner); `blocks` (memory without malloc); `names`, `wait_site` and `lanes` (for `dump`); and `pad`,
//! `counter`, `rng`, `scoped`, `unwind`.

pub(crate) mod biased;
pub(crate) mod block_on;
pub(crate) mod blocks;
pub(crate) mod budget;
pub(crate) mod counter;
pub(crate) mod idle;
pub(crate) mod lanes;
pub(crate) mod leaving;
pub(crate) mod lifo_slot;
pub(crate) mod list;
pub(crate) mod names;
pub(crate) mod outcome;
mod outcome_block;
pub(crate) mod pad;
pub(crate) mod parker;
pub(crate) mod rng;
pub(crate) mod scoped;
pub(crate) mod slab;
pub(crate) mod steal;
pub(crate) mod unwind;
pub(crate) mod wait_site;
pub(crate) mod wakers;
