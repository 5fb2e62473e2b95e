//! Unix signals as events.
//!
//! In reading order: `registry.rs` (who listens), [`unix`] (streams of one kind), `ctrl_c.rs`.
//! The handler itself is in `sys/signal.rs`.

pub(crate) mod ctrl_c;
pub(crate) mod registry;
pub mod unix;

pub use ctrl_c::{CtrlC, ctrl_c};
