//! `coop`: the cooperative budget, for futures that are written by hand.
//!
//! ```text
//!   poll ─► poll_proceed ──┬─► Pending: none left; the task has been woken for its next turn
//!                          └─► RestoreOnPending ──┬─► made_progress: the unit is spent
//!                                                 └─► dropped: it is given back
//! ```
//!
//! What it is for and how it works: `parts/budget.rs`. Here are tokio's names for it.
//! Read next: `task/yield_now.rs`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::parts::budget::{self, Spent};
use crate::parts::wait_site::{self, Kind};

/// Spends one unit of the task's budget, for a future that is about to make progress.
///
/// Pending when nothing is left: the task is woken for its next turn, and the future should return
/// `Pending` too. Outside of a task nothing is counted, and it is always ready.
///
/// ```
/// use std::future::poll_fn;
/// use std::task::{Poll, ready};
/// use trefoil::task::coop;
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let mut steps = 0;
/// poll_fn(|cx| loop {
///     let unit = ready!(coop::poll_proceed(cx));
///     steps += 1;
///     unit.made_progress();
///     if steps == 1000 {
///         return Poll::Ready(());
///     }
/// })
/// .await; // eight turns, in between others run
/// # });
/// ```
#[track_caller]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<RestoreOnPending> {
    proceed(cx, Location::caller()).map(|spent| RestoreOnPending {
        spent: Cell::new(Some(spent)),
        not_send: PhantomData,
    })
}

/// One unit for a future that was called at `line`, where a dump shows it while it has none.
fn proceed(cx: &mut Context<'_>, line: &'static Location<'static>) -> Poll<Spent> {
    let spent = budget::spend(cx);
    if spent.is_pending() {
        wait_site::leave(Kind::Yield, line, 0);
    }
    spent
}

/// One unit of the budget; dropped without [`made_progress`](Self::made_progress) it is given back.
///
/// It belongs to the poll that made it, and to its thread.
#[must_use = "dropped at once the unit is given back"]
pub struct RestoreOnPending {
    /// The unit, until it is spent for good.
    spent: Cell<Option<Spent>>,
    not_send: PhantomData<*const ()>,
}

impl RestoreOnPending {
    /// Keeps the unit spent: the future did something.
    pub fn made_progress(&self) {
        if let Some(spent) = self.spent.take() {
            spent.made_progress();
        }
    }
}

impl std::fmt::Debug for RestoreOnPending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RestoreOnPending").finish_non_exhaustive()
    }
}

/// True when the running task has budget left. Outside of a task: true.
///
/// ```
/// assert!(trefoil::task::coop::has_budget_remaining());
/// ```
pub fn has_budget_remaining() -> bool {
    budget::has_remaining()
}

/// Spends one unit of the budget: a point where a long computation lets others run, now and then.
///
/// With budget left it is ready at once; with none, at the task's next turn.
///
/// # Cancel safety
///
/// Nothing is lost when the future is dropped.
///
/// ```
/// # let rt = trefoil::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let mut sum = 0;
/// for number in 0..1000 {
///     sum += number;
///     trefoil::task::consume_budget().await;
/// }
/// assert_eq!(sum, 499_500);
/// # });
/// ```
#[track_caller]
pub fn consume_budget() -> ConsumeBudget {
    ConsumeBudget {
        line: Location::caller(),
        pinned: PhantomPinned,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`consume_budget`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct ConsumeBudget {
        line: &'static Location<'static>,
        #[pin]
        pinned: PhantomPinned,
    }
}

impl Future for ConsumeBudget {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        proceed(cx, self.line).map(Spent::made_progress)
    }
}

/// Makes a future cooperative: it is polled only while there is budget, and a poll that makes it
/// ready spends a unit.
///
/// For leaf futures of other crates, which know nothing of the budget.
///
/// ```
/// # let rt = trefoil::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// for _ in 0..1000 {
///     trefoil::task::coop::cooperative(std::future::ready(())).await;
/// }
/// # });
/// ```
pub fn cooperative<F: Future>(future: F) -> Coop<F> {
    Coop { future }
}

pin_project_lite::pin_project! {
    /// The future of [`cooperative`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct Coop<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Coop<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let unit = ready!(poll_proceed(cx));
        let output = ready!(self.project().future.poll(cx));
        unit.made_progress();
        Poll::Ready(output)
    }
}

/// Switches the budget off for one future: it is never cut off.
///
/// It then has to let others run by itself: a loop over a channel that always has something keeps
/// its thread for ever.
///
/// ```
/// # let rt = trefoil::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// trefoil::task::unconstrained(async {
///     for _ in 0..1000 {
///         trefoil::task::consume_budget().await;
///         assert!(trefoil::task::coop::has_budget_remaining());
///     }
/// })
/// .await;
/// # });
/// ```
pub fn unconstrained<F>(future: F) -> Unconstrained<F> {
    Unconstrained { future }
}

pin_project_lite::pin_project! {
    /// The future of [`unconstrained`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct Unconstrained<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let future = self.project().future;
        budget::unlimited(|| future.poll(cx))
    }
}
