//! `task::Builder`: a name for a task, then spawn.
//!
//! Read next: `parts/names.rs`, where names are kept.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::panic::Location;

use crate::parts::names::Name;
use crate::runtime::context;
use crate::runtime::handle::Handle;
use crate::task::join::JoinHandle;

/// Spawns tasks that have a name in [`dump`](crate::dump).
///
/// Names are kept for the life of the process, each text once: name kinds of tasks, not each one.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let task = trefoil::task::Builder::new().name("adder").spawn(async { 1 + 1 }).unwrap();
/// assert_eq!(task.await.unwrap(), 2);
/// # });
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[must_use = "a builder does nothing until one of its spawn methods is called"]
pub struct Builder<'a> {
    name: Option<&'a str>,
}

impl<'a> Builder<'a> {
    /// A builder without a name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the tasks' name.
    pub fn name(self, name: &'a str) -> Self {
        Self { name: Some(name) }
    }

    /// The name's number.
    fn interned(self) -> Name {
        self.name.map_or(Name::NONE, Name::intern)
    }

    /// Starts `future` as a task of the runtime that this thread is in.
    ///
    /// # Errors
    ///
    /// None today; the signature is tokio's.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(self, future: F) -> io::Result<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_on(future, &context::expect("task::Builder::spawn"))
    }

    /// Starts `future` as a task of `handle`'s runtime.
    ///
    /// # Errors
    ///
    /// None today; the signature is tokio's.
    #[track_caller]
    pub fn spawn_on<F>(self, future: F, handle: &Handle) -> io::Result<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        Ok(handle.spawn_named(future, self.interned(), Location::caller()))
    }

    /// Runs a closure that blocks on the blocking pool of the runtime that this thread is in.
    ///
    /// # Errors
    ///
    /// None today; the signature is tokio's.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn_blocking<F, R>(self, f: F) -> io::Result<JoinHandle<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.spawn_blocking_on(f, &context::expect("task::Builder::spawn_blocking"))
    }

    /// Runs a closure that blocks on the blocking pool of `handle`'s runtime.
    ///
    /// # Errors
    ///
    /// None today; the signature is tokio's.
    #[track_caller]
    pub fn spawn_blocking_on<F, R>(self, f: F, handle: &Handle) -> io::Result<JoinHandle<R>>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        Ok(handle.spawn_blocking_named(f, self.interned(), Location::caller()))
    }
}
