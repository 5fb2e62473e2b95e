//! A worker's private join halves, and how they become public.
//!
//! ```text
//!   ring     head            tail          positions count up for ever; slot = position % 4096
//!    ──────────┬───────────────┬──────
//!    published │ private       │ free
//!    ──────────┴───────────────┴──────
//!        │ publish: the oldest first      push at the tail, take_back from the tail:
//!        ▼                                two plain moves
//!   deque (thieves take the oldest)
//! ```
//!
//! A join pushes its second half here and looks whether somebody could take one; almost always
//! nobody could, and after the first half the second is taken back and called like a function.
//! When somebody is hungry, [`Ring::publish`] moves the *oldest* private halves into the deque:
//! near the root of the recursion, so the thief gets the largest piece. Lazy publication after
//! Tzannes et al., *Lazy binary-splitting*, 2010.
//!
//! **Everything in the ring is newer than everything in the deque**: whoever pushes into the deque
//! publishes the ring first. So ring and deque together are one stack, and a pool of one thread
//! runs everything in exactly the order in which one deque would.
//!
//! A half's latch is written at its publication, not at its birth: a half that stays private never
//! pays for it.
//! ```text
//!   owner                              thief
//!   write latch and owner              announces its hunger: a count in parts/idle.rs
//!   push into the deque ── Release ──► steal (Acquire): sees closure, latch, owner
//!   fence; anybody asleep? wake one    runs it, writes the result
//!   …                                  latch.set ── Release ──► the owner sees the result
//! ```
//!
//! The owner looks at the count of the hungry without a fence, and may miss one: then the next
//! join, or the wait that comes first, makes up for it. But of what *is* published nothing is
//! missed. The models are in `threads/ring_models.rs`.
//!
//! Why not the deque alone: a push and a pop of it cost 7.5 ns, more than most joins do otherwise.
//! Read next: `threads/registry.rs`.

#![allow(
    unsafe_code,
    reason = "pointers to jobs on the stacks of joins that have not returned"
)]

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use crate::shim::UnsafeCell;
use crate::shim::deque::Worker as Deque;
use crate::threads::job::{Header, JobRef};
use crate::threads::latch::Latch;

/// Private halves that a worker can have; a join that finds the ring full runs both halves itself.
///
/// Unit: halves, 8 bytes each. Source: a recursion that is 4096 joins deep has work to publish;
/// not tuned.
const SLOTS: usize = 4096;

/// The start of a join half: what is the same for all of them.
#[repr(C)]
pub(crate) struct HalfHead {
    header: Header,
    /// Not written while the half is private; then the thief's and the owner's.
    published: UnsafeCell<MaybeUninit<Published>>,
}

/// What a half has once it is public.
#[derive(Debug)]
pub(crate) struct Published {
    /// Set when the half was run by another job's hand than its owner's.
    pub(crate) latch: Latch,
    /// The number of the worker that waits for the latch.
    pub(crate) owner: usize,
}

impl HalfHead {
    /// The head of a private half.
    #[inline]
    pub(crate) fn new(header: Header) -> Self {
        Self {
            header,
            published: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// The latch and the owner.
    ///
    /// # Safety
    ///
    /// The half was published.
    pub(crate) unsafe fn published(&self) -> &Published {
        // SAFETY: written once, in `publish`, before anybody can call this: a thief has the half
        // from the deque it was pushed into afterwards, the owner published it itself. Nobody
        // writes it again.
        let published = self.published.with(|cell| unsafe { &*cell });
        // SAFETY: as above: it is written.
        unsafe { published.assume_init_ref() }
    }
}

/// The private halves of one worker. Only that worker's thread uses it.
pub(crate) struct Ring {
    /// Position of the oldest private half; all before it are public.
    head: Cell<usize>,
    /// Position of the next half.
    tail: Cell<usize>,
    slots: Box<[Cell<Option<NonNull<HalfHead>>>; SLOTS]>,
}

impl Ring {
    /// An empty ring.
    pub(crate) fn new() -> Self {
        Self {
            head: Cell::new(0),
            tail: Cell::new(0),
            slots: Box::new([const { Cell::new(None) }; SLOTS]),
        }
    }

    /// Adds a half; gives its position, or `None` when the ring is full.
    ///
    /// # Safety
    ///
    /// The half stays where it is until it was taken back, or, if it has been published, until
    /// it was popped by its owner or its latch is set. Its `execute` may then be called.
    #[inline]
    pub(crate) unsafe fn push(&self, half: NonNull<HalfHead>) -> Option<usize> {
        let position = self.tail.get();
        if position.wrapping_sub(self.head.get()) >= SLOTS {
            return None;
        }
        self.slots[position % SLOTS].set(Some(half));
        self.tail.set(position.wrapping_add(1));
        Some(position)
    }

    /// Takes the half at `position` back, which is the newest. False: it has been published.
    #[inline]
    #[must_use]
    pub(crate) fn take_back(&self, position: usize) -> bool {
        debug_assert!(
            self.tail.get() == position + 1 || self.head.get() > position,
            "ring: a join did not clean up"
        );
        self.tail.set(position);
        if self.head.get() <= position {
            return true;
        }
        // Published, and all older ones with it.
        self.head.set(position);
        false
    }

    /// True when no half is private.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.get() == self.tail.get()
    }

    /// Moves the oldest private halves into the deque until it holds `window` jobs; `owner` is
    /// the number of this worker. Gives how many; the caller wakes somebody for them.
    pub(crate) fn publish(&self, deque: &Deque<JobRef>, window: usize, owner: usize) -> usize {
        let mut room = window.saturating_sub(deque.len());
        let first = self.head.get();
        while room > 0 && !self.is_empty() {
            let position = self.head.get();
            let Some(half) = self.slots[position % SLOTS].get() else {
                unreachable!("ring: a position between head and tail was never pushed");
            };
            let published = Published {
                latch: Latch::new(),
                owner,
            };
            // SAFETY: `push`'s caller keeps the half alive: it is between head and tail, so it
            // was neither taken back nor published.
            let head = unsafe { half.as_ref() };
            // SAFETY: the half is private: no thread but this one has its pointer, and the
            // cell's content is not borrowed before it is published.
            head.published
                .with_mut(|cell| unsafe { cell.write(MaybeUninit::new(published)) });
            self.head.set(position + 1);
            // SAFETY: alive until it is run (`push`'s contract); it leaves the ring in this
            // line, so this is the only `JobRef` to it.
            let job = unsafe { JobRef::new(half.cast()) };
            // The deque's Release hands the latch and the closure to the thief.
            deque.push(job);
            room -= 1;
        }
        self.head.get() - first
    }
}
