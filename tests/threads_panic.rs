//! What happens to a panic, in each place where one can happen.
//!
//! Compiled twice, as in `threads_join.rs`. What ends the process runs in a child.

#[path = "support/again.rs"]
mod again;

mod on_rayon_core {
    use rayon_core as pool;
    include!("threads/pools.rs");
    include!("threads/panic.rs");
}

mod on_trefoil {
    use trefoil::threads as pool;
    include!("threads/pools.rs");
    include!("threads/panic.rs");
}
