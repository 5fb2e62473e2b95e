//! Unix signals as events.

pub(crate) mod ctrl_c;
pub(crate) mod registry;
pub mod unix;
