//! trefoil's event loop under the name `tokio`.
//!
//! A `[patch]` that puts this package in tokio's place makes a program, and every library that it
//! uses (hyper, axum, tower, tokio-util), run on trefoil, without a change of theirs:
//! `compat/README.md` says how, and `compat/axum-demo` does it.
//!
//! The modules have tokio's names already, so there is nothing to do here but to name them. Two
//! attributes differ from trefoil's: what they expand to begins with `::tokio`, as that is the
//! only one of the two names that the program knows.

pub use trefoil::{io, net, runtime, signal, sync, task, time};
pub use trefoil::{join, pin, select, spawn, task_local, try_join};
pub use trefoil_macros::{tokio_main as main, tokio_test as test};

#[doc(hidden)]
pub use trefoil::macros;
