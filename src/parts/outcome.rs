//! One value from one writer to one reader: awaited or waited for, closed from either side.
//!
//! Both halves point to one block on the heap. Its `state` word says who may touch which cell,
//! and who is the last to leave: there is no reference count.
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
//! Read next: `sync/oneshot.rs`, a thin face on it.

#![allow(
    unsafe_code,
    reason = "cells handed from one half to the other by the state word"
)]

use std::alloc::Layout;
use std::fmt;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use crate::parts::block_on::block_on;
use crate::parts::blocks;
use crate::shim::UnsafeCell;
use crate::shim::atomic::AtomicU32;
use crate::shim::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

/// The writer has said its word: a value, or (the cell is empty) that none will come.
const ANSWERED: u32 = 1;
/// The reader wants nothing more; a later answer is refused.
const CLOSED: u32 = 1 << 1;
/// The writer will not touch the block again.
const WRITER_LEFT: u32 = 1 << 2;
/// The reader will not touch the block again.
const READER_LEFT: u32 = 1 << 3;
/// The reader's waker is in its cell, for the writer to take.
const READER_WAITS: u32 = 1 << 4;
/// The writer's waker is in its cell, for the reader to take.
const WRITER_WAITS: u32 = 1 << 5;

/// What both halves point to.
struct Block<T> {
    /// The bits above. Every write is a read-modify-write.
    state: AtomicU32,
    /// The writer's until `ANSWERED`, then the reader's.
    value: UnsafeCell<Option<T>>,
    /// The reader's while `READER_WAITS` is unset.
    reader_waker: UnsafeCell<Option<Waker>>,
    /// The writer's while `WRITER_WAITS` is unset.
    writer_waker: UnsafeCell<Option<Waker>>,
}

/// What the writer owes after [`Block::answer`].
#[must_use]
enum AfterAnswer {
    /// Nothing: it has left too, and may not touch the block again.
    Left,
    /// To take the reader's waker, leave, and wake.
    WakeReader,
    /// To take its value back and leave: the reader has closed.
    Refused,
}

