//! A submitted job: who may run it, who may cancel it, and who frees its memory.
//!
//! ```text
//!   Ticket (in a Pending) ──► block: header, state, epoch, parts ◄── JobRef (in a queue)
//!                                      parts: the closure, and the writer of the outcome
//!
//!                 1 begin: the worker that popped the job
//!      Queued ─────────────────────────────────────────────► Begun
//!        └───────────────────────────────────────────────► Cancelled
//!                 2 cancel: the ticket. The block stays in its queue, empty, until it is popped
//!
//!   BEGUN, CANCELLED    at most one of the two is ever set; who sets it owns the parts
//!   QUEUE_LEFT          the worker's last access to the block is over
//!   TICKET_LEFT         the ticket's last access is over
//! ```
//!
//! Whoever sets its LEFT bit and finds the other's set frees the block. A worker leaves as soon
//! as it has taken the parts, so the block does not wait for the closure, and a job that was
//! detached costs no locked operation for its ticket.
//! The outcome itself is `parts/outcome.rs`: it has its own memory, because it outlives the job.
//! Why not a mutex round the parts: two locked operations for each of begin and cancel instead of
//! one (the row `submit_await`, `benches/pools`).
//! Read next: `threads/pending.rs`.

#![allow(
    unsafe_code,
    reason = "a block shared by a queue and a ticket, freed by whoever leaves last"
)]

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::parts::blocks;
use crate::parts::leaving::leave_last;
use crate::parts::outcome::{Reader, Writer, outcome};
use crate::parts::unwind::{catch, discard};
use crate::shim::UnsafeCell;
use crate::shim::atomic::AtomicU32;
use crate::shim::atomic::Ordering::Relaxed;
use crate::threads::job::{Header, JobRef};
use crate::threads::job_error::JobError;
use crate::threads::registry::Registry;
use crate::threads::worker::with_current;

/// A worker has taken the parts.
const BEGUN: u32 = 1;
/// The ticket has taken the parts.
const CANCELLED: u32 = 1 << 1;
/// The queue's side will not touch the block again.
const QUEUE_LEFT: u32 = 1 << 2;
/// The ticket will not touch the block again.
const TICKET_LEFT: u32 = 1 << 3;

/// What a job gives: its result, or why there is none.
pub(crate) type Outcome<T> = Result<T, JobError>;

/// The bits of the head.
#[derive(Debug)]
struct State(AtomicU32);

