//! All timers of one runtime: what to fire now, and how long the driver may sleep.
//!
//! ```text
//!   worker 0        worker 1        worker 2
//!   insert,cancel   insert,cancel   insert,cancel        each into its own wheel, so that
//!      │               │               │                 workers do not fight over one lock
//!   [ Mutex<Wheel> ][ Mutex<Wheel> ][ Mutex<Wheel> ]
//!   [ next: 250    ][ next: never  ][ next: 90     ]     lower bounds, read without the lock
//!      └───────────────┴───────┬───────┘
//!             whoever turns the driver: fires all of them, sleeps until the least `next`
//! ```
//!
//! **Never early.** A tick is a millisecond since the runtime's start. Deadlines are rounded up
//! to ticks and the present time is rounded down, so a timer fires at its deadline or up to a
//! millisecond later. Both saturate, and a park is cut to a day: no time overflows.
//!
//! **No lost wake-up.** Someone arms the nearest timer while another thread goes to sleep in the
//! driver: `time/nearest.rs` holds the handshake and its proof.
//!
//! A `next` may be too low (its timer was cancelled): the driver then turns once for nothing and
//! corrects it. That makes cancelling cheap, and nearly all timers are cancelled.
//!
//! Why not one wheel: tokio's shared one is the second most contended lock of its runtime
//! (tokio#6504). Why not the entry inside the sleeping future: unsafe code, and the holder of its
//! lock could be the thread that the future's owner waits for.
//! Read next: `time/sleep.rs`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::parts::pad::CachePadded;
use crate::parts::slab::Key;
use crate::parts::wakers::Wakers;
use crate::time::clock::{Clock, Instant};
use crate::time::nearest::{NEVER, Next, ParkedUntil};
use crate::time::wheel::Wheel;

/// The longest that a driver sleeps because of a timer.
///
/// Effect: one useless wake-up a day beside a timer in years. Source: `epoll_wait(2)` takes an
/// `int` of milliseconds, which ends after 24 days.
const LONGEST_PARK: Duration = Duration::from_secs(86_400);

thread_local! {
    /// The wheel that this thread's timers go into.
    static HOME: Cell<u32> = const { Cell::new(0) };
}

/// Tells this thread which wheel its timers go into (a worker's number).
pub(crate) fn set_home(wheel: usize) {
    HOME.with(|home| home.set(wheel as u32));
}

/// Names one armed timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerKey {
    wheel: u32,
    key: Key,
}

/// What became of an insert.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Inserted {
    /// It waits; `unpark` is true when the thread that sleeps in the driver must be unparked.
    Armed {
        /// Its name.
        key: TimerKey,
        /// The driver sleeps for longer than this timer does.
        unpark: bool,
    },
    /// The wheel has passed its deadline already: nothing was inserted.
    Due,
    /// The runtime has ended: nothing was inserted.
    Shutdown,
}

/// What is known of a timer that was armed.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Standing {
    /// It still waits.
    Armed,
    /// It has fired.
    Fired,
    /// It is gone, and the runtime has ended: it may have fired before or not.
    Shutdown,
}

/// What a wheel's mutex guards.
struct Guarded {
    wheel: Wheel<Waker>,
    /// Set once, by [`Timer::shutdown`]: from now on nothing is inserted.
    ended: bool,
}

/// One worker's timers.
struct Shard {
    /// No timer of this wheel fires before this tick. Written inside the lock only.
    next: Next,
    guarded: Mutex<Guarded>,
}

