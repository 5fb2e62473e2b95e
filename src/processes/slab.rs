//! Slabs: shared memory in a few sizes, lent to workers and used again.
//!
//! ```text
//!   Shelf ── take ──► Slab ── on its way in a job ──► worker ── DONE, dropped here ──┐
//!     ▲                                                                              ▼
//!     ├──────────────────────────── nobody claims it ◄───────────────────────────── drop
//!     └── the last claim goes: the worker is dead ◄── retired ◄── a worker claims it ─┘
//! ```
//!
//! A worker has a *claim* on each slab that was sent to it, until it says DONE and has kept
//! nothing, or until it is dead and reaped. A slab is used again only when nobody claims it, or a
//! worker that was stopped, given up, and goes on later would write into somebody else's data.
//! Why slabs are kept: fresh pages cost 12 to 47 times recycled ones (DESIGN.md).
//! Read next: `processes/luggage.rs`.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::sys::memory::{self, Mapping, Plain};

/// The smallest class. Unit: bytes. The others are twice the one before. Not tuned; pages that
/// nobody touches cost nothing.
const SMALLEST: usize = 64 << 10;
/// What a pool keeps for later at most. Unit: bytes. Effect: memory that a pool holds when no
/// buffer is in use. Not tuned: two of the largest usual messages.
const KEPT: usize = 256 << 20;

/// The number of the next slab: one is never used twice, so that a stale handle finds nothing.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// What a worker holds of a slab that was sent to it.
pub(crate) type Claim = Arc<()>;

/// A file, and its pages here.
#[derive(Debug)]
struct Memory {
    file: Arc<File>,
    pages: Mapping,
}

/// Shared memory with one owner in this process.
#[derive(Debug)]
pub(crate) struct Slab {
    number: u64,
    /// Taken out when the slab is dropped.
    memory: Option<Memory>,
    claim: Claim,
    /// Where it goes back to; nowhere, when it is somebody else's or read-only.
    shelf: Weak<Shelf>,
}

/// The slabs of one pool that are not in use.
#[derive(Debug, Default)]
pub(crate) struct Shelf(Mutex<Content>);

/// What the mutex guards.
#[derive(Debug, Default)]
struct Content {
    /// To be used again, the oldest first.
    free: Vec<Memory>,
    /// Not in use, but claimed.
    retired: Vec<(Claim, Memory)>,
    /// Nothing is kept any more.
    closed: bool,
}

impl Slab {
    /// One that came from the other process.
    ///
    /// # Errors
    ///
    /// When it is not sealed, or cannot be mapped.
    pub(crate) fn received(number: u64, file: File) -> io::Result<Self> {
        Ok(Self {
            number,
            memory: Some(Memory {
                pages: Mapping::new(&file)?,
                file: Arc::new(file),
            }),
            claim: Claim::default(),
            shelf: Weak::new(),
        })
    }

    /// One with these numbers, which nobody can change any more.
    ///
    /// # Errors
    ///
    /// When there is no memory, or no descriptor for it.
    pub(crate) fn frozen<T: Plain>(numbers: &[T]) -> io::Result<Self> {
        let len = size_of_val(numbers).max(1);
        let file = memory::create(len)?;
        // Written, not mapped: the kernel fills whole pages, and without a writable mapping the
        // seal can be put on.
        (&file).write_all(memory::bytes_of(numbers))?;
        memory::forbid_writing(&file)?;
        Self::received(NEXT.fetch_add(1, Ordering::Relaxed), file)
    }

    /// What the other process calls it.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Its pages.
    pub(crate) fn pages(&self) -> &Mapping {
        match &self.memory {
            Some(memory) => &memory.pages,
            None => unreachable!("taken in drop only"),
        }
    }

    /// Its pages, to be written.
    pub(crate) fn pages_mut(&mut self) -> &mut Mapping {
        match &mut self.memory {
            Some(memory) => &mut memory.pages,
            None => unreachable!("taken in drop only"),
        }
    }

    /// What is sent to the other process.
    pub(crate) fn file(&self) -> Arc<File> {
        match &self.memory {
            Some(memory) => Arc::clone(&memory.file),
            None => unreachable!("taken in drop only"),
        }
    }

