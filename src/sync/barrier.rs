//! A meeting point: nobody goes on before all have come; then it starts anew.
//!
//! ```text
//!   arrive ─► count + 1 ──► n reached: this one leads, count = 0, the round ends, wake the others
//!                    └────► else: wait for the end of this round
//! ```
//!
//! A round is a generation of the notify. A waiter takes its place and the leader ends the round
//! under the mutex of the count, so each waiter gets the end of its own round and no other.
//! Why not an atomic count: the place and the count must change together.
//! Read next: `sync/cancellation_token.rs`.

#![forbid(unsafe_code)]

use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::budget;
use crate::parts::wait_site::{self, Kind};
use crate::sync::notified::Place;
use crate::sync::notify::{Notify, Owed};

/// Lets `n` tasks wait for each other, again and again.
///
/// # Examples
///
/// ```
/// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use std::sync::Arc;
/// use trefoil::sync::Barrier;
///
/// let barrier = Arc::new(Barrier::new(2));
/// let other = trefoil::task::spawn({
///     let barrier = barrier.clone();
///     async move { barrier.wait().await.is_leader() }
/// });
/// let leads = barrier.wait().await.is_leader();
/// assert!(leads != other.await.unwrap(), "one of the two leads");
/// # });
/// ```
#[derive(Debug)]
pub struct Barrier {
    /// How many make a round.
    n: usize,
    /// How many have arrived in this round: less than `n`.
    arrived: Mutex<usize>,
    /// One `notify_waiters` a round.
    notify: Notify,
}

impl Barrier {
    /// A barrier for `n` tasks. For 0 it is the same as for 1: nobody waits.
    pub fn new(n: usize) -> Self {
        Self {
            n: n.max(1),
            arrived: Mutex::new(0),
            notify: Notify::new(),
        }
    }

    /// Arrives, and waits until all have.
    ///
    /// One of a round, the last that arrived, [leads](BarrierWaitResult::is_leader).
    ///
    /// # Cancel safety
    ///
    /// Not cancel safe: who has arrived (was polled) and goes away stays counted for this round.
    #[track_caller]
    pub fn wait(&self) -> Wait<'_> {
        Wait {
            barrier: self,
            stage: Stage::Start,
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Counts one more.
    fn arrive(&self) -> Arrival {
        let mut arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        *arrived += 1;
        if *arrived < self.n {
            return Arrival::Early(self.notify.place());
        }
        *arrived = 0;
        Arrival::Last(self.notify.end_generation())
    }
}

/// What [`Barrier::arrive`] found.
#[must_use]
enum Arrival {
    /// Others are still missing: wait here.
    Early(Place),
    /// The round is over, and perhaps its waiters are to be called.
    Last(Owed),
}

/// How far a [`Wait`] is.
#[derive(Debug)]
enum Stage {
    /// Not arrived.
    Start,
    /// Arrived, before others.
    Waiting(Place),
    /// Over.
    Done,
}

pin_project! {
    /// The future of [`Barrier::wait`].
    #[project(!Unpin)]
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Wait<'a> {
        // Where to meet.
        barrier: &'a Barrier,
        // How far it is.
        stage: Stage,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, so that a node of the line could move in here one day.
        #[pin]
        pinned: PhantomPinned,
    }

    impl PinnedDrop for Wait<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Stage::Waiting(place) = this.stage {
                this.barrier.notify.give_up(place);
            }
        }
    }
}

impl Future for Wait<'_> {
    type Output = BarrierWaitResult;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<BarrierWaitResult> {
        let this = self.project();
        let barrier = *this.barrier;
        if let Poll::Ready(spent) = budget::spend(cx) {
            if let Stage::Start = this.stage {
                match barrier.arrive() {
                    Arrival::Early(place) => *this.stage = Stage::Waiting(place),
                    Arrival::Last(owed) => {
                        *this.stage = Stage::Done;
                        spent.made_progress();
                        if owed == Owed::Somebody {
                            barrier.notify.call_everybody();
                        }
                        return Poll::Ready(BarrierWaitResult(true));
                    }
                }
            }
            let Stage::Waiting(place) = this.stage else {
                panic!("wait: polled after it was ready; await it once");
            };
            if barrier
                .notify
                .poll_place(place, Some(cx.waker()))
                .is_ready()
            {
                *this.stage = Stage::Done;
                spent.made_progress();
                return Poll::Ready(BarrierWaitResult(false));
            }
        }
        let address = std::ptr::from_ref(barrier).addr();
        wait_site::leave(Kind::Notify, this.location, address as u64);
        Poll::Pending
    }
}

/// What [`Barrier::wait`] gives: whether this task leads the round.
#[derive(Debug, Clone)]
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// True for one task of each round.
    pub fn is_leader(&self) -> bool {
        self.0
    }
}
