//! One value per cache line, so that two threads' counters do not fight over one.
//!
//! A core that writes a line takes it away from every other core (false sharing). 128 bytes, not
//! 64: x86-64 fetches lines in pairs, and aarch64 has cores with lines of 128 bytes.
//! Read next: `parts/idle.rs`, which pads the words that all workers look at.

#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};

/// A value that shares its cache line with nothing else.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct CachePadded<T>(T);

impl<T> CachePadded<T> {
    /// Wraps `value`.
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for CachePadded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for CachePadded<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
