//! What the halves of a broadcast channel share: a ring of slots, its end, and who waits there.
//!
//! ```text
//!   positions:   … 9    10    11 │ 12                 the end: the next value gets 12
//!   slots of 4:   [ 9]  [10]  [11]  [ 8]              slot = position mod 4
//!                                     ▲
//!             a receiver that wants 12 finds 8: not sent yet
//!             one that wants 7 finds 11: overwritten, it lags
//! ```
//!
//! Positions never wrap (64 bits). A slot knows whose position it holds, so one look at one slot
//! tells a receiver which of the three it is. Each slot has a mutex of its own, and the end
//! (position, number of receivers, line of those who wait) has one for itself:
//!
//! ```text
//!   send:     lock end { receivers? position + 1; lock slot { put } ; call the line } wake
//!   receive:  lock slot { there? one fewer to come; clone }          else lock end { wait or closed }
//! ```
//!
//! A value is cloned under its slot's lock, because `T` need not be `Sync`; the last receiver to
//! come is given the value itself. A slot counts how many receivers have *yet to come*: those who
//! subscribed before the send. Receivers read in order, so along the ring this count falls from
//! the newest value to the oldest, and `Channel::len` may search by halves.
//!
//! Why not one lock for all: receivers would clone one after the other, and keep senders waiting.
//! Read next: `sync/broadcast_leave.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::PoisonError;
use std::task::Waker;

use crate::parts::slab::Key;
use crate::shim::atomic::AtomicUsize;
use crate::shim::atomic::Ordering::{AcqRel, Acquire, Relaxed};
use crate::shim::{Mutex, MutexGuard};
use crate::sync::notify::Notify;
use crate::sync::wait::{More, WaitQueue, wake_in_batches};

/// What both halves share.
pub(crate) struct Channel<T> {
    /// As many as a power of two.
    slots: Box<[Mutex<Slot<T>>]>,
    /// Where the ring ends. Locked before a slot, never after.
    end: Mutex<End>,
    /// How many senders there are. Once 0 it stays 0.
    senders: AtomicUsize,
    /// How many weak senders there are. Only counted.
    weak: AtomicUsize,
    /// Rings when the last receiver goes.
    pub(crate) gone: Notify,
}

/// A place for one value at a time.
pub(super) struct Slot<T> {
    /// Whose place it is now.
    pub(super) position: u64,
    /// How many receivers have yet to come for the value.
    pub(super) to_come: usize,
    /// There while anybody has yet to come.
    pub(super) value: Option<T>,
}

/// Where the ring ends.
pub(super) struct End {
    /// The position of the next value.
    pub(super) position: u64,
    /// How many receivers there are.
    pub(super) receivers: usize,
    /// Who waits, each with the position it waits for.
    line: WaitQueue<u64>,
}

/// Why the value of a position is not in its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Not sent yet.
    NotYet,
    /// Another value is there already.
    Overwritten,
}

/// What a receiver finds at the end of the ring.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtEnd {
    /// Nothing yet.
    Empty,
    /// Nothing, for ever.
    Closed,
    /// Something: it was sent meanwhile.
    Sent,
}

impl<T> Channel<T> {
    /// A ring for `capacity` values, with one sender and no receiver.
    #[track_caller]
    pub(crate) fn new(capacity: usize) -> Self {
        assert!(
            capacity > 0,
            "broadcast: a ring for 0 values, so none could be received; give at least 1"
        );
        assert!(
            capacity <= usize::MAX / 2,
            "broadcast: a ring for {capacity} values, more than usize::MAX / 2; give fewer"
        );
        let slots = capacity.next_power_of_two() as u64;
        // As if the ring had been filled and read once: each slot has a position from the start.
        let slot = |position| {
            Mutex::new(Slot {
                position,
                to_come: 0,
                value: None,
            })
        };
        Self {
            slots: (0..slots).map(slot).collect(),
            end: Mutex::new(End {
                position: slots,
                receivers: 0,
                line: WaitQueue::new(),
            }),
            senders: AtomicUsize::new(1),
            weak: AtomicUsize::new(0),
            gone: Notify::new(),
        }
    }

    /// Puts a value in, and says for how many receivers; gives it back when there is none.
    pub(crate) fn send(&self, value: T) -> Result<usize, T> {
        // Declared first, so dropped last: what was overwritten meets no lock, and everybody is
        // woken before it can panic.
        let _overwritten;
        let mut end = self.end();
        let receivers = end.receivers;
        if receivers == 0 {
            drop(end);
            return Err(value);
        }
        let position = end.position;
        let mut slot = self.slot(position);
        _overwritten = slot.value.replace(value);
        slot.position = position;
        slot.to_come = receivers;
        drop(slot);
        end.position += 1;
        self.call(end, |waits_for| waits_for <= position);
        Ok(receivers)
    }

    /// Wakes those at the front of the line whose position is `over`; unlocks for that.
    #[inline]
    fn call(&self, mut end: MutexGuard<'_, End>, over: impl Fn(u64) -> bool) {
        let Some(first) = end.line.front() else {
            return;
        };
        let waker = end.line.call(first);
        if end.line.is_empty() {
            drop(end);
            waker.into_iter().for_each(Waker::wake);
            return;
        }
        drop(end);
        let mut waker = waker;
        wake_in_batches(|wakers| {
            waker.take().into_iter().for_each(|w| wakers.push(w));
            let mut end = self.end();
            // Who came into the line meanwhile waits for a later position: the loop ends.
            while let Some(first) = end.line.front()
                && end
                    .line
                    .value(first)
                    .is_some_and(|position| over(*position))
            {
                if wakers.is_full() {
                    return More::Yes;
                }
                end.line
                    .call(first)
                    .into_iter()
                    .for_each(|w| wakers.push(w));
            }
            More::No
        });
    }

