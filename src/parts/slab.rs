//! Numbered slots with generations: a key that outlived its value finds nothing.
//!
//! ```text
//!   slot      0          1          2          3
//!          ┌──────────┬──────────┬──────────┬──────────┐
//!   gen    │ 4        │ 1        │ 7        │ 2        │     key = (slot, gen)
//!          │ value    │ free ─┐  │ value    │ free: end│     key (2, 6) is stale: gen is 7
//!          └──────────┴───────┼──┴──────────┴──────────┘
//!                             └──────────────────► 3        free slots form a stack
//! ```
//!
//! The token given to epoll, the handle of a timer and the place of a waiter are such keys: plain
//! numbers, so nothing dangles (a late event or a second removal finds nothing).
//! Why not pointers: they would need unsafe code and a proof that nobody uses a dead one.
//! Read next: `parts/list.rs`, which threads lists through a slab.

#![forbid(unsafe_code)]

/// The name of one value in a [`Slab`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// Which slot.
    index: u32,
    /// Which of the values that the slot has held.
    generation: u32,
}

impl Key {
    /// A key that no slab ever gives out.
    pub(crate) const NONE: Self = Self {
        index: u32::MAX,
        generation: u32::MAX,
    };

    /// Both halves in one number, for an epoll token.
    pub(crate) fn to_u64(self) -> u64 {
        (u64::from(self.generation) << 32) | u64::from(self.index)
    }

    /// The key behind [`to_u64`](Self::to_u64).
    pub(crate) fn from_u64(number: u64) -> Self {
        Self {
            index: number as u32,
            generation: (number >> 32) as u32,
        }
    }
}

/// What a slot holds.
#[derive(Debug)]
enum Entry<T> {
    /// A value.
    Full(T),
    /// Nothing; the next free slot, or `u32::MAX` at the end.
    Free(u32),
}

/// One slot.
#[derive(Debug)]
struct Slot<T> {
    /// Grows by one at each removal; after 2^32 removals an ancient key could match again.
    generation: u32,
    entry: Entry<T>,
}

/// A growing table of slots. Memory is kept for reuse until the slab is dropped.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    slots: Vec<Slot<T>>,
    /// The first free slot, or `u32::MAX`.
    free: u32,
    len: usize,
}

impl<T> Slab<T> {
    /// An empty slab; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: u32::MAX,
            len: 0,
        }
    }

    /// How many values are there.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// True when no value is there.
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a value in and gives its key.
    ///
    /// # Panics
    ///
    /// With 2^32 - 1 values in it.
    #[inline]
    pub(crate) fn insert(&mut self, value: T) -> Key {
        self.len += 1;
        if let Some(slot) = self.slots.get_mut(self.free as usize) {
            let index = self.free;
            if let Entry::Free(next) = std::mem::replace(&mut slot.entry, Entry::Full(value)) {
                self.free = next;
            }
            return Key {
                index,
                generation: slot.generation,
            };
        }
        let index = u32::try_from(self.slots.len()).expect("slab: more than 2^32 values");
        assert!(index != u32::MAX, "slab: more than 2^32 - 1 values");
        self.slots.push(Slot {
            generation: 0,
            entry: Entry::Full(value),
        });
        Key {
            index,
            generation: 0,
        }
    }

    /// The value behind `key`, unless it is gone.
    #[inline]
    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        match self.slots.get(key.index as usize) {
            Some(Slot {
                generation,
                entry: Entry::Full(value),
            }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// The value behind `key`, to change it, unless it is gone.
    #[inline]
    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slots.get_mut(key.index as usize) {
            Some(Slot {
                generation,
                entry: Entry::Full(value),
            }) if *generation == key.generation => Some(value),
            _ => None,
        }
    }

    /// Takes the value behind `key` out, unless it is gone; its key is stale from now on.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.index as usize)?;
        if slot.generation != key.generation || matches!(slot.entry, Entry::Free(_)) {
            return None;
        }
        slot.generation = slot.generation.wrapping_add(1);
        let entry = std::mem::replace(&mut slot.entry, Entry::Free(self.free));
        self.free = key.index;
        self.len -= 1;
        match entry {
            Entry::Full(value) => Some(value),
            Entry::Free(_) => None,
        }
    }

    /// All values with their keys, in the order of their slots.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| match &slot.entry {
                Entry::Full(value) => Some((
                    Key {
                        index: index as u32,
                        generation: slot.generation,
                    },
                    value,
                )),
                Entry::Free(_) => None,
            })
    }
}
