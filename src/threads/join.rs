//! `join`: two closures that may run at the same time.
//!
//! ```text
//!   push b into the ring; somebody idle? publish the oldest halves   (threads/ring.rs)
//!   call a
//!   b still private? take it back and call it: no atomics at all
//!   else pop own jobs until b comes by, work for others, or wait for b's latch
//! ```
//!
//! The functions on this path are inlined always, with no closure of ours in between: so it is the
//! *caller's* function that recurs, with its arguments in registers. Left to itself the compiler
//! cut the recursion of one program at the caller and of another at a closure in here, and the same
//! join cost 2 ns or 4.
//! There is no `catch_unwind` on this path. If `a` panics, a guard on the stack runs or awaits `b`
//! while the panic passes: `b` may be running on another thread with borrows of the frames that
//! are about to go.
//! Read next: `threads/visit.rs`.

#![allow(
    unsafe_code,
    reason = "a job on the stack of the thread that waits for it"
)]

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::resume_unwind;
use std::ptr::NonNull;

use crate::parts::unwind::{self, catch};
use crate::threads::global::in_worker;
use crate::threads::job::{Errand, Header};
use crate::threads::ring::HalfHead;
use crate::threads::worker::{Worker, here, with_current};

/// What [`join_context`] tells its closures.
pub struct FnContext {
    migrated: bool,
    /// Neither `Send` nor `Sync`: it speaks of the thread that got it.
    _here: PhantomData<*mut ()>,
}

impl FnContext {
    #[inline]
    fn new(migrated: bool) -> Self {
        Self {
            migrated,
            _here: PhantomData,
        }
    }

    /// True when the closure runs on another thread than the one that called [`join_context`],
    /// or when that one was no worker of the pool.
    #[inline]
    #[must_use]
    pub fn migrated(&self) -> bool {
        self.migrated
    }
}

impl fmt::Debug for FnContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnContext")
            .field("migrated", &self.migrated)
            .finish_non_exhaustive()
    }
}

/// Runs two closures, perhaps at the same time, and gives both results.
///
/// `oper_a` runs on this thread; `oper_b` too, afterwards, unless another thread of the pool is
/// idle and takes it. Which of the two happens costs little, so call it as deep as you like.
/// Outside a pool the whole call goes to the global pool, and this thread waits.
///
/// A closure that blocks keeps its worker from other work. Closures that wait *for each other*
/// only work if two threads are free.
///
/// # Panics
///
/// Both closures run in any case. If one panics, the panic comes out here after both are over; of
/// two panics it is `oper_a`'s.
///
/// # Examples
///
/// ```
/// fn sum(numbers: &[u64]) -> u64 {
///     if numbers.len() < 1000 {
///         return numbers.iter().sum();
///     }
///     let (left, right) = numbers.split_at(numbers.len() / 2);
///     let (a, b) = trefoil::threads::join(|| sum(left), || sum(right));
///     a + b
/// }
/// let numbers: Vec<u64> = (1..=10_000).collect();
/// assert_eq!(sum(&numbers), 50_005_000);
/// ```
///
/// What is not `Sync` cannot be shared by the two; an `Arc` instead of the `Rc` compiles:
///
/// ```compile_fail
/// let shared = std::rc::Rc::new(1);
/// trefoil::threads::join(|| *shared + 1, || *shared + 2);
/// ```
///
/// ```
/// let shared = std::sync::Arc::new(1);
/// trefoil::threads::join(|| *shared + 1, || *shared + 2);
/// ```
///
/// Nor can a `Cell`; an atomic number instead compiles:
///
/// ```compile_fail
/// let shared = std::cell::Cell::new(1);
/// trefoil::threads::join(|| shared.set(2), || shared.set(3));
/// ```
///
/// ```
/// use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
/// let shared = AtomicU8::new(1);
/// trefoil::threads::join(|| shared.store(2, Relaxed), || shared.store(3, Relaxed));
/// ```
#[inline(always)]
pub fn join<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce() -> RA + Send,
    B: FnOnce() -> RB + Send,
    RA: Send,
    RB: Send,
{
    join_context(|_| oper_a(), |_| oper_b())
}

/// Like [`join`], and tells each closure whether it has changed threads.
///
/// An algorithm that splits its work can use it: who has migrated was stolen, so somebody is
/// idle, and splitting further is worth it.
///
/// # Panics
///
/// As [`join`].
///
/// # Examples
///
/// ```
/// let pool = trefoil::threads::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
/// pool.install(|| {
///     // One thread: nobody can take the second half.
///     let (_, migrated) = trefoil::threads::join_context(|_| (), |ctx| ctx.migrated());
///     assert!(!migrated);
/// });
/// ```
#[inline(always)]
pub fn join_context<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    // SAFETY: not kept longer than this call.
    match unsafe { here() } {
        Some(worker) => join_here(worker, false, oper_a, oper_b),
        None => join_outside(oper_a, oper_b),
    }
}

