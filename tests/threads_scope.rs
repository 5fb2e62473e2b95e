//! What `scope`, `scope_fifo`, `in_place_scope`, `spawn` and `spawn_fifo` promise.
//!
//! Compiled twice, as in `threads_join.rs`.

#[path = "support/again.rs"]
#[allow(dead_code, reason = "not every test needs a child")]
mod again;

mod on_rayon_core {
    use rayon_core as pool;
    include!("threads/pools.rs");
    include!("threads/scope.rs");
}

mod on_trefoil {
    use trefoil::threads as pool;
    include!("threads/pools.rs");
    include!("threads/scope.rs");
}
