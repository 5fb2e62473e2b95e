//! Which runtime is this thread in?
//!
//! `spawn`, `sleep` and sockets have no runtime argument: they ask here. A worker is in its
//! runtime for life, `block_on` for the length of the call, anybody else by
//! [`Handle::enter`](crate::runtime::Handle::enter). The innermost one counts.
//!
//! The answer is a thread-local pointer to a handle that lives further up on the stack
//! (`parts/scoped.rs`), so entering touches no reference count.
//! Read next: `runtime/current_thread.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use crate::parts::scoped::{self, Entered, Scoped};
use crate::runtime::handle::{Handle, Home};
use crate::time::clock::Clock;

thread_local! {
    /// The handle of the runtime that this thread is in.
    static CURRENT: Scoped<Handle> = const { Scoped::new() };
}

/// Puts this thread into `handle`'s runtime for the length of `f`.
#[inline]
pub(crate) fn with_entered<R>(handle: &Handle, f: impl FnOnce() -> R) -> R {
    CURRENT.with(|current| current.set(handle, f))
}

/// Puts this thread into a runtime until the guard is dropped.
pub(crate) fn enter(handle: Handle) -> Entered<Handle> {
    scoped::enter(&CURRENT, handle)
}

/// Shows the runtime that this thread is in, if it is in one.
#[inline]
pub(crate) fn try_with<R>(f: impl FnOnce(&Handle) -> R) -> Option<R> {
    CURRENT
        .try_with(|current| current.with(|handle| handle.map(f)))
        .ok()
        .flatten()
}

/// The runtime that this thread is in, or a panic at the caller's line that names the remedy.
#[track_caller]
pub(crate) fn expect(what: &str) -> Handle {
    match try_with(Handle::clone) {
        Some(handle) => handle,
        None => missing(what),
    }
}

/// True when this thread is in the runtime of `handle`.
pub(crate) fn is_in(handle: &Handle) -> bool {
    try_with(|current| Arc::ptr_eq(&current.0, &handle.0)).unwrap_or(false)
}

/// A reference to the runtime that this thread is in, for a timer; panics as [`expect`] does.
#[track_caller]
#[inline]
pub(crate) fn expect_home(what: &str) -> Home {
    match try_with(|handle| Home::new(&handle.0)) {
        Some(home) => home,
        None => missing(what),
    }
}

/// The clock of the runtime that this thread is in, for `Instant::now`.
pub(crate) fn current_clock() -> Option<Arc<Clock>> {
    try_with(|handle| Arc::clone(handle.driver().clock()))
}

/// The panic of everything that needs a runtime and has none.
#[track_caller]
#[cold]
pub(crate) fn missing(what: &str) -> ! {
    panic!("{what}: no runtime on this thread; call it inside Runtime::block_on or a task")
}

/// The runtime that this thread is in, for [`Handle::try_current`].
///
/// # Errors
///
/// When it is in none.
pub(crate) fn try_current() -> Result<Handle, TryCurrentError> {
    match CURRENT.try_with(|current| current.with(|handle| handle.cloned())) {
        Ok(Some(handle)) => Ok(handle),
        Ok(None) => Err(TryCurrentError { destroyed: false }),
        Err(_) => Err(TryCurrentError { destroyed: true }),
    }
}

/// Why [`Handle::try_current`](crate::runtime::Handle::try_current) found no runtime.
///
/// ```
/// let error = trefoil::runtime::Handle::try_current().unwrap_err();
/// assert!(error.is_missing_context());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TryCurrentError {
    /// The thread is ending and its thread-local variables are gone.
    destroyed: bool,
}

impl TryCurrentError {
    /// True when the thread is in no runtime.
    #[must_use]
    pub fn is_missing_context(&self) -> bool {
        !self.destroyed
    }

    /// True when the thread is ending and cannot tell any more.
    #[must_use]
    pub fn is_thread_local_destroyed(&self) -> bool {
        self.destroyed
    }
}

impl std::error::Error for TryCurrentError {}

impl fmt::Display for TryCurrentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.destroyed {
            "the thread is ending, its thread-local variables are gone"
        } else {
            "no runtime on this thread; call it inside Runtime::block_on or a task"
        })
    }
}