impl<T> Block<T> {
    /// Says that the value cell is final, and leaves at once where nobody must be woken.
    fn answer(&self) -> AfterAnswer {
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
    fn register(&self, seen: u32, cx: &mut Context<'_>) -> bool {
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
    fn close(&self) -> Option<Waker> {
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
unsafe fn leave<T>(block: NonNull<Block<T>>, mine: u32, other: u32) {
    // SAFETY: alive until both halves have left, and ours leaves only now.
    let state = unsafe { &block.as_ref().state };
    // A plain look first: if the other is gone, nobody can race with us, and no locked
    // operation is needed. Acquire here and below: what the other half did in the block comes
    // before we free it; pairs with the Release of its `leave` or `answer`.
    if state.load(Acquire) & other == 0 && state.fetch_or(mine, AcqRel) & other == 0 {
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
        // SAFETY: allocated by `outcome` with this layout; `leave` is its only user by now.
        unsafe { blocks::release(self.0.cast(), Layout::new::<Block<T>>()) };
    }
}

/// A writer and a reader of one value.
pub(crate) fn outcome<T>() -> (Writer<T>, Reader<T>) {
    // A recycled block: malloc and free were half of the price of a message.
    let block = blocks::allocate(Layout::new::<Block<T>>()).cast();
    let content = Block {
        state: AtomicU32::new(0),
        value: UnsafeCell::new(None),
        reader_waker: UnsafeCell::new(None),
        writer_waker: UnsafeCell::new(None),
    };
    // SAFETY: `allocate` gave memory of this layout, which nobody else knows.
    unsafe { block.write(content) };
    (Writer { block }, Reader { block: Some(block) })
}

/// The half that answers. Dropped without an answer it says that none will come.
pub(crate) struct Writer<T> {
    /// Alive while this half has not left.
    block: NonNull<Block<T>>,
}

/// The half that waits for the answer.
pub(crate) struct Reader<T> {
    /// Alive while this half has not left; `None` from then on.
    block: Option<NonNull<Block<T>>>,
}

// SAFETY: `value` goes from one thread to one other, handed over by ANSWERED; `T: Send` is
// enough, since no two threads hold a reference to it at once. A shared reference to a half
// reads `state` only.
unsafe impl<T: Send> Send for Writer<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Writer<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Reader<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Reader<T> {}

/// The answer that was not an answer: the writer is gone, or the reader closed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoAnswer;

/// What [`Reader::try_take`] finds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    /// The answer; the reader is finished.
    Value(T),
    /// The writer may still answer.
    NotYet,
    /// No answer will come; the reader is finished.
    Never,
}

impl<T> Writer<T> {
    /// The block.
    fn block(&self) -> &Block<T> {
        // SAFETY: freed only after both halves have left; this one leaves in `finish`, which
        // takes it by value.
        unsafe { self.block.as_ref() }
    }

    /// Answers. Gives the value back when the reader has closed.
    #[inline]
    pub(crate) fn put(self, value: T) -> Result<(), T> {
        self.finish(Some(value)).map_or(Ok(()), Err)
    }

    /// Answers with a value or with none, leaves, wakes; gives back what was refused.
    #[inline]
    fn finish(self, answer: Option<T>) -> Option<T> {
        let (block, this) = (self.block, std::mem::ManuallyDrop::new(self));
        if answer.is_some() {
            // SAFETY: the value cell is the writer's until ANSWERED, which only `answer` sets.
            this.block()
                .value
                .with_mut(|cell| unsafe { cell.write(answer) });
        }
        let mut refused = None;
        let waker = match this.block().answer() {
            AfterAnswer::Left => return None,
            AfterAnswer::WakeReader => {
                // SAFETY: READER_WAITS was set when ANSWERED came. The reader touches its waker
                // only after it took the bit away and found ANSWERED unset (`register`), so
                // from here on the cell is ours, and we have not left.
                this.block()
                    .reader_waker
                    .with_mut(|cell| unsafe { (*cell).take() })
            }
            AfterAnswer::Refused => {
                // SAFETY: ANSWERED is not set, so the cell is still ours.
                refused = this
                    .block()
                    .value
                    .with_mut(|cell| unsafe { (*cell).take() });
                None
            }
        };
        // SAFETY: this half has not left (that was `AfterAnswer::Left`), and `this` is never
        // used or dropped after it.
        unsafe { leave(block, WRITER_LEFT, READER_LEFT) };
        // Last, since it runs foreign code: the block is no concern of ours any more.
        if let Some(waker) = waker {
            waker.wake();
        }
        refused
    }

    /// True when an answer would be refused.
    pub(crate) fn is_closed(&self) -> bool {
        // Acquire: pairs with the Release in `close`.
        self.block().state.load(Acquire) & CLOSED != 0
    }

    /// Ready when the reader has closed or is gone.
    pub(crate) fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let block = self.block();
        // Acquire, here and below: pairs with the Release in `close`.
        let seen = block.state.load(Acquire);
        if seen & CLOSED != 0 {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        if seen & WRITER_WAITS != 0 && block.state.fetch_and(!WRITER_WAITS, Acquire) & CLOSED != 0 {
            return Poll::Ready(());
        }
        // SAFETY: WRITER_WAITS is unset and CLOSED was so when it went: the cell is ours.
        let old = block
            .writer_waker
            .with_mut(|cell| unsafe { (*cell).replace(waker) });
        // Release: the waker reaches the reader that closes.
        let before = block.state.fetch_or(WRITER_WAITS, AcqRel);
        drop(old);
        if before & CLOSED != 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// A number that both halves share while they live.
    pub(crate) fn address(&self) -> u64 {
        self.block.as_ptr() as u64
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        // A copy of the half, because `finish` takes it by value; `self` is not used again.
        let _nothing = Self { block: self.block }.finish(None);
    }
}

impl<T> Reader<T> {
    /// The block, unless this half has left.
    fn block(&self) -> Option<&Block<T>> {
        // SAFETY: freed only after both halves have left; `depart` empties the field first.
        self.block.map(|block| unsafe { block.as_ref() })
    }

    /// Waits for the answer.
    ///
    /// # Panics
    ///
    /// When it has already given an answer.
    #[inline]
    pub(crate) fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, NoAnswer>> {
        let Some(block) = self.block() else {
            panic!("outcome: polled after it gave its answer; keep the answer instead");
        };
        // Acquire: the value; pairs with the Release in `answer`.
        let seen = block.state.load(Acquire);
        if seen & ANSWERED == 0 {
            if seen & CLOSED != 0 {
                // Closed first: any answer from now on is refused. The value cell stays the
                // writer's, which may be putting a value in and taking it back just now.
                self.depart();
                return Poll::Ready(Err(NoAnswer));
            }
            if !block.register(seen, cx) {
                return Poll::Pending;
            }
        }
        Poll::Ready(self.take().ok_or(NoAnswer))
    }

    /// Ready when the writer has said its word, or nothing will come any more; takes nothing.
    pub(crate) fn poll_answered(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(block) = self.block() else {
            return Poll::Ready(());
        };
        // Acquire: the value; pairs with the Release in `answer`.
        let seen = block.state.load(Acquire);
        if seen & (ANSWERED | CLOSED) != 0 || block.register(seen, cx) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// The answer, if it is there.
    ///
    /// # Panics
    ///
    /// Never; a reader that is finished finds [`Taken::Never`].
    pub(crate) fn try_take(&mut self) -> Taken<T> {
        let Some(block) = self.block() else {
            return Taken::Never;
        };
        // Acquire: the value; pairs with the Release in `answer`.
        let seen = block.state.load(Acquire);
        if seen & ANSWERED != 0 {
            return self.take().map_or(Taken::Never, Taken::Value);
        }
        if seen & CLOSED == 0 {
            return Taken::NotYet;
        }
        self.depart();
        Taken::Never
    }

    /// Blocks this thread until the answer is there.
    pub(crate) fn wait(mut self) -> Result<T, NoAnswer> {
        block_on(std::future::poll_fn(|cx| self.poll_take(cx)))
    }

    /// Refuses any later answer; one that came before stays to be taken.
    pub(crate) fn close(&mut self) {
        if let Some(waker) = self.block().and_then(Block::close) {
            waker.wake();
        }
    }

    /// True when the writer has answered with a value that has not been taken.
    pub(crate) fn has_value(&self) -> bool {
        self.block().is_some_and(|block| {
            // Acquire: pairs with the Release in `answer`; the cell is read below.
            block.state.load(Acquire) & ANSWERED != 0
                // SAFETY: with ANSWERED set the cell is the reader's, and whoever could change
                // it needs `&mut self`.
                && block.value.with(|cell| unsafe { (*cell).is_some() })
        })
    }

    /// True when the writer has said its word.
    pub(crate) fn is_answered(&self) -> bool {
        // Acquire: pairs with the Release in `answer`.
        self.block()
            .is_none_or(|block| block.state.load(Acquire) & ANSWERED != 0)
    }

    /// True when this half has given its answer, or that there is none.
    pub(crate) fn is_finished(&self) -> bool {
        self.block.is_none()
    }

    /// A number that both halves share while they live.
    pub(crate) fn address(&self) -> u64 {
        self.block.map_or(0, |block| block.as_ptr() as u64)
    }

    /// Takes what the writer answered, and leaves. ANSWERED has been seen, with Acquire.
    #[inline]
    fn take(&mut self) -> Option<T> {
        let block = self.block()?;
        // SAFETY: the caller saw ANSWERED: the cell is the reader's, and `&mut self` is the
        // only reader.
        let value = block.value.with_mut(|cell| unsafe { (*cell).take() });
        self.depart();
        value
    }

    /// Leaves the block.
    #[inline]
    fn depart(&mut self) {
        if let Some(block) = self.block.take() {
            // SAFETY: the field was full, so this half had not left, and it is empty now.
            unsafe { leave(block, READER_LEFT, WRITER_LEFT) };
        }
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        let Some(block) = self.block() else { return };
        // Acquire, here and below: the value; pairs with the Release in `answer`.
        let mut waker = None;
        if block.state.load(Acquire) & ANSWERED == 0 {
            waker = block.close();
        }
        // Taken out here, because the one who frees the block may be the writer's thread.
        let value = match block.state.load(Acquire) & ANSWERED {
            0 => {
                self.depart();
                None
            }
            _ => self.take(),
        };
        // Foreign code last, when nothing of ours is half done.
        if let Some(waker) = waker {
            waker.wake();
        }
        drop(value);
    }
}

impl<T> fmt::Debug for Writer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answered = self
            .block()
            .map(|block| block.state.load(Relaxed) & ANSWERED != 0);
        f.debug_struct("Reader")
            .field("answered", &answered)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_value_put_before_close_can_still_be_taken() {
        let (writer, mut reader) = outcome();
        assert_eq!(reader.try_take(), Taken::NotYet);
        writer.put("value").unwrap();
        reader.close();
        assert!(reader.has_value());
        assert_eq!(reader.try_take(), Taken::Value("value"));
        assert!(reader.is_finished());
    }

    #[test]
    fn a_value_put_after_close_comes_back() {
        let (writer, mut reader) = outcome();
        reader.close();
        assert!(writer.is_closed());
        assert_eq!(writer.put("value"), Err("value"));
        assert_eq!(reader.try_take(), Taken::Never);
    }

    #[test]
    fn a_dropped_writer_is_an_answer_too() {
        let (writer, mut reader) = outcome::<u8>();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(reader.poll_take(&mut cx).is_pending());
        drop(writer);
        assert_eq!(reader.poll_take(&mut cx), Poll::Ready(Err(NoAnswer)));
    }
}

#[cfg(all(test, trefoil_loom))]
#[path = "outcome_models.rs"]
mod models;
