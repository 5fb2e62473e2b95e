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
        // Relaxed: who waits looks under the mutex, which publishes.
        self.word.fetch_add(GENERATION, Relaxed);
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

    /// Takes the permit if it is there.
    #[inline]
    pub(crate) fn take_permit(&self) -> bool {
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
        // Relaxed: who finds that its own is over has the mutex, and `join`, which may meet
        // one that ended without it, reads with Acquire.
        self.word.load(Relaxed) & !STATE
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

/// Every interleaving of small programs. Blocked for good means a lost wake-up: loom reports it.
///
/// Mutations tried by hand, and a model that fails:
/// - `leave_permit` with Relaxed, `take_permit` with Relaxed: `a_note_meets_a_waiter` (data race)
/// - `leave_permit` ignores the waiting state: `a_note_meets_a_waiter`
/// - `join` does not set it, or ignores the permit: `a_note_meets_a_waiter`
/// - `join` ignores the generation: `notify_waiters_meets_a_waiter_born_before`
/// - `end_generation` with Relaxed where nobody waits: the same (data race)
/// - `end_generation` does not count when somebody waits: the same
/// - `settle` clears the state with others in line: `a_cancel_meets_a_note`
/// - no `settle` in `give`: `two_notes_wake_two_waiters`
/// - `leave_line` keeps the note: `a_cancel_meets_a_note`
/// - `is_owed` says never: `a_note_is_not_for_who_is_owed`
#[cfg(all(test, trefoil_loom))]
mod models {
    use super::*;
    use crate::shim::Arc;
    use loom::cell::Cell;
    use loom::future::block_on;
    use loom::thread;
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::sync::atomic::AtomicUsize as Count;
    use std::task::{Context, Poll};

    /// Runs a model, and sees to it that there was something to explore.
    fn model(at_least: usize, program: impl Fn() + Send + Sync + 'static) {
        let runs = std::sync::Arc::new(Count::new(0));
        let count = runs.clone();
        loom::model(move || {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            program();
        });
        let runs = runs.load(std::sync::atomic::Ordering::Relaxed);
        println!("{runs} executions");
        assert!(runs >= at_least, "only {runs} executions");
    }

    /// Runs `program` in a thread of its own.
    fn with<R: 'static>(
        notify: &Arc<Notify>,
        program: impl FnOnce(&Notify) -> R + 'static,
    ) -> thread::JoinHandle<R> {
        let notify = notify.clone();
        thread::spawn(move || program(&notify))
    }

    /// Polls once, with a waker that does nothing.
    fn poll_once(future: Pin<&mut impl Future<Output = ()>>) -> Poll<()> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_note_meets_a_waiter() {
        model(5, || {
            let shared = Arc::new((Notify::new(), Cell::new(0)));
            let other = shared.clone();
            let waiter = thread::spawn(move || {
                block_on(other.0.notified());
                assert_eq!(other.1.get(), 1);
            });
            // loom checks that the write is visible to who was notified of it.
            shared.1.set(1);
            shared.0.notify_one();
            waiter.join().unwrap();
            assert_eq!(shared.0.word.load(Acquire), EMPTY);
        });
    }

    #[test]
    fn two_notes_wake_two_waiters() {
        model(2, || {
            let notify = Arc::new(Notify::new());
            let (mut first, mut second) = (pin!(notify.notified()), pin!(notify.notified()));
            assert!(poll_once(first.as_mut()).is_pending());
            assert!(poll_once(second.as_mut()).is_pending());
            let notifier = with(&notify, Notify::notify_one);
            notify.notify_last();
            notifier.join().unwrap();
            assert_eq!(notify.word.load(Acquire), EMPTY);
            assert!(poll_once(first.as_mut()).is_ready());
            assert!(poll_once(second.as_mut()).is_ready());
        });
    }

    #[test]
    fn a_cancel_meets_a_note() {
        model(20, || {
            let notify = Arc::new(Notify::new());
            let quitter = with(&notify, |notify| {
                let mut notified = pin!(notify.notified());
                if poll_once(notified.as_mut()).is_ready() {
                    notify.notify_one();
                }
            });
            let waiter = with(&notify, |notify| block_on(notify.notified()));
            notify.notify_one();
            quitter.join().unwrap();
            waiter.join().unwrap();
            assert_eq!(notify.word.load(Acquire), EMPTY);
        });
    }

    #[test]
    fn notify_waiters_meets_a_waiter_born_before() {
        model(5, || {
            let shared = Arc::new((Notify::new(), Cell::new(0)));
            let other = shared.clone();
            let mut place = shared.0.place();
            // The waiter in the second thread: loom does not move a load of the first one behind
            // a later read-modify-write of another.
            let waiter = thread::spawn(move || {
                block_on(poll_fn(|cx| {
                    other.0.poll_place(&mut place, Some(cx.waker()))
                }));
                assert_eq!(other.1.get(), 1);
            });
            shared.1.set(1);
            shared.0.notify_waiters();
            waiter.join().unwrap();
            assert_eq!(shared.0.word.load(Acquire), GENERATION);
        });
    }

    #[test]
    fn a_note_is_not_for_who_is_owed() {
        model(2, || {
            let notify = Arc::new(Notify::new());
            let mut owed = pin!(notify.notified());
            assert!(poll_once(owed.as_mut()).is_pending());
            assert_eq!(notify.end_generation(), Owed::Somebody);
            let caller = with(&notify, Notify::call_everybody);
            notify.notify_one();
            caller.join().unwrap();
            assert!(poll_once(owed.as_mut()).is_ready());
            assert_eq!(notify.word.load(Acquire), GENERATION | NOTIFIED);
        });
    }
}
