//! Memory for jobs on the heap: blocks cut from pages, given back page by page.
//!
//! ```text
//!   page (16 KiB)
//!   [ owing ][ block ][ block ][ block ] …    cut off one after the other, by one thread
//!
//!   owing: blocks of the page that have not come back, counting those not cut off yet.
//!          Comes to 0: the page is empty, and whoever saw that keeps or frees it.
//! ```
//!
//! A job is made by one thread and freed by another. With a free list for each thread the maker's
//! runs dry and the taker's overflows, so that malloc is called for each job, by two threads at
//! once; that was 40 % of the row `scope_spawn_2`. Here a thread that frees counts the blocks of
//! the page it is at, without a locked operation, and says so when it comes to another page. Jobs
//! are freed about in the order in which they were made, so that is rare.
//! The price: a job that waits for long keeps its page. Jobs are freed when they begin.
//! Why not `parts/blocks.rs`: it serves memory that its own thread frees, and that stays for long.
//! Read next: `threads/job.rs`.

#![allow(
    unsafe_code,
    reason = "memory by hand: blocks are raw memory between two jobs"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::parts::blocks;

/// Distance between two pages.
///
/// Unit: bytes. Source: 250 jobs share the cost of a page; not tuned.
const STRIDE_BYTES: usize = 16 * 1024;

/// A page: a little less, so that malloc's own word fits in between and pages lie side by side.
const PAGE: Layout = match Layout::from_size_align(STRIDE_BYTES - 16, STRIDE_BYTES) {
    Ok(layout) => layout,
    Err(_) => panic!("a page has a size and an alignment"),
};

/// Sizes of blocks; what is larger comes from `parts/blocks.rs`.
///
/// Unit: bytes. Source: a job in a scope that captures one reference takes 24.
const SIZES_BYTES: [usize; 3] = [32, 64, 128];

/// Where the first block begins: the head has a cache line to itself.
const FIRST_BYTES: usize = 64;

/// The largest alignment of a block.
const ALIGN: usize = 16;

/// Empty pages that a thread keeps.
///
/// Unit: pages; 256 KiB. Source: a page is taken for 250 jobs, so malloc is asked rarely in any
/// case; not tuned.
const SPARE: usize = 16;

/// What a page begins with.
struct Head {
    /// See the head of the file. Taken off only; who takes the last off owns the page.
    owing: AtomicU32,
}

/// What is left of a page that blocks are cut from.
struct Rest {
    next: Cell<*mut u8>,
    /// Blocks left.
    left: Cell<u32>,
}

/// One thread's pages.
struct Pages {
    /// One for each size.
    rests: [Rest; SIZES_BYTES.len()],
    /// The page that blocks are being given back to, or null.
    back: Cell<*mut u8>,
    /// How many have been given back to it, and not said so.
    unsaid: Cell<u32>,
    /// Empty pages.
    spare: RefCell<Vec<NonNull<u8>>>,
}

thread_local! {
    static PAGES: Pages = const {
        Pages {
            rests: [const { Rest { next: Cell::new(ptr::null_mut()), left: Cell::new(0) } }; 3],
            back: Cell::new(ptr::null_mut()),
            unsaid: Cell::new(0),
            spare: RefCell::new(Vec::new()),
        }
    };
}

/// The number of the size that serves `layout`, if one does.
#[inline]
const fn class_of(layout: Layout) -> Option<usize> {
    if layout.align() > ALIGN {
        return None;
    }
    let mut class = 0;
    while class < SIZES_BYTES.len() {
        if layout.size() <= SIZES_BYTES[class] {
            return Some(class);
        }
        class += 1;
    }
    None
}

/// Memory for `layout`, not initialised. Aborts when there is none, as `Box::new` does.
#[inline]
pub(crate) fn allocate(layout: Layout) -> NonNull<u8> {
    let Some(class) = class_of(layout) else {
        return blocks::allocate(layout);
    };
    let block = PAGES.try_with(|pages| {
        let rest = &pages.rests[class];
        if rest.left.get() == 0 {
            pages.open(class);
        }
        let block = rest.next.get();
        rest.left.set(rest.left.get() - 1);
        rest.next.set(block.wrapping_add(SIZES_BYTES[class]));
        block
    });
    // The thread's locals may be gone: a page for this block alone.
    let block = block.unwrap_or_else(|_| page_of(1).wrapping_add(FIRST_BYTES));
    // SAFETY: a block of a page, which is not null.
    unsafe { NonNull::new_unchecked(block) }
}

