//! One item that its owner runs next, unless a thief takes it.
//!
//! A task that wakes another has most likely just written what the other will read: running it
//! next, on the same core, finds the data in the cache. So a worker keeps the last task it woke
//! here, before its queue. The slot can be robbed, or a task behind a long poll would wait for it
//! although other workers are idle (tokio#4941).
//!
//! ```text
//!   owner: put ──swap──► [ item ] ──swap──► owner: take
//!                           └─────swap──► thief: take
//! ```
//!
//! One word, and every access that changes it is a swap: whoever swaps the item out has it.
//! Why not a `Mutex<Option<T>>`: 11 ns instead of 5.4 at each end (`chained` bench row).
//! Read next: `runtime/worker.rs`, which caps how often it runs from here.

#![allow(unsafe_code, reason = "an item travels as a raw pointer")]

use std::marker::PhantomData;
use std::ptr;

use crate::shim::atomic::{AtomicPtr, Ordering};

/// Something that fits into one pointer that is never null.
///
/// # Safety
///
/// `into_pointer` never gives null, and `from_pointer` undoes it.
pub(crate) unsafe trait OnePointer: Send {
    /// Gives the item up for a pointer.
    fn into_pointer(self) -> *mut ();

    /// The item behind the pointer.
    ///
    /// # Safety
    ///
    /// `pointer` came from `into_pointer` and is turned back only once.
    unsafe fn from_pointer(pointer: *mut ()) -> Self;
}

/// The slot.
#[derive(Debug)]
pub(crate) struct LifoSlot<T: OnePointer> {
    /// The item as a pointer, or null.
    item: AtomicPtr<()>,
    _items: PhantomData<fn() -> T>,
}

impl<T: OnePointer> LifoSlot<T> {
    /// An empty slot.
    pub(crate) fn new() -> Self {
        Self {
            item: AtomicPtr::new(ptr::null_mut()),
            _items: PhantomData,
        }
    }

    /// Puts an item in, and gives back the one that lay there.
    #[inline]
    pub(crate) fn put(&self, item: T) -> Option<T> {
        // AcqRel: Release hands the item's memory to whoever swaps it out; Acquire takes over
        // the old item's memory from whoever put it in (the owner, perhaps on another thread
        // before it handed its core over).
        Self::claim(self.item.swap(item.into_pointer(), Ordering::AcqRel))
    }

    /// Takes the item out.
    #[inline]
    pub(crate) fn take(&self) -> Option<T> {
        // Relaxed: a look that saves the swap on an empty slot. Who must not miss an item
        // (a worker on its way to sleep) comes here after the fence in parts/idle.rs.
        if self.item.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // AcqRel: as in `put`.
        Self::claim(self.item.swap(ptr::null_mut(), Ordering::AcqRel))
    }

    /// Turns a pointer that was swapped out into the item.
    #[inline]
    fn claim(pointer: *mut ()) -> Option<T> {
        if pointer.is_null() {
            return None;
        }
        // SAFETY: only `put` writes pointers that are not null, each from `into_pointer`; a swap
        // gives each of them to exactly one caller.
        Some(unsafe { T::from_pointer(pointer) })
    }
}

impl<T: OnePointer> Drop for LifoSlot<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// Caught mutations: `take` with a load and a store instead of a swap (an item taken twice),
/// `put` that stores instead of swapping (an item lost), Relaxed swaps (the item's data race).
#[cfg(all(test, trefoil_loom))]
mod models {
    use super::*;
    use crate::shim::{Arc, UnsafeCell};

    /// A box whose content loom watches.
    struct Item(Box<UnsafeCell<u32>>);

    // SAFETY: the item is handed from thread to thread, never shared.
    unsafe impl Send for Item {}

    // SAFETY: a box's pointer is not null, and `from_raw` undoes `into_raw`.
    unsafe impl OnePointer for Item {
        fn into_pointer(self) -> *mut () {
            Box::into_raw(self.0).cast()
        }

        unsafe fn from_pointer(pointer: *mut ()) -> Self {
            // SAFETY: by this function's contract.
            Self(unsafe { Box::from_raw(pointer.cast()) })
        }
    }

    impl Item {
        fn new(number: u32) -> Self {
            Self(Box::new(UnsafeCell::new(number)))
        }

        fn number(&self) -> u32 {
            self.0.with(|number| {
                // SAFETY: whoever has the item is alone with it; loom checks that.
                unsafe { *number }
            })
        }
    }

    #[test]
    fn each_item_comes_out_once() {
        loom::model(|| {
            let slot = Arc::new(LifoSlot::<Item>::new());
            let s = slot.clone();
            let thief = loom::thread::spawn(move || s.take().map_or(0, |item| item.number()));
            let mut sum = slot.put(Item::new(1)).map_or(0, |item| item.number());
            sum += slot.put(Item::new(2)).map_or(0, |item| item.number());
            sum += slot.take().map_or(0, |item| item.number());
            sum += thief.join().unwrap();
            sum += slot.take().map_or(0, |item| item.number());
            assert_eq!(sum, 3);
        });
    }
}
