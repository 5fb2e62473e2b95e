//! The queue under the channels: many push, one pops and may fall asleep at an empty slot.
//!
//! ```text
//!   chain (oldest block first)       block: 31 slots              tail: index << 1 | ENDED
//!   ┌───────┐  ┌───────┐             ┌───┬───┬───┬─   ─┬───┐
//!   │ head's│  │ tail's│ ── block ──►│ 0 │ 1 │ 2 │ ... │30 │      index mod 32 is the slot;
//!   └───────┘  └───────┘             └───┴───┴───┴─   ─┴───┘      31 means: block full
//!
//!   a slot:               push: claimed, written, published
//!        ┌─── Empty ─────────────────────────────────────────┐
//!   pop  │      │ wait_for: the receiver falls asleep here   ▼
//!        │      └──► Waited ─────────────────────────────► Full ──┐
//!        │                    push, which must wake it            │
//!        └────────────────────────────────────────────────────────┘
//! ```
//!
//! A sender claims a slot by one compare-and-swap of `tail` and publishes its value by one swap of
//! the slot's state. That swap also tells whether the receiver sleeps: it does so *at the slot*,
//! so publishing and looking for a sleeper are one operation on one word, and none is lost.
//! The receiver needs no locked operation at all: the state says Full, the slot is its own.
//! At each 32nd step somebody locks `blocks`, to add a block or to put an emptied one aside.
//!
//! A block may be reused as soon as the receiver has emptied its last slot: a sender touches a
//! block only after its claim and not after its swap, and a sender that loaded a stale block
//! fails to claim, since `tail` never has the same value twice.
//!
//! Slots that are claimed by an index are the idea of Dmitry Vyukov's bounded MPMC queue
//! (1024cores.net, "Bounded MPMC queue"); his sequence numbers are not needed, because blocks are
//! handed on under the mutex. Blocks with one place less than their lap, so that the index itself
//! says "full", are how crossbeam's `SegQueue` counts.
//! Why not a ring for bounded channels: `channel(1_000_000)` would pay for a million slots before
//! the first message. A chain that keeps its emptied blocks *is* a ring while it is short.
//! Read next: `sync/mpsc_channel.rs`, which adds capacity and the end.

#![allow(unsafe_code, reason = "values written by many threads and read by one")]

use std::fmt;
use std::mem::MaybeUninit;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

use crate::shim::atomic::Ordering::{Acquire, Relaxed, Release};
use crate::shim::atomic::{AtomicPtr, AtomicU32, AtomicU64};
use crate::shim::{Mutex, UnsafeCell, spin_hint};

/// Slots of a block, so that an index advances by 32 from block to block.
///
/// Unit: messages. Source: as many as tokio and crossbeam have; not tuned here.
pub(crate) const SLOTS: usize = 31;

/// Emptied blocks that a queue keeps.
///
/// Unit: blocks. Effect: a backlog of up to 8 * 31 messages that comes and goes allocates nothing.
/// Source: not tuned.
const SPARES: usize = 8;

/// Bit of `tail`: nothing can be pushed any more.
const ENDED: u64 = 1;
/// What one claimed slot adds to `tail`.
const STEP: u64 = 2;

/// Slot: no value, nobody waits.
const EMPTY: u32 = 0;
/// Slot: no value, and the receiver sleeps here.
const WAITED: u32 = 1;
/// Slot: a value, published.
const FULL: u32 = 2;

/// A place for one value.
struct Slot<T> {
    /// `EMPTY`, `WAITED` or `FULL`.
    state: AtomicU32,
    /// Initialised while `FULL`. From its claim to its swap the sender's; while `FULL` the
    /// receiver's.
    value: UnsafeCell<MaybeUninit<T>>,
}

// SAFETY: `value` is written by the one sender that claimed the slot and read by the one owner of
// the `Head`, handed over by FULL: one thread at a time, so `T: Send` is enough.
unsafe impl<T: Send> Sync for Slot<T> {}

/// `SLOTS` slots. Shared by the chain, the receiver, and (by pointer) the senders.
type Block<T> = Arc<[Slot<T>]>;

