//! Who sleeps, and whom to wake: the proof that no wake-up is lost, for the whole crate.
//!
//! It deals in worker numbers only, so that the event loop's workers and the thread pool's share
//! it. Each worker is in one of three conditions:
//!
//! ```text
//!               1 start_search            3 fall_asleep
//!    Running ──────────────► Searching ──────────────► Sleeping
//!       ▲ ▲   2 stop_search      ▲  ▲     4 pick           │ │
//!       │ └──────────────────────┘  └──────────────────────┘ │
//!       └────────────────────────────────────────────────────┘
//!                          5 rise (woken by something else: an event, a time-out)
//! ```
//!
//! Waking a core costs the waker 7 µs, 1300 times a locked operation. So a push wakes nobody
//! while somebody searches: the searcher will find the work. That is the danger, too: the searcher
//! may be just giving up. The rules that close the gap:
//!
//! * **Push**: publish the work; fence; read the counts. Nobody searches and somebody sleeps:
//!   wake one ([`pick`](Idle::pick)).
//! * **Fall asleep**: write the counts (one searcher less, one sleeper more); fence; *look again
//!   at every source*; only then sleep.
//! * **Stop searching** because work was found: write the counts; fence; if it was the last
//!   searcher, look again at every source and wake one if there is more: work that came while we
//!   searched woke nobody, because of us.
//!
//! Proof. A push P and a worker W that gives up searching both have a SeqCst fence between their
//! write (P: the work; W: the counts) and their read (P: the counts; W: the sources). Fences are
//! totally ordered. If P's is first, W's second look sees the work. If W's is first, P reads the
//! counts without W as a searcher: it sees another searcher, to whom the same argument applies, or
//! sees none and picks a sleeper. A picked worker counts as a searcher from that moment, so the
//! chain goes on until the work is found. (The store-buffer argument: Dekker; C++ standard,
//! \[atomics.order\].)
//!
//! The sleepers' names are a stack under a mutex (the last one down has the warmest cache); only
//! the counts, which every push reads, are an atomic word. Why not a bit mask: it ends at 64
//! workers, and going to sleep is not a hot path.
//! Bench rows that pay for the atomic word: `spawn_64` and `chained` on several workers.
//! Read next: `runtime/worker.rs`.

#![forbid(unsafe_code)]

use std::sync::PoisonError;

use crate::parts::pad::CachePadded;
use crate::shim::Mutex;
use crate::shim::atomic::{AtomicU64, Ordering, fence};

/// Workers that the word of counts has room for.
pub(crate) const MOST_WORKERS: usize = u16::MAX as usize;

/// One more who could take work, in the word of counts: part of each of the others. It is in the
/// topmost bits, so that one shift reads it: a join of the thread pool does so each time.
const IDLER: u64 = 1 << 48;

/// One sleeper more.
const SLEEPER: u64 = IDLER | 1 << 32;

/// One worker more whose thread has not begun. It counts as idle ([`Idle::idlers`]), but nobody
/// relies on it: it looks at every source when it begins.
const NEWBORN: u64 = IDLER;

/// One searcher more.
const SEARCHER: u64 = IDLER | 1;

/// The counts, as one word holds them.
#[derive(Debug, Clone, Copy)]
struct Counts(u64);

impl Counts {
    fn searchers(self) -> u32 {
        u32::from(self.0 as u16)
    }

    fn sleepers(self) -> u32 {
        u32::from((self.0 >> 32) as u16)
    }

    fn idlers(self) -> u32 {
        u32::from((self.0 >> 48) as u16)
    }
}

/// Where a sleeper stands in the order of waking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Woken first: it waits on a condvar, which is cheap to wake.
    First,
    /// Woken last: it waits in the driver, where events may wake it anyway.
    Last,
}

/// Who sleeps and who searches.
#[derive(Debug)]
pub(crate) struct Idle {
    /// Idlers, sleepers and searchers, at least 16 bits each. Read by every push; written by
    /// read-modify-writes only, the sleepers' part under `sleepers`.
    counts: CachePadded<AtomicU64>,
    /// The sleepers' numbers, the next one to be woken last. Guards that, and the decision whom
    /// to wake.
    sleepers: Mutex<Vec<usize>>,
    workers: u32,
}

impl Idle {
    /// For workers 0 to `workers` - 1, all of them running.
    pub(crate) fn new(workers: usize) -> Self {
        assert!(
            workers <= MOST_WORKERS,
            "idle: more workers than are counted"
        );
        Self {
            counts: CachePadded::new(AtomicU64::new(0)),
            sleepers: Mutex::new(Vec::with_capacity(workers)),
            workers: workers as u32,
        }
    }

