//! Wakes waiting tasks without giving them a value: one, or all that wait now.
//!
//! ```text
//!                 notify_one, nobody waits
//!      Empty ─────────────────────────────► Notified     one permit at most
//!      │  ▲  ◄──────────────────────────────
//!      │  │         a poll takes it
//!      │  │ settle: the last one left the line
//!      ▼  │
//!     Waiting ──┐ notify_one: the front is called with a note, or notify_last: the back
//!         ▲─────┘ notify_waiters: everybody is called
//! ```
//!
//! The word holds the state in two bits and above them a **generation**: how many `notify_waiters`
//! there were. A future remembers the generation at its birth, so it gets the next one even if it
//! was not polled before. A waiter whose generation is over is *owed* its call: `notify_waiters`
//! calls in batches and unlocks in between, and whoever comes with a note meanwhile calls the owed
//! ones first, or the note would go to somebody who was let go already.
//!
//! A waiter called with a note that is dropped before it looked passes the note on (`give_up`).
//! While the state is Waiting the word changes only under the mutex of the line.
//!
//! Why not a plain mutex: `notify_one` and the poll that takes the permit would be two locks,
//! 22 ns, where two compare-and-swaps are 12; the benchmark row `notify_local` pays for the word.
//! Read next: `sync/notified.rs`, the waiter's side; then `sync/barrier.rs` and `sync/cancellation_token.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::PoisonError;
use std::task::Waker;

use crate::parts::slab::Key;
use crate::parts::wakers::Wakers;
use crate::shim::atomic::AtomicUsize;
use crate::shim::atomic::Ordering::{self, Acquire, Relaxed, Release};
use crate::shim::{Mutex, MutexGuard, const_fn};
use crate::sync::wait::{More, WaitQueue, wake_in_batches};

/// The bits of the state.
const STATE: usize = 0b11;
/// Nobody waits, no permit is there.
const EMPTY: usize = 0b00;
/// Somebody is in line.
const WAITING: usize = 0b01;
/// A permit is there: the next who comes does not wait.
const NOTIFIED: usize = 0b10;
/// One generation, above the state.
const GENERATION: usize = 0b100;

/// Wakes tasks that wait for something to happen.
///
/// It holds at most one permit. [`notify_one`](Self::notify_one) wakes the task that has waited
/// longest, or leaves the permit for the next one that asks; so a task may wait *after* the event
/// and still not miss it. [`notify_waiters`](Self::notify_waiters) wakes all that wait now and
/// leaves nothing.
///
/// # Examples
///
/// ```
/// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use trefoil::sync::Notify;
///
/// let ready = Notify::new();
/// ready.notify_one();
/// ready.notified().await; // takes the permit, does not wait
/// # });
/// ```
pub struct Notify {
    /// See the file's head. Every write is a read-modify-write.
    word: AtomicUsize,
    /// Who waits. Guards the word while its state is [`WAITING`].
    line: Mutex<Line>,
}

/// Waiters, oldest first; their generations never fall along the line.
pub(crate) type Line = WaitQueue<Ask>;

/// What the line knows of a waiter.
#[derive(Debug)]
pub(crate) struct Ask {
    /// The generation of its birth; no longer the current one: it is owed a call.
    pub(crate) generation: usize,
    /// The note it was called with.
    pub(crate) note: Option<Note>,
}

/// A notification for one waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Note {
    /// For who has waited longest.
    Front,
    /// For who came last.
    Back,
}

/// What a waiter has to do after [`Notify::join`].
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    /// To wait in line.
    Wait,
    /// Nothing: it has taken the permit, or its generation was over.
    Notified,
}

/// What is left to do after [`Notify::end_generation`].
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owed {
    /// Nothing.
    Nobody,
    /// To call [`Notify::call_everybody`], without a lock.
    Somebody,
}

impl Notify {
    /// A notify without a permit.
    pub fn new() -> Self {
        Self::const_new()
    }

    const_fn! {
        /// The same as [`new`](Self::new), for a `static`.
        ///
        /// # Examples
        ///
        /// ```
        /// use trefoil::sync::Notify;
        ///
        /// static CHANGED: Notify = Notify::const_new();
        /// CHANGED.notify_one();
        /// ```
        pub const fn const_new() -> Self {
            Self {
                word: AtomicUsize::new(EMPTY),
                line: Mutex::new(Line::new()),
            }
        }
    }

    /// Wakes the task that has waited longest; with nobody there, leaves a permit.
    ///
    /// Two permits are one: a second call with nobody waiting changes nothing.
    #[inline]
    pub fn notify_one(&self) {
        self.notify(Note::Front);
    }

    /// Wakes the task that came last; with nobody there, leaves a permit as `notify_one` does.
    ///
    /// The one whose data is still in the cache is often the better choice when order is no matter.
    #[inline]
    pub fn notify_last(&self) {
        self.notify(Note::Back);
    }

    /// Wakes all that wait now, those included whose [`notified`](Self::notified) was
    /// called and not polled. Leaves no permit.
    pub fn notify_waiters(&self) {
        if self.end_generation() == Owed::Somebody {
            self.call_everybody();
        }
    }

    /// The first half of [`notify_waiters`](Self::notify_waiters): who waits now is owed a call.
    ///
    /// Wakes nobody, so a lock may be held that orders it against `place`.
    pub(crate) fn end_generation(&self) -> Owed {
        let mut word = self.word.load(Relaxed);
        while word & STATE != WAITING {
            // Release: pairs with the Acquire in `join`; polls see what came before.
            match self.swap(word, word + GENERATION, Release) {
                Ok(()) => return Owed::Nobody,
                Err(now) => word = now,
            }
        }
        let _line = self.lock();
        // Release: pairs with the Acquire in `generation`, for who takes its place only now. Who
        // waits looks under the mutex, which publishes.
        self.word.fetch_add(GENERATION, Release);
        Owed::Somebody
    }