/// `join` on a thread that is no worker.
#[cold]
#[inline(never)]
fn join_outside<A, B, RA, RB>(oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA + Send,
    B: FnOnce(FnContext) -> RB + Send,
    RA: Send,
    RB: Send,
{
    in_worker(|worker, injected| join_here(worker, injected, oper_a, oper_b))
}

/// The second closure of a join, on the stack of the first.
#[repr(C)]
struct Half<B, RB> {
    head: HalfHead,
    errand: Errand<B, RB>,
}

/// Runs the published half at `header`, on whichever worker got it.
///
/// # Safety
///
/// `header` is that of a published `Half<B, RB>` whose latch is not set; nobody else runs it.
unsafe fn execute<B, RB>(header: NonNull<Header>)
where
    B: FnOnce(FnContext) -> RB,
{
    // SAFETY: the owner's frame stays until it popped the half or the latch is set; it was
    // popped here, so the latch is what the owner waits for.
    let half = unsafe { header.cast::<Half<B, RB>>().as_ref() };
    // SAFETY: it was published.
    let published = unsafe { half.head.published() };
    with_current(|worker| {
        let worker = worker.expect("jobs run on workers");
        let migrated = worker.index != published.owner;
        // SAFETY: this is the one run of the half; the owner waits for the latch.
        unsafe { half.errand.run(|b| b(FnContext::new(migrated))) };
        // The owner is of the same pool as this worker, which keeps it alive.
        if let Some(owner) = published.latch.set(|| published.owner) {
            worker.registry.seat(owner).parker.unpark();
        }
    });
}

/// `join` on a worker's thread.
#[inline(always)]
fn join_here<A, B, RA, RB>(worker: &Worker, injected: bool, oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA,
    B: FnOnce(FnContext) -> RB,
{
    let half = Half {
        head: HalfHead::new(Header::new(execute::<B, RB>)),
        errand: Errand::new(oper_b),
    };
    // SAFETY: `half` stays in this frame until it is taken back, popped, or its latch is set:
    // below if `a` returns, in the guard if it unwinds. `execute` is the function for its type.
    let Some(position) = (unsafe { worker.ring.push(NonNull::from(&half).cast()) }) else {
        // SAFETY: it was not pushed: nobody else knows it.
        let oper_b = unsafe { half.errand.take() };
        return run_both(injected, oper_a, oper_b);
    };
    worker.publish_if_wanted();
    let guard = Unwinding {
        worker,
        half: &half,
        position,
        injected,
    };
    let a = oper_a(FnContext::new(injected));
    mem::forget(guard);
    if worker.ring.take_back(position) {
        // SAFETY: it was private all the time: nobody else knows it.
        let oper_b = unsafe { half.errand.take() };
        return (a, oper_b(FnContext::new(injected)));
    }
    match finish(worker, &half) {
        Finished::Mine(oper_b) => (a, oper_b(FnContext::new(injected))),
        Finished::Theirs(Ok(b)) => (a, b),
        Finished::Theirs(Err(payload)) => {
            drop(a);
            resume_unwind(payload)
        }
    }
}

/// How a published half came back.
enum Finished<B, RB> {
    /// Its owner popped it, and has to run it.
    Mine(B),
    /// Another job's hand ran it: a thief's, or its owner's in a wait further up the stack.
    Theirs(std::thread::Result<RB>),
}

/// Waits for a published half; works meanwhile.
#[cold]
fn finish<B, RB>(worker: &Worker, half: &Half<B, RB>) -> Finished<B, RB> {
    // SAFETY: it was published.
    let latch = &unsafe { half.head.published() }.latch;
    while !latch.is_set() {
        let Some(job) = worker.take_own() else {
            worker.wait(latch);
            break;
        };
        if job.is(NonNull::from(half)) {
            // SAFETY: popped, so no thief has it, and nobody else will.
            return Finished::Mine(unsafe { half.errand.take() });
        }
        worker.execute(job);
    }
    // SAFETY: the latch is set: the run is over and visible.
    Finished::Theirs(unsafe { half.errand.result() })
}

/// Armed while the first closure runs: if it unwinds, the second runs all the same.
struct Unwinding<'a, B: FnOnce(FnContext) -> RB, RB> {
    worker: &'a Worker,
    half: &'a Half<B, RB>,
    position: usize,
    injected: bool,
}

impl<B: FnOnce(FnContext) -> RB, RB> Drop for Unwinding<'_, B, RB> {
    // Inlined, and the fields handed on by value: so the guard stays in registers.
    #[inline(always)]
    fn drop(&mut self) {
        unwound(self.worker, self.half, self.position, self.injected);
    }
}

/// The first closure panicked: runs the second, or waits for it.
#[cold]
#[inline(never)]
fn unwound<B, RB>(worker: &Worker, half: &Half<B, RB>, position: usize, injected: bool)
where
    B: FnOnce(FnContext) -> RB,
{
    let mine = if worker.ring.take_back(position) {
        // SAFETY: it was private all the time: nobody else knows it.
        Some(unsafe { half.errand.take() })
    } else {
        match finish(worker, half) {
            Finished::Mine(oper_b) => Some(oper_b),
            Finished::Theirs(result) => {
                discard(|| drop(result));
                None
            }
        }
    };
    if let Some(oper_b) = mine {
        discard(|| drop(oper_b(FnContext::new(injected))));
    }
}

/// Runs `f`, and drops the panic that may come: another one is on its way already.
fn discard(f: impl FnOnce()) {
    if let Err(payload) = catch(f) {
        unwind::discard(payload);
    }
}

/// The ring is full: thousands of joins deep, there is work enough in public.
#[cold]
fn run_both<A, B, RA, RB>(injected: bool, oper_a: A, oper_b: B) -> (RA, RB)
where
    A: FnOnce(FnContext) -> RA,
    B: FnOnce(FnContext) -> RB,
{
    match catch(|| oper_a(FnContext::new(injected))) {
        Ok(a) => (a, oper_b(FnContext::new(injected))),
        Err(payload) => {
            discard(|| drop(oper_b(FnContext::new(injected))));
            resume_unwind(payload)
        }
    }
}
