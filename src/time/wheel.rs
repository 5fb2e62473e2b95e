//! A timer wheel: items that fall due at a tick, with insert and cancel in constant time.
//!
//! ```text
//!             slot   0   1   2        63
//!   level 0        [ · │ ● │ · │ … │ · ]    one slot = one tick                (1 ms)
//!   level 1        [ · │ · │ ● │ … │ · ]    one slot = 64 ticks               (64 ms)
//!     …                      │ cascade: when the time reaches a slot's first tick,
//!   level 5        [ · │ ● │ ▼ │ … │ · ]    its items move to lower levels   (12 days)
//!   far            ● ● ●                    ticks in another block of 2^36  (2.2 years)
//!   due            ● ●                      reached by the time, waiting for `pop`
//! ```
//!
//! Read the tick and the present time as numbers of six digits to the base 64. The highest digit
//! in which they differ names the level, the tick's digit there names the slot. Three things
//! follow. All items of one tick lie in one list, in the order of their insertion, and a cascade
//! keeps that order. Every used slot of a level lies ahead of the time's own digit, so the lowest
//! used level holds the nearest item, in its first used slot. And an item's place can be computed
//! from its tick, so it need not be stored.
//!
//! What differs above the sixth digit waits in `far`, outside of the levels: there it cannot wrap
//! round and stand in front of nearer ones, however long it waits.
//!
//! Why not a `BTreeMap`: it is ten times slower (`benches/timers.rs`), and most timers are
//! cancelled long before they fire. No clock in here: a tick is a plain number, so that tests can
//! run through years. Algorithm: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels",
//! SOSP 1987, scheme 7.
//! Read next: `time/timer.rs`, which gives ticks a meaning and items a waker.

#![forbid(unsafe_code)]

use crate::parts::list::{List, Node};
use crate::parts::slab::{Key, Slab};

/// Bits of a tick that one level looks at: a slot for each value, so that one word has a bit for
/// each slot.
///
/// Unit: bits. Source: a `u64` has 64 = 2^6 bits.
const BITS: u32 = 6;

/// Slots of a level.
const SLOTS: usize = 1 << BITS;

/// Levels; together they cover 2^36 ticks.
///
/// Unit: levels. Effect: 1 KiB each; timers further away than 2^36 ms (2.2 years) wait unsorted.
/// Source: not tuned.
const LEVELS: usize = 6;

/// Bits that all levels cover together: above them is the number of the block.
const BLOCK_BITS: u32 = BITS * LEVELS as u32;

/// One item and when it falls due.
#[derive(Debug)]
struct Entry<T> {
    tick: u64,
    item: T,
}

/// One row of slots.
#[derive(Debug)]
struct Level {
    /// Bit `n` is set exactly when `slots[n]` is not empty.
    used: u64,
    slots: [List; SLOTS],
}

/// Where an entry lies; computed from its tick and the present time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The time has reached it.
    Due,
    /// In slot `.1` of level `.0`.
    Slot(usize, usize),
    /// In another block of 2^36 ticks.
    Far,
}

impl Place {
    /// Where an entry for `tick` lies at the time `now`.
    fn of(now: u64, tick: u64) -> Self {
        if tick <= now {
            return Self::Due;
        }
        // Not zero, since they differ.
        let highest_bit = 63 - (now ^ tick).leading_zeros();
        let level = highest_bit / BITS;
        if level >= LEVELS as u32 {
            return Self::Far;
        }
        Self::Slot(level as usize, (tick >> (level * BITS)) as usize % SLOTS)
    }
}

/// A list that the time reaches next.
struct NextSlot {
    /// The first tick of its slot: no item in it is due before.
    start: u64,
    place: Place,
}

/// The wheel. `T` is what falls due.
#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// The tick up to which everything has been moved to `due`.
    now: u64,
    /// All entries; the lists below run through it.
    entries: Slab<Node<Entry<T>>>,
    levels: [Level; LEVELS],
    /// What `pop` gives, in the order of the ticks.
    due: List,
    /// Entries of later blocks, in the order of insertion.
    far: List,
    /// No entry in `far` belongs to an earlier block. `u64::MAX` when `far` is empty; too early
    /// a block after its entries were cancelled, which costs one useless look.
    far_block: u64,
}

impl<T> Wheel<T> {
    /// An empty wheel at tick 0.
    pub(crate) const fn new() -> Self {
        Self {
            now: 0,
            entries: Slab::new(),
            levels: [const {
                Level {
                    used: 0,
                    slots: [const { List::new() }; SLOTS],
                }
            }; LEVELS],
            due: List::new(),
            far: List::new(),
            far_block: u64::MAX,
        }
    }

    /// The tick up to which time has passed here.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// How many items wait, those that are due included.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds an item that falls due at `tick`; at once if that has passed.
    #[inline]
    pub(crate) fn insert(&mut self, tick: u64, item: T) -> Key {
        let key = self.entries.insert(Node::new(Entry { tick, item }));
        self.link(key, tick);
        key
    }

    /// Takes an item out; `None` when it was popped or cancelled before.
    #[inline]
    pub(crate) fn cancel(&mut self, key: Key) -> Option<T> {
        let tick = self.entries.get(key)?.value.tick;
        self.unlink(key, tick);
        self.entries.remove(key).map(|node| node.value.item)
    }

