//! `trefoil::threads` under the name `rayon-core`.
//!
//! rayon's iterators are a library over `rayon-core`. A `[patch]` that puts this package in its
//! place makes rayon, and every program and library that uses it, run on trefoil's thread pool.
//! `compat/rayon-demo` shows how.

pub use trefoil::threads::*;
