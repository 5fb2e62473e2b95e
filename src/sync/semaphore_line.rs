//! The line at a semaphore: who waits, and how permits reach them.
//!
//! ```text
//!   poll_acquire ── permits there ──────────────────────► taken
//!        │ too few
//!        ▼                      hand_out: the front gets what it misses
//!   get_in_line ──► in line ───────────────────────────► called: taken at the next poll
//!                      │ dropped
//!                      └──► leave_line: gives back what it was given so far
//! ```
//!
//! Everything here runs under the mutex of the line; the word beside it, and why nobody overtakes,
//! is in `sync/semaphore.rs`.
//! Read next: `sync/semaphore_permit.rs` (the futures and permits), then `sync/mutex.rs`.

#![forbid(unsafe_code)]

use std::task::{Context, Poll, Waker, ready};

use crate::parts::budget;
use crate::parts::slab::Key;
use crate::parts::wakers::Wakers;
use crate::shim::atomic::Ordering::{Acquire, Relaxed};
use crate::sync::semaphore::{CLOSED, Line, SHIFT, Semaphore, WAITING};
use crate::sync::semaphore_error::{AcquireError, TryAcquireError};
use crate::sync::wait::{More, wake_in_batches};

/// One request's place in the line, kept by the future that asks.
///
/// Whoever owns it calls [`Semaphore::give_up`] before throwing it away.
#[derive(Debug)]
pub(crate) struct Place {
    /// How many permits are asked for.
    permits: usize,
    /// Where it stands; [`Key::NONE`] before and after.
    key: Key,
}

impl Place {
    /// A request for `permits`, not in line yet.
    pub(crate) const fn new(permits: usize) -> Self {
        Self {
            permits,
            key: Key::NONE,
        }
    }
}

impl Semaphore {
    /// Polls a request: takes the permits, or keeps `place` in line.
    ///
    /// Spends budget. An error leaves nothing taken.
    #[inline]
    pub(crate) fn poll_acquire(
        &self,
        place: &mut Place,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), AcquireError>> {
        let Some(spent) = budget::try_spend() else {
            self.poll_without_budget(place, cx.waker());
            return Poll::Pending;
        };
        let taken = if place.key != Key::NONE {
            ready!(self.poll_in_line(place, cx.waker()))
        } else {
            match self.take(place.permits) {
                Ok(()) => Ok(()),
                Err(TryAcquireError::Closed) => Err(AcquireError::CLOSED),
                Err(TryAcquireError::NoPermits) => ready!(self.get_in_line(place, cx.waker())),
            }
        };
        spent.made_progress();
        Poll::Ready(taken)
    }

    /// The task has no budget left in this turn: a new request gets its place in line all the same,
    /// or others who come later would be served first. Who is in line is woken from there.
    #[cold]
    fn poll_without_budget(&self, place: &mut Place, waker: &Waker) {
        let permits = self.word.load(Relaxed) >> SHIFT;
        if place.key == Key::NONE && permits < place.permits {
            match self.get_in_line(place, waker) {
                Poll::Pending => return,
                // They have just come. Without budget it must not take them.
                Poll::Ready(Ok(())) => self.release(place.permits),
                Poll::Ready(Err(_)) => {}
            }
        }
        waker.wake_by_ref();
    }

    /// The first poll of a request that did not find its permits.
    #[cold]
    fn get_in_line(&self, place: &mut Place, waker: &Waker) -> Poll<Result<(), AcquireError>> {
        let waker = waker.clone();
        let mut line = self.lock();
        let mut word = self.word.load(Acquire);
        loop {
            if word & CLOSED != 0 {
                return Poll::Ready(Err(AcquireError::CLOSED));
            }
            let permits = word >> SHIFT;
            let missing = place.permits.saturating_sub(permits);
            // What it cannot use stays; if it must wait it takes all, so nobody behind it can.
            let rest = match missing {
                0 => word - (place.permits << SHIFT),
                _ => WAITING,
            };
            // Acquire: as in `take`.
            match self.swap(word, rest, Acquire) {
                Ok(()) if missing == 0 => return Poll::Ready(Ok(())),
                Ok(()) => {
                    place.key = line.enter(Some(waker), missing);
                    return Poll::Pending;
                }
                Err(now) => word = now,
            }
        }
    }

    /// A later poll: was it called, or is the line closed?
    #[cold]
    fn poll_in_line(&self, place: &mut Place, waker: &Waker) -> Poll<Result<(), AcquireError>> {
        // Before the lock in this order, so that a waker left in it is dropped after unlocking.
        let mut spare = None;
        loop {
            let mut line = self.lock();
            // Stable here: the bit is set under the mutex.
            if self.word.load(Relaxed) & CLOSED != 0 {
                drop(line);
                self.give_up(place);
                return Poll::Ready(Err(AcquireError::CLOSED));
            }
            if line.is_called(place.key) {
                line.leave(place.key);
                place.key = Key::NONE;
                return Poll::Ready(Ok(()));
            }
            if line.refresh(place.key, waker, &mut spare) {
                return Poll::Pending;
            }
            drop(line);
            spare = Some(waker.clone());
        }
    }

    /// Leaves the line, if `place` is in it, and gives back what it was given there.
    #[inline]
    pub(crate) fn give_up(&self, place: &mut Place) {
        if place.key != Key::NONE {
            self.leave_line(place);
        }
    }

    /// The rare half of [`give_up`](Self::give_up).
    #[cold]
    fn leave_line(&self, place: &mut Place) {
        let mut line = self.lock();
        let left = line.leave(std::mem::replace(&mut place.key, Key::NONE));
        self.settle(&line);
        drop(line);
        if let Some(left) = left {
            // The permits first: dropping the waker may panic, and they would be lost.
            self.release(place.permits - left.value);
        }
    }

    /// Gives `n` permits to the line, front first; what is left over goes into the word.
    #[cold]
    pub(super) fn hand_out(&self, n: usize) {
        let mut line = self.lock();
        // The usual case, and always a mutex's: the front takes all. No batch is needed for one.
        if let Some(first) = line.front()
            && let Some(missing) = line.value_mut(first)
            && *missing >= n
        {
            *missing -= n;
            if *missing == 0 {
                let waker = line.call(first);
                self.settle(&line);
                drop(line);
                waker.into_iter().for_each(Waker::wake);
            }
            return;
        }
        drop(line);
        self.hand_out_in_batches(n);
    }

    /// The rare half of [`hand_out`](Self::hand_out): several are served, or nobody is left.
    fn hand_out_in_batches(&self, mut permits: usize) {
        wake_in_batches(|wakers| {
            let mut line = self.lock();
            self.serve(&mut line, &mut permits, wakers);
            // Still under the mutex, or the line could refill between. `put` refuses exactly when
            // the batch was full before the line was empty. It may panic, hence taken out first.
            let rest = std::mem::take(&mut permits);
            if rest == 0 || self.put(rest) {
                return More::No;
            }
            permits = rest;
            More::Yes
        });
    }

    /// Serves the front of the line until the permits, the line or the batch's room are used up.
    fn serve(&self, line: &mut Line, permits: &mut usize, wakers: &mut Wakers) {
        while *permits > 0
            && !wakers.is_full()
            && let Some(first) = line.front()
            && let Some(missing) = line.value_mut(first)
        {
            let given = (*permits).min(*missing);
            *permits -= given;
            *missing -= given;
            if *missing == 0 {
                line.call(first).into_iter().for_each(|w| wakers.push(w));
            }
        }
        self.settle(line);
    }
}

#[cfg(all(test, trefoil_loom))]
#[path = "semaphore_models.rs"]
mod models;
