//! A job: something that a worker will run once, as one thin pointer.
//!
//! ```text
//!   JobRef ──► Header { execute }     the header comes first in each kind of job:
//!                                       on the heap     HeapJob (here): spawn, scopes
//!                                       on a stack      a half of a join (threads/join.rs),
//!                                                       whatever somebody waits for
//!                                                       (threads/visit.rs)
//! ```
//!
//! One pointer and not pointer and function, so that a deque's slot is one word and a join writes
//! one word into its ring.
//! Jobs are aligned, so the pointer's lowest bit is free. It marks *flat* jobs: those that do not
//! split themselves. A thief takes some more of them along, and they see to the worker's account
//! themselves (`threads/account.rs`).
//! A heap job's memory comes from `threads/pages.rs`: malloc was more than half of the price of a
//! spawn.
//! Read next: `threads/ring.rs`.

#![allow(
    unsafe_code,
    reason = "jobs of any type behind one pointer, and memory by hand"
)]

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::thread;

use crate::parts::unwind::catch;
use crate::threads::pages;

/// What every job begins with.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Header {
    /// Runs the job behind the header. It does not unwind, and frees what is the job's.
    execute: unsafe fn(NonNull<Header>),
}

impl Header {
    /// A header for jobs that `execute` runs.
    #[inline]
    pub(crate) const fn new(execute: unsafe fn(NonNull<Header>)) -> Self {
        Self { execute }
    }
}

/// Set in the pointer to a flat job.
const FLAT: usize = 1;

/// A job that waits to be run, once. Not `Clone`: whoever has it runs it.
#[derive(Debug)]
pub(crate) struct JobRef(
    /// The header's address, perhaps with `FLAT`.
    NonNull<Header>,
);

// SAFETY: the maker promises in `JobRef::new` that any thread may run it.
unsafe impl Send for JobRef {}

impl JobRef {
    /// The job at `header`.
    ///
    /// # Safety
    ///
    /// The job stays where it is until it is run; its `execute` may be called with this pointer,
    /// on any worker of the pool into whose queues it goes; no other `JobRef` to it exists.
    #[inline]
    pub(crate) unsafe fn new(header: NonNull<Header>) -> Self {
        Self(header)
    }

    /// True for the job at `header`, which is not flat.
    #[inline]
    pub(crate) fn is<T>(&self, header: NonNull<T>) -> bool {
        self.0.cast() == header
    }

    /// The same job, marked as flat: when it runs it first settles the worker's account, or
    /// begins a part in it.
    #[inline]
    pub(crate) fn flat(self) -> Self {
        Self(self.0.map_addr(|address| address | FLAT))
    }

    /// True when it is flat.
    #[inline]
    pub(crate) fn is_flat(&self) -> bool {
        self.0.addr().get() & FLAT != 0
    }

    /// Runs it.
    #[inline]
    pub(crate) fn execute(self) {
        let address = self.0.as_ptr().map_addr(|address| address & !FLAT);
        // SAFETY: `JobRef::new` had a header that is not null, and more aligned than `FLAT`.
        let header = unsafe { NonNull::new_unchecked(address) };
        // SAFETY: `JobRef::new`'s caller promised that the job is there until it is run, which
        // is now.
        let execute = unsafe { header.as_ref() }.execute;
        // SAFETY: as promised to `JobRef::new`; there is one `JobRef` to the job, and it ends
        // here.
        unsafe { execute(header) }
    }
}

/// A closure that will be called once, and then its result: what the jobs on stacks hold.
///
/// Cells and not plain fields, because a thief writes here while the stack's owner has a shared
/// reference.
pub(crate) struct Errand<F, R> {
    /// There until `take` or `run`.
    closure: UnsafeCell<ManuallyDrop<F>>,
    /// Written by `run`.
    result: UnsafeCell<MaybeUninit<thread::Result<R>>>,
}

impl<F, R> Errand<F, R> {
    /// With the closure to call.
    #[inline]
    pub(crate) const fn new(closure: F) -> Self {
        Self {
            closure: UnsafeCell::new(ManuallyDrop::new(closure)),
            result: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Takes the closure out.
    ///
    /// # Safety
    ///
    /// Called once, instead of `run`, by the only thread that uses this now.
    #[inline]
    pub(crate) unsafe fn take(&self) -> F {
        let cell = self.closure.get();
        // SAFETY: the caller is alone with it, so nobody else has a reference to the content.
        let closure = unsafe { &mut *cell };
        // SAFETY: the closure is there: it is taken once.
        unsafe { ManuallyDrop::take(closure) }
    }

    /// Lets `call` call the closure, and keeps the result or the panic.
    ///
    /// # Safety
    ///
    /// Called once, instead of `take`, by the only thread that uses this now.
    pub(crate) unsafe fn run(&self, call: impl FnOnce(F) -> R) {
        // SAFETY: as the caller promises.
        let closure = unsafe { self.take() };
        let result = catch(|| call(closure));
        // SAFETY: the caller is alone with it; nothing is overwritten, `run` is called once.
        unsafe { self.result.get().write(MaybeUninit::new(result)) };
    }

    /// What `run` left.
    ///
    /// # Safety
    ///
    /// Called once; `run` has returned, and what it did is visible to this thread.
    pub(crate) unsafe fn result(&self) -> thread::Result<R> {
        // SAFETY: `run` is over, so nobody else is here; it is read once.
        let result = unsafe { self.result.get().read() };
        // SAFETY: `run` has written it.
        unsafe { result.assume_init() }
    }
}

/// A job on the heap: it owns its closure and frees itself.
#[repr(C)]
struct HeapJob<F> {
    header: Header,
    body: ManuallyDrop<F>,
}

/// Puts `body` on the heap as a job.
///
/// # Safety
///
/// What `body` borrows lives until it has run; it runs exactly once, and `body` does not unwind.
#[inline]
pub(crate) unsafe fn on_heap<F: FnOnce() + Send>(body: F) -> JobRef {
    let block = pages::allocate(Layout::new::<HeapJob<F>>()).cast::<HeapJob<F>>();
    let job = HeapJob {
        header: Header::new(execute::<F>),
        body: ManuallyDrop::new(body),
    };
    // SAFETY: `allocate` gave memory of this layout, which nobody else knows.
    unsafe { block.write(job) };
    // SAFETY: the block lives until `execute` releases it; the body is `Send`; the caller
    // promises the rest.
    unsafe { JobRef::new(block.cast()) }
}

/// Runs the heap job at `header`.
///
/// # Safety
///
/// `header` is that of a `HeapJob<F>` which nobody else uses any more.
unsafe fn execute<F: FnOnce()>(header: NonNull<Header>) {
    let block = header.cast::<HeapJob<F>>();
    // SAFETY: the job was written by `on_heap` and is read once; its fields have no `Drop`.
    let job = unsafe { block.read() };
    // Before the body runs: a job that spawns the next one finds the block warm.
    // SAFETY: allocated by `on_heap` with this layout; its content has moved out.
    unsafe { pages::release(block.cast(), Layout::new::<HeapJob<F>>()) };
    ManuallyDrop::into_inner(job.body)();
}