/// The senders' end, and what both ends share.
pub(crate) struct Queue<T, const SLOTS: usize> {
    /// Index of the next free slot, and [`ENDED`]. Every write is a read-modify-write.
    tail: AtomicU64,
    /// The block that `tail` speaks about. Written under `blocks`, when `tail` says "full".
    block: AtomicPtr<Slot<T>>,
    /// Which blocks there are.
    blocks: Mutex<Blocks<T>>,
    /// Whom to wake when something happens that the receiver waits for.
    receiver: Mutex<Option<Waker>>,
}

/// What the `blocks` mutex guards.
struct Blocks<T> {
    /// From the receiver's block to the senders'; never empty.
    chain: std::collections::VecDeque<Block<T>>,
    /// Emptied blocks, for the next time that one is needed; at most [`SPARES`].
    spare: Vec<Block<T>>,
}

/// The receiver's end: there is one for each queue, and whoever has it mutably may pop.
pub(crate) struct Head<T> {
    /// The first block of the chain.
    block: Block<T>,
    /// Index of the next slot to pop; counts as `tail` does.
    index: u64,
}

/// A block of empty slots.
fn new_block<T, const SLOTS: usize>() -> Block<T> {
    (0..SLOTS)
        .map(|_| Slot {
            state: AtomicU32::new(EMPTY),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        })
        .collect()
}

/// A queue and its only head.
pub(crate) fn queue<T, const SLOTS: usize>() -> (Queue<T, SLOTS>, Head<T>) {
    let block = new_block::<T, SLOTS>();
    let queue = Queue {
        tail: AtomicU64::new(0),
        block: AtomicPtr::new(block.as_ptr().cast_mut()),
        blocks: Mutex::new(Blocks {
            chain: [block.clone()].into(),
            spare: Vec::new(),
        }),
        receiver: Mutex::new(None),
    };
    (queue, Head { block, index: 0 })
}

impl<T, const SLOTS: usize> Queue<T, SLOTS> {
    /// How far the index goes from block to block.
    const LAP: u64 = SLOTS as u64 + 1;

    /// Adds a value, and wakes the receiver if it waits for this one. Fails after [`end`](Self::end).
    #[inline]
    pub(crate) fn push(&self, value: T) -> Result<(), T> {
        // Acquire, also when the swap fails: the block behind this index is in `block`; pairs
        // with the Release in `add_block`.
        let mut tail = self.tail.load(Acquire);
        let slot = loop {
            if tail & ENDED != 0 {
                return Err(value);
            }
            let offset = Self::offset(tail >> 1);
            if offset == SLOTS {
                tail = self.make_room();
                continue;
            }
            // Acquire: pairs with the Release in `add_block`. If this is already a later block,
            // the claim below sees what `add_block` saw, a later tail, and fails.
            let block = self.block.load(Acquire);
            match self
                .tail
                .compare_exchange_weak(tail, tail + STEP, Acquire, Acquire)
            {
                // SAFETY: `block` is the first of SLOTS slots, and `offset` is less.
                Ok(_) => break unsafe { block.add(offset) },
                Err(now) => tail = now,
            }
        };
        // SAFETY: the claim succeeded, so `block` is the block of this index (see above). It stays
        // in the chain at least until the receiver has popped this slot, which takes the swap below.
        let slot = unsafe { &*slot };
        // SAFETY: `tail` gives each index to one sender, and the slot was emptied before its
        // block came to this place in the chain.
        slot.value
            .with_mut(|cell| unsafe { cell.write(MaybeUninit::new(value)) });
        // Release: the value; pairs with the Acquire in `pop`. No Acquire for WAITED: the waker
        // comes through its mutex. The slot is not touched after this.
        if slot.state.swap(FULL, Release) == WAITED {
            self.wake_receiver();
        }
        Ok(())
    }

