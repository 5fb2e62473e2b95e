//! `pin!`, `join!`, `try_join!`, `select!`.
