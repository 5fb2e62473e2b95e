//! `on_loop.rs` with our runtime.

pub use trefoil as rt;

#[path = "on_loop.rs"]
mod on_loop;
pub use self::on_loop::*;
