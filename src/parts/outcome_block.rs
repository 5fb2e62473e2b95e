//! The block that a writer and a reader of one value share, and who may touch what in it.
//!
//! Its `state` word says who may touch which cell, and who is the last to leave: there is no
//! reference count.
//!
//! ```text
//!              put, drop of the writer            poll_take, try_take
//!   Open ───────────────────────────► Answered ──────────────────────► Taken
//!    │ close, drop of the reader          bits of `state`, set once and never cleared:
//!    ▼                                      ANSWERED     the writer has said its word
//!   Closed ── put: refused,                 CLOSED       the reader wants nothing more
//!             the value comes back          WRITER_LEFT  the writer's last access is over
//!                                           READER_LEFT  the reader's last access is over
//!
//!   cell           whose
//!   value          the writer's until ANSWERED, then the reader's
//!   reader_waker   READER_WAITS unset: the reader's. Set: of whoever takes the bit away, or of
//!                  the writer that answered while it was set
//!   writer_waker   the same with WRITER_WAITS, and of the reader that closed while it was set
//! ```
//!
//! Whoever sets its LEFT bit and finds the other's already set frees the block; who *sees* the
//! other's set needs not set its own. So the common way (put, then take) costs one allocation and
//! one locked operation: the compare-and-swap in [`Block::answer`], which answers and leaves at
//! once. With a reader asleep the writer must still fetch its waker after answering, and leaves
//! in a second step.
//!
//! Why not an `Arc` and a mutex: two counts and two locks are six locked operations more
//! (the benchmark row `oneshot_local` pays for this protocol).
//! The models that loom checks are in `parts/outcome_models.rs`.
//! Read next: `parts/outcome.rs`, the two halves.

#![allow(
    unsafe_code,
    reason = "cells handed from one half to the other by the state word"
)]

use std::alloc::Layout;
use std::ptr::NonNull;
use std::task::{Context, Waker};

use crate::parts::blocks;
use crate::parts::leaving::leave_last;
use crate::shim::UnsafeCell;
use crate::shim::atomic::AtomicU32;
use crate::shim::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// The writer has said its word: a value, or (the cell is empty) that none will come.
pub(super) const ANSWERED: u32 = 1;
/// The reader wants nothing more; a later answer is refused.
pub(super) const CLOSED: u32 = 1 << 1;
/// The writer will not touch the block again.
pub(super) const WRITER_LEFT: u32 = 1 << 2;
/// The reader will not touch the block again.
pub(super) const READER_LEFT: u32 = 1 << 3;
/// The reader's waker is in its cell, for the writer to take.
pub(super) const READER_WAITS: u32 = 1 << 4;
/// The writer's waker is in its cell, for the reader to take.
pub(super) const WRITER_WAITS: u32 = 1 << 5;

/// What both halves point to.
pub(super) struct Block<T> {
    /// The bits above. Every write is a read-modify-write.
    pub(super) state: AtomicU32,
    /// The writer's until `ANSWERED`, then the reader's.
    pub(super) value: UnsafeCell<Option<T>>,
    /// The reader's while `READER_WAITS` is unset.
    pub(super) reader_waker: UnsafeCell<Option<Waker>>,
    /// The writer's while `WRITER_WAITS` is unset.
    pub(super) writer_waker: UnsafeCell<Option<Waker>>,
}

/// What the writer owes after [`Block::answer`].
#[must_use]
pub(super) enum AfterAnswer {
    /// Nothing: it has left too, and may not touch the block again.
    Left,
    /// To take the reader's waker, leave, and wake.
    WakeReader,
    /// To take its value back and leave: the reader has closed.
    Refused,
}

impl<T> Block<T> {
    /// A block that both halves are in.
    pub(super) fn new() -> NonNull<Self> {
        // A recycled block: malloc and free were half of the price of a message.
        let block = blocks::allocate(Layout::new::<Self>()).cast();
        let content = Self {
            state: AtomicU32::new(0),
            value: UnsafeCell::new(None),
            reader_waker: UnsafeCell::new(None),
            writer_waker: UnsafeCell::new(None),
        };
        // SAFETY: `allocate` gave memory of this layout, which nobody else knows.
        unsafe { block.write(content) };
        block
    }

