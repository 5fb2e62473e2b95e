//! A task's life in one word: flags, references, and a count of wake-ups.
//!
//! ```text
//!                        2 start_poll
//!      ┌──────────┐  ────────────────►  ┌─────────┐  3 finish_poll: none came  ┌──────┐
//!   ──►│ Scheduled│                     │ Running │ ─────────────────────────► │ Idle │
//!    1 │ wakes ≥ 1│ ◄────────────────── │wakes ≥ 1│                            │ 0    │
//!      └──────────┘  4 finish_poll:     └─────────┘                            └──────┘
//!        ▲    │         more came         │                                       │
//!        │    │ 2' start_poll: cancelled  │ 5 complete                            │
//!        │    ▼                           ▼                                       │
//!        │  ┌────────────────────────────────┐                                    │
//!        │  │ Complete: nobody polls it      │                                    │
//!        │  └────────────────────────────────┘                                    │
//!        └────────────────────────────────────────────────────────────────────────┘
//!            6 wake (also 7 cancel): the count goes from 0 to 1, and who did that pushes
//! ```
//!
//! | edge | function | who |
//! |---|---|---|
//! | 1 | [`State::new`] | spawn, which pushes the task |
//! | 2, 2' | [`State::start_poll`] | whoever popped the task from a queue |
//! | 3, 4 | [`State::finish_poll`] | the same, after a poll that was Pending |
//! | 5 | [`State::complete`] | the same, when the future is gone and the output stored |
//! | 6 | [`State::wake`], [`State::wake_and_release`] | wakers, on any thread |
//! | 7 | [`State::cancel`] | abort handles, and the runtime at its end |
//!
//! **Wake-ups are counted, not flagged.** A wake adds one to the count, whatever else is going on:
//! one `fetch_add`, no loop. Only who finds the count at 0 pushes the task into a queue. The
//! poller notes the count before the poll and takes that number off after it; if more came in
//! between the rest is not 0, and the poller, who found it, pushes. So the task is in a queue or
//! being polled exactly while its count is above 0, and never twice. Wake-and-run is two locked
//! operations (rows `wake_self`, `wake_notified`); flags need a compare-and-swap loop each. The
//! idea is asynchronix's (`executor/task.rs`), which credits it in tachyobench#1.
//!
//! **References** count the wakers, the join handle, and one for the runtime until the task is
//! complete and taken off its list. A queue entry holds none: a task in a queue is not complete.
//! Who gives up the last reference frees the memory. Who *sees* the count at 1 is alone and frees
//! it without a locked operation: only a holder can make a second reference, and there is no other.
//!
//! **The output** is stored before `COMPLETE` is set; afterwards it belongs to the join handle if
//! `JOIN` was set at that moment, else to the runtime, which drops it. **The join waker** is the
//! join handle's while `WAKER` is clear; the thread that completes the task has it if it finds the
//! flag set.
//!
//! Bits: 63..32 wakes | 31..4 references | 3 `WAKER` | 2 `JOIN` | 1 `CANCELLED` | 0 `COMPLETE`
//!
//! The models that loom checks are in `task/state_models.rs`.
//! Read next: `task/raw.rs`, which acts on what these functions return.

#![forbid(unsafe_code)]

use crate::shim::atomic::{AtomicU64, Ordering, fence};

/// The future is gone; the output is stored or dropped.
const COMPLETE: u64 = 1;
/// The future is to be dropped instead of polled. Never cleared.
const CANCELLED: u64 = 1 << 1;
/// A join handle exists that may want the output.
const JOIN: u64 = 1 << 2;
/// The join handle has left a waker; cleared only by the join handle.
const WAKER: u64 = 1 << 3;
/// One reference.
const REF: u64 = 1 << 4;
/// One wake-up.
const WAKE: u64 = 1 << 32;

/// References or wakes beyond this abort the process: half of what the field holds, so that
/// threads which are just adding cannot overflow it before one of them aborts.
const LIMIT: u64 = 1 << 27;

/// A number of wake-ups, as [`State::start_poll`] saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wakes(u64);

impl Wakes {
    fn of(word: u64) -> Self {
        Self(word & !(WAKE - 1))
    }
}

/// What the poller must do after [`State::start_poll`].
#[derive(Debug)]
#[must_use]
pub(crate) enum StartPoll {
    /// Poll the future, then [`State::finish_poll`] with this or [`State::complete`].
    Poll(Wakes),
    /// Drop the future and [`State::complete`] with a cancelled result.
    Cancelled,
}

/// What the poller must do after [`State::finish_poll`].
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum AfterPoll {
    /// Nothing: whoever wakes the task next finds a count of 0 and pushes it.
    Rest,
    /// Woken while it ran: nobody else pushes, the caller must.
    RunAgain,
}

