//! A counting semaphore: permits in one atomic word, those who wait for them in a fair queue.
//!
//! ```text
//!        take, put ┌──┐
//!                  │  ▼          get_in_line: takes all that is there, waits for the rest
//!            Free { permits } ───────────────────────────────► Waiting { permits: 0 }
//!                  │         ◄───────────────────────────────    │      │  ▲
//!            close │           settle: the last one left line    │      └──┘ hand_out: the front
//!                  ▼                                             │           gets what it misses,
//!           Closed { permits }, put only ◄───────────────────────┘           then the next
//!                                         close: all are called
//! ```
//!
//! The word: bit 0 closed, bit 1 waiting, the permits above. Without a waiter `take` and `put` are
//! one compare-and-swap each and touch no mutex. Bit 1 changes only under the mutex of the line,
//! and while it is set there are **no permits in the word**: who comes into the line takes along
//! what is there, and who releases hands its permits to the front of the line, under the mutex.
//! So nobody overtakes, and a big request collects its permits piece by piece.
//!
//! A waiter that was given permits and then goes away gives them back (`give_up`).
//!
//! Why not a plain mutex round a count: lock and unlock twice is 27 ns where this is about 15; the
//! benchmark rows `mutex_unc` and `sem_unc` pay for the word. `Mutex` and the bounded channel stand
//! on this file.
//! Read next: `sync/semaphore_permit.rs` (the futures and permits), then `sync/mutex.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker, ready};

use crate::parts::budget;
use crate::parts::slab::Key;
use crate::parts::wakers::Wakers;
use crate::shim::atomic::AtomicUsize;
use crate::shim::atomic::Ordering::{self, Acquire, Relaxed, Release};
use crate::shim::{Mutex, MutexGuard, const_fn};
use crate::sync::semaphore_error::{AcquireError, TryAcquireError};
use crate::sync::wait::{More, WaitQueue, wake_in_batches};

/// Bit of the word: nobody gets a permit any more.
const CLOSED: usize = 0b01;

/// Bit of the word: somebody is in line, and no permits are in the word.
const WAITING: usize = 0b10;

/// Where the permits begin in the word.
const SHIFT: u32 = 2;

/// Permits that tasks wait for, first come, first served.
///
/// A permit is taken by [`acquire`](Self::acquire) and comes back when it is dropped. Use it to
/// bound how many do something at once: requests to a server, open files, jobs in flight.
///
/// The queue is fair: a task that asks for many permits is not overtaken by later ones that ask
/// for few, even if there were enough for those.
///
/// # Examples
///
/// ```
/// use trefoil::sync::Semaphore;
///
/// let slots = Semaphore::new(2);
/// let first = slots.try_acquire().unwrap();
/// let second = slots.try_acquire().unwrap();
/// assert!(slots.try_acquire().is_err());
///
/// drop(first);
/// assert_eq!(slots.available_permits(), 1);
/// # drop(second);
/// ```
pub struct Semaphore {
    /// See the file's head. Every write is a read-modify-write.
    word: AtomicUsize,
    /// How many permits each waiter still misses. Guards the changes of [`WAITING`], too.
    line: Mutex<Line>,
}

