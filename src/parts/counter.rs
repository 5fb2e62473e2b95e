//! A number that one thread counts and anybody reads.
//!
//! A plain load and a plain store (0.3 ns), not a locked addition (5.4): nobody else writes. Read
//! relaxed by whoever asks: a look, not a protocol.
//! Read next: `runtime/counters.rs` and `threads/counters.rs`, what the workers count.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};

/// One number.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds one. Only the owner calls this.
    #[inline]
    pub(crate) fn bump(&self) {
        self.add(1);
    }

    /// Adds `n`. Only the owner calls this.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.get().wrapping_add(n), Ordering::Relaxed);
    }

    /// The number now.
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
