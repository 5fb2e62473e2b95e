//! Who waits for one fd: a slot a direction, and lists of any length.
//!
//! ```text
//!   slots   read ─► waker      write ─► waker        poll_read, poll_write: the last caller
//!   lists   read ─► w ─► w     write ─► w            readable(), accept(): any number,
//!           either ─► w ─► w ─► w                    oldest first
//! ```
//!
//! An event of a direction takes its slot, its list and the list of those who wait for either.
//! Each waiter notes how many events there had been when it came, and an event takes older ones
//! only: a waker that puts its task straight back into the list is not taken again.
//! An event takes the waker out. Kept for the next wait it would have to be cloned for each wake:
//! two locked operations, where putting a fresh clone back costs one and a lock.
//! Read next: `reactor/readiness.rs`, which holds this under its mutex.

#![forbid(unsafe_code)]

use std::task::{Context, Waker};

use crate::parts::list::{List, Node};
use crate::parts::slab::{Key, Slab};
use crate::reactor::bits::{Bits, Direction};

/// A waker and when it came.
#[derive(Debug)]
struct Waiter {
    waker: Waker,
    /// How many events there had been.
    since: u64,
}

/// Room for one waiter.
#[derive(Debug)]
pub(super) struct Slot(Option<Waiter>);

impl Slot {
    /// True when the task of `cx` waits here already.
    pub(super) fn has(&self, cx: &Context<'_>) -> bool {
        self.0
            .as_ref()
            .is_some_and(|waiter| waiter.waker.will_wake(cx.waker()))
    }

    /// Puts `waker` in; the one before comes out, to be dropped without the lock.
    pub(super) fn replace(&mut self, waker: Waker, events: u64) -> Option<Waker> {
        let waiter = Waiter {
            waker,
            since: events,
        };
        self.0.replace(waiter).map(|before| before.waker)
    }

    /// Takes a waker that came before event number `now`.
    fn take(&mut self, now: u64) -> Option<Waker> {
        let waiter = self.0.take_if(|waiter| waiter.since < now)?;
        Some(waiter.waker)
    }
}

/// Which list a waiter is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Wants to read.
    Read = 0,
    /// Wants to write.
    Write = 1,
    /// Either would do.
    Either = 2,
}

impl Side {
    /// The list for who waits for `bits`. What is no writing (errors, priority) counts as
    /// reading: an error event reaches both directions.
    fn of(wanted: Bits) -> Self {
        match Direction::of(wanted) {
            Direction::Read if wanted.meets(Bits::WRITABLE) => Self::Either,
            Direction::Read => Self::Read,
            Direction::Write => Self::Write,
        }
    }
}

/// The place of a waiter in a list; held by its future.
#[derive(Debug)]
pub(crate) struct Place {
    /// Names the waiter; stale as soon as an event has woken it.
    key: Key,
    /// Which list it is in.
    side: Side,
}

/// All who wait for one fd.
#[derive(Debug)]
pub(super) struct Waiters {
    /// One a direction.
    slots: [Slot; 2],
    /// The nodes of `lists`.
    nodes: Slab<Node<Waiter>>,
    /// Read, write, either.
    lists: [List; 3],
}

impl Waiters {
    /// Nobody.
    pub(super) const fn new() -> Self {
        Self {
            slots: [Slot(None), Slot(None)],
            nodes: Slab::new(),
            lists: [List::new(); 3],
        }
    }

    /// How many are in the lists.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The slot of `direction`.
    pub(super) fn slot(&mut self, direction: Direction) -> &mut Slot {
        &mut self.slots[direction as usize]
    }

    /// Takes one waker that came before event number `now` and cares for `direction`.
    pub(super) fn pop(&mut self, direction: Direction, now: u64) -> Option<Waker> {
        if let Some(waker) = self.slot(direction).take(now) {
            return Some(waker);
        }
        for side in [direction as usize, Side::Either as usize] {
            let Some(front) = self.lists[side].front() else {
                continue;
            };
            let node = self.nodes.get(front);
            if node.is_some_and(|node| node.value.since < now) {
                let waiter = self.lists[side].pop_front(&mut self.nodes);
                return waiter.map(|waiter| waiter.waker);
            }
        }
        None
    }

    /// True when the task of `cx` waits at `place` already.
    pub(super) fn has(&self, place: &Option<Place>, cx: &Context<'_>) -> bool {
        let node = place.as_ref().and_then(|place| self.nodes.get(place.key));
        node.is_some_and(|node| node.value.waker.will_wake(cx.waker()))
    }

    /// Puts `waker` at `place`, at the end of its list if it is in none; the one before comes out.
    pub(super) fn put(
        &mut self,
        place: &mut Option<Place>,
        wanted: Bits,
        waker: Waker,
        events: u64,
    ) -> Option<Waker> {
        let known = place
            .as_ref()
            .and_then(|place| self.nodes.get_mut(place.key));
        if let Some(node) = known {
            return Some(std::mem::replace(&mut node.value.waker, waker));
        }
        let side = Side::of(wanted);
        let since = events;
        let key = self.nodes.insert(Node::new(Waiter { waker, since }));
        self.lists[side as usize].push_back(&mut self.nodes, key);
        *place = Some(Place { key, side });
        None
    }

    /// Takes the waiter at `place` out, if no event has; its waker is to be dropped unlocked.
    pub(super) fn leave(&mut self, place: &mut Option<Place>) -> Option<Waker> {
        let Place { key, side } = place.take()?;
        self.nodes.get(key)?;
        self.lists[side as usize].unlink(&mut self.nodes, key);
        self.nodes.remove(key).map(|node| node.value.waker)
    }
}
