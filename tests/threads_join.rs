//! What `join` and `join_context` promise.
//!
//! The text is compiled twice, for trefoil and for the crate that it takes its names and its
//! meaning from: a test that is wrong about the contract fails there.

#[path = "support/again.rs"]
#[allow(dead_code, reason = "not every test needs a child")]
mod again;

mod on_rayon_core {
    use rayon_core as pool;
    include!("threads/pools.rs");
    include!("threads/join.rs");
}

mod on_trefoil {
    use trefoil::threads as pool;
    include!("threads/pools.rs");
    include!("threads/join.rs");
}
