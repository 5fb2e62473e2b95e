//! What the expansions of `select!`, `join!` and `try_join!` call. Not for direct use.
//!
//! Expansions name everything through here (`$crate::macros::support::Poll`), so that a `Poll` or
//! `Some` of the user's own cannot come between.
//! Read next: `macros/refused.rs`.

#![forbid(unsafe_code)]

pub use std::future::{Future, IntoFuture, poll_fn};
pub use std::option::Option::Some;
pub use std::pin::pin;
pub use std::result::Result::{Err, Ok};
pub use std::task::Poll;

use std::panic::Location;
use std::pin::Pin;
use std::task::Context;

use pin_project_lite::pin_project;

use crate::parts::budget;
use crate::parts::rng::thread_below;
use crate::parts::wait_site::{self, Kind};

/// The branches of a `select!` in the order of this poll: all of them, from a random one on.
pub fn by_lot(branches: u32) -> impl Iterator<Item = u32> {
    let first = thread_below(branches);
    (first..branches).chain(0..first)
}

/// The branches of a `select!` with `biased;`: from the first on.
pub fn in_order(branches: u32) -> impl Iterator<Item = u32> {
    0..branches
}

/// `Pending`, after a wake-up to itself, when the task has used up its turn.
#[track_caller]
pub fn poll_budget(cx: &mut Context<'_>) -> Poll<()> {
    if budget::has_remaining() {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    wait_site::leave(Kind::Yield, Location::caller(), 0);
    Poll::Pending
}

/// Which future of a `join!` a poll begins with.
#[derive(Debug)]
pub struct Turns {
    /// How many there are.
    futures: usize,
    /// The first of the next poll.
    first: usize,
    /// What is added after each poll: 1, or 0 with `biased;`.
    step: usize,
}

impl Turns {
    /// Each poll begins one further.
    pub fn rotate(futures: usize) -> Self {
        Self {
            futures,
            first: 0,
            step: 1,
        }
    }

    /// Each poll begins with the first.
    pub fn stay(futures: usize) -> Self {
        Self {
            futures,
            first: 0,
            step: 0,
        }
    }

    /// The index of the future that this poll begins with.
    #[expect(
        clippy::should_implement_trait,
        reason = "it never ends, and is no iterator"
    )]
    pub fn next(&mut self) -> usize {
        let first = self.first;
        self.first += self.step;
        if self.first >= self.futures {
            self.first = 0;
        }
        first
    }
}

pin_project! {
    /// A future of a `join!`, which keeps its output until the others are done.
    #[derive(Debug)]
    #[project = MaybeDoneProjection]
    #[project_replace = MaybeDoneTaken]
    pub enum MaybeDone<F: Future> {
        /// Not done.
        Running {
            #[pin]
            future: F,
        },
        /// Done; the future is gone, its memory holds the output.
        Done { output: F::Output },
        /// The output has been taken.
        Taken,
    }
}

/// Wraps what can be awaited.
pub fn maybe_done<I: IntoFuture>(value: I) -> MaybeDone<I::IntoFuture> {
    MaybeDone::Running {
        future: value.into_future(),
    }
}

impl<F: Future> MaybeDone<F> {
    /// Polls the future unless it is done; true when it is.
    pub fn poll_done(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> bool {
        if let MaybeDoneProjection::Running { future } = self.as_mut().project() {
            match future.poll(cx) {
                Poll::Ready(output) => self.set(MaybeDone::Done { output }),
                Poll::Pending => return false,
            }
        }
        true
    }

    /// The output.
    ///
    /// # Panics
    ///
    /// Unless [`poll_done`](Self::poll_done) was true, and at the second call.
    pub fn take_output(self: Pin<&mut Self>) -> F::Output {
        match self.project_replace(MaybeDone::Taken) {
            MaybeDoneTaken::Done { output } => output,
            _ => panic!("join!: polled again after it was done; await it once"),
        }
    }
}

impl<T, E, F: Future<Output = Result<T, E>>> MaybeDone<F> {
    /// The error, if the future ended with one.
    pub fn take_error(mut self: Pin<&mut Self>) -> Option<E> {
        match self.as_mut().project() {
            MaybeDoneProjection::Done { output: Err(_) } => self.take_output().err(),
            _ => None,
        }
    }

    /// The value of a future that did not end with an error.
    ///
    /// # Panics
    ///
    /// As [`take_output`](Self::take_output), or when it did.
    pub fn take_value(self: Pin<&mut Self>) -> T {
        match self.take_output() {
            Ok(value) => value,
            Err(_) => unreachable!("an error ends try_join! at once"),
        }
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use std::cell::Cell;
    use std::future::{Future, pending, poll_fn};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use crate::parts::budget;

    #[test]
    fn without_budget_select_polls_no_branch_but_asks_for_another_turn() {
        let polls = Cell::new(0);
        let mut cx = Context::from_waker(Waker::noop());
        let mut select = pin!(async {
            crate::select! {
                _ = poll_fn(|_| { polls.set(polls.get() + 1); Poll::Ready(()) }) => 1,
                _ = pending::<()>() => 2,
            }
        });
        budget::refilled(|| {
            while budget::has_remaining() {
                match budget::spend(&mut cx) {
                    Poll::Ready(spent) => spent.made_progress(),
                    Poll::Pending => unreachable!(),
                }
            }
            assert!(select.as_mut().poll(&mut cx).is_pending());
            assert_eq!(polls.get(), 0);
        });
        assert_eq!(select.poll(&mut cx), Poll::Ready(1));
    }

    #[test]
    fn turns_go_round() {
        let mut turns = super::Turns::rotate(3);
        assert_eq!([0; 4].map(|_| turns.next()), [0, 1, 2, 0]);
        assert_eq!([0; 2].map(|_| super::Turns::stay(3).next()), [0, 0]);
        assert_eq!(super::Turns::rotate(0).next(), 0);
    }
}
