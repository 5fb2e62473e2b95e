//! The nearest timer and the thread that sleeps until it: no wake-up is lost between them.
//!
//! Someone arms a timer that is nearer than all others, while another thread goes to sleep in the
//! driver. That one must sleep no longer than to the new deadline. Each wheel publishes a lower
//! bound of its ticks, [`Next`]; the word [`ParkedUntil`] is 0 while nobody parks.
//!
//! ```text
//!   the parker                           the inserter, inside its wheel's lock
//!   P1  parked_until.swap(NEVER)         I1  next.store(tick)      (only if it lowers `next`)
//!   P2  read every wheel's `next`        I2  before = parked_until.fetch_min(tick)
//!   P3  parked_until.fetch_min(least)    I3  before > tick: unpark the driver
//!   P4  sleep until `least`, or unparked
//!   P5  parked_until.swap(0)
//! ```
//!
//! All of them do read-modify-writes on one word, and these have one order.
//!
//! - I2 before P1: P1 reads what I2 wrote, or a later link of the chain, so P2 sees I1.
//! - I2 between P1 and P5: `before` is the tick at which the parker wakes by itself. If it is
//!   greater than `tick`, I3 unparks. If not, the sleep ends soon enough, by itself or by the
//!   unpark of the inserter who lowered the word; the next P1 then follows I2.
//! - I2 after P5: nobody sleeps, and the next P1 follows I2.
//!
//! An insert that does not lower `next` does nothing of this: an earlier tick has been taken care
//! of by whoever lowered it. `next` is raised inside the lock only, from what the wheel holds.
//!
//! Why not a flag under the wheel's lock: the parker would have to lock every wheel, also the
//! empty ones, twice a sleep. Why not a fence on both sides: it would be paid by the same inserts,
//! and would leave out who else has lowered the word, so that the driver is unparked twice.
//! Read next: `time/timer.rs`.

#![forbid(unsafe_code)]

use crate::shim::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed},
};

/// The tick that never comes; [`Next`] of a wheel in which nothing waits.
pub(crate) const NEVER: u64 = u64::MAX;

/// A tick before which no timer of one wheel fires.
///
/// Written inside the wheel's lock only. It may be too low (its timer was cancelled), which costs
/// one useless turn of the driver; never too high.
pub(crate) struct Next(AtomicU64);

impl Next {
    /// Of an empty wheel.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(NEVER))
    }

    /// The bound, as of some moment.
    #[inline]
    pub(crate) fn get(&self) -> u64 {
        // Relaxed: what must be seen is seen by the chain of `ParkedUntil`.
        self.0.load(Relaxed)
    }

    /// Sets it to what the wheel holds; inside the wheel's lock.
    pub(crate) fn correct(&self, next: Option<u64>) {
        // Relaxed: raised too late, it only costs a useless look. It is never lowered here: each
        // timer's own insert did that.
        self.0.store(next.unwrap_or(NEVER), Relaxed);
    }
}

/// 0: nobody sleeps in the driver. Else the tick at which the sleeper wakes by itself.
///
/// Only read-modify-writes, never a plain store: they are the chain from which P1 reads.
pub(crate) struct ParkedUntil(AtomicU64);

impl ParkedUntil {
    /// Nobody sleeps.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Steps P1 to P3: from here on an inserter must unpark. `least_next` reads every [`Next`];
    /// gives its answer, the tick to sleep until.
    pub(crate) fn prepare_park(&self, least_next: impl FnOnce() -> u64) -> u64 {
        // AcqRel: pairs with the AcqRel of `lower`. Acquire shows the `Next` of each inserter
        // that came before; Release hands the chain on.
        self.0.swap(NEVER, AcqRel);
        let least = least_next();
        // Relaxed: it says how long, nothing is published. Not a store: what an inserter wrote
        // in between stays, and spares the next one an unpark.
        self.0.fetch_min(least, Relaxed);
        least
    }

    /// Step P5: the sleep is over.
    pub(crate) fn finish_park(&self) {
        // A read-modify-write, so that the next P1 reads from the inserters in between through
        // it; some of them unparked nobody. Acquire shows their `Next` to the `fire` that
        // follows, which spares a useless turn.
        self.0.swap(0, Acquire);
    }