    /// The value at `next`, which then is the position after it.
    #[inline]
    pub(crate) fn read(&self, next: &mut u64) -> Result<T, Missing>
    where
        T: Clone,
    {
        let mut slot = self.slot(*next);
        if slot.position == *next {
            // Before the clone: if it panics, this receiver has had the value.
            *next += 1;
            return Ok(slot.give());
        }
        Err(if slot.position < *next {
            Missing::NotYet
        } else {
            Missing::Overwritten
        })
    }

    /// Moves `next`, which was overwritten, to the oldest value; says how many were missed.
    #[cold]
    pub(crate) fn skip(&self, next: &mut u64) -> u64 {
        let oldest = self.end().position - self.capacity();
        let missed = oldest - *next;
        *next = oldest;
        missed
    }

    /// Looks at the end of the ring for who wants `next` and did not find it.
    pub(crate) fn look_at_end(&self, next: u64) -> AtEnd {
        self.at_end(&self.end(), next)
    }

    /// The same under the lock.
    fn at_end(&self, end: &End, next: u64) -> AtEnd {
        if end.position != next {
            AtEnd::Sent
        } else if self.sender_count() == 0 {
            // Nobody has a sender, so nobody is on the way to the lock to put something in.
            AtEnd::Closed
        } else {
            AtEnd::Empty
        }
    }

    /// Gets in line for `next`, or stays there with the newest waker, if there is nothing yet.
    pub(crate) fn wait(&self, next: u64, key: &mut Key, waker: &Waker) -> AtEnd {
        // Declared before the lock, so that an old waker is dropped after unlocking.
        let mut spare = Some(waker.clone());
        let mut end = self.end();
        let found = self.at_end(&end, next);
        if found == AtEnd::Empty {
            if *key == Key::NONE {
                *key = end.line.enter(spare.take(), next);
            } else {
                let _kept = end.line.refresh(*key, waker, &mut spare);
            }
        }
        found
    }

    /// Leaves the line.
    pub(crate) fn leave(&self, key: Key) {
        let mut end = self.end();
        let left = end.line.leave(key);
        drop(end);
        // Its waker is dropped here, after unlocking.
        drop(left);
    }

    /// Counts a new receiver; says where it begins.
    pub(crate) fn add_receiver(&self) -> u64 {
        let mut end = self.end();
        end.receivers += 1;
        end.position
    }

    /// How many receivers there are.
    pub(crate) fn receiver_count(&self) -> usize {
        self.end().receivers
    }

    /// How many values were sent that a receiver at `next` has not received.
    pub(crate) fn unread(&self, next: u64) -> u64 {
        self.end().position - next
    }

    /// How many values are still there because somebody has yet to come for them.
    pub(crate) fn len(&self) -> usize {
        let end = self.end();
        let (mut seen, mut wanted) = (end.position - self.capacity(), end.position);
        // All before `seen` are seen by all, all from `wanted` on are not.
        while seen < wanted {
            let middle = seen + (wanted - seen) / 2;
            if self.slot(middle).to_come == 0 {
                seen = middle + 1;
            } else {
                wanted = middle;
            }
        }
        (end.position - wanted) as usize
    }

    /// How many senders there are.
    pub(crate) fn sender_count(&self) -> usize {
        // Acquire: pairs with `leave_sender`. Who finds 0 sees all that was sent.
        self.senders.load(Acquire)
    }

    /// Counts a new sender, unless the last one is gone.
    pub(crate) fn add_sender(&self) -> bool {
        let more = |count| (count > 0).then_some(count + 1);
        // Relaxed: nothing but the count; from zero it never comes back.
        self.senders.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    /// Counts a sender off; the last one wakes all who wait.
    pub(crate) fn leave_sender(&self) {
        // AcqRel: what all senders did comes before the end; pairs with itself and `sender_count`.
        if self.senders.fetch_sub(1, AcqRel) == 1 {
            // After the count: who locks first is found in line, who locks later finds it closed.
            self.call(self.end(), |_| true);
        }
    }

    /// Counts a weak sender on or off.
    pub(crate) fn count_weak(&self, more: bool) {
        if more {
            self.weak.fetch_add(1, Relaxed);
        } else {
            self.weak.fetch_sub(1, Relaxed);
        }
    }

    /// How many weak senders there are.
    pub(crate) fn weak_count(&self) -> usize {
        self.weak.load(Relaxed)
    }

    /// A number that tells this channel from others, for the wait site.
    pub(crate) fn address(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }

    /// How many slots there are.
    pub(super) fn capacity(&self) -> u64 {
        self.slots.len() as u64
    }

    /// Locks the slot of a position. A clone that panics under it leaves it as it is.
    #[inline]
    pub(super) fn slot(&self, position: u64) -> MutexGuard<'_, Slot<T>> {
        let slot = &self.slots[position as usize & (self.slots.len() - 1)];
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the end. No user code runs under it, so a poisoned one is sound.
    #[inline]
    pub(super) fn end(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Slot<T> {
    /// The value for one of those who have yet to come: a clone, and for the last one itself.
    #[inline]
    fn give(&mut self) -> T {
        self.to_come -= 1;
        let value = match self.to_come {
            0 => self.value.take(),
            _ => self.value.clone(),
        };
        match value {
            Some(value) => value,
            None => unreachable!("broadcast: a value is there until the last has come for it"),
        }
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("capacity", &self.slots.len())
            .field("senders", &self.sender_count())
            .field("receivers", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, trefoil_loom))]
#[path = "broadcast_models.rs"]
mod broadcast_models;
