//! Loom models of publication: `threads/ring.rs` with the worker's loop round it.
//!
//! Two workers with everything that is theirs (ring, deque, idle counts, latch, parkers); only the
//! thread-local is left out, because loom's threads share it. The owner does what a join does, the
//! thief runs its loop. Safety by loom's cells: the result, and the latch that is written at the
//! publication. Liveness by deadlock: an owner that blocks until its half has run.
//!
//! The mutations they catch are listed in `tests/mutations.py`.

#![allow(unsafe_code, reason = "halves by pointer, as in threads/join.rs")]

use super::*;
use crate::parts::parker::Parker;
use crate::shim::{Arc as Shared, UnsafeCell};
use crate::threads::job::Header;
use crate::threads::registry::Handlers;
use crate::threads::ring::HalfHead;
use loom::thread;
use std::ptr::NonNull;

/// A join half that counts its runs.
#[repr(C)]
struct Half {
    head: HalfHead,
    runs: UnsafeCell<usize>,
    /// Told when it has run: for an owner that blocks in its first closure.
    ran: Parker,
    /// Set when it has run: for an owner that works on meanwhile.
    over: Latch,
    registry: Arc<Registry>,
}

/// Runs the half at `header`, as `join` does.
unsafe fn execute(header: NonNull<Header>) {
    // SAFETY: the models keep their halves until both threads are over.
    let half = unsafe { header.cast::<Half>().as_ref() };
    half.run();
    // SAFETY: it came out of a deque.
    let published = unsafe { half.head.published() };
    if let Some(owner) = published.latch.set(|| published.owner) {
        half.registry.seat(owner).parker.unpark();
    }
}

impl Half {
    /// Its closure.
    fn run(&self) {
        // SAFETY: loom sees to it that nobody else is here.
        self.runs.with_mut(|runs| unsafe { *runs += 1 });
        self.ran.unpark();
        if self.over.set(|| ()).is_some() {
            self.registry.seat(0).parker.unpark();
        }
    }

    /// Its result.
    fn runs(&self) -> usize {
        // SAFETY: as above.
        self.runs.with(|runs| unsafe { *runs })
    }
}

/// A pool of two, its halves, and the end of the thief's work.
struct Pool<const HALVES: usize> {
    halves: [Half; HALVES],
    registry: Arc<Registry>,
    stop: Latch,
}

// SAFETY: what the halves point to is protected by the protocol under test; loom watches.
unsafe impl<const HALVES: usize> Send for Pool<HALVES> {}
// SAFETY: as above.
unsafe impl<const HALVES: usize> Sync for Pool<HALVES> {}

/// Worker `index` of a pool.
fn worker(registry: &Arc<Registry>, index: usize, deque: Deque<JobRef>) -> Worker {
    registry.idle.begin();
    Worker {
        spin: Spin::none(),
        ..Worker::new(Arc::clone(registry), index, deque)
    }
}

/// Lets a thief work beside `owner`.
fn beside<const HALVES: usize>(owner: impl FnOnce(&Worker, &Pool<HALVES>)) {
    let [own, other] = [(); 2].map(|()| Deque::new_lifo());
    let deques = [own, other];
    let registry = Arc::new(Registry::new(&deques, Handlers::default()));
    let [own, other] = deques;
    let pool = Shared::new(Pool {
        halves: [(); HALVES].map(|()| Half {
            head: HalfHead::new(Header::new(execute)),
            runs: UnsafeCell::new(0),
            ran: Parker::new(),
            over: Latch::new(),
            registry: Arc::clone(&registry),
        }),
        registry: Arc::clone(&registry),
        stop: Latch::new(),
    });
    let thieves = pool.clone();
    let thief = thread::spawn(move || {
        worker(&thieves.registry, 1, other).wait(&thieves.stop);
    });
    owner(&worker(&registry, 0, own), &pool);
    if pool.stop.set(|| ()).is_some() {
        registry.seat(1).parker.unpark();
    }
    thief.join().unwrap();
    for half in &pool.halves {
        assert_eq!(half.runs(), 1);
    }
}

/// The begin of a join: gives the half's position.
fn push(worker: &Worker, half: &Half) -> usize {
    // SAFETY: the pool keeps its halves.
    let position = unsafe { worker.ring.push(NonNull::from(half).cast()) };
    worker.publish_if_wanted();
    position.expect("the ring has room")
}

/// The end of a join.
fn finish(worker: &Worker, half: &Half, position: usize) {
    if worker.ring.take_back(position) {
        return half.run();
    }
    // SAFETY: it was published.
    let latch = &unsafe { half.head.published() }.latch;
    while !latch.is_set() {
        match worker.take_own() {
            Some(job) if job.is(NonNull::from(half)) => return half.run(),
            Some(job) => job.execute(),
            None => worker.wait(latch),
        }
    }
}

/// Liveness: the first half of all reaches a thief, whether it looks, goes to sleep or sleeps.
#[test]
fn a_half_runs_while_its_owner_blocks() {
    loom::model(|| {
        beside(|worker, pool: &Pool<1>| {
            let half = &pool.halves[0];
            let position = push(worker, half);
            half.ran.park();
            finish(worker, half, position);
        });
    });
}

/// Liveness: a half that stayed private is shown by whoever is about to block.
#[test]
fn an_owner_that_blocks_shows_its_private_halves() {
    loom::model(|| {
        beside(|worker, pool: &Pool<2>| {
            let [outer, inner] = &pool.halves;
            let positions = [push(worker, outer), push(worker, inner)];
            worker.publish_all();
            inner.ran.park();
            finish(worker, inner, positions[1]);
            finish(worker, outer, positions[0]);
        });
    });
}

/// Liveness: an owner that waits for something else runs its private halves, or a thief does.
#[test]
fn an_owner_that_waits_for_another_job_keeps_nothing_back() {
    loom::model(|| {
        beside(|worker, pool: &Pool<2>| {
            let [outer, inner] = &pool.halves;
            let positions = [push(worker, outer), push(worker, inner)];
            worker.wait(&inner.over);
            finish(worker, inner, positions[1]);
            finish(worker, outer, positions[0]);
        });
    });
}

/// Safety: each half runs once, on one side, and its owner sees what it did.
#[test]
fn each_half_is_taken_back_or_stolen() {
    loom::model(|| {
        beside(|worker, pool: &Pool<2>| {
            let [outer, inner] = &pool.halves;
            let first = push(worker, outer);
            let second = push(worker, inner);
            finish(worker, inner, second);
            assert_eq!(inner.runs(), 1);
            finish(worker, outer, first);
            assert_eq!(outer.runs(), 1);
        });
    });
}

/// Safety: positions are used again after halves were published and came back.
#[test]
fn a_ring_goes_on_after_a_publication() {
    loom::model(|| {
        beside(|worker, pool: &Pool<2>| {
            for half in &pool.halves {
                let position = push(worker, half);
                finish(worker, half, position);
                assert!(worker.ring.is_empty());
            }
        });
    });
}