    /// Steps I1 to I3 for a timer at `tick`, inside the lock of the wheel that `next` is of.
    /// True when the driver must be unparked.
    #[inline]
    pub(crate) fn lower(&self, next: &Next, tick: u64) -> bool {
        if tick >= next.get() {
            return false;
        }
        next.0.store(tick, Relaxed);
        // AcqRel: Release publishes the store above to P1 and P5; Acquire hands on what came
        // before in the chain.
        self.0.fetch_min(tick, AcqRel) > tick
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn only_a_nearer_timer_unparks_a_sleeping_driver() {
        let (parked, next) = (ParkedUntil::new(), Next::new());
        assert!(!parked.lower(&next, 900), "nobody sleeps");
        assert_eq!(parked.prepare_park(|| next.get()), 900);
        assert!(!parked.lower(&next, 950));
        assert!(parked.lower(&next, 300));
        assert!(!parked.lower(&Next::new(), 400), "it is awake by then");
        parked.finish_park();
        assert!(!parked.lower(&next, 100));
        next.correct(None);
        assert_eq!(parked.prepare_park(|| next.get()), NEVER);
    }
}

/// Mutations they catch, each tried: P1 after P2; P1 as a store, or Relaxed; I2 before I1; I2
/// Relaxed, or only a load; no I3; I3 only when `before` is NEVER; P5 as a store.
#[cfg(all(test, trefoil_loom))]
mod models {
    use super::*;
    use crate::shim::{Arc, Mutex};
    use loom::sync::Notify;
    use loom::thread;

    /// Two wheels' bounds, each with its lock, and the driver's unpark token.
    struct Driven {
        parked_until: ParkedUntil,
        wheels: [(Mutex<()>, Next); 2],
        unparked: Notify,
    }

    impl Driven {
        fn new() -> Arc<Self> {
            let wheel = || (Mutex::new(()), Next::new());
            let wheels = [wheel(), wheel()];
            Arc::new(Self {
                parked_until: ParkedUntil::new(),
                wheels,
                unparked: Notify::new(),
            })
        }

        /// What `Timer::insert` and its caller do.
        fn insert(&self, wheel: usize, tick: u64) {
            let (lock, next) = &self.wheels[wheel];
            let unpark = {
                let _guard = lock.lock().unwrap();
                self.parked_until.lower(next, tick)
            };
            if unpark {
                self.unparked.notify();
            }
        }

        /// Parks again and again, until it would sleep no longer than to `tick`. A longer sleep
        /// must be ended by an unpark: else loom finds that nobody can run.
        fn park_until_it_sees(&self, tick: u64) {
            let least = || {
                self.wheels
                    .iter()
                    .map(|(_, next)| next.get())
                    .min()
                    .unwrap()
            };
            while self.parked_until.prepare_park(least) > tick {
                self.unparked.wait();
                self.parked_until.finish_park();
            }
            self.parked_until.finish_park();
        }
    }

    #[test]
    fn a_parker_never_sleeps_past_a_new_timer() {
        loom::model(|| {
            let driven = Driven::new();
            let other = Arc::clone(&driven);
            let inserter = thread::spawn(move || {
                other.insert(0, 5);
                other.insert(0, 3);
            });
            driven.park_until_it_sees(3);
            inserter.join().unwrap();
        });
    }

    #[test]
    fn two_inserters_in_two_wheels_do_not_hide_each_other() {
        loom::model(|| {
            let driven = Driven::new();
            let inserters = [(0, 5), (1, 3)].map(|(wheel, tick)| {
                let driven = Arc::clone(&driven);
                thread::spawn(move || driven.insert(wheel, tick))
            });
            driven.park_until_it_sees(3);
            for inserter in inserters {
                inserter.join().unwrap();
            }
        });
    }

    #[test]
    fn a_timer_that_unparked_nobody_is_seen_by_the_next_park() {
        loom::model(|| {
            let driven = Driven::new();
            driven.insert(0, 3);
            let other = Arc::clone(&driven);
            // While the parker sleeps until 3, a timer at 5 is no reason to wake it.
            let inserter = thread::spawn(move || other.insert(1, 5));
            driven.park_until_it_sees(3);
            {
                let (lock, next) = &driven.wheels[0];
                let _guard = lock.lock().unwrap();
                next.correct(None);
            }
            driven.park_until_it_sees(5);
            inserter.join().unwrap();
        });
    }

    #[test]
    fn the_driver_may_change_hands() {
        loom::model(|| {
            let driven = Driven::new();
            let other = Arc::clone(&driven);
            let inserter = thread::spawn(move || other.insert(0, 3));
            // The first parker is ended by something else; the second, another thread that got
            // the driver by a lock, must know what the first one knew.
            let turn = Arc::new(Mutex::new(()));
            let (second, its_turn) = (Arc::clone(&driven), Arc::clone(&turn));
            let second = thread::spawn(move || {
                let _turn = its_turn.lock().unwrap();
                second.park_until_it_sees(3);
            });
            {
                let _turn = turn.lock().unwrap();
                driven
                    .parked_until
                    .prepare_park(|| driven.wheels[0].1.get());
                driven.parked_until.finish_park();
            }
            inserter.join().unwrap();
            second.join().unwrap();
        });
    }
}