/// Waiters, each with the number of permits it still misses.
type Line = WaitQueue<usize>;

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
    /// The most permits a semaphore may have: `usize::MAX >> 3`, as in tokio.
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    /// A semaphore with `permits` to give.
    ///
    /// # Panics
    ///
    /// With more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    pub fn new(permits: usize) -> Self {
        Self::const_new(permits)
    }

    const_fn! {
        /// The same as [`new`](Self::new), for a `static`.
        ///
        /// # Examples
        ///
        /// ```
        /// use trefoil::sync::Semaphore;
        ///
        /// static SLOTS: Semaphore = Semaphore::const_new(8);
        /// assert_eq!(SLOTS.available_permits(), 8);
        /// ```
        ///
        /// # Panics
        ///
        /// With more than [`MAX_PERMITS`](Self::MAX_PERMITS); in a `static` that does not compile.
        #[track_caller]
        pub const fn const_new(permits: usize) -> Self {
            if permits > Self::MAX_PERMITS {
                too_many_permits();
            }
            Self {
                word: AtomicUsize::new(permits << SHIFT),
                line: Mutex::new(Line::new()),
            }
        }
    }

    /// How many permits could be taken now.
    ///
    /// Zero while somebody waits, although the first in line may already hold a part of what it
    /// asked for.
    pub fn available_permits(&self) -> usize {
        self.word.load(Acquire) >> SHIFT
    }

    /// Adds `n` new permits, and gives them to those in line first.
    ///
    /// # Panics
    ///
    /// When there would be more than [`MAX_PERMITS`](Self::MAX_PERMITS).
    #[track_caller]
    pub fn add_permits(&self, n: usize) {
        self.release(n);
    }

    /// Takes up to `n` permits away for good, and says how many that were.
    ///
    /// Only those that are [available](Self::available_permits); those that somebody holds stay.
    pub fn forget_permits(&self, n: usize) -> usize {
        let mut word = self.word.load(Relaxed);
        loop {
            let taken = n.min(word >> SHIFT);
            // Acquire: as in `take`, for a caller that uses what the permits protect.
            match self.swap(word, word - (taken << SHIFT), Acquire) {
                Ok(()) => return taken,
                Err(now) => word = now,
            }
        }
    }

    /// Closes it: who waits and who asks from now on gets an error.
    ///
    /// Permits that were handed out stay good, and go back as usual.
    pub fn close(&self) {
        wake_in_batches(|wakers| {
            let mut line = self.lock();
            // Release: who finds it closed sees what was done before (`take`, `is_closed`).
            self.word.fetch_or(CLOSED, Release);
            while let Some(first) = line.front()
                && !wakers.is_full()
            {
                // A part it was given stays with it until it looks or leaves.
                line.call(first).into_iter().for_each(|w| wakers.push(w));
            }
            self.settle(&line);
            if line.is_empty() { More::No } else { More::Yes }
        });
    }

    /// True after [`close`](Self::close).
    pub fn is_closed(&self) -> bool {
        self.word.load(Acquire) & CLOSED != 0
    }

    /// Takes `n` permits if they are there. None are while somebody waits.
    #[inline]
    pub(crate) fn take(&self, n: usize) -> Result<(), TryAcquireError> {
        let mut word = self.word.load(Acquire);
        loop {
            if word & CLOSED != 0 {
                return Err(TryAcquireError::Closed);
            }
            if word >> SHIFT < n {
                return Err(TryAcquireError::NoPermits);
            }
            // Acquire: pairs with the Release in `put`; who held the permit before is done.
            match self.swap(word, word - (n << SHIFT), Acquire) {
                Ok(()) => return Ok(()),
                Err(now) => word = now,
            }
        }
    }

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

    /// Gives `n` permits back, to the line if there is one.
    #[inline]
    #[track_caller]
    pub(crate) fn release(&self, n: usize) {
        if n > 0 && !self.put(n) {
            self.hand_out(n);
        }
    }

    /// Adds `n` permits to the word; false, and nothing is done, when somebody is in line.
    #[inline]
    #[track_caller]
    fn put(&self, n: usize) -> bool {
        let mut word = self.word.load(Relaxed);
        loop {
            if word & WAITING != 0 {
                return false;
            }
            assert!(
                n <= Self::MAX_PERMITS - (word >> SHIFT),
                "semaphore: {n} more permits would exceed Semaphore::MAX_PERMITS; add fewer"
            );
            // Release: what was done under the permit is seen by who takes it (`take`).
            match self.swap(word, word + (n << SHIFT), Release) {
                Ok(()) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Gives `n` permits to the line, front first; what is left over goes into the word.
    #[cold]
    fn hand_out(&self, n: usize) {
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

    /// Takes the waiting bit off when the line is empty. `line` is locked.
    fn settle(&self, line: &Line) {
        if line.is_empty() && self.word.load(Relaxed) & WAITING != 0 {
            // Relaxed: publishes nothing; permits come with a Release of their own (`put`).
            self.word.fetch_and(!WAITING, Relaxed);
        }
    }

    /// One try to change the word; on failure what it is now.
    #[inline]
    fn swap(&self, old: usize, new: usize, order: Ordering) -> Result<(), usize> {
        // A failed try reads with Acquire: `take` may find it closed (pairs with `close`).
        self.word
            .compare_exchange_weak(old, new, order, Acquire)
            .map(drop)
    }

    /// Locks the line. No user code runs under it, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a number of permits. The number is `MAX_PERMITS`; a const panic cannot format it.
#[track_caller]
const fn too_many_permits() -> ! {
    if usize::BITS == 64 {
        panic!("a semaphore may not have more than MAX_PERMITS permits (2305843009213693951)");
    }
    panic!("a semaphore may not have more than MAX_PERMITS permits (536870911)");
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("permits", &self.available_permits())
            .field("closed", &self.is_closed())
            .finish()
    }
}

#[cfg(all(test, trefoil_loom))]
#[path = "semaphore_models.rs"]
mod models;