    /// Says that the value cell is final, and leaves at once where nobody must be woken.
    pub(super) fn answer(&self) -> AfterAnswer {
        let left = ANSWERED | WRITER_LEFT;
        // Release: the value reaches the reader, pairs with its Acquire in `poll_take`,
        // `try_take` and `leave`. Relaxed on failure: the loop below looks again.
        if self
            .state
            .compare_exchange(0, left, Release, Relaxed)
            .is_ok()
        {
            return AfterAnswer::Left;
        }
        let mut seen = self.state.load(Relaxed);
        loop {
            if seen & CLOSED != 0 {
                return AfterAnswer::Refused;
            }
            let waits = seen & READER_WAITS != 0;
            let next = if waits { seen | ANSWERED } else { seen | left };
            // Release: as above. Acquire: the reader's waker is read next; pairs with the
            // Release that set READER_WAITS in `poll_take`.
            match self.state.compare_exchange(seen, next, AcqRel, Relaxed) {
                Ok(_) if waits => return AfterAnswer::WakeReader,
                Ok(_) => return AfterAnswer::Left,
                Err(now) => seen = now,
            }
        }
    }

    /// Puts the reader's waker where the writer finds it. True when the answer came meanwhile.
    ///
    /// `seen` is the state as the reader has just loaded it, without ANSWERED and CLOSED.
    pub(super) fn register(&self, seen: u32, cx: &mut Context<'_>) -> bool {
        // Cloned before the bit is touched: a clone that panics leaves everything as it was.
        let waker = cx.waker().clone();
        // The cell is taken back first, or it would be written while the writer takes it.
        // Acquire, here and below: the value, if ANSWERED is seen.
        if seen & READER_WAITS != 0 && self.state.fetch_and(!READER_WAITS, Acquire) & ANSWERED != 0
        {
            return true;
        }
        // SAFETY: READER_WAITS is unset, and ANSWERED was not set when it went: the writer
        // will find the bit unset and leave the cell alone.
        let old = self
            .reader_waker
            .with_mut(|cell| unsafe { (*cell).replace(waker) });
        // Release: the waker reaches the writer. A read-modify-write, so that either this sees
        // ANSWERED or `answer` sees the bit.
        let before = self.state.fetch_or(READER_WAITS, AcqRel);
        drop(old);
        before & ANSWERED != 0
    }

    /// Ends the reader's interest; gives the waker of a writer that waits for that.
    pub(super) fn close(&self) -> Option<Waker> {
        // Acquire: the writer's waker is read next; pairs with the Release that set
        // WRITER_WAITS. Release: what the reader did before reaches a writer that sees CLOSED.
        let before = self.state.fetch_or(CLOSED, AcqRel);
        if before & (CLOSED | ANSWERED | WRITER_WAITS) != WRITER_WAITS {
            return None;
        }
        // SAFETY: WRITER_WAITS was set when CLOSED came, by us alone (only the reader sets it,
        // once). The writer touches its cell only after it took the bit away and found CLOSED
        // unset (`poll_closed`), so from here on the cell is ours.
        self.writer_waker.with_mut(|cell| unsafe { (*cell).take() })
    }
}

/// Sets the bit `mine`, and frees the block when the other half's bit `other` is there already.
///
/// # Safety
///
/// `block` is alive, the caller's half has not left yet, and never touches it again.
pub(super) unsafe fn leave<T>(block: NonNull<Block<T>>, mine: u32, other: u32) {
    // SAFETY: alive until both halves have left, and ours leaves only now.
    let state = unsafe { &block.as_ref().state };
    // The Release of `answer`, which may leave too, is one that `leave_last` pairs with.
    if !leave_last(state, mine, other) {
        return;
    }
    // SAFETY: the other half has left before us, so nobody else gets here or looks at the block;
    // it lives until it is released below.
    let content = unsafe { block.as_ref() };
    // Nothing to do in them; but a model checks here that every access came before.
    content.value.with_mut(|_| ());
    content.reader_waker.with_mut(|_| ());
    content.writer_waker.with_mut(|_| ());
    // The memory goes back also when the value panics in its `Drop`.
    let _memory = Memory(block);
    // SAFETY: as above; the content is not used again.
    unsafe { block.drop_in_place() };
}

/// A block whose content is gone, to be given back.
struct Memory<T>(NonNull<Block<T>>);

impl<T> Drop for Memory<T> {
    fn drop(&mut self) {
        // SAFETY: allocated by `new` with this layout; `leave` is its only user by now.
        unsafe { blocks::release(self.0.cast(), Layout::new::<Block<T>>()) };
    }
}
