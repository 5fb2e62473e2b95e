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
//! Here is the word, and what programs see; the line is in `sync/semaphore_line.rs`.
//! Read next: that one.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::PoisonError;

use crate::shim::atomic::AtomicUsize;
use crate::shim::atomic::Ordering::{self, Acquire, Relaxed, Release};
use crate::shim::{Mutex, MutexGuard, const_fn};
use crate::sync::semaphore_error::TryAcquireError;
use crate::sync::wait::{More, WaitQueue, wake_in_batches};

/// Bit of the word: nobody gets a permit any more.
pub(super) const CLOSED: usize = 0b01;

/// Bit of the word: somebody is in line, and no permits are in the word.
pub(super) const WAITING: usize = 0b10;

/// Where the permits begin in the word.
pub(super) const SHIFT: u32 = 2;

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
    pub(super) word: AtomicUsize,
    /// How many permits each waiter still misses. Guards the changes of [`WAITING`], too.
    line: Mutex<Line>,
}

/// Waiters, each with the number of permits it still misses.
pub(super) type Line = WaitQueue<usize>;

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
    pub(super) fn put(&self, n: usize) -> bool {
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

    /// Takes the waiting bit off when the line is empty. `line` is locked.
    pub(super) fn settle(&self, line: &Line) {
        if line.is_empty() && self.word.load(Relaxed) & WAITING != 0 {
            // Relaxed: publishes nothing; permits come with a Release of their own (`put`).
            self.word.fetch_and(!WAITING, Relaxed);
        }
    }

    /// One try to change the word; on failure what it is now.
    #[inline]
    pub(super) fn swap(&self, old: usize, new: usize, order: Ordering) -> Result<(), usize> {
        // A failed try reads with Acquire: `take` may find it closed (pairs with `close`).
        self.word
            .compare_exchange_weak(old, new, order, Acquire)
            .map(drop)
    }

    /// Locks the line. No user code runs under it, so a poisoned one is sound.
    pub(super) fn lock(&self) -> MutexGuard<'_, Line> {
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
