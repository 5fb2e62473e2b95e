//! A flag that is set once, and the one sleeper that waits for it.
//!
//! ```text
//!              2 announce            the waiter owns the latch; after SET was written
//!      OPEN ◄───────────► WAITING    the setter may not touch it: it may be gone
//!        │     3 retract     │
//!        │ 1 set             │ 4 set, and the setter owes the waiter an unpark
//!        └─────► SET ◄───────┘
//! ```
//!
//! Edges 1 and 4 are [`Latch::set`]. The waiter announces itself before it parks; its parker keeps
//! a token, so an unpark that comes between the two is not lost. Who the waiter is must be known
//! *before* edge 4: afterwards neither the latch nor what lies beside it may be read
//! (rayon#929 was that bug). So `set` first asks for the sleeper, then sets.
//! Why not a mutex and a condvar: the setter would still be in the mutex when the waiter frees it,
//! and most latches are set before anybody waits: one compare-and-swap then.
//! The rows that pay for the protocol: `fib` and `tree` on two threads, `install`
//! (`benches/pools`).
//! Read next: `threads/job.rs`.

#![forbid(unsafe_code)]

use crate::shim::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::shim::atomic::{AtomicU32, AtomicUsize};
use crate::shim::const_fn;

/// Not set; nobody sleeps.
const OPEN: u32 = 0;
/// Not set; the waiter sleeps or is about to.
const WAITING: u32 = 1;
/// Set, for good.
const SET: u32 = 2;

/// The flag. Every write is a read-modify-write.
#[derive(Debug)]
pub(crate) struct Latch(AtomicU32);

impl Latch {
    const_fn! {
        /// A latch that is not set.
        #[inline]
        pub(crate) const fn new() -> Self {
            Self(AtomicU32::new(OPEN))
        }
    }

    /// True when it is set; what the setter did before is visible then.
    #[inline]
    pub(crate) fn is_set(&self) -> bool {
        // Acquire: the setter's writes (a job's result); pairs with the Release in `set`.
        self.0.load(Acquire) == SET
    }

    /// The waiter is about to park (edge 2). False: it is set already, do not park.
    #[must_use]
    pub(crate) fn announce(&self) -> bool {
        // Relaxed: it hands nothing over. A failure is followed by `is_set`, which acquires.
        match self.0.compare_exchange(OPEN, WAITING, Relaxed, Relaxed) {
            Ok(_) => true,
            Err(now) => now == WAITING,
        }
    }

    /// The waiter found something to do (edge 3): a setter need not unpark it.
    pub(crate) fn retract(&self) {
        // Relaxed: it hands nothing over. A failure means that it is set.
        _ = self.0.compare_exchange(WAITING, OPEN, Relaxed, Relaxed);
    }

    /// Sets it (edges 1 and 4). Gives the sleeper that the caller must now unpark, if one sleeps.
    ///
    /// `sleeper` is asked before the flag is set. On return the latch may be gone.
    #[inline]
    #[must_use = "the sleeper waits for its unpark"]
    pub(crate) fn set<S>(&self, sleeper: impl FnOnce() -> S) -> Option<S> {
        // Release: what the setter did before reaches the waiter; pairs with `is_set`.
        if self.0.compare_exchange(OPEN, SET, Release, Relaxed).is_ok() {
            return None;
        }
        let sleeper = sleeper();
        // Release: as above. The waiter may have retracted meanwhile: then it is awake.
        let before = self.0.swap(SET, Release);
        debug_assert!(before != SET, "latch: set twice");
        (before == WAITING).then_some(sleeper)
    }
}

/// A latch that is set when a count comes to 0: the end of a scope.
#[derive(Debug)]
pub(crate) struct CountLatch {
    /// What is still open; the one who opened the latch counts as 1.
    count: AtomicUsize,
    latch: Latch,
}

impl CountLatch {
    /// A latch with `count` to go.
    pub(crate) fn new(count: usize) -> Self {
        Self {
            count: AtomicUsize::new(count),
            latch: Latch::new(),
        }
    }

    /// `more` to go. The caller holds one of those that are still open.
    #[inline]
    pub(crate) fn add(&self, more: usize) {
        // Relaxed: the caller's own count keeps it above 0, and its job carries the rest.
        self.count.fetch_add(more, Relaxed);
    }

    /// `less` to go. The last one sets the latch, and gets the sleeper as from [`Latch::set`].
    #[inline]
    #[must_use = "the sleeper waits for its unpark"]
    pub(crate) fn done<S>(&self, less: usize, sleeper: impl FnOnce() -> S) -> Option<S> {
        // Release: what this job did reaches the last one (Acquire), which hands all of it to
        // the waiter through the latch. After this line only the last one may touch the latch.
        if self.count.fetch_sub(less, AcqRel) == less {
            return self.latch.set(sleeper);
        }
        None
    }

    /// What the waiter waits for.
    pub(crate) fn latch(&self) -> &Latch {
        &self.latch
    }
}

/// Caught mutations: `announce` that parks although it is set (deadlock), a `set` that never
/// unparks (deadlock), `set` or `is_set` without its order (the result is not seen), a count taken
/// off without an order (another job's result is not seen).
#[cfg(all(test, trefoil_loom))]
mod models {
    use super::*;
    use crate::parts::parker::Parker;
    use crate::shim::Arc;

    /// Jobs' results, written and read relaxed: only the latch orders them.
    struct Work {
        latch: CountLatch,
        results: [AtomicU32; 2],
        bed: Parker,
    }

    impl Work {
        fn of(count: usize) -> Arc<Self> {
            Arc::new(Self {
                latch: CountLatch::new(count),
                results: [AtomicU32::new(0), AtomicU32::new(0)],
                bed: Parker::new(),
            })
        }

        /// One job: its result, then the latch, then the unpark that may be owed.
        fn job(&self, number: usize) {
            self.results[number].store(1, Relaxed);
            if self.latch.done(1, || ()).is_some() {
                self.bed.unpark();
            }
        }

        /// The waiter, as a worker waits: announce, park, retract, look.
        fn wait(&self) {
            let latch = self.latch.latch();
            while !latch.is_set() {
                if latch.announce() {
                    self.bed.park();
                    latch.retract();
                }
            }
        }
    }

    /// Liveness: the waiter is unparked whenever the job ends. Safety: it sees the result.
    #[test]
    fn a_waiter_is_told_and_sees_the_result() {
        loom::model(|| {
            let work = Work::of(1);
            let other = work.clone();
            let thief = loom::thread::spawn(move || other.job(0));
            work.wait();
            assert_eq!(work.results[0].load(Relaxed), 1);
            thief.join().unwrap();
        });
    }

    /// The last of two sets the latch, once, and hands on what the other one did.
    #[test]
    fn the_last_of_two_sets_the_latch() {
        loom::model(|| {
            let work = Work::of(2);
            let jobs = [0, 1].map(|number| {
                let work = work.clone();
                loom::thread::spawn(move || work.job(number))
            });
            work.wait();
            assert_eq!(work.results.each_ref().map(|r| r.load(Relaxed)), [1, 1]);
            for job in jobs {
                job.join().unwrap();
            }
        });
    }

    /// A worker that finds a job between announcing and parking takes its announcement back.
    #[test]
    fn a_retracted_announcement_does_not_lose_the_end() {
        loom::model(|| {
            let work = Work::of(1);
            let other = work.clone();
            let thief = loom::thread::spawn(move || other.job(0));
            if work.latch.latch().announce() {
                work.latch.latch().retract();
            }
            work.wait();
            assert_eq!(work.results[0].load(Relaxed), 1);
            thief.join().unwrap();
        });
    }
}