    /// The next value, if it is published.
    #[inline]
    pub(crate) fn pop(&self, head: &mut Head<T>) -> Option<T> {
        let offset = self.head_offset(head);
        let slot = &head.block[offset];
        // Acquire: the value; pairs with the Release in `push`.
        if slot.state.load(Acquire) != FULL {
            return None;
        }
        // SAFETY: FULL, so it is initialised and no sender touches it; `head` is the only one of
        // its queue and borrowed mutably, so nobody else reads it.
        let value = slot.value.with(|cell| unsafe { cell.read() });
        // SAFETY: as above; the value was written whole, and EMPTY below makes it count as gone.
        let value = unsafe { value.assume_init() };
        // Relaxed, and a plain store: no sender touches the slot until its block has gone
        // through the `blocks` mutex (`next_block`).
        slot.state.store(EMPTY, Relaxed);
        head.index += 1;
        Some(value)
    }

    /// The next value, also one whose push is under way. `None` when there is none of either.
    ///
    /// Waits for the pushing thread, if it must: that one is between its claim and its swap, a
    /// few instructions without user code.
    pub(crate) fn pop_claimed(&self, head: &mut Head<T>) -> Option<T> {
        let mut rounds = 0;
        loop {
            if let Some(value) = self.pop(head) {
                return Some(value);
            }
            if self.is_empty(head) {
                return None;
            }
            // Not tuned: on one core only a yield lets the other thread go on.
            rounds += 1;
            if rounds % 16 == 0 {
                std::thread::yield_now()
            } else {
                spin_hint()
            }
        }
    }

    /// Falls asleep at the next slot. True when a value came meanwhile: pop again.
    ///
    /// On false `waker` is woken by the next push and by [`wake_receiver`](Self::wake_receiver):
    /// conditions other than a push must be looked at after this call, not before.
    pub(crate) fn wait_for(&self, head: &mut Head<T>, waker: &Waker) -> bool {
        self.set_receiver(waker);
        let offset = self.head_offset(head);
        // A read-modify-write on the word that `push` swaps: either that one sees WAITED or
        // this one sees FULL. Should WAITED be there from an earlier wait, then a swap that came
        // before is visible to us through the mutex, or will find the new waker in it.
        // Acquire: as in `pop`.
        let state = &head.block[offset].state;
        state.compare_exchange(EMPTY, WAITED, Relaxed, Acquire) == Err(FULL)
    }