    /// The second half of [`notify_waiters`](Self::notify_waiters).
    #[cold]
    pub(crate) fn call_everybody(&self) {
        wake_in_batches(|wakers| {
            let mut line = self.lock();
            let more = self.call_owed(&mut line, wakers);
            self.settle(&line);
            more
        });
    }

    /// Calls who is owed, until nobody is or the batch is full.
    fn call_owed(&self, line: &mut Line, wakers: &mut Wakers) -> More {
        while let Some(first) = line.front()
            && self.is_owed(line, Some(first))
        {
            if wakers.is_full() {
                return More::Yes;
            }
            line.call(first).into_iter().for_each(|w| wakers.push(w));
        }
        More::No
    }

    /// Gives a note to a waiter, or leaves it as the permit.
    #[inline]
    pub(crate) fn notify(&self, note: Note) {
        if !self.leave_permit() {
            self.call_one(note);
        }
    }

    /// Leaves a permit; false, and nothing is done, when somebody is in line.
    #[inline]
    fn leave_permit(&self) -> bool {
        let mut word = self.word.load(Relaxed);
        while word & STATE != WAITING {
            // Release, also when the permit is there already: who takes it sees what was done
            // before either call (`take_permit`).
            match self.swap(word, (word & !STATE) | NOTIFIED, Release) {
                Ok(()) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// The rare half of [`notify`](Self::notify): somebody waits.
    #[cold]
    fn call_one(&self, note: Note) {
        let mut line = self.lock();
        if self.is_owed(&line, line.front()) {
            drop(line);
            // The owed ones first. One of their wakers may panic; the note is given all the same.
            return wake_in_batches(|wakers| {
                let mut line = self.lock();
                if self.call_owed(&mut line, wakers) == More::Yes || wakers.is_full() {
                    return More::Yes;
                }
                self.give(&mut line, note)
                    .into_iter()
                    .for_each(|w| wakers.push(w));
                More::No
            });
        }
        let waker = self.give(&mut line, note);
        drop(line);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Gives a note to who is in line, none of whom is owed, or leaves it as the permit.
    #[must_use = "the waiter sleeps on unless its waker is woken"]
    fn give(&self, line: &mut Line, note: Note) -> Option<Waker> {
        let chosen = match note {
            Note::Front => line.front(),
            Note::Back => line.back(),
        };
        let Some(chosen) = chosen else {
            self.settle(line);
            // Nobody is in line and nobody can come while it is locked.
            self.leave_permit();
            return None;
        };
        if let Some(ask) = line.value_mut(chosen) {
            ask.note = Some(note);
        }
        let waker = line.call(chosen);
        self.settle(line);
        waker
    }

    /// True for a waiter whose generation is over.
    fn is_owed(&self, line: &Line, key: Option<Key>) -> bool {
        key.and_then(|key| line.value(key))
            // The generation is stable while somebody is in line: the mutex guards it then.
            .is_some_and(|ask| ask.generation != self.generation())
    }

    /// Takes the permit if it is there; not for a waiter of an earlier `generation`, which
    /// `notify_waiters` has let go already.
    #[inline]
    pub(crate) fn take_permit(&self, generation: usize) -> bool {
        let mut word = self.word.load(Relaxed);
        while word == generation | NOTIFIED {
            // Acquire: pairs with the Release in `leave_permit`.
            match self.swap(word, word & !STATE, Acquire) {
                Ok(()) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// Decides for a waiter of `generation` that found no permit. The line is locked; on
    /// [`Join::Wait`] the waiter must be put into it.
    pub(crate) fn join(&self, generation: usize) -> Join {
        let mut word = self.word.load(Acquire);
        loop {
            let (join, next) = match word & STATE {
                _ if word & !STATE != generation => return Join::Notified,
                NOTIFIED => (Join::Notified, word & !STATE),
                _ => (Join::Wait, (word & !STATE) | WAITING),
            };
            // Acquire: as in `take_permit`. To wait it is not needed: there the mutex publishes.
            match self.swap(word, next, Acquire) {
                Ok(()) => return join,
                Err(now) => word = now,
            }
        }
    }

    /// Goes from Waiting to Empty when the line is empty. `line` is locked.
    pub(crate) fn settle(&self, line: &Line) {
        if line.is_empty() && self.word.load(Relaxed) & STATE == WAITING {
            // Relaxed: publishes nothing.
            self.word.fetch_and(!STATE, Relaxed);
        }
    }

    /// How many `notify_waiters` there were, shifted as in the word.
    pub(crate) fn generation(&self) -> usize {
        // Acquire: pairs with the Release in `end_generation`. Who takes its place after a
        // `notify_waiters` sees what was done before it, and so does not wait for it in vain.
        self.word.load(Acquire) & !STATE
    }

    /// One try to change the word; on failure what it is now.
    #[inline]
    fn swap(&self, old: usize, new: usize, order: Ordering) -> Result<(), usize> {
        // A failed try reads with Acquire, since `join` may find a new generation.
        self.word
            .compare_exchange_weak(old, new, order, Acquire)
            .map(drop)
    }

    /// Locks the line. No user code runs under it, so a poisoned one is sound.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.word.load(Relaxed) & STATE {
            EMPTY => "empty",
            WAITING => "waiting",
            _ => "notified",
        };
        f.debug_struct("Notify").field("state", &state).finish()
    }
}

#[cfg(all(test, trefoil_loom))]
#[path = "notify_models.rs"]
mod models;