    /// The item behind `key`, to change it; `None` when it was popped or cancelled before.
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.entries.get_mut(key).map(|node| &mut node.value.item)
    }

    /// A tick before which nothing falls due: that of the nearest item or the first of its slot.
    ///
    /// `None` when nothing waits. Whoever advances to it and asks again gets at last, after no
    /// more than one step a level, the exact tick.
    pub(crate) fn next(&self) -> Option<u64> {
        if !self.due.is_empty() {
            return Some(self.now);
        }
        self.next_slot().map(|slot| slot.start)
    }

    /// Lets the time run on to `now` (it never runs back): what falls due until then can be
    /// popped.
    pub(crate) fn advance(&mut self, now: u64) {
        while let Some(slot) = self.next_slot()
            && slot.start <= now
        {
            // The list is taken first and the time set then: from now on the places of its
            // entries are others.
            let list = self.take(slot.place);
            self.now = slot.start;
            let mut next = list.front();
            while let Some(key) = next {
                next = List::next(&self.entries, key);
                if let Some(node) = self.entries.get(key) {
                    let tick = node.value.tick;
                    self.link(key, tick);
                }
            }
        }
        // No used slot begins in between, so no other entry's place changes.
        self.now = self.now.max(now);
    }

    /// The next item that is due: the earliest tick first, and the first in among equals.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.due
            .pop_front(&mut self.entries)
            .map(|entry| entry.item)
    }

    /// All items, in no order.
    pub(crate) fn items(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, node)| &node.value.item)
    }

    /// Links the entry `key`, which is in no list, where its tick belongs.
    #[inline]
    fn link(&mut self, key: Key, tick: u64) {
        match Place::of(self.now, tick) {
            Place::Due => self.due.push_back(&mut self.entries, key),
            Place::Slot(level, slot) => {
                let level = &mut self.levels[level];
                level.used |= 1 << slot;
                level.slots[slot].push_back(&mut self.entries, key);
            }
            Place::Far => {
                self.far_block = self.far_block.min(tick >> BLOCK_BITS);
                self.far.push_back(&mut self.entries, key);
            }
        }
    }

    /// Takes the entry `key` out of the list in which its tick put it.
    #[inline]
    fn unlink(&mut self, key: Key, tick: u64) {
        match Place::of(self.now, tick) {
            Place::Due => self.due.unlink(&mut self.entries, key),
            Place::Slot(level, slot) => {
                let level = &mut self.levels[level];
                level.slots[slot].unlink(&mut self.entries, key);
                if level.slots[slot].is_empty() {
                    level.used &= !(1 << slot);
                }
            }
            Place::Far => {
                self.far.unlink(&mut self.entries, key);
                if self.far.is_empty() {
                    self.far_block = u64::MAX;
                }
            }
        }
    }

    /// The used slot that comes next, `due` aside.
    fn next_slot(&self) -> Option<NextSlot> {
        for (number, level) in self.levels.iter().enumerate() {
            if level.used == 0 {
                continue;
            }
            // All used slots lie ahead of the time's own digit, so the lowest bit is the nearest.
            let slot = level.used.trailing_zeros();
            let shift = number as u32 * BITS;
            // The digits above this level are those of the present time.
            let above = self.now >> (shift + BITS) << (shift + BITS);
            let start = above | (u64::from(slot) << shift);
            return Some(NextSlot {
                start,
                place: Place::Slot(number, slot as usize),
            });
        }
        if self.far.is_empty() {
            return None;
        }
        Some(NextSlot {
            start: self.far_block << BLOCK_BITS,
            place: Place::Far,
        })
    }

    /// Takes a whole list out of its place.
    fn take(&mut self, place: Place) -> List {
        match place {
            Place::Due => std::mem::replace(&mut self.due, List::new()),
            Place::Slot(level, slot) => {
                let level = &mut self.levels[level];
                level.used &= !(1 << slot);
                std::mem::replace(&mut level.slots[slot], List::new())
            }
            Place::Far => {
                // Linking the entries of later blocks again makes this exact.
                self.far_block = u64::MAX;
                std::mem::replace(&mut self.far, List::new())
            }
        }
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_the_order_of_ticks_then_of_insertion() {
        let mut wheel = Wheel::new();
        for (tick, item) in [(70, "c"), (5, "a"), (70, "d"), (4096, "e"), (6, "b")] {
            wheel.insert(tick, item);
        }
        wheel.advance(70);
        let mut out = Vec::new();
        while let Some(item) = wheel.pop() {
            out.push(item);
        }
        assert_eq!(out, ["a", "b", "c", "d"]);
        assert_eq!(wheel.next(), Some(4096));
    }

    #[test]
    fn a_cancelled_item_is_gone_and_its_key_stale() {
        let mut wheel = Wheel::new();
        let key = wheel.insert(100, "x");
        assert_eq!(wheel.next(), Some(64), "the start of its slot");
        assert_eq!(wheel.cancel(key), Some("x"));
        assert_eq!(wheel.cancel(key), None);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn an_entry_stays_small() {
        // 16 for the links, 8 for the tick, 16 for the waker: 48 with the slab's own words.
        assert_eq!(size_of::<Node<Entry<std::task::Waker>>>(), 40);
        assert!(size_of::<Wheel<std::task::Waker>>() < 6400);
    }
}
