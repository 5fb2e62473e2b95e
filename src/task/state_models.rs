//! Loom models of `task/state.rs`: every interleaving of a few threads on one task.
//!
//! They run the real functions on a small task: a future that is a cell which loom watches, a
//! queue of "push" tokens, and threads as wakers, poller and join handle. A lost wake-up is a
//! thread that waits for ever, which loom reports as a deadlock; two accesses at a time are
//! reported as a race.
//!
//! The mutations they catch are listed in `tests/mutations.py`, which applies each of them and
//! expects a model to fail.

#![allow(unsafe_code, reason = "cells whose accesses loom checks")]

use crate::shim::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::shim::{Arc, Condvar, Mutex, UnsafeCell};
use crate::task::state::{AfterComplete, AfterPoll, AfterRelease, AfterWake, StartPoll, State};

/// A task whose future is a counter of its polls.
struct Task {
    state: State,
    /// Touched by the poller only; loom reports two at a time.
    future: UnsafeCell<u32>,
    /// Written by the poller before `complete`, read by whoever has the output.
    output: UnsafeCell<u32>,
    /// Written by the join handle, read by the completing thread.
    waker: UnsafeCell<u32>,
    /// Pushes that nobody has popped.
    queue: Mutex<usize>,
    pushed: Condvar,
    freed: AtomicUsize,
}

// SAFETY: the cells are ruled by the protocol under test; loom checks each access.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Sync for Task {}

impl Task {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            state: State::new(),
            future: UnsafeCell::new(0),
            output: UnsafeCell::new(0),
            waker: UnsafeCell::new(0),
            queue: Mutex::new(1),
            pushed: Condvar::new(),
            freed: AtomicUsize::new(0),
        })
    }

    fn push(&self) {
        let mut queue = self.queue.lock().unwrap();
        *queue += 1;
        assert_eq!(*queue, 1, "the task is in the queue twice");
        self.pushed.notify_one();
    }

    /// Waits for a push: a lost one is a deadlock, which loom reports.
    fn pop(&self) {
        let mut queue = self.queue.lock().unwrap();
        while *queue == 0 {
            queue = self.pushed.wait(queue).unwrap();
        }
        *queue -= 1;
    }

    fn wake(&self) {
        if self.state.wake() == AfterWake::Push {
            self.push();
        }
    }

    /// Polls until `done` says so, or the task is cancelled; then completes.
    fn run(&self, done: impl Fn() -> bool) -> bool {
        loop {
            self.pop();
            let seen = match self.state.start_poll() {
                StartPoll::Poll(seen) => seen,
                StartPoll::Cancelled => return true,
            };
            touch(&self.future);
            if done() {
                return false;
            }
            if self.state.finish_poll(seen) == AfterPoll::RunAgain {
                self.push();
            }
        }
    }

    /// Stores the output and ends the task.
    fn finish(&self) -> AfterComplete {
        touch(&self.output);
        self.state.complete()
    }

    fn release(&self) {
        if self.state.release() {
            self.free();
        }
    }

    /// Everything is touched once more: no access may come after or beside it.
    fn free(&self) {
        assert_eq!(self.freed.fetch_add(1, Ordering::Relaxed), 0, "freed twice");
        touch(&self.future);
        touch(&self.output);
        touch(&self.waker);
    }
}

/// A write that loom checks against every other access.
fn touch(cell: &UnsafeCell<u32>) {
    cell.with_mut(|value| {
        // SAFETY: that nobody else is here is what the model checks.
        unsafe { *value += 1 }
    });
}

/// A read that loom checks against every write.
fn look(cell: &UnsafeCell<u32>) {
    cell.with(|value| {
        // SAFETY: as in `touch`.
        let _ = unsafe { *value };
    });
}

/// Liveness and safety: of two wakers each flag is seen, whoever is coalesced (tokio#7589,
/// compio#948); the future is never polled by two.
#[test]
fn two_wakers_are_both_heard() {
    loom::model(|| {
        let task = Task::new();
        let flags = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let wakers: Vec<_> = (0..2)
            .map(|i| {
                let (task, flags) = (task.clone(), flags.clone());
                loom::thread::spawn(move || {
                    flags[i].store(true, Ordering::Relaxed);
                    task.wake();
                })
            })
            .collect();
        task.run(|| flags.iter().all(|flag| flag.load(Ordering::Relaxed)));
        for waker in wakers {
            waker.join().unwrap();
        }
    });
}

/// Safety: the future passes from poller to poller, each seeing what the last one left. Only the
/// state word orders the two when a third thread's wake-up comes between them.
#[test]
fn a_future_moves_from_one_poller_to_the_next() {
    loom::model(|| {
        let task = Task::new();
        task.pop();
        // Before the wake-up, so that it is not seen by this poll and leads to one push.
        let StartPoll::Poll(seen) = task.state.start_poll() else {
            unreachable!()
        };
        let t = task.clone();
        let first = loom::thread::spawn(move || {
            touch(&t.future);
            if t.state.finish_poll(seen) == AfterPoll::RunAgain {
                t.push();
            }
        });
        let t = task.clone();
        let waker = loom::thread::spawn(move || t.wake());
        task.pop();
        let StartPoll::Poll(seen) = task.state.start_poll() else {
            unreachable!()
        };
        touch(&task.future);
        assert_eq!(task.state.finish_poll(seen), AfterPoll::Rest);
        first.join().unwrap();
        waker.join().unwrap();
    });
}