    /// For workers whose threads have not begun: each is a newborn until [`begin`](Self::begin).
    pub(crate) fn newborn(workers: usize) -> Self {
        let this = Self::new(workers);
        this.counts
            .fetch_add(workers as u64 * NEWBORN, Ordering::Relaxed);
        this
    }

    /// A worker's thread has begun, or never will: it runs now, as far as this file goes.
    pub(crate) fn begin(&self) {
        self.counts.fetch_sub(NEWBORN, Ordering::Relaxed);
    }

    /// After work was published: the worker to unpark for it, if one should be (edge 4).
    ///
    /// The worker counts as a searcher from now on; the caller must unpark it.
    #[inline]
    #[must_use = "the worker that was picked waits for its unpark"]
    pub(crate) fn pick(&self) -> Option<usize> {
        // SeqCst: between the caller's publication and our read; pairs with the fences in
        // `fall_asleep` and `stop_search` (the proof in the head).
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence; a stale value is what the proof is about.
        let counts = Counts(self.counts.load(Ordering::Relaxed));
        if counts.searchers() > 0 || counts.sleepers() == 0 {
            return None;
        }
        self.claim()
    }

    /// The rare half of [`pick`](Self::pick).
    #[cold]
    fn claim(&self) -> Option<usize> {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        // Looked at again under the lock: of two pushers one wakes, the other sees a searcher.
        // Relaxed: others' claims are ordered by the lock; a searcher that starts or stops by
        // itself meanwhile has the fences of the proof.
        if Counts(self.counts.load(Ordering::Relaxed)).searchers() > 0 {
            return None;
        }
        let worker = sleepers.pop()?;
        // Relaxed: see `counts`; one read-modify-write, so the counts never show a gap.
        self.counts
            .fetch_add(SEARCHER.wrapping_sub(SLEEPER), Ordering::Relaxed);
        Some(worker)
    }

    /// A running worker found its own queue empty (edge 1). False: enough others search already
    /// (half of the workers; Go's rule), go to sleep at once.
    #[must_use]
    pub(crate) fn start_search(&self) -> bool {
        let counts = Counts(self.counts.load(Ordering::Relaxed));
        if 2 * counts.searchers() >= self.workers {
            return false;
        }
        // Relaxed: a search adds a witness, which endangers nobody; it matters when it ends.
        self.counts.fetch_add(SEARCHER, Ordering::Relaxed);
        true
    }

    /// A searcher found work and goes to run it (edge 2). True: it was the last one; the caller
    /// must look at every source again, and if there is more work, [`pick`](Self::pick).
    #[must_use = "the last searcher must look again"]
    pub(crate) fn stop_search(&self) -> bool {
        let before = Counts(self.counts.fetch_sub(SEARCHER, Ordering::Relaxed));
        debug_assert!(
            before.searchers() > 0,
            "idle: stopped a search that was not counted"
        );
        // SeqCst: between the counts and the caller's look; pairs with the fence in `pick`.
        fence(Ordering::SeqCst);
        before.searchers() == 1
    }

    /// A worker is about to sleep (edge 3). The caller must now look at every source again: if
    /// there is work it calls [`retract`](Self::retract), else it sleeps and then calls
    /// [`rise`](Self::rise).
    pub(crate) fn fall_asleep(&self, worker: usize, searching: bool, place: Place) {
        {
            let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
            match place {
                Place::First => sleepers.push(worker),
                Place::Last => sleepers.insert(0, worker),
            }
            let change = if searching {
                SLEEPER.wrapping_sub(SEARCHER)
            } else {
                SLEEPER
            };
            self.counts.fetch_add(change, Ordering::Relaxed);
        }
        // SeqCst: between the counts and the caller's look; pairs with the fence in `pick`.
        fence(Ordering::SeqCst);
    }

    /// The second look found work: the worker searches again, whether or not somebody picked it
    /// meanwhile (edges 5 and 1 in one step).
    ///
    /// As a searcher it will look for more when it has found something. Running what it found
    /// uncounted would lose a wake-up: pushes that saw it search woke nobody.
    pub(crate) fn retract(&self, worker: usize) {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = sleepers.iter().rposition(|sleeper| *sleeper == worker) {
            sleepers.remove(place);
            self.counts
                .fetch_add(SEARCHER.wrapping_sub(SLEEPER), Ordering::Relaxed);
        }
    }

    /// The sleep is over (edge 5). True: somebody picked this worker, so it
    /// counts as a searcher and must search; its unpark has come or will come.
    #[must_use = "a picked worker counts as a searcher"]
    pub(crate) fn rise(&self, worker: usize) -> bool {
        let mut sleepers = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        match sleepers.iter().rposition(|sleeper| *sleeper == worker) {
            None => true,
            Some(place) => {
                sleepers.remove(place);
                self.counts.fetch_sub(SLEEPER, Ordering::Relaxed);
                false
            }
        }
    }

