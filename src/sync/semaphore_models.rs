//! Loom models of `sync/semaphore.rs` and its line.
//!
//! Every interleaving of small programs. Blocked for good means a lost wake-up: loom reports it.
//!
//! Mutations tried by hand, and a model that fails:
//! - `take` with Relaxed, `put` with Relaxed: `a_permit_excludes` (data race)
//! - `put` ignores the waiting bit: `a_release_meets_an_acquire`, `nobody_barges_in`
//! - `get_in_line` leaves the bit unset: `a_release_meets_an_acquire`, `nobody_barges_in`
//! - `get_in_line` leaves permits in the word: `a_release_meets_an_acquire`
//! - `get_in_line` ignores closed: `a_close_meets_an_acquire`
//! - `settle` clears the bit with others in line: `two_wait_for_one_permit`
//! - no `settle` in `serve`: `permits_are_conserved`; in `hand_out`: `nobody_barges_in`
//! - `leave_line` without `settle`: `a_cancel_meets_a_grant`
//! - `leave_line` keeps what it was given: `a_cancel_meets_a_grant`
//! - `close` calls only the first: `a_close_meets_two_waiters`
//! - a closed waiter keeps what it collected: `a_close_meets_two_waiters`
//! - `hand_out_in_batches` forgets the rest: `permits_are_conserved`

#![forbid(unsafe_code)]

use super::*;
use crate::shim::Arc;
use loom::cell::Cell;
use loom::future::block_on;
use loom::thread;
use std::pin::pin;
use std::sync::atomic::AtomicUsize as Count;

/// Runs a model, and sees to it that there was something to explore.
fn model(at_least: usize, program: impl Fn() + Send + Sync + 'static) {
    let runs = std::sync::Arc::new(Count::new(0));
    let count = runs.clone();
    loom::model(move || {
        count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        program();
    });
    let runs = runs.load(std::sync::atomic::Ordering::Relaxed);
    println!("{runs} executions");
    assert!(runs >= at_least, "only {runs} executions");
}

/// A semaphore of `permits`, for several threads.
fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits))
}

/// Nobody waits, and exactly so many permits are there.
fn assert_rests_with(permits: usize, semaphore: &Semaphore) {
    let word = semaphore.word.load(Acquire) & !CLOSED;
    assert_eq!((word & WAITING, word >> SHIFT), (0, permits));
}

/// Runs `program` in a thread of its own.
fn with<R: 'static>(
    semaphore: &Arc<Semaphore>,
    program: impl FnOnce(&Semaphore) -> R + 'static,
) -> thread::JoinHandle<R> {
    let semaphore = semaphore.clone();
    thread::spawn(move || program(&semaphore))
}

/// Polls a request once, with a waker that does nothing.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_permit_excludes() {
    model(10, || {
        let shared = Arc::new((Semaphore::new(1), Cell::new(0)));
        let other = shared.clone();
        let touch = |shared: &(Semaphore, Cell<u32>)| {
            let permit = block_on(shared.0.acquire()).unwrap();
            // loom checks that nobody else is inside, and that what he wrote is visible.
            shared.1.set(shared.1.get() + 1);
            drop(permit);
        };
        let thread = thread::spawn(move || touch(&other));
        touch(&shared);
        thread.join().unwrap();
        assert_rests_with(1, &shared.0);
    });
}

#[test]
fn a_release_meets_an_acquire() {
    model(5, || {
        let semaphore = semaphore(0);
        let waiter = with(&semaphore, |s| {
            block_on(s.acquire_many(2)).unwrap().forget()
        });
        semaphore.add_permits(1);
        semaphore.add_permits(1);
        waiter.join().unwrap();
        assert_rests_with(0, &semaphore);
    });
}

#[test]
fn two_wait_for_one_permit() {
    model(100, || {
        let semaphore = semaphore(0);
        let waiters = [1, 2].map(|_| with(&semaphore, |s| drop(block_on(s.acquire()).unwrap())));
        semaphore.add_permits(1);
        waiters.map(|waiter| waiter.join().unwrap());
        assert_rests_with(1, &semaphore);
    });
}

#[test]
fn permits_are_conserved() {
    model(100, || {
        let semaphore = semaphore(1);
        let big = with(&semaphore, |s| drop(block_on(s.acquire_many(2)).unwrap()));
        let small = with(&semaphore, |s| drop(block_on(s.acquire()).unwrap()));
        semaphore.add_permits(2);
        big.join().unwrap();
        small.join().unwrap();
        assert_rests_with(3, &semaphore);
    });
}

#[test]
fn nobody_barges_in() {
    model(2, || {
        let semaphore = semaphore(0);
        let mut first = pin!(semaphore.acquire());
        assert!(poll_once(first.as_mut()).is_pending());
        let barger = with(&semaphore, |s| s.try_acquire().map(drop));
        semaphore.add_permits(1);
        assert_eq!(barger.join().unwrap(), Err(TryAcquireError::NoPermits));
        assert_rests_with(0, &semaphore);
        assert!(poll_once(first.as_mut()).is_ready());
    });
}

#[test]
fn a_cancel_meets_a_grant() {
    model(20, || {
        let semaphore = semaphore(0);
        let quitter = with(&semaphore, |s| {
            let mut request = pin!(s.acquire());
            drop(poll_once(request.as_mut()));
        });
        let waiter = with(&semaphore, |s| drop(block_on(s.acquire()).unwrap()));
        semaphore.add_permits(1);
        quitter.join().unwrap();
        waiter.join().unwrap();
        assert_rests_with(1, &semaphore);
        // And with nothing to give.
        semaphore.forget_permits(1);
        drop(poll_once(Box::pin(semaphore.acquire()).as_mut()));
        assert_rests_with(0, &semaphore);
    });
}

#[test]
fn a_close_meets_an_acquire() {
    model(5, || {
        let semaphore = semaphore(0);
        let waiter = with(&semaphore, |s| block_on(s.acquire()).is_err());
        semaphore.close();
        assert!(waiter.join().unwrap());
    });
}

#[test]
fn a_close_meets_two_waiters() {
    model(20, || {
        let semaphore = semaphore(1);
        let waiters = [1, 2].map(|_| with(&semaphore, |s| drop(block_on(s.acquire_many(2)))));
        semaphore.close();
        waiters.map(|waiter| waiter.join().unwrap());
        assert_rests_with(1, &semaphore);
    });
}

#[test]
fn a_close_meets_a_release() {
    model(20, || {
        let semaphore = semaphore(1);
        let held = semaphore.try_acquire().unwrap();
        let waiter = with(&semaphore, |s| drop(block_on(s.acquire())));
        let closer = with(&semaphore, Semaphore::close);
        drop(held);
        waiter.join().unwrap();
        closer.join().unwrap();
        assert_rests_with(1, &semaphore);
    });
}
