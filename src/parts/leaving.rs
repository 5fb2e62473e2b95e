//! Two sides share a block, and whoever leaves it last frees it.
//!
//! ```text
//!   a word of the block, one bit a side: "I will not touch the block again"
//!
//!   side A: sets its bit ──► B's is not there: gone, B will free
//!   side B: sees A's bit ──► frees, and need not set its own
//! ```
//!
//! One locked operation for both together, where a reference count takes two: who *sees* that the
//! other has left is alone, and nobody is there to be told.
//! The models are those of the blocks: `parts/outcome_models.rs` and `threads/ticket.rs`.
//! Read next: `parts/outcome_block.rs`.

#![forbid(unsafe_code)]

use crate::shim::atomic::AtomicU32;
use crate::shim::atomic::Ordering::{AcqRel, Acquire};

/// Leaves: sets the bit `mine`. True: the side of the bit `other` had left before; the caller frees
/// the block. False: the caller never touches the block again.
#[inline]
#[must_use]
pub(crate) fn leave_last(word: &AtomicU32, mine: u32, other: u32) -> bool {
    // A plain look first: if the other side is gone, nobody can race with us.
    // Acquire, here and below: what the other side did in the block comes before it is freed;
    // pairs with the Release of its `fetch_or`.
    word.load(Acquire) & other != 0 || word.fetch_or(mine, AcqRel) & other != 0
}