    /// Keeps the waker of the receiver, unless that is what is kept.
    fn set_receiver(&self, waker: &Waker) {
        let lock = || self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        if lock().as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            return;
        }
        // Cloned and dropped outside of the lock: that is user code.
        let waker = waker.clone();
        let old = lock().replace(waker);
        drop(old);
    }

    /// Wakes the receiver, if it left a waker.
    #[cold]
    pub(crate) fn wake_receiver(&self) {
        if let Some(waker) = self.take_receiver() {
            waker.wake();
        }
    }

    /// Takes the receiver's waker out.
    pub(crate) fn take_receiver(&self) -> Option<Waker> {
        self.receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Lets no more values in; those that are claimed still come out. Does not wake.
    pub(crate) fn end(&self) {
        // Release: who sees the end sees what was done before it (`is_ended`, `push`).
        self.tail.fetch_or(ENDED, Release);
    }

    /// True after [`end`](Self::end).
    pub(crate) fn is_ended(&self) -> bool {
        // Acquire: pairs with the Release in `end`.
        self.tail.load(Acquire) & ENDED != 0
    }

    /// Values in it, those just being pushed included.
    pub(crate) fn len(&self, head: &Head<T>) -> usize {
        // Acquire: a push that the caller knows of is counted (`end` is Release, the claim is
        // ordered by whatever told the caller).
        let tail = self.tail.load(Acquire) >> 1;
        let count = |index| index / Self::LAP * SLOTS as u64 + index % Self::LAP;
        usize::try_from(count(tail).saturating_sub(count(head.index))).unwrap_or(usize::MAX)
    }

    /// True when no value is in it, and none is being pushed.
    pub(crate) fn is_empty(&self, head: &Head<T>) -> bool {
        self.len(head) == 0
    }

    /// The slot of an index; [`SLOTS`] when its block is full.
    #[inline]
    fn offset(index: u64) -> usize {
        (index % Self::LAP) as usize
    }

    /// The slot to pop next, in the next block where this one is used up.
    #[inline]
    fn head_offset(&self, head: &mut Head<T>) -> usize {
        let offset = Self::offset(head.index);
        if offset < SLOTS {
            return offset;
        }
        self.next_block(head);
        0
    }

    /// Adds a block if `tail` still needs one; gives the new tail.
    #[cold]
    fn make_room(&self) -> u64 {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        // Relaxed: the index leaves "full" only under this mutex.
        let tail = self.tail.load(Relaxed);
        if Self::offset(tail >> 1) == SLOTS {
            self.add_block(&mut blocks)
        } else {
            tail
        }
    }

    /// Appends a block and moves `tail` to its first slot. `tail` says "full".
    fn add_block(&self, blocks: &mut Blocks<T>) -> u64 {
        let block = blocks.spare.pop().unwrap_or_else(new_block::<T, SLOTS>);
        // Release, both: who sees the pointer or the index sees empty slots behind it; pairs
        // with the Acquires in `push`. In this order, so that an index is never ahead of its
        // block. The fetch_add races with `end` only: nobody claims where "full" stands.
        self.block.store(block.as_ptr().cast_mut(), Release);
        blocks.chain.push_back(block);
        self.tail.fetch_add(STEP, Release) + STEP
    }

    /// Moves an emptied head to the next block, which is made if there is none.
    #[cold]
    fn next_block(&self, head: &mut Head<T>) {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let emptied = blocks.chain.pop_front();
        assert!(
            emptied
                .as_ref()
                .is_some_and(|block| Arc::ptr_eq(block, &head.block)),
            "mpsc queue: a head of another queue"
        );
        // The receiver has emptied all its slots, so `tail` is at least at its "full", and no
        // sender will touch it again.
        if blocks.spare.len() < SPARES {
            blocks.spare.extend(emptied);
        }
        if blocks.chain.is_empty() {
            // A receiver must have a slot to sleep at. This may be the emptied block again.
            self.add_block(&mut blocks);
        }
        head.block = blocks.chain[0].clone();
        head.index += 1;
    }
}

impl<T, const SLOTS: usize> fmt::Debug for Queue<T, SLOTS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("ended", &self.is_ended())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_in_order_and_blocks_are_used_again() {
        let (queue, mut head) = queue::<_, 2>();
        for i in 0..10 {
            queue.push(i).unwrap();
            queue.push(i + 100).unwrap();
            assert_eq!(queue.len(&head), 2);
            assert_eq!(queue.pop(&mut head), Some(i));
            assert_eq!(queue.pop(&mut head), Some(i + 100));
            assert_eq!(queue.pop(&mut head), None);
        }
        let blocks = queue.blocks.lock().unwrap();
        assert!(blocks.chain.len() + blocks.spare.len() <= 2);
    }

    #[test]
    fn after_the_end_only_what_was_pushed_comes_out() {
        let (queue, mut head) = queue::<_, 2>();
        queue.push(1).unwrap();
        queue.end();
        assert_eq!(queue.push(2), Err(2));
        assert_eq!(queue.pop_claimed(&mut head), Some(1));
        assert_eq!(queue.pop_claimed(&mut head), None);
        assert!(queue.is_ended() && queue.is_empty(&head));
    }

    #[test]
    fn the_receiver_is_woken_by_the_push_it_waits_for() {
        let (queue, mut head) = queue::<_, 2>();
        assert!(!queue.wait_for(&mut head, Waker::noop()));
        queue.push(1).unwrap();
        assert!(
            queue.take_receiver().is_none(),
            "the push has taken and woken it"
        );
        assert!(
            queue.wait_for(&mut head, Waker::noop()),
            "there is one, do not sleep"
        );
        assert_eq!(queue.pop(&mut head), Some(1));
    }
}

#[cfg(all(test, trefoil_loom))]
#[path = "mpsc_queue_models.rs"]
mod models;