impl Shard {
    /// Runs `f` inside the lock. `f` must not run user code: no wake, clone or drop of a waker.
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut Guarded) -> R) -> R {
        // No user code runs inside, so a poisoned wheel is whole.
        f(&mut self.guarded.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Corrects `next` by what the wheel holds; inside the lock.
    fn correct_next(&self, guarded: &Guarded) {
        self.next.correct(guarded.wheel.next());
    }
}

/// All timers of one runtime: a wheel a worker.
pub(crate) struct Timer {
    clock: Arc<Clock>,
    /// Tick 0.
    start: Instant,
    shards: Box<[CachePadded<Shard>]>,
    /// Whether somebody sleeps in the driver, and until when.
    parked_until: CachePadded<ParkedUntil>,
}

impl Timer {
    /// Timers for `wheels` workers (at least one).
    pub(crate) fn new(clock: Arc<Clock>, wheels: usize) -> Self {
        let shard = || {
            let guarded = Guarded {
                wheel: Wheel::new(),
                ended: false,
            };
            CachePadded::new(Shard {
                next: Next::new(),
                guarded: Mutex::new(guarded),
            })
        };
        Self {
            start: clock.start(),
            clock,
            shards: (0..wheels.max(1)).map(|_| shard()).collect(),
            parked_until: CachePadded::new(ParkedUntil::new()),
        }
    }

    /// Arms a timer.
    #[inline]
    pub(crate) fn insert(&self, deadline: Instant, waker: &Waker) -> Inserted {
        let tick = self.tick_of(deadline);
        let (wheel, shard) = self.home();
        // Cloned out here, and dropped out here if it is not taken: both are foreign code.
        let mut waker = Some(waker.clone());
        shard.with(|guarded| {
            if guarded.ended {
                return Inserted::Shutdown;
            }
            if tick > guarded.wheel.now()
                && let Some(waker) = waker.take()
            {
                let key = guarded.wheel.insert(tick, waker);
                let key = TimerKey { wheel, key };
                let unpark = self.parked_until.lower(&shard.next, tick);
                return Inserted::Armed { key, unpark };
            }
            Inserted::Due
        })
    }

    /// Gives an armed timer another deadline, in its place and with its waker; its new key, and
    /// whether the driver must be unparked. `None` when it has fired already.
    pub(crate) fn reset(&self, key: TimerKey, deadline: Instant) -> Option<(TimerKey, bool)> {
        let tick = self.tick_of(deadline);
        let shard = self.shard(key);
        shard.with(|guarded| {
            let waker = guarded.wheel.cancel(key.key)?;
            // A deadline that has passed is fired like the others, by the driver.
            let key = TimerKey {
                key: guarded.wheel.insert(tick, waker),
                ..key
            };
            Some((key, self.parked_until.lower(&shard.next, tick)))
        })
    }

    /// Lets an armed timer wake `waker` from now on.
    #[inline]
    pub(crate) fn set_waker(&self, key: TimerKey, waker: &Waker) -> Standing {
        let shard = self.shard(key);
        let standing = shard.with(|guarded| match guarded.wheel.get_mut(key.key) {
            Some(old) if old.will_wake(waker) => Some(Standing::Armed),
            Some(_) => None,
            None => Some(Standing::gone(guarded)),
        });
        standing.unwrap_or_else(|| Self::replace_waker(shard, key, waker))
    }

    /// The rare half of [`set_waker`](Self::set_waker): the future moved to another task.
    #[cold]
    fn replace_waker(shard: &Shard, key: TimerKey, waker: &Waker) -> Standing {
        let mut waker = waker.clone();
        // The old waker leaves the lock in the new one's place and is dropped outside.
        shard.with(|guarded| match guarded.wheel.get_mut(key.key) {
            Some(old) => {
                std::mem::swap(old, &mut waker);
                Standing::Armed
            }
            None => Standing::gone(guarded),
        })
    }

    /// What became of a timer.
    pub(crate) fn standing(&self, key: TimerKey) -> Standing {
        self.shard(key)
            .with(|guarded| match guarded.wheel.get_mut(key.key) {
                Some(_) => Standing::Armed,
                None => Standing::gone(guarded),
            })
    }

    /// Disarms a timer; false when it has fired already.
    #[inline]
    pub(crate) fn cancel(&self, key: TimerKey) -> bool {
        let waker = self
            .shard(key)
            .with(|guarded| guarded.wheel.cancel(key.key));
        // Dropped here, outside of the lock.
        waker.is_some()
    }

    /// Fires what is due, in every wheel. Gives the number of timers fired.
    pub(crate) fn fire(&self) -> usize {
        // Most turns of the driver have nothing to fire: without the clock where nothing waits.
        if self.least_next() == NEVER {
            return 0;
        }
        let now = self.tick_now();
        let mut wakers = Wakers::new();
        let mut fired = 0;
        for shard in &self.shards {
            // A timer inserted just now may be missed; the next turn has it, and before a sleep
            // stands the handshake.
            while shard.next.get() <= now {
                shard.with(|guarded| {
                    guarded.wheel.advance(now);
                    while !wakers.is_full()
                        && let Some(waker) = guarded.wheel.pop()
                    {
                        wakers.push(waker);
                        fired += 1;
                    }
                    // Still at most `now` if the batch was too small.
                    shard.correct_next(guarded);
                });
                wakers.wake_all();
            }
        }
        fired
    }

    /// Says that this thread is about to sleep in the driver. Gives how long it may: `None`
    /// without a timer, for ever.
    ///
    /// A clock that stands still and may move by itself is moved to the next timer; there is
    /// nothing to wait for then, and the answer is zero. A driver that wants to hear of I/O first
    /// looks for it before it calls this (see [`is_virtual`](Self::is_virtual)).
    ///
    /// Afterwards, also without having slept: [`finish_park`](Self::finish_park), then
    /// [`fire`](Self::fire).
    pub(crate) fn prepare_park(&self) -> Option<Duration> {
        let next = self.parked_until.prepare_park(|| self.least_next());
        if self.clock.is_paused() {
            return self.prepare_paused();
        }
        if next == NEVER {
            return None;
        }
        let until = self.start.add_clamped(Duration::from_millis(next));
        Some(
            until
                .saturating_duration_since(self.clock.now())
                .min(LONGEST_PARK),
        )
    }

    /// [`prepare_park`](Self::prepare_park) while the clock stands still: time passes only by a
    /// jump, so there is no sleep that a timer would end.
    #[cold]
    fn prepare_paused(&self) -> Option<Duration> {
        // Exact, unlike otherwise: the clock must not jump for a timer that was cancelled.
        for shard in &self.shards {
            shard.with(|guarded| shard.correct_next(guarded));
        }
        let next = self.least_next();
        if next == NEVER {
            return None;
        }
        if self.clock.may_auto_advance() {
            self.clock
                .auto_advance_to(self.start.add_clamped(Duration::from_millis(next)));
            return Some(Duration::ZERO);
        }
        (next <= self.tick_now()).then_some(Duration::ZERO)
    }

    /// Says that the sleep is over.
    pub(crate) fn finish_park(&self) {
        self.parked_until.finish_park();
    }

    /// True when time moves by jumps: the driver looks for I/O and wake-ups without waiting
    /// first, and calls [`prepare_park`](Self::prepare_park) only when there was nothing.
    pub(crate) fn is_virtual(&self) -> bool {
        self.clock.may_auto_advance()
    }

    /// Ends all timers: each is woken, and whoever polls one from now on panics.
    pub(crate) fn shutdown(&self) {
        for shard in &self.shards {
            let wheel = shard.with(|guarded| {
                guarded.ended = true;
                shard.next.correct(None);
                std::mem::replace(&mut guarded.wheel, Wheel::new())
            });
            // Woken and dropped outside of the lock.
            wheel.items().for_each(Waker::wake_by_ref);
        }
    }

    /// How many timers are armed.
    pub(crate) fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.with(|guarded| guarded.wheel.len()))
            .sum()
    }

    /// The first tick at which `deadline` has passed: rounded up, so that nothing is early.
    pub(crate) fn tick_of(&self, deadline: Instant) -> u64 {
        let time = deadline.saturating_duration_since(self.start);
        ticks(time.as_secs(), time.subsec_nanos().div_ceil(1_000_000))
    }

    /// The tick that has begun: rounded down.
    fn tick_now(&self) -> u64 {
        let time = self.clock.now().saturating_duration_since(self.start);
        ticks(time.as_secs(), time.subsec_millis())
    }

    /// No timer fires before this tick.
    fn least_next(&self) -> u64 {
        self.shards
            .iter()
            .map(|shard| shard.next.get())
            .min()
            .unwrap_or(NEVER)
    }

    /// The wheel of this thread.
    fn home(&self) -> (u32, &Shard) {
        let home = HOME.with(Cell::get);
        match self.shards.get(home as usize) {
            Some(shard) => (home, shard),
            // The worker of another runtime, a bigger one.
            None => (0, &self.shards[0]),
        }
    }

    /// The wheel that `key` lies in.
    fn shard(&self, key: TimerKey) -> &Shard {
        &self.shards[key.wheel as usize]
    }
}

