//! What `submit` and its `Pending` promise: an outcome for each job, once, awaited or waited for;
//! cancelling; panics; the functions on slices. Not part of rayon-core, so compiled once.

#[path = "support/again.rs"]
#[allow(dead_code, reason = "only the limit is used here")]
mod again;

mod submit {
    use trefoil::threads as pool;
    include!("threads/pools.rs");
    include!("threads/submit.rs");
    include!("threads/slices.rs");
    include!("threads/parked.rs");
}
