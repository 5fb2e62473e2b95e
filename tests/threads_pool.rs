//! What `ThreadPool` and its builder promise: install, broadcast, handlers, names, the end.
//!
//! Compiled twice, as in `threads_join.rs`. The global pool and the environment get a child.

#[path = "support/again.rs"]
mod again;

/// Runs the calling test again in a child, with variables; `true` in the child.
macro_rules! alone {
    ($name:literal $(, $variable:expr)*) => {{
        let child = crate::again::in_child();
        if !child {
            crate::again::passes_again(concat!(module_path!(), "::", $name), &[$($variable),*]);
        }
        child
    }};
}

mod on_rayon_core {
    use rayon_core as pool;
    include!("threads/pools.rs");
    include!("threads/install.rs");
    include!("threads/builder.rs");
    include!("threads/deprecated.rs");
}

mod on_trefoil {
    use trefoil::threads as pool;
    include!("threads/pools.rs");
    include!("threads/install.rs");
    include!("threads/builder.rs");
}