/// A new page that is owed so many blocks.
fn page_of(count: u32) -> *mut u8 {
    // SAFETY: the layout's size is not 0.
    let memory = unsafe { alloc(PAGE) };
    let Some(page) = NonNull::new(memory) else {
        handle_alloc_error(PAGE);
    };
    // SAFETY: the page is ours alone, and it is large and aligned enough.
    unsafe { prepare(page, count) };
    memory
}

/// Writes the head of an empty page.
///
/// # Safety
///
/// The page is the caller's alone.
unsafe fn prepare(page: NonNull<u8>, count: u32) {
    let head = Head {
        owing: AtomicU32::new(count),
    };
    // SAFETY: nobody else uses the page; it is large and aligned enough.
    unsafe { page.cast::<Head>().write(head) };
}

/// Gives memory back.
///
/// # Safety
///
/// `block` came from [`allocate`] with the same `layout`, and nobody uses it any more.
#[inline]
pub(crate) unsafe fn release(block: NonNull<u8>, layout: Layout) {
    if class_of(layout).is_none() {
        // SAFETY: such a layout went to `parts/blocks.rs`; the caller promises the rest.
        return unsafe { blocks::release(block, layout) };
    }
    let page = block
        .as_ptr()
        .map_addr(|address| address & !(STRIDE_BYTES - 1));
    let counted = PAGES.try_with(|pages| {
        if pages.back.get() != page {
            pages.say();
            pages.back.set(page);
        }
        pages.unsaid.set(pages.unsaid.get() + 1);
    });
    // The thread's locals may be gone.
    if counted.is_err()
        && let Some(page) = take_off(page, 1)
    {
        free(page);
    }
}

/// Takes blocks off what a page is owed. Gives the page if it is empty now: it is the caller's.
fn take_off(page: *mut u8, count: u32) -> Option<NonNull<u8>> {
    let page = NonNull::new(page)?;
    // SAFETY: the page is alive: `count` of its blocks have not been taken off yet.
    let head = unsafe { page.cast::<Head>().as_ref() };
    // Release, and Acquire for the last: whoever uses the page next comes after all who used its
    // blocks.
    (head.owing.fetch_sub(count, Ordering::AcqRel) == count).then_some(page)
}

/// Frees an empty page, which is the caller's.
fn free(page: NonNull<u8>) {
    // SAFETY: made by `page_of` with this layout; all its blocks are back.
    unsafe { dealloc(page.as_ptr(), PAGE) };
}

impl Pages {
    /// Takes a page to cut blocks of a size from.
    #[cold]
    fn open(&self, class: usize) {
        let count = ((PAGE.size() - FIRST_BYTES) / SIZES_BYTES[class]) as u32;
        let spare = self.spare.borrow_mut().pop();
        let page = match spare {
            Some(page) => {
                // SAFETY: an empty page, and ours.
                unsafe { prepare(page, count) };
                page.as_ptr()
            }
            None => page_of(count),
        };
        let rest = &self.rests[class];
        rest.next.set(page.wrapping_add(FIRST_BYTES));
        rest.left.set(count);
    }

    /// Tells the page of the last blocks that they came back.
    #[cold]
    fn say(&self) {
        let page = self.back.replace(ptr::null_mut());
        let Some(page) = take_off(page, self.unsaid.replace(0)) else {
            return;
        };
        let mut spare = self.spare.borrow_mut();
        if spare.len() < SPARE {
            spare.push(page);
        } else {
            free(page);
        }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.say();
        for rest in &self.rests {
            let left = rest.left.replace(0);
            // What was not cut off never comes back otherwise.
            let last = rest.next.get();
            let page = last.map_addr(|address| address & !(STRIDE_BYTES - 1));
            if left > 0
                && let Some(page) = take_off(page, left)
            {
                free(page);
            }
        }
        self.spare.borrow_mut().drain(..).for_each(free);
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn blocks_lie_side_by_side_and_their_page_comes_back() {
        let layout = Layout::from_size_align(24, 8).unwrap();
        std::thread::spawn(move || {
            let first = allocate(layout);
            let second = allocate(layout);
            assert_eq!(first.addr().get() + SIZES_BYTES[0], second.addr().get());
            // Another thread frees them; this one's end frees what was left.
            let blocks = [first, second].map(|block| block.as_ptr().expose_provenance());
            std::thread::spawn(move || {
                for block in blocks {
                    let block = NonNull::new(ptr::with_exposed_provenance_mut(block)).unwrap();
                    // SAFETY: came from `allocate` with this layout and is not used again.
                    unsafe { release(block, layout) };
                }
            })
            .join()
            .unwrap();
        })
        .join()
        .unwrap();
    }
}
