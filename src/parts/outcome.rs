//! One value from one writer to one reader: awaited or waited for, closed from either side.
//!
//! ```text
//!   Writer ──► Block { state, value, two wakers } ◄── Reader        parts/outcome_block.rs
//! ```
//!
//! Both halves point to one block on the heap, whose `state` word says who may touch which cell.
//! Read next: `sync/oneshot.rs`, a thin face on it.

#![allow(
    unsafe_code,
    reason = "cells handed from one half to the other by the state word"
)]

use std::fmt;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use crate::parts::block_on::block_on;
use crate::parts::outcome_block::{
    ANSWERED, AfterAnswer, Block, CLOSED, READER_LEFT, WRITER_LEFT, WRITER_WAITS, leave,
};
use crate::shim::atomic::Ordering::{AcqRel, Acquire, Relaxed};

/// A writer and a reader of one value.
pub(crate) fn outcome<T>() -> (Writer<T>, Reader<T>) {
    let block = Block::new();
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
    use std::task::Waker;

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
