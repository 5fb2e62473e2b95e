//! A value that comes once: known from the start, or set later by one of many who try.
//!
//! ```text
//!   Given(value)                         for a `static` that is made with its value
//!   Later(OnceLock) ── set ──► the value, for ever
//! ```
//!
//! Two cases only because a `OnceLock` cannot be made full in a `const fn`.
//! Why not an `UnsafeCell` and a flag: that is what a `OnceLock` is; a look at it is one load.
//! Read next: `sync/once_cell.rs` and `sync/set_once.rs`, which add the waiting.

#![forbid(unsafe_code)]

use std::sync::OnceLock;

/// A value that is there from the start, or comes later, once.
pub(crate) enum OnceValue<T> {
    /// From the start.
    Given(T),
    /// Perhaps there.
    Later(OnceLock<T>),
}

impl<T> OnceValue<T> {
    /// Not there yet.
    pub(crate) const fn new() -> Self {
        Self::Later(OnceLock::new())
    }

    /// There already, if at all.
    pub(crate) fn from_option(value: Option<T>) -> Self {
        value.map_or(const { Self::new() }, Self::Given)
    }

    /// The value, if it is there.
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Later(value) => value.get(),
        }
    }

    /// The value, to be changed.
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Later(value) => value.get_mut(),
        }
    }

    /// Puts the value in, or gives it back if one is there. After either, one is there.
    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        match self {
            Self::Given(_) => Err(value),
            Self::Later(place) => place.set(value),
        }
    }

    /// The value, if it is there.
    pub(crate) fn into_inner(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Later(value) => value.into_inner(),
        }
    }
}