    /// True when a worker sleeps and none searches: the moment to hand out more work.
    pub(crate) fn wants_work(&self) -> bool {
        let counts = Counts(self.counts.load(Ordering::Relaxed));
        counts.searchers() == 0 && counts.sleepers() > 0
    }

    /// Workers that search, sleep or are yet to begin: how many could take work. A guess that may
    /// be stale.
    #[inline]
    pub(crate) fn idlers(&self) -> usize {
        Counts(self.counts.load(Ordering::Relaxed)).idlers() as usize
    }

    /// Workers that sleep now.
    pub(crate) fn sleeping(&self) -> usize {
        Counts(self.counts.load(Ordering::Relaxed)).sleepers() as usize
    }
}

/// The models run two workers over one queue (a mutexed one that loom can see), with the worker
/// loop of the head: pop, search, announce, look again, sleep.
///
/// The mutations they catch are listed in `tests/mutations.py`.
#[cfg(all(test, trefoil_loom))]
mod models {
    use super::*;
    use crate::parts::parker::Parker;
    use crate::shim::Arc;
    use crate::shim::atomic::{AtomicUsize, Ordering};

    /// Work, workers and their beds. The queue's length is an atomic read and written relaxed, so
    /// that only the fences of this file order it against the counts.
    struct Pool {
        idle: Idle,
        jobs: AtomicUsize,
        beds: [Parker; 2],
        /// Jobs that have been begun.
        begun: AtomicUsize,
    }

    impl Pool {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                idle: Idle::new(2),
                jobs: AtomicUsize::new(0),
                beds: [Parker::new(), Parker::new()],
                begun: AtomicUsize::new(0),
            })
        }

        fn push(&self) {
            self.jobs.fetch_add(1, Ordering::Relaxed);
            self.wake_one();
        }

        fn wake_one(&self) {
            if let Some(worker) = self.idle.pick() {
                self.beds[worker].unpark();
            }
        }

        fn has_work(&self) -> bool {
            self.jobs.load(Ordering::Relaxed) > 0
        }

        fn take(&self) -> bool {
            let mut jobs = self.jobs.load(Ordering::Relaxed);
            while jobs > 0 {
                match self.jobs.compare_exchange(
                    jobs,
                    jobs - 1,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                ) {
                    Ok(_) => return true,
                    Err(now) => jobs = now,
                }
            }
            false
        }

        /// A worker's way to its next job: as in `runtime/worker.rs`.
        fn next_job(&self, worker: usize) {
            let mut searching = self.idle.start_search();
            loop {
                if searching && self.take() {
                    if self.idle.stop_search() && self.has_work() {
                        self.wake_one();
                    }
                    return;
                }
                self.idle.fall_asleep(worker, searching, Place::First);
                if self.has_work() {
                    self.idle.retract(worker);
                    searching = true;
                    continue;
                }
                self.beds[worker].park();
                searching = self.idle.rise(worker) || self.idle.start_search();
            }
        }
    }

    /// Liveness: a job that is pushed while the only free worker goes to sleep is run.
    #[test]
    fn a_push_and_a_sleeper_do_not_miss_each_other() {
        loom::model(|| {
            let pool = Pool::new();
            let p = pool.clone();
            let worker = loom::thread::spawn(move || p.next_job(0));
            pool.push();
            worker.join().unwrap();
        });
    }

    /// Liveness: two jobs that must run at the same time do, although the second push may find
    /// somebody searching and wake nobody: the last searcher must wake another.
    #[test]
    fn two_jobs_that_need_each_other_both_run() {
        loom::model(|| {
            let pool = Pool::new();
            let meet = Arc::new(Parker::new());
            let workers: Vec<_> = (0..2)
                .map(|worker| {
                    let (pool, meet) = (pool.clone(), meet.clone());
                    loom::thread::spawn(move || {
                        pool.next_job(worker);
                        // The first waits for the second: a job alone never ends.
                        if pool.begun.fetch_add(1, Ordering::AcqRel) == 0 {
                            meet.park();
                        } else {
                            meet.unpark();
                        }
                    })
                })
                .collect();
            pool.push();
            pool.push();
            for worker in workers {
                worker.join().unwrap();
            }
        });
    }

    /// Safety: a picked worker leaves the stack exactly once, and the counts end at 0.
    #[test]
    fn counts_come_back_to_zero() {
        loom::model(|| {
            let pool = Pool::new();
            let p = pool.clone();
            let worker = loom::thread::spawn(move || p.next_job(0));
            pool.push();
            worker.join().unwrap();
            let counts = Counts(pool.idle.counts.load(Ordering::Relaxed));
            assert_eq!((counts.searchers(), counts.sleepers()), (0, 0));
        });
    }
}
