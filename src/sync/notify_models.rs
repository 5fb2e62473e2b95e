//! Loom models of `sync/notify.rs`.
//!
//! Every interleaving of small programs. Blocked for good means a lost wake-up: loom reports it.
//!
//! Mutations tried by hand, and a model that fails:
//! - `leave_permit` with Relaxed, `take_permit` with Relaxed: `a_note_meets_a_waiter` (data race)
//! - `leave_permit` ignores the waiting state: `a_note_meets_a_waiter`
//! - `join` does not set it, or ignores the permit: `a_note_meets_a_waiter`
//! - `join` ignores the generation: `notify_waiters_meets_a_waiter_born_before`
//! - `end_generation` with Relaxed where nobody waits: the same (data race)
//! - `end_generation` does not count when somebody waits: the same
//! - `settle` clears the state with others in line: `a_cancel_meets_a_note`
//! - no `settle` in `give`: `two_notes_wake_two_waiters`
//! - `leave_line` keeps the note: `a_cancel_meets_a_note`
//! - `is_owed` says never: `a_note_is_not_for_who_is_owed`

#![forbid(unsafe_code)]

use super::*;
use crate::shim::Arc;
use loom::cell::Cell;
use loom::future::block_on;
use loom::thread;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::AtomicUsize as Count;
use std::task::{Context, Poll};

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

/// Runs `program` in a thread of its own.
fn with<R: 'static>(
    notify: &Arc<Notify>,
    program: impl FnOnce(&Notify) -> R + 'static,
) -> thread::JoinHandle<R> {
    let notify = notify.clone();
    thread::spawn(move || program(&notify))
}

/// Polls once, with a waker that does nothing.
fn poll_once(future: Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn a_note_meets_a_waiter() {
    model(5, || {
        let shared = Arc::new((Notify::new(), Cell::new(0)));
        let other = shared.clone();
        let waiter = thread::spawn(move || {
            block_on(other.0.notified());
            assert_eq!(other.1.get(), 1);
        });
        // loom checks that the write is visible to who was notified of it.
        shared.1.set(1);
        shared.0.notify_one();
        waiter.join().unwrap();
        assert_eq!(shared.0.word.load(Acquire), EMPTY);
    });
}

#[test]
fn two_notes_wake_two_waiters() {
    model(2, || {
        let notify = Arc::new(Notify::new());
        let (mut first, mut second) = (pin!(notify.notified()), pin!(notify.notified()));
        assert!(poll_once(first.as_mut()).is_pending());
        assert!(poll_once(second.as_mut()).is_pending());
        let notifier = with(&notify, Notify::notify_one);
        notify.notify_last();
        notifier.join().unwrap();
        assert_eq!(notify.word.load(Acquire), EMPTY);
        assert!(poll_once(first.as_mut()).is_ready());
        assert!(poll_once(second.as_mut()).is_ready());
    });
}

#[test]
fn a_cancel_meets_a_note() {
    model(20, || {
        let notify = Arc::new(Notify::new());
        let quitter = with(&notify, |notify| {
            let mut notified = pin!(notify.notified());
            if poll_once(notified.as_mut()).is_ready() {
                notify.notify_one();
            }
        });
        let waiter = with(&notify, |notify| block_on(notify.notified()));
        notify.notify_one();
        quitter.join().unwrap();
        waiter.join().unwrap();
        assert_eq!(notify.word.load(Acquire), EMPTY);
    });
}

#[test]
fn notify_waiters_meets_a_waiter_born_before() {
    model(5, || {
        let shared = Arc::new((Notify::new(), Cell::new(0)));
        let other = shared.clone();
        let mut place = shared.0.place();
        // The waiter in the second thread: loom does not move a load of the first one behind
        // a later read-modify-write of another.
        let waiter = thread::spawn(move || {
            block_on(poll_fn(|cx| {
                other.0.poll_place(&mut place, Some(cx.waker()))
            }));
            assert_eq!(other.1.get(), 1);
        });
        shared.1.set(1);
        shared.0.notify_waiters();
        waiter.join().unwrap();
        assert_eq!(shared.0.word.load(Acquire), GENERATION);
    });
}

#[test]
fn a_note_is_not_for_who_is_owed() {
    model(2, || {
        let notify = Arc::new(Notify::new());
        let mut owed = pin!(notify.notified());
        assert!(poll_once(owed.as_mut()).is_pending());
        assert_eq!(notify.end_generation(), Owed::Somebody);
        let caller = with(&notify, Notify::call_everybody);
        notify.notify_one();
        caller.join().unwrap();
        assert!(poll_once(owed.as_mut()).is_ready());
        assert_eq!(notify.word.load(Acquire), GENERATION | NOTIFIED);
    });
}