/// What the caller of [`State::wake`] or [`State::cancel`] must do.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum AfterWake {
    /// Nothing: the task is in a queue, or running, or complete.
    Nothing,
    /// Push it into a queue.
    Push,
}

/// What the caller of [`State::wake_and_release`] must do.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum AfterRelease {
    /// Nothing.
    Nothing,
    /// Push it into a queue.
    Push,
    /// Free the memory: that was the last reference.
    Free,
}

/// What the completing thread must do.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct AfterComplete {
    /// Drop the output: no join handle will take it.
    pub(crate) drop_output: bool,
    /// Wake the join waker.
    pub(crate) wake_joiner: bool,
}

/// What a join handle that goes away must do.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) struct AfterLeave {
    /// The output is ours: drop it.
    pub(crate) drop_output: bool,
    /// The waker is ours: drop it.
    pub(crate) drop_waker: bool,
}

/// The word.
#[derive(Debug)]
pub(crate) struct State(AtomicU64);

impl State {
    /// A task that was just made: scheduled once, known to the runtime and a join handle.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(WAKE | (2 * REF) | JOIN))
    }

    /// Before a poll (edges 2 and 2'). The caller popped the task from a queue.
    #[inline]
    pub(crate) fn start_poll(&self) -> StartPoll {
        // Acquire: pairs with the Release in `wake` and `finish_poll`: this poll sees what every
        // counted waker wrote, and what the last poller left in the future.
        let word = self.0.load(Ordering::Acquire);
        debug_assert!(word >= WAKE, "task: polled without a wake-up");
        debug_assert!(word & COMPLETE == 0, "task: polled after its end");
        if word & CANCELLED != 0 {
            StartPoll::Cancelled
        } else {
            StartPoll::Poll(Wakes::of(word))
        }
    }

    /// After a poll that was Pending: takes off the wake-ups that it has seen (edges 3 and 4).
    ///
    /// After `Rest` the caller touches the task no more: another thread may already run it.
    #[inline]
    pub(crate) fn finish_poll(&self, seen: Wakes) -> AfterPoll {
        // Release: the future's writes reach whoever polls it next; pairs with the Acquire load
        // in `start_poll`. That load also shows what later wakers wrote, so no Acquire here.
        let before = self.0.fetch_sub(seen.0, Ordering::Release);
        debug_assert!(
            Wakes::of(before).0 >= seen.0,
            "task: more wake-ups taken off than came"
        );
        if Wakes::of(before) == seen {
            AfterPoll::Rest
        } else {
            AfterPoll::RunAgain
        }
    }

    /// The future is gone and the output stored (edge 5). Nobody polls the task again.
    #[inline]
    pub(crate) fn complete(&self) -> AfterComplete {
        // Release: the output reaches the join handle's Acquire (`is_complete`, `leave_waker`).
        // Acquire: pairs with the Release in `leave_waker`, so the waker can be read.
        // An addition, since the flag is clear: x86 has one instruction that adds and tells what
        // was there, and none that ors and tells.
        let before = self.0.fetch_add(COMPLETE, Ordering::AcqRel);
        debug_assert!(before & COMPLETE == 0, "task: completed twice");
        AfterComplete {
            drop_output: before & JOIN == 0,
            wake_joiner: before & WAKER != 0,
        }
    }

    /// A wake-up (edge 6).
    #[inline]
    pub(crate) fn wake(&self) -> AfterWake {
        // Release: what the waker wrote reaches the next poll's Acquire, also when the wake is
        // one of many (tokio#7589). No Acquire: nothing is read here.
        let before = self.0.fetch_add(WAKE, Ordering::Release);
        after_wake(before)
    }

    /// A wake-up that uses its waker up (edge 6): one locked operation for both.
    #[inline]
    pub(crate) fn wake_and_release(&self) -> AfterRelease {
        // Release: as in `wake`; and as in `release`.
        let before = self.0.fetch_add(WAKE - REF, Ordering::Release);
        if before & COMPLETE == 0 {
            return match after_wake(before) {
                AfterWake::Nothing => AfterRelease::Nothing,
                // Not complete, so the runtime's reference keeps the task.
                AfterWake::Push => AfterRelease::Push,
            };
        }
        if references(before) == 1 {
            // Acquire: as in `release`.
            fence(Ordering::Acquire);
            return AfterRelease::Free;
        }
        AfterRelease::Nothing
    }

    /// Asks for the task's end (edge 7). Does nothing to a complete or cancelled task.
    pub(crate) fn cancel(&self) -> AfterWake {
        // Relaxed: the flag is seen by the poll that the wake below brings about, through it.
        let before = self.0.fetch_or(CANCELLED, Ordering::Relaxed);
        if before & (COMPLETE | CANCELLED) != 0 {
            return AfterWake::Nothing;
        }
        self.wake()
    }

    /// One more reference. The caller holds one.
    #[inline]
    pub(crate) fn retain(&self) {
        // Relaxed: a new reference can only come from an old one, which orders everything.
        let before = self.0.fetch_add(REF, Ordering::Relaxed);
        if references(before) > LIMIT {
            overflow("references");
        }
    }

    /// One reference less. True: it was the last one, free the memory.
    #[inline]
    #[must_use]
    pub(crate) fn release(&self) -> bool {
        // Acquire: pairs with the others' Release below: their last use comes before the freeing.
        if references(self.0.load(Ordering::Acquire)) == 1 {
            // Ours is the only one. Nobody else can make another (that takes one) or wake the
            // task, so a locked operation would tell nothing new. The runtime's own reference is
            // given up only after the task was completed and unlisted.
            return true;
        }
        // Release: our last use comes before the freeing by whoever sees the count at 1.
        let before = self.0.fetch_sub(REF, Ordering::Release);
        if references(before) == 1 {
            // Acquire: as above.
            fence(Ordering::Acquire);
            return true;
        }
        false
    }

    /// True when the output is stored (or was taken). For the join handle, and for a look.
    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        // Acquire: pairs with the Release in `complete`.
        self.0.load(Ordering::Acquire) & COMPLETE != 0
    }

    /// True while the task waits in a queue or runs. For a look: it may be over at once.
    pub(crate) fn is_scheduled(&self) -> bool {
        let word = self.0.load(Ordering::Relaxed);
        word & COMPLETE == 0 && word >= WAKE
    }

    /// True when the join handle has left a waker. Only the join handle asks, and only it changes
    /// the flag.
    #[inline]
    pub(crate) fn has_join_waker(&self) -> bool {
        self.0.load(Ordering::Relaxed) & WAKER != 0
    }

    /// The join handle has stored its waker. False: the task was complete, the waker is still
    /// the handle's.
    #[inline]
    #[must_use]
    pub(crate) fn leave_waker(&self) -> bool {
        // Release: the waker reaches `complete`'s Acquire. Acquire: when the task is complete,
        // pairs with the Release in `complete`, so that the output can be taken.
        // An addition, as in `complete`: only the join handle changes the flag, and it is clear.
        let before = self.0.fetch_add(WAKER, Ordering::AcqRel);
        debug_assert!(
            before & WAKER == 0,
            "join handle: left a waker over another"
        );
        if before & COMPLETE == 0 {
            return true;
        }
        // The completing thread saw no waker and will not look again.
        self.0.fetch_and(!WAKER, Ordering::Relaxed);
        false
    }

    /// The join handle takes its waker back to change it. False: the task is complete, its
    /// completing thread may be using the waker.
    #[must_use]
    pub(crate) fn take_waker_back(&self) -> bool {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            if word & COMPLETE != 0 {
                return false;
            }
            // Acquire on failure: as in `leave_waker`, when the task has just completed.
            match self.0.compare_exchange_weak(
                word,
                word & !WAKER,
                Ordering::Relaxed,
                Ordering::Acquire,
            ) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// The join handle goes away; it still holds its reference after this.
    pub(crate) fn leave_join(&self) -> AfterLeave {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            if word & COMPLETE != 0 {
                // The completing thread saw `JOIN`: the output is ours. The waker, if the
                // flag was set, is that thread's.
                return AfterLeave {
                    drop_output: true,
                    drop_waker: false,
                };
            }
            // Relaxed: nothing is handed over; the output will be the completing thread's.
            // Acquire on failure: pairs with the Release in `complete`.
            match self.0.compare_exchange_weak(
                word,
                word & !(JOIN | WAKER),
                Ordering::Relaxed,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    return AfterLeave {
                        drop_output: false,
                        drop_waker: word & WAKER != 0,
                    };
                }
                Err(now) => word = now,
            }
        }
    }
}

/// The references in a word.
fn references(word: u64) -> u64 {
    (word & (WAKE - 1)) / REF
}

/// Who finds the count at 0 pushes.
#[inline]
fn after_wake(before: u64) -> AfterWake {
    if before < WAKE {
        if before & COMPLETE == 0 {
            AfterWake::Push
        } else {
            AfterWake::Nothing
        }
    } else {
        // A complete task's count wraps round in the word's top bits and harms nobody.
        if before > LIMIT * WAKE && before & COMPLETE == 0 {
            overflow("wake-ups");
        }
        AfterWake::Nothing
    }
}

/// A count is about to overflow, which would free a task in use or lose it.
#[cold]
fn overflow(what: &str) -> ! {
    eprintln!("trefoil: more than 2^27 {what} of one task at once; aborting");
    std::process::abort();
}
