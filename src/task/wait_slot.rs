//! 32 bytes a task, for `dump()`: who spawned it, where, and where it waits now.
//!
//! ```text
//!   parent: u32 │ name: u32 │ spawned at: &Location │ waits at: &Location │ mark: u64
//!   └──────── written once, before the task is shared ┘ └─ written at each Pending ─┘
//!
//!   mark = resource (40 bits) │ kind (8 bits) │ sequence number (16 bits)
//! ```
//!
//! The last two words change while a dump reads them, and the reader must not print the line of
//! one wait with the resource of another. So the writer makes the sequence number odd, writes the
//! line, and makes it even again with the rest; a reader that saw an odd number, or two different
//! ones, tries again (a sequence lock: Boehm, *Can seqlocks get along with programming language
//! memory models?*, 2012). There is one writer at a time: the thread that polls the task.
//!
//! Why not a mutex: it would cost each Pending poll 11 ns; three plain stores cost 1
//! (`pp_mpsc` bench row).
//! Read next: `task/raw.rs`, which writes it; `runtime/dump.rs`, which reads it.

#![allow(
    unsafe_code,
    reason = "a &'static Location travels through an atomic pointer"
)]

use std::panic::Location;
use std::ptr;

use crate::parts::names::Name;
use crate::parts::wait_site::{Kind, WaitSite};
use crate::shim::atomic::{AtomicPtr, AtomicU64, Ordering, fence};

/// Low bits of the mark: the sequence number.
const SEQUENCE: u64 = 0xffff;

/// Bits below the kind.
const KIND_SHIFT: u32 = 16;

/// Bits below the resource.
const RESOURCE_SHIFT: u32 = 24;

/// A task's slot.
#[derive(Debug)]
pub(crate) struct WaitSlot {
    /// Low half of the parent task's id, 0 for none. Fixed at birth.
    parent: u32,
    /// The task's name. Fixed at birth.
    name: u32,
    /// The line of the spawn. Fixed at birth.
    spawned: &'static Location<'static>,
    /// The line of the wait, or null before the first one. Under the sequence number.
    waits: AtomicPtr<Location<'static>>,
    /// Resource, kind and sequence number.
    mark: AtomicU64,
}

impl WaitSlot {
    /// The slot of a task that has not waited yet.
    pub(crate) fn new(parent: u32, name: Name, spawned: &'static Location<'static>) -> Self {
        Self {
            parent,
            name: name.number(),
            spawned,
            waits: AtomicPtr::new(ptr::null_mut()),
            mark: AtomicU64::new(0),
        }
    }

    /// Low half of the parent's id, 0 for none.
    pub(crate) fn parent(&self) -> u32 {
        self.parent
    }

    /// The task's name.
    pub(crate) fn name(&self) -> Name {
        Name::from_number(self.name)
    }

    /// The line of the spawn.
    pub(crate) fn spawned(&self) -> &'static Location<'static> {
        self.spawned
    }

    /// Notes where the task waits. Called by the thread that polls the task, and by no other at
    /// the same time (the task's state word sees to that).
    #[inline]
    pub(crate) fn write(&self, site: WaitSite) {
        // Relaxed: only this thread writes, and earlier writers handed the task over to it.
        let sequence = self.mark.load(Ordering::Relaxed) & SEQUENCE;
        let line = ptr::from_ref(site.location).cast_mut();
        if self.waits.load(Ordering::Relaxed) != line {
            self.mark
                .store((sequence + 1) & SEQUENCE, Ordering::Relaxed);
            // Release: the odd number is seen before the new line; pairs with the Acquire fence
            // in `read`, which stands between the line and the second look at the number.
            fence(Ordering::Release);
            self.waits.store(line, Ordering::Relaxed);
        }
        let mark = (site.resource << RESOURCE_SHIFT)
            | (u64::from(site.kind as u8) << KIND_SHIFT)
            | ((sequence + 2) & SEQUENCE);
        // Release: the line is seen with the mark that belongs to it; pairs with the Acquire load
        // in `read`.
        self.mark.store(mark, Ordering::Release);
    }

    /// Where the task waited last; `None` before its first wait. Any thread may ask.
    ///
    /// Gives up after some tries while the task waits somewhere else each time: a dump that says
    /// "unknown" once is better than one that hangs.
    pub(crate) fn read(&self) -> Option<WaitSite> {
        (0..64).find_map(|_| self.try_read()).flatten()
    }

    /// One look. `None`: the writer was in the middle of it, look again.
    fn try_read(&self) -> Option<Option<WaitSite>> {
        // Acquire: pairs with the Release store in `write`; the line read next is that of this
        // mark or of a later one.
        let before = self.mark.load(Ordering::Acquire);
        let line = self.waits.load(Ordering::Relaxed);
        // Acquire: pairs with the Release fence in `write`: if the line is a later one, the load
        // below sees the odd number or a later mark.
        fence(Ordering::Acquire);
        let after = self.mark.load(Ordering::Relaxed);
        if before != after || before & 1 == 1 {
            return None;
        }
        // SAFETY: the pointer is null, or `write` made it from a `&'static Location`.
        let location = unsafe { line.as_ref() };
        Some(location.map(|location| WaitSite {
            location,
            kind: Kind::from_u8((before >> KIND_SHIFT) as u8),
            resource: before >> RESOURCE_SHIFT,
        }))
    }
}

/// Caught mutations: no odd number, no Release fence in `write`, no Acquire fence in `read`, the
/// mark stored before the line: each lets `read` pair one wait's line with another's resource.
#[cfg(all(test, trefoil_loom))]
mod models {
    use super::*;
    use crate::shim::Arc;

    /// Safety: a reader sees both halves of one wait, or none.
    #[test]
    fn a_line_is_never_read_with_the_resource_of_another() {
        let (one, two) = (Location::caller(), here());
        loom::model(move || {
            let slot = Arc::new(WaitSlot::new(0, Name::NONE, one));
            let s = slot.clone();
            let poller = loom::thread::spawn(move || {
                s.write(WaitSite {
                    location: one,
                    kind: Kind::Sleep,
                    resource: 1,
                });
                s.write(WaitSite {
                    location: two,
                    kind: Kind::Lock,
                    resource: 2,
                });
            });
            if let Some(Some(site)) = slot.try_read() {
                let expected = if site.location == one { 1 } else { 2 };
                assert_eq!(site.resource, expected);
            }
            poller.join().unwrap();
        });
    }

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }
}