/// Milliseconds as ticks; NEVER is not reached, so that it stays later than any time.
fn ticks(seconds: u64, millis: u32) -> u64 {
    let whole = seconds.saturating_mul(1000);
    whole.saturating_add(u64::from(millis)).min(NEVER - 1)
}

impl Standing {
    /// Of a timer that the wheel does not know any more.
    fn gone(guarded: &Guarded) -> Self {
        if guarded.ended {
            Self::Shutdown
        } else {
            Self::Fired
        }
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_timer_fires_when_its_deadline_has_passed_and_not_before() {
        let clock = Arc::new(Clock::paused());
        let timer = Timer::new(Arc::clone(&clock), 2);
        let deadline = clock.now() + Duration::from_micros(1500);
        let Inserted::Armed { key, unpark } = timer.insert(deadline, Waker::noop()) else {
            panic!("not armed");
        };
        assert!(!unpark, "nobody sleeps in the driver");
        clock.advance(Duration::from_micros(1500)).unwrap();
        assert_eq!(timer.fire(), 0, "rounded up to two ticks");
        clock.advance(Duration::from_micros(500)).unwrap();
        assert_eq!(timer.fire(), 1);
        assert_eq!(timer.standing(key), Standing::Fired);
        assert!(!timer.cancel(key));
    }
}
