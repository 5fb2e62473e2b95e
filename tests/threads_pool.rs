//! What `ThreadPool` and its builder promise: install, broadcast, handlers, names, the end.
//!
//! Compiled twice, as in `threads_join.rs`. The global pool and the environment get a child.

#[path = "support/again.rs"]
mod again;

mod on_rayon_core {
    use rayon_core as pool;
    include!("threads/pools.rs");
    include!("threads/install.rs");
    include!("threads/builder.rs");
}
