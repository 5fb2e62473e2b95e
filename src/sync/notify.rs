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
//! Read next: `sync/notified.rs` (the futures), then `sync/barrier.rs` and `sync/cancellation_token.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::panic::Location;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use crate::parts::budget;
use crate::parts::slab::Key;
use crate::parts::wait_site::{self, Kind};
use crate::parts::wakers::Wakers;
use crate::shim::atomic::AtomicUsize;
use crate::shim::atomic::Ordering::{Acquire, Relaxed, Release};
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
/// # futures_util::FutureExt::now_or_never(async {
/// use trefoil::sync::Notify;
///
/// let ready = Notify::new();
/// ready.notify_one();
/// ready.notified().await; // takes the permit, does not wait
/// # }).unwrap();
/// ```
pub struct Notify {
    /// See the file's head. Every write is a read-modify-write.
    word: AtomicUsize,
    /// Who waits. Guards the word while its state is [`WAITING`].
    line: Mutex<Line>,
}

/// Waiters, oldest first; their generations never fall along the line.
type Line = WaitQueue<Ask>;

/// What the line knows of a waiter.
#[derive(Debug)]
struct Ask {
    /// The generation of its birth; no longer the current one: it is owed a call.
    generation: usize,
    /// The note it was called with.
    note: Option<Note>,
}

/// A notification for one waiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Note {
    /// For who has waited longest.
    Front,
    /// For who came last.
    Back,
}

/// One waiter's side, kept by the future that waits.
///
/// Whoever owns it calls [`Notify::give_up`] before throwing it away.
#[derive(Debug)]
pub(crate) struct Place {
    /// The generation at the call of `notified`.
    generation: usize,
    /// How far it is.
    stage: Stage,
}

/// How far a waiter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not polled yet.
    Start,
    /// In line, or called and not polled since.
    InLine(Key),
    /// It was notified.
    Done,
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
    /// Wakes nobody, so a lock may be held that orders it against [`place`](Self::place).
    pub(crate) fn end_generation(&self) -> Owed {
        let mut word = self.word.load(Relaxed);
        while word & STATE != WAITING {
            // Release: pairs with the Acquire in `generation`; polls see what came before.
            match self.swap(word, word + GENERATION, Release) {
                Ok(()) => return Owed::Nobody,
                Err(now) => word = now,
            }
        }
        let _line = self.lock();
        // Release: as above.
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
    fn notify(&self, note: Note) {
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

    /// Takes the permit if it is there.
    #[inline]
    fn take_permit(&self) -> bool {
        let mut word = self.word.load(Relaxed);
        while word & STATE == NOTIFIED {
            // Acquire: pairs with the Release in `leave_permit`.
            match self.swap(word, word & !STATE, Acquire) {
                Ok(()) => return true,
                Err(now) => word = now,
            }
        }
        false
    }

    /// A waiter that is not in line yet, and that gets the next `notify_waiters`.
    pub(crate) fn place(&self) -> Place {
        Place {
            generation: self.generation(),
            stage: Stage::Start,
        }
    }

    /// Polls a waiter; without a waker it gets its place and is not woken.
    #[inline]
    pub(crate) fn poll_place(&self, place: &mut Place, waker: Option<&Waker>) -> Poll<()> {
        let polled = match place.stage {
            Stage::Start if self.take_permit() => Poll::Ready(()),
            Stage::Start => self.get_in_line(place, waker),
            Stage::InLine(key) => self.poll_in_line(place, key, waker),
            Stage::Done => Poll::Ready(()),
        };
        if polled.is_ready() {
            place.stage = Stage::Done;
        }
        polled
    }

    /// Polls a waiter for a future that is a leaf: spends budget, leaves the wait site.
    #[inline]
    pub(crate) fn poll_leaf(
        &self,
        place: &mut Place,
        location: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if let Poll::Ready(spent) = budget::spend(cx)
            && self.poll_place(place, Some(cx.waker())).is_ready()
        {
            spent.made_progress();
            return Poll::Ready(());
        }
        let address = std::ptr::from_ref(self).addr();
        wait_site::leave(Kind::Notify, location, address as u64);
        Poll::Pending
    }

    /// The first poll of a waiter that found no permit.
    #[cold]
    fn get_in_line(&self, place: &mut Place, waker: Option<&Waker>) -> Poll<()> {
        let waker = waker.cloned();
        let mut line = self.lock();
        let mut word = self.word.load(Acquire);
        loop {
            let (state, next) = match word & STATE {
                _ if word & !STATE != place.generation => return Poll::Ready(()),
                NOTIFIED => (NOTIFIED, word & !STATE),
                other => (other, (word & !STATE) | WAITING),
            };
            // Acquire: as in `take_permit`. Unneeded to come into line, where the mutex is enough.
            match self.swap(word, next, Acquire) {
                Ok(()) if state == NOTIFIED => return Poll::Ready(()),
                Ok(()) => break,
                Err(now) => word = now,
            }
        }
        let ask = Ask {
            generation: place.generation,
            note: None,
        };
        place.stage = Stage::InLine(line.enter(waker, ask));
        Poll::Pending
    }

    /// A later poll: was it called, or is its generation over?
    #[cold]
    fn poll_in_line(&self, place: &Place, key: Key, waker: Option<&Waker>) -> Poll<()> {
        // Before the lock in this order, so that a waker left in it is dropped after unlocking.
        let mut spare = None;
        loop {
            let mut line = self.lock();
            if line.is_called(key) || self.generation() != place.generation {
                let left = line.leave(key);
                self.settle(&line);
                drop(line);
                // Here, since it may still hold a waker.
                drop(left);
                return Poll::Ready(());
            }
            let Some(waker) = waker else {
                return Poll::Pending;
            };
            if line.refresh(key, waker, &mut spare) {
                return Poll::Pending;
            }
            drop(line);
            spare = Some(waker.clone());
        }
    }

    /// Leaves the line, if `place` is in it, and passes on a note that it did not look at.
    #[inline]
    pub(crate) fn give_up(&self, place: &mut Place) {
        if let Stage::InLine(key) = std::mem::replace(&mut place.stage, Stage::Done) {
            self.leave_line(key);
        }
    }

    /// The rare half of [`give_up`](Self::give_up).
    #[cold]
    fn leave_line(&self, key: Key) {
        let mut line = self.lock();
        let left = line.leave(key);
        self.settle(&line);
        drop(line);
        if let Some(note) = left.as_ref().and_then(|left| left.value.note) {
            self.notify(note);
        }
    }

    /// Goes from Waiting to Empty when the line is empty. `line` is locked.
    fn settle(&self, line: &Line) {
        if line.is_empty() && self.word.load(Relaxed) & STATE == WAITING {
            // Relaxed: publishes nothing.
            self.word.fetch_and(!STATE, Relaxed);
        }
    }

    /// How many `notify_waiters` there were, shifted as in the word.
    fn generation(&self) -> usize {
        // Acquire: pairs with the Release in `end_generation`.
        self.word.load(Acquire) & !STATE
    }

    /// One try to change the word; on failure what it is now.
    #[inline]
    fn swap(
        &self,
        old: usize,
        new: usize,
        order: crate::shim::atomic::Ordering,
    ) -> Result<(), usize> {
        // A failed try reads with Acquire, since `get_in_line` may find a new generation.
        self.word
            .compare_exchange_weak(old, new, order, Acquire)
            .map(drop)
    }

    /// Locks the line. No user code runs under it, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, Line> {
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