/// Liveness: a join handle that waits is told; safety: it sees the output.
#[test]
fn a_join_handle_is_told_of_the_end() {
    loom::model(|| {
        let task = Task::new();
        let told = Arc::new(crate::parts::parker::Parker::new());
        let (t, p) = (task.clone(), told.clone());
        let runner = loom::thread::spawn(move || {
            t.run(|| true);
            let after = t.finish();
            assert!(!after.drop_output);
            if after.wake_joiner {
                look(&t.waker);
                p.unpark();
            }
            t.release();
        });
        if !task.state.is_complete() {
            touch(&task.waker);
            if task.state.leave_waker() {
                told.park();
                assert!(task.state.is_complete());
            } else {
                touch(&task.waker);
            }
        }
        look(&task.output);
        task.release();
        runner.join().unwrap();
        assert_eq!(task.freed.load(Ordering::Relaxed), 1);
    });
}

/// Safety: a waker that is replaced is never read half-way.
#[test]
fn a_join_waker_is_replaced_or_read_not_both() {
    loom::model(|| {
        let task = Task::new();
        touch(&task.waker);
        assert!(task.state.leave_waker());
        let t = task.clone();
        let runner = loom::thread::spawn(move || {
            t.run(|| true);
            if t.finish().wake_joiner {
                look(&t.waker);
            }
            t.release();
        });
        if task.state.take_waker_back() {
            touch(&task.waker);
            if !task.state.leave_waker() {
                touch(&task.waker);
            }
        }
        if task.state.is_complete() {
            look(&task.output);
        }
        task.release();
        runner.join().unwrap();
        assert_eq!(task.freed.load(Ordering::Relaxed), 1);
    });
}

/// Safety: of a join handle that goes away and a task that ends, exactly one drops the output.
#[test]
fn an_output_is_dropped_once() {
    loom::model(|| {
        let task = Task::new();
        touch(&task.waker);
        assert!(task.state.leave_waker());
        let drops = Arc::new(AtomicUsize::new(0));
        let (t, d) = (task.clone(), drops.clone());
        let runner = loom::thread::spawn(move || {
            t.run(|| true);
            let after = t.finish();
            if after.drop_output {
                touch(&t.output);
                d.fetch_add(1, Ordering::Relaxed);
            }
            if after.wake_joiner {
                look(&t.waker);
            }
            t.release();
        });
        let after = task.state.leave_join();
        if after.drop_output {
            touch(&task.output);
            drops.fetch_add(1, Ordering::Relaxed);
        }
        if after.drop_waker {
            touch(&task.waker);
        }
        task.release();
        runner.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        assert_eq!(task.freed.load(Ordering::Relaxed), 1);
    });
}

/// Safety: the memory is freed once, after the last use, whoever comes last.
#[test]
fn the_last_reference_frees() {
    loom::model(|| {
        let task = Task::new();
        // A waker's reference beside the runtime's and the join handle's.
        task.state.retain();
        let t = task.clone();
        let waker = loom::thread::spawn(move || match t.state.wake_and_release() {
            AfterRelease::Nothing => {}
            AfterRelease::Push => t.push(),
            AfterRelease::Free => t.free(),
        });
        let t = task.clone();
        let runner = loom::thread::spawn(move || {
            t.run(|| true);
            if t.finish().drop_output {
                touch(&t.output);
            }
            t.release();
        });
        if task.state.leave_join().drop_output {
            touch(&task.output);
        }
        task.release();
        waker.join().unwrap();
        runner.join().unwrap();
        assert_eq!(task.freed.load(Ordering::Relaxed), 1);
    });
}

/// Liveness: a cancelled task ends, beside a waker and a poll that is under way.
#[test]
fn a_cancelled_task_ends() {
    loom::model(|| {
        let task = Task::new();
        let t = task.clone();
        let abort = loom::thread::spawn(move || {
            if t.state.cancel() == AfterWake::Push {
                t.push();
            }
        });
        let t = task.clone();
        let waker = loom::thread::spawn(move || t.wake());
        assert!(task.run(|| false), "ended by the cancellation only");
        abort.join().unwrap();
        waker.join().unwrap();
        assert_eq!(
            task.finish(),
            AfterComplete {
                drop_output: false,
                wake_joiner: false
            }
        );
    });
}

/// Liveness: of two cancellations at the same time one is enough, and neither pushes twice.
#[test]
fn two_cancellations_push_once() {
    loom::model(|| {
        let task = Task::new();
        task.pop();
        let StartPoll::Poll(seen) = task.state.start_poll() else {
            unreachable!()
        };
        let aborts: Vec<_> = (0..2)
            .map(|_| {
                let task = task.clone();
                loom::thread::spawn(move || {
                    if task.state.cancel() == AfterWake::Push {
                        task.push();
                    }
                })
            })
            .collect();
        touch(&task.future);
        if task.state.finish_poll(seen) == AfterPoll::RunAgain {
            task.push();
        }
        assert!(task.run(|| false));
        for abort in aborts {
            abort.join().unwrap();
        }
    });
}