    /// For a worker that gets it.
    pub(crate) fn claim(&self) -> &Claim {
        &self.claim
    }
}

impl Drop for Slab {
    fn drop(&mut self) {
        if let (Some(shelf), Some(memory)) = (self.shelf.upgrade(), self.memory.take()) {
            shelf.give(Arc::clone(&self.claim), memory);
        }
    }
}

impl Shelf {
    /// A slab of at least `len` bytes. What is in it is old, or zeros when the flag says so.
    ///
    /// # Errors
    ///
    /// When there is no memory, or no descriptor for it.
    pub(crate) fn take(self: &Arc<Self>, len: usize) -> io::Result<(Slab, bool)> {
        let class = len.max(SMALLEST).checked_next_power_of_two();
        let class = class.ok_or(io::ErrorKind::OutOfMemory)?;
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        content.unretire();
        let fits = |memory: &Memory| memory.pages.len() == class;
        // The youngest: its pages are most likely in a cache.
        let kept = content.free.iter().rposition(fits);
        let kept = kept.map(|place| content.free.remove(place));
        drop(content);
        let fresh = kept.is_none();
        let memory = match kept {
            Some(memory) => memory,
            None => {
                let file = memory::create(class)?;
                Memory {
                    pages: Mapping::new(&file)?,
                    file: Arc::new(file),
                }
            }
        };
        let slab = Slab {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            memory: Some(memory),
            claim: Claim::default(),
            shelf: Arc::downgrade(self),
        };
        Ok((slab, fresh))
    }

    /// Takes memory back. The caller's claim is one of `claim`'s two: its own, and the dying slab's.
    fn give(&self, claim: Claim, memory: Memory) {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let too_many = if content.closed {
            vec![memory]
        } else {
            content.unretire();
            content.retired.push((claim, memory));
            content.trim()
        };
        drop(content);
        drop(too_many);
    }

    /// The pool has ended and its workers are dead: nothing is kept any more.
    pub(crate) fn close(&self) {
        let mut content = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        content.closed = true;
        let (free, retired) = (
            std::mem::take(&mut content.free),
            std::mem::take(&mut content.retired),
        );
        drop(content);
        drop((free, retired));
    }
}

impl Content {
    /// Frees what nobody claims any more.
    fn unretire(&mut self) {
        // The slab is gone, so no new claim can be made: a count of 1 is ours, and stays.
        let unclaimed = |(claim, _): &mut (Claim, Memory)| Arc::get_mut(claim).is_some();
        let back = self.retired.extract_if(.., unclaimed);
        self.free.extend(back.map(|(_, memory)| memory));
    }

    /// What is too much, the oldest first.
    fn trim(&mut self) -> Vec<Memory> {
        let mut kept: usize = self.free.iter().map(|memory| memory.pages.len()).sum();
        let mut gone = 0;
        while kept > KEPT {
            kept -= self.free[gone].pages.len();
            gone += 1;
        }
        self.free.drain(..gone).collect()
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_slab_is_used_again_only_when_nobody_claims_it() {
        let shelf = Arc::new(Shelf::default());
        let address = |slab: &Slab| slab.pages().numbers::<u8>(0, 1).as_ptr();
        let (first, fresh) = shelf.take(100).unwrap();
        assert!(fresh);
        let (place, claim) = (address(&first), Arc::clone(first.claim()));
        drop(first);
        let (second, fresh) = shelf.take(100).unwrap();
        assert!(fresh && address(&second) != place, "claimed, and given out");
        drop(claim);
        let (third, fresh) = shelf.take(SMALLEST).unwrap();
        assert!(!fresh && address(&third) == place);
        assert!(shelf.take(usize::MAX).is_err());
    }

    #[test]
    fn a_closed_shelf_keeps_nothing() {
        let shelf = Arc::new(Shelf::default());
        let (slab, _) = shelf.take(1).unwrap();
        shelf.close();
        drop(slab);
        assert!(shelf.take(1).unwrap().1, "a fresh one");
    }
}
