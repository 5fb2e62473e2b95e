//! Free lists of fixed-size blocks, one set a thread: a task's memory without malloc.
//!
//! ```text
//!   class 0: 32 bytes      ─► ▢ ─► ▢ ─► ▢          release pushes, allocate pops:
//!   class 1: 64 bytes      ─►                        two plain moves each
//!   class 2: 96 bytes      ─► ▢
//!     …                                              the link lies in the free block itself
//! ```
//!
//! A program that spawns a million small tasks asks for the same few sizes again and again. Popping
//! a block costs 0.3 ns; malloc costs 6.5 ns, and 67 ns when the memory was not touched before.
//! A block goes to the lists of the thread that frees it. Each list is capped, so a thread that
//! only frees hands the rest back to malloc.
//!
//! A recycled block hides a use after free from AddressSanitizer: a cap of 0 makes this file plain
//! malloc ([`set_cap`]).
//! Read next: `task/raw.rs`.

#![allow(
    unsafe_code,
    reason = "memory by hand: blocks are raw memory between two values"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

/// Size step between two classes.
///
/// Unit: bytes. Source: a task header is a multiple of 8; 64 wasted 20 bytes a task on average.
const STEP_BYTES: usize = 32;

/// Number of classes: blocks up to 1 KiB.
///
/// Source: larger futures are rare and their poll dwarfs malloc's price; not tuned.
const CLASSES: usize = 32;

/// Blocks a class keeps, a thread.
///
/// Unit: blocks; at most 16 MiB for the largest class. Source: `spawn_10k` fits; not tuned.
const DEFAULT_CAP: u32 = 16_384;

/// The largest alignment a class serves: that of malloc.
const ALIGN: usize = 16;

/// The cap in force, for all threads. A plain setting: no other memory depends on it.
static CAP: AtomicU32 = AtomicU32::new(DEFAULT_CAP);

/// Sets how many free blocks a thread keeps of each size; 0 makes this plain malloc.
pub fn set_cap(blocks: u32) {
    CAP.store(blocks, Ordering::Relaxed);
}

/// A free block: its first word is the link.
struct Free {
    next: *mut Free,
}

/// One thread's free blocks of one size.
struct List {
    head: Cell<*mut Free>,
    len: Cell<u32>,
}

/// One thread's lists.
struct Lists([List; CLASSES]);

thread_local! {
    static LISTS: Lists = const {
        Lists([const { List { head: Cell::new(ptr::null_mut()), len: Cell::new(0) } }; CLASSES])
    };
}

impl Drop for Lists {
    fn drop(&mut self) {
        for (class, list) in self.0.iter().enumerate() {
            while let Some(block) = NonNull::new(list.head.get()) {
                // SAFETY: blocks in a list were put there by `release`, are owned by the list,
                // and `Free` was written into each.
                list.head.set(unsafe { block.as_ref() }.next);
                // SAFETY: the block was allocated by `alloc` with its class's layout (the only
                // layout `allocate` uses for a class) and nobody else has it.
                unsafe { dealloc(block.as_ptr().cast(), class_layout(class)) };
            }
        }
    }
}

/// The class that serves `layout`, if one does.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    let class = layout.size().saturating_sub(1) / STEP_BYTES;
    (class < CLASSES && layout.align() <= ALIGN).then_some(class)
}

/// The layout of all blocks of a class.
#[inline]
fn class_layout(class: usize) -> Layout {
    // SAFETY: ALIGN is a power of two, and the size is at most 1 KiB.
    unsafe { Layout::from_size_align_unchecked((class + 1) * STEP_BYTES, ALIGN) }
}

/// Memory for `layout`, not initialised. Aborts when there is none, as `Box::new` does.
#[inline]
pub(crate) fn allocate(layout: Layout) -> NonNull<u8> {
    let Some(class) = class_of(layout) else {
        return plain(layout);
    };
    let recycled = LISTS.try_with(|lists| {
        let list = &lists.0[class];
        let block = NonNull::new(list.head.get())?;
        // SAFETY: a block in the list is ours alone (the lists are thread-local) and holds a
        // `Free` that `release` wrote.
        list.head.set(unsafe { block.as_ref() }.next);
        list.len.set(list.len.get() - 1);
        Some(block.cast())
    });
    match recycled {
        Ok(Some(block)) => block,
        // None left, or the thread's locals are gone.
        _ => plain(class_layout(class)),
    }
}

/// Memory from malloc.
fn plain(layout: Layout) -> NonNull<u8> {
    debug_assert!(layout.size() > 0, "blocks: a task header is never empty");
    // SAFETY: the size is not 0: a class has at least STEP_BYTES, and larger layouts are larger.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Gives memory back.
///
/// # Safety
///
/// `block` came from [`allocate`] with the same `layout`, and nobody uses it any more.
#[inline]
pub(crate) unsafe fn release(block: NonNull<u8>, layout: Layout) {
    let Some(class) = class_of(layout) else {
        // SAFETY: without a class `allocate` used this very layout; the caller gives it up.
        unsafe { dealloc(block.as_ptr(), layout) };
        return;
    };
    let kept = LISTS.try_with(|lists| {
        let list = &lists.0[class];
        if list.len.get() >= CAP.load(Ordering::Relaxed) {
            return false;
        }
        let free = block.cast::<Free>();
        // SAFETY: the block is ours now, at least 32 bytes long and aligned to 16, so a `Free`
        // fits; there is nothing in it that would have to be dropped.
        unsafe {
            free.write(Free {
                next: list.head.get(),
            })
        };
        list.head.set(free.as_ptr());
        list.len.set(list.len.get() + 1);
        true
    });
    if !kept.unwrap_or(false) {
        // SAFETY: blocks of a class are allocated with the class's layout; the caller gives it up.
        unsafe { dealloc(block.as_ptr(), class_layout(class)) };
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_released_block_is_the_next_one_of_its_size() {
        let layout = Layout::from_size_align(100, 8).unwrap();
        let first = allocate(layout);
        // SAFETY: `first` came from `allocate` with this layout and is not used again.
        unsafe { release(first, layout) };
        let same_class = Layout::from_size_align(97, 16).unwrap();
        let second = allocate(same_class);
        assert_eq!(first, second);
        // SAFETY: `second` came from `allocate` with this layout and is not used again.
        unsafe { release(second, same_class) };
    }

    #[test]
    fn large_and_oddly_aligned_layouts_are_served_by_malloc() {
        for layout in [
            Layout::from_size_align(STEP_BYTES * CLASSES + 1, 8).unwrap(),
            Layout::from_size_align(64, 64).unwrap(),
        ] {
            assert_eq!(class_of(layout), None);
            let block = allocate(layout);
            assert_eq!(block.as_ptr() as usize % layout.align(), 0);
            // SAFETY: `block` came from `allocate` with this layout and is not used again.
            unsafe { release(block, layout) };
        }
    }
}
