//! The cooperative budget: how many steps of I/O, channels, locks and timers one poll may make.
//!
//! A task whose socket always has data never returns `Pending` by itself, and nothing else on its
//! thread would run. So each leaf future spends one unit when it makes progress; with none left it
//! wakes its own task and returns `Pending`, and the task goes to the end of the queue.
//! The idea is tokio's ("Reducing tail latencies with automatic cooperative task yielding", 2020).
//!
//! ```text
//!   executor: refill ─► poll ─► leaf: spend ──┬─► made_progress ─► …
//!                                             └─► dropped: the unit is given back
//! ```
//!
//! Outside of a task there is no budget: [`spend`] always succeeds.
//! Read next: `runtime/current_thread.rs`, which refills it.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::task::{Context, Poll};

/// Units a poll starts with.
///
/// Unit: steps of leaf futures. Source: tokio's documented value; not tuned here.
const UNITS: u8 = 128;

/// The cell's value where nothing is counted.
const UNLIMITED: u8 = u8::MAX;

thread_local! {
    /// What is left of the running poll's budget.
    static LEFT: Cell<u8> = const { Cell::new(UNLIMITED) };
}

/// One spent unit. Dropped without [`made_progress`](Spent::made_progress) it is given back.
#[must_use = "dropped at once the unit is given back"]
pub(crate) struct Spent {
    /// What the thread had before; restored on drop.
    before: u8,
}

impl Spent {
    /// Keeps the unit spent: the leaf did something.
    pub(crate) fn made_progress(self) {
        std::mem::forget(self);
    }
}

impl Drop for Spent {
    fn drop(&mut self) {
        // Nested code may have switched the budget off and on again, but a leaf spends and
        // returns within one poll, so what stands here is our own subtraction.
        LEFT.with(|left| left.set(self.before));
    }
}

/// Spends one unit; with none left, wakes the task and is `Pending`.
#[inline]
pub(crate) fn spend(cx: &mut Context<'_>) -> Poll<Spent> {
    match try_spend() {
        Some(spent) => Poll::Ready(spent),
        None => {
            exhausted(cx);
            Poll::Pending
        }
    }
}

/// Spends one unit, if there is one. With none the caller sees to it that the task goes on.
#[inline]
pub(crate) fn try_spend() -> Option<Spent> {
    LEFT.with(|left| match left.get() {
        UNLIMITED => Some(Spent { before: UNLIMITED }),
        0 => None,
        before => {
            left.set(before - 1);
            Some(Spent { before })
        }
    })
}

/// The rare half of [`spend`], kept out of line.
#[cold]
fn exhausted(cx: &mut Context<'_>) {
    cx.waker().wake_by_ref();
}

/// True when [`spend`] would succeed. `select!` asks before it polls any branch.
pub(crate) fn has_remaining() -> bool {
    LEFT.with(|left| left.get() != 0)
}

/// Runs `f` (one poll of a task) with a fresh budget; afterwards the old one is back.
#[inline]
pub(crate) fn refilled<R>(f: impl FnOnce() -> R) -> R {
    with(UNITS, f)
}

/// Runs `f` without a budget: for code that blocks, and for futures that must not be cut off.
#[inline]
pub(crate) fn unlimited<R>(f: impl FnOnce() -> R) -> R {
    with(UNLIMITED, f)
}

/// Sets the budget for the length of `f`, also when `f` panics.
#[inline]
fn with<R>(units: u8, f: impl FnOnce() -> R) -> R {
    struct Restore(u8);
    impl Drop for Restore {
        fn drop(&mut self) {
            LEFT.with(|left| left.set(self.0));
        }
    }
    let _restore = Restore(LEFT.with(|left| left.replace(units)));
    f()
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use std::task::Waker;

    #[test]
    fn a_poll_may_spend_its_units_and_no_more() {
        let mut cx = Context::from_waker(Waker::noop());
        refilled(|| {
            for _ in 0..UNITS {
                match spend(&mut cx) {
                    Poll::Ready(spent) => spent.made_progress(),
                    Poll::Pending => panic!("cut off too early"),
                }
            }
            assert!(!has_remaining());
            assert!(spend(&mut cx).is_pending());
            assert!(unlimited(|| spend(&mut cx).is_ready()));
        });
        assert!(
            spend(&mut cx).is_ready(),
            "outside of a task nothing is counted"
        );
    }

    #[test]
    fn a_leaf_that_was_not_ready_gives_its_unit_back() {
        let mut cx = Context::from_waker(Waker::noop());
        refilled(|| {
            for _ in 0..1000 {
                assert!(spend(&mut cx).is_ready());
            }
        });
    }
}
