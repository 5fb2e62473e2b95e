//! Task ids: numbers that are never used twice in a process.
//!
//! A thread draws a block of 1024 and hands them out one by one, so a spawn touches the shared
//! counter only once in 1024 times. Ids therefore tell tasks apart, not which one is older.
//! Read next: `task/state.rs`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};

/// Names one task among all tasks of the process, also after it has ended.
///
/// Ids are handed out to threads in blocks, so they say nothing about the order of spawning.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let task = trefoil::spawn(async { trefoil::task::id() });
/// let id = task.id();
/// assert_eq!(task.await.unwrap(), id);
/// # });
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(NonZeroU64);

/// Ids a thread draws at once. Source: makes the shared counter's cost 5 ps an id; not tuned.
const BLOCK: u64 = 1024;

/// The first id that no thread has drawn yet. A counter: nothing else depends on it.
static NEXT: AtomicU64 = AtomicU64::new(1);

thread_local! {
    /// This thread's next id, and the end of its block.
    static BLOCK_LEFT: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

impl Id {
    /// An id nobody has yet.
    #[inline]
    pub(crate) fn next() -> Self {
        BLOCK_LEFT.with(|block| {
            let (mut next, mut end) = block.get();
            if next == end {
                next = NEXT.fetch_add(BLOCK, Ordering::Relaxed);
                end = next + BLOCK;
            }
            block.set((next + 1, end));
            Self(NonZeroU64::new(next).expect("task ids: 2^64 tasks were spawned"))
        })
    }

    /// The number.
    pub(crate) fn as_u64(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({})", self.0)
    }
}
