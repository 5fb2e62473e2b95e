//! `on_loop.rs` with tokio, the peer of `--with tokio`.

#![allow(
    dead_code,
    reason = "the server and the resting heartbeat are always ours"
)]

pub use tokio as rt;

#[path = "on_loop.rs"]
mod on_loop;
pub use self::on_loop::*;
