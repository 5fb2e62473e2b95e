//! Panics of user code: caught, carried, and turned to text.
//!
//! A panic's payload is `Box<dyn Any + Send>`, which is not `Sync`; an error type that is to be
//! `Sync` (so that `?` works with `Box<dyn Error + Send + Sync>`) keeps it in a [`Payload`].
//! Read next: `task/error.rs`, where a panic becomes a `JoinError`.

#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// What a panic carried. The mutex makes it `Sync` without a line of unsafe code.
pub(crate) struct Payload(Mutex<Box<dyn Any + Send>>);

impl Payload {
    /// Wraps what `catch_unwind` gave.
    pub(crate) fn new(payload: Box<dyn Any + Send>) -> Self {
        Self(Mutex::new(payload))
    }

    /// Gives the payload back, for `resume_unwind`.
    pub(crate) fn into_inner(self) -> Box<dyn Any + Send> {
        self.0
            .into_inner()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The message, if the payload is the text that `panic!` makes.
    pub(crate) fn message(&self) -> Option<String> {
        let payload = self
            .0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        message(&**payload)
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(text) => f.debug_tuple("Payload").field(&text).finish(),
            None => f.write_str("Payload(..)"),
        }
    }
}

/// The text of a payload: `panic!("...")` carries a `&'static str`, with arguments a `String`.
pub(crate) fn message(payload: &(dyn Any + Send)) -> Option<String> {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        Some((*text).to_owned())
    } else {
        payload.downcast_ref::<String>().cloned()
    }
}

/// Runs `f` and catches its panic.
///
/// `AssertUnwindSafe`: whoever calls this throws the values that `f` left half-way away.
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(f))
}

/// Drops a payload that nobody wants. It may panic in its `Drop`; what that panic carries is
/// forgotten, or there would be no end.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch(|| drop(payload)) {
        std::mem::forget(second);
    }
}

/// Ends the process if a panic passes by: for places where a stack is lent to other threads, so
/// that unwinding it would leave them with nothing.
#[derive(Debug)]
pub(crate) struct AbortOnUnwind(
    /// What the message says was running.
    pub(crate) &'static str,
);

impl AbortOnUnwind {
    /// No panic came.
    pub(crate) fn disarm(self) {
        std::mem::forget(self);
    }
}

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!("trefoil: a panic in {}; aborting", self.0);
        std::process::abort();
    }
}