impl State {
    /// Queued.
    fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Edges 1 and 2, with the bit that says which. True: the parts are the caller's.
    #[must_use]
    fn claim(&self, mine: u32) -> bool {
        // Relaxed, here and below: what is in the block came to both sides with their pointers to
        // it, through the queue or by a move. What is done with the parts from here on is ordered
        // by `leave`.
        let mut seen = self.0.load(Relaxed);
        while seen & (BEGUN | CANCELLED) == 0 {
            match self.0.compare_exchange(seen, seen | mine, Relaxed, Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Sets the bit `mine`. True: the side of the bit `other` has left before, the caller frees.
    #[must_use]
    fn leave(&self, mine: u32, other: u32) -> bool {
        leave_last(&self.0, mine, other)
    }
}

/// The start of a submitted job: what is the same for all of them.
#[repr(C)]
struct Head {
    header: Header,
    state: State,
    /// The pool's epoch when the job was made.
    epoch: u64,
    kind: &'static Kind,
}

/// What a ticket, which does not know the closure's type, can do with the job.
struct Kind {
    /// Gives the outcome `Cancelled` and drops the closure. The parts are the caller's.
    cancel: unsafe fn(NonNull<Head>),
    /// Frees the block, which nobody else uses any more.
    free: unsafe fn(NonNull<Head>),
}

/// What runs and whom to tell: there until somebody takes it.
type Parts<F, T> = (F, Writer<Outcome<T>>);

/// A submitted job.
#[repr(C)]
struct Submitted<F, T> {
    head: Head,
    /// Whose they are, the state says.
    parts: UnsafeCell<Option<Parts<F, T>>>,
}

impl<F, T> Submitted<F, T> {
    const KIND: Kind = Kind {
        cancel: cancel::<F, T>,
        free: free::<F, T>,
    };
}

/// The way to cancel a job. Dropped, it lets the job go its way.
pub(crate) struct Ticket(
    /// A block that the ticket has not left.
    NonNull<Head>,
);

// SAFETY: what a ticket may do (cancel, leave) any thread may do: the closure and the writer in
// the block are `Send`, as `submitted` demands.
unsafe impl Send for Ticket {}
// SAFETY: as above; of two calls of `cancel` at once `State::claim` lets one through.
unsafe impl Sync for Ticket {}

impl Ticket {
    /// The block's head.
    fn head(&self) -> &Head {
        // SAFETY: the block is freed only after the ticket has left it, in its drop.
        unsafe { self.0.as_ref() }
    }

    /// Cancels the job if it has not begun (edge 2). True: now it never will.
    pub(crate) fn cancel(&self) -> bool {
        let won = self.head().state.claim(CANCELLED);
        if won {
            // SAFETY: the parts are ours, and the block is alive.
            unsafe { (self.head().kind.cancel)(self.0) };
        }
        won
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let kind = self.head().kind;
        if self.head().state.leave(TICKET_LEFT, QUEUE_LEFT) {
            // SAFETY: both sides have left.
            unsafe { (kind.free)(self.0) };
        }
    }
}

/// Makes a job of `closure` for a pool, which it holds from now on.
pub(crate) fn submitted<F, T>(
    registry: &Registry,
    closure: F,
) -> (JobRef, Ticket, Reader<Outcome<T>>)
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    registry.hold();
    let (block, reader) = block::<F, T>(closure, registry.epoch());
    // SAFETY: the block lives until the queue's side has left it, in `execute`; what is in it is
    // `Send`. It is queued once, by the caller, and run before the workers leave, because it
    // holds the pool.
    let job = unsafe { JobRef::new(block.cast()) };
    // Flat: it settles the account.
    (job.flat(), Ticket(block), reader)
}

/// The block alone, for both sides.
fn block<F, T>(closure: F, epoch: u64) -> (NonNull<Head>, Reader<Outcome<T>>)
where
    F: FnOnce() -> T,
{
    let (writer, reader) = outcome();
    let block = blocks::allocate(Layout::new::<Submitted<F, T>>()).cast::<Submitted<F, T>>();
    let job = Submitted {
        head: Head {
            header: Header::new(execute::<F, T>),
            state: State::new(),
            epoch,
            kind: &Submitted::<F, T>::KIND,
        },
        parts: UnsafeCell::new(Some((closure, writer))),
    };
    // SAFETY: `allocate` gave memory of this layout, which nobody else knows.
    unsafe { block.write(job) };
    (block.cast(), reader)
}

/// Takes the parts out.
///
/// # Safety
///
/// `head` is that of a `Submitted<F, T>` which the caller has not left, and whose parts are the
/// caller's by [`State::claim`].
unsafe fn take<F, T>(head: NonNull<Head>) -> Option<Parts<F, T>> {
    // SAFETY: the block is alive, as the caller promises.
    let job = unsafe { head.cast::<Submitted<F, T>>().as_ref() };
    job.parts.with_mut(|parts| {
        // SAFETY: of all who use the block one claims the parts, and that is the caller.
        let parts = unsafe { &mut *parts };
        parts.take()
    })
}

/// Edge 1, and the end of the queue's side. `None`: the job was cancelled.
///
/// # Safety
///
/// `head` is that of a `Submitted<F, T>` that came out of its queue, once.
unsafe fn begin<F, T>(head: NonNull<Head>) -> Option<Parts<F, T>> {
    // SAFETY: alive until the queue's side has left, below.
    let state = unsafe { &head.as_ref().state };
    let parts = if state.claim(BEGUN) {
        // SAFETY: claimed, and not left yet.
        unsafe { take::<F, T>(head) }
    } else {
        None
    };
    if state.leave(QUEUE_LEFT, TICKET_LEFT) {
        // SAFETY: both sides have left.
        unsafe { free::<F, T>(head) };
    }
    parts
}

/// Runs the job at `header`, on whichever worker got it.
///
/// # Safety
///
/// `header` is that of a `Submitted<F, T>` that came out of its queue, once.
unsafe fn execute<F, T>(header: NonNull<Header>)
where
    F: FnOnce() -> T,
{
    let head = header.cast::<Head>();
    // SAFETY: alive until `begin` leaves it.
    let epoch = unsafe { head.as_ref() }.epoch;
    with_current(|worker| {
        // The worker keeps its pool alive, also when this was the last hold.
        let worker = worker.expect("jobs run on workers");
        worker.account.settle();
        let registry = &worker.registry;
        // SAFETY: as the caller promises.
        if let Some((closure, writer)) = unsafe { begin::<F, T>(head) } {
            let outcome = if epoch == registry.epoch() {
                catch(closure).map_err(JobError::panicked)
            } else {
                // A panic in the drop of what it captured is the job's, too.
                let dropped = catch(|| drop(closure)).map_err(JobError::panicked);
                dropped.and(Err(JobError::Cancelled))
            };
            // Wakes whoever waits, or drops a result that nobody wants: foreign code, both.
            if let Err(payload) = catch(|| drop(writer.put(outcome))) {
                discard(payload);
            }
        }
        registry.release();
    });
}

/// `Kind::cancel`.
///
/// # Safety
///
/// As [`take`].
unsafe fn cancel<F, T>(head: NonNull<Head>) {
    // SAFETY: as the caller promises.
    if let Some((closure, writer)) = unsafe { take::<F, T>(head) } {
        // A reader that is gone gets it back, which is as good.
        _ = writer.put(Err(JobError::Cancelled));
        drop(closure);
    }
}

/// `Kind::free`.
///
/// # Safety
///
/// `head` is that of a `Submitted<F, T>` which both sides have left.
unsafe fn free<F, T>(head: NonNull<Head>) {
    let block = head.cast::<Submitted<F, T>>();
    // SAFETY: both sides have left: nobody else looks at it, and it lives until the last line.
    let parts = unsafe { &block.as_ref().parts };
    // Nothing is in them, because the queue's side leaves after one of the two has taken them; a
    // model checks here that every access came before. Neither is there anything to drop.
    parts.with(|parts| {
        // SAFETY: as above.
        debug_assert!(unsafe { &*parts }.is_none(), "ticket: parts left behind");
    });
    // SAFETY: allocated by `block` with this layout; nobody uses it any more.
    unsafe { blocks::release(block.cast(), Layout::new::<Submitted<F, T>>()) };
}

/// The closures and the values hold an `Arc`, so that loom notices what is dropped twice or never.
///
/// The mutations they catch are listed in `tests/mutations.py`.
#[cfg(all(test, trefoil_loom))]
mod models {
    use super::*;
    use loom::future::block_on;
    use loom::sync::Arc;
    use loom::thread;
    use std::future::poll_fn;

    /// What the jobs run.
    type Closure = Box<dyn FnOnce() -> Arc<u8> + Send>;

    /// A head for the thread that plays the worker.
    struct Queued(NonNull<Head>);
    // SAFETY: as for a `JobRef`.
    unsafe impl Send for Queued {}

    impl Queued {
        /// The worker's part. True: the job ran.
        fn run(self) -> bool {
            // SAFETY: called once, as for a job that came out of its queue.
            let Some((closure, writer)) = (unsafe { begin::<Closure, Arc<u8>>(self.0) }) else {
                return false;
            };
            _ = writer.put(Ok(closure()));
            true
        }
    }

    /// The two sides of a job, and the one that waits for it.
    fn job() -> (Queued, Ticket, Reader<Outcome<Arc<u8>>>) {
        let value = Arc::new(7);
        let closure: Closure = Box::new(move || value);
        let (head, reader) = block(closure, 0);
        (Queued(head), Ticket(head), reader)
    }

    /// Safety: it runs or is cancelled, not both. Liveness: whoever waits gets an outcome.
    #[test]
    fn a_job_runs_or_is_cancelled() {
        loom::model(|| {
            let (queued, ticket, mut reader) = job();
            let worker = thread::spawn(move || queued.run());
            let cancelled = ticket.cancel();
            let outcome = block_on(poll_fn(|cx| reader.poll_take(cx))).unwrap();
            assert_eq!(outcome.is_err(), cancelled);
            assert_eq!(worker.join().unwrap(), !cancelled);
        });
    }

    /// Liveness: a waiter is woken by the one who cancels, too.
    #[test]
    fn a_cancelled_job_wakes_its_waiter() {
        loom::model(|| {
            let (queued, ticket, mut reader) = job();
            let waiter = thread::spawn(move || {
                let outcome = block_on(poll_fn(|cx| reader.poll_take(cx)));
                assert!(outcome.unwrap().unwrap_err().is_cancelled());
            });
            assert!(ticket.cancel());
            assert!(!ticket.cancel());
            waiter.join().unwrap();
            assert!(!queued.run());
        });
    }

    /// Two cancel at once, a worker comes by, the ticket goes: one of the three wins.
    #[test]
    fn one_of_all_who_claim_a_job_gets_it() {
        loom::model(|| {
            let (queued, ticket, mut reader) = job();
            let ticket = Arc::new(ticket);
            let other = ticket.clone();
            let second = thread::spawn(move || other.cancel());
            let worker = thread::spawn(move || queued.run());
            let mut winners = usize::from(ticket.cancel());
            drop(ticket);
            winners += usize::from(second.join().unwrap());
            winners += usize::from(worker.join().unwrap());
            assert_eq!(winners, 1);
            assert!(reader.is_answered() && block_on(poll_fn(|cx| reader.poll_take(cx))).is_ok());
        });
    }

    /// The memory goes with the last of the two, whoever that is.
    #[test]
    fn a_dropped_ticket_and_a_worker_free_the_block_once() {
        for cancel in [false, true] {
            loom::model(move || {
                let (queued, ticket, reader) = job();
                let worker = thread::spawn(move || queued.run());
                if cancel {
                    _ = ticket.cancel();
                }
                drop(ticket);
                drop(reader);
                _ = worker.join().unwrap();
            });
        }
    }
}
