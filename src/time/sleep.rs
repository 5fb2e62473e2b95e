//! `sleep` and `sleep_until`: wait until a moment has come.
//!
//! ```text
//!                    ┌──────────────── 5 reset ───────────────┐
//!                    ▼                                        │
//!   ── 1 new ──► Waiting ── 2 poll ──► Armed ── 3 poll ──► Elapsed
//!                    │                 │   ▲                ▲ ▲
//!   ── 1 new ──► Reached         reset └───┴► Overdue ──────┘ │
//!                    │                   4        ▲   3 poll  │
//!                    └─────────────────── 3 poll ─────────────┘
//! ```
//!
//! 1 [`Alarm::new`]: Reached when the deadline had come by then, so that it is ready at its first
//! poll. 2 and 3 [`Alarm::poll`]. 4 [`Alarm::reset`]: moves the entry, with its waker, so that the
//! task is woken at the new moment even if nobody polls; one that is reset to the past fires at the
//! next look, but a poll need not wait for that. 5 [`Alarm::reset`]. Dropping takes an
//! Armed one out of the wheel.
//!
//! The deadline is fixed at the call, but the wheel knows of it from the first poll on: a
//! time-out whose future is ready at once costs a look at the clock and nothing more.
//!
//! Two types: [`Sleep`] is what tokio calls so, and must be pinned; [`Alarm`] is the movable
//! part of it, which an interval holds without a box.
//! Read next: `time/timeout.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::parts::budget;
use crate::parts::wait_site::{self, Kind};
use crate::runtime::context;
use crate::runtime::handle::Home;
use crate::time::clock::Instant;
use crate::time::timer::{Inserted, Standing, Timer, TimerKey};

/// Waits until `duration` has passed.
///
/// The time counts from this call, not from the first `.await`. A tick is a millisecond: the wait
/// is never shorter than `duration`, and up to a millisecond longer, or as long as the task has
/// to wait for its turn. `Duration::MAX` stands for ever (about 30 years).
///
/// # Panics
///
/// At the call: outside of a runtime, or in one without [`enable_time`]. At a poll: after the
/// runtime has ended.
///
/// # Cancel safety
///
/// Dropping the future ends the wait and leaves nothing behind.
///
/// [`enable_time`]: crate::runtime::Builder::enable_time
///
/// # Examples
///
/// ```
/// use trefoil::time::{Duration, Instant, sleep};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// let start = Instant::now();
/// sleep(Duration::from_millis(5)).await;
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// # });
/// ```
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    let (home, now) = clocked("sleep");
    Sleep::new(home, now.add_clamped(duration), now, Location::caller())
}

/// Waits until `deadline` has come; ready at once if it has.
///
/// As exact as [`sleep`].
///
/// # Panics
///
/// As [`sleep`] does.
///
/// # Cancel safety
///
/// Dropping the future ends the wait and leaves nothing behind.
///
/// # Examples
///
/// ```
/// use trefoil::time::{Duration, Instant, sleep_until};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// let deadline = Instant::now() + Duration::from_millis(5);
/// sleep_until(deadline).await;
/// assert!(Instant::now() >= deadline);
/// # });
/// ```
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    let (home, now) = clocked("sleep_until");
    Sleep::new(home, deadline, now, Location::caller())
}

/// The runtime of this thread, which must have timers, and what time it is there.
#[track_caller]
#[inline]
pub(crate) fn clocked(what: &str) -> (Home, Instant) {
    let home = context::expect_home(what);
    home.driver.time(what);
    let now = home.driver.clock().now();
    (home, now)
}

pin_project_lite::pin_project! {
    /// The future of [`sleep`] and [`sleep_until`].
    ///
    /// To poll it several times (in a loop round `select!`, say), pin it:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    /// # rt.block_on(async {
    /// let mut sleep = Box::pin(trefoil::time::sleep(Duration::from_millis(1)));
    /// (&mut sleep).await;
    /// assert!(sleep.is_elapsed());
    /// let again = sleep.deadline() + Duration::from_millis(1);
    /// sleep.as_mut().reset(again);
    /// sleep.await;
    /// # });
    /// ```
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct Sleep {
        alarm: Alarm,
        // Where it was made: the line that a dump shows.
        location: &'static Location<'static>,
        // tokio's `Sleep` must be pinned; code that compiles here compiles there.
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl Sleep {
    /// A sleep until `deadline`, made at `location` and at the time `now`.
    pub(crate) fn new(
        home: Home,
        deadline: Instant,
        now: Instant,
        location: &'static Location<'static>,
    ) -> Self {
        Self {
            alarm: Alarm::new(home, deadline, now),
            location,
            _pinned: PhantomPinned,
        }
    }

    /// The moment it waits for.
    pub fn deadline(&self) -> Instant {
        self.alarm.deadline
    }

    /// True when the wait is over: it was polled to its end, or its task is being woken for it.
    ///
    /// False before the first poll, and again after a [`reset`](Self::reset).
    pub fn is_elapsed(&self) -> bool {
        self.alarm.is_elapsed()
    }

    /// Waits for another moment instead, whether the old one has come or not.
    ///
    /// A task that waits for it is woken at the new moment without polling it again first.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let alarm = self.project().alarm;
        alarm.reset(deadline, alarm.now());
    }
}

impl Future for Sleep {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.alarm.poll(cx, this.location)
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.alarm.deadline)
            .finish_non_exhaustive()
    }
}

/// A deadline and what the wheel knows of it; see the drawing in the file's head.
pub(crate) struct Alarm {
    home: Home,
    deadline: Instant,
    state: State,
}

/// The states of the drawing.
#[derive(Debug, Clone, Copy)]
enum State {
    /// The wheel knows nothing of it.
    Waiting,
    /// The deadline had come when it was made.
    Reached,
    /// In the wheel, until it fires.
    Armed(TimerKey),
    /// In the wheel, for a moment that has come: about to fire.
    Overdue(TimerKey),
    /// Polled to its end.
    Elapsed,
}

impl Alarm {
    /// An alarm for `deadline`, made at the time `now` (edge 1).
    pub(crate) fn new(home: Home, deadline: Instant, now: Instant) -> Self {
        Self {
            home,
            deadline,
            state: State::new(deadline, now),
        }
    }

    /// The moment it waits for.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What time it is on its runtime's clock.
    pub(crate) fn now(&self) -> Instant {
        self.home.driver.clock().now()
    }

    /// Ready when the deadline has come (edges 2 and 3); the mark it leaves says `location`.
    #[inline]
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<()> {
        let spent = ready!(budget::spend(cx));
        let over = match self.state {
            State::Reached | State::Elapsed => true,
            State::Overdue(key) => {
                self.timer().cancel(key);
                true
            }
            State::Waiting => self.arm(cx, location),
            State::Armed(key) => match self.timer().set_waker(key, cx.waker()) {
                Standing::Armed => false,
                Standing::Fired => true,
                // It may have fired before the runtime ended: the clock knows.
                Standing::Shutdown if self.now() >= self.deadline => true,
                Standing::Shutdown => ended(location),
            },
        };
        if over {
            self.state = State::Elapsed;
            spent.made_progress();
            return Poll::Ready(());
        }
        drop(spent);
        wait_site::leave(Kind::Sleep, location, self.timer().tick_of(self.deadline));
        Poll::Pending
    }

    /// Puts it into the wheel; true when the deadline has come (edge 2 or 3).
    #[inline]
    fn arm(&mut self, cx: &mut Context<'_>, location: &'static Location<'static>) -> bool {
        match self.timer().insert(self.deadline, cx.waker()) {
            Inserted::Armed { key, unpark } => {
                self.state = State::Armed(key);
                if unpark {
                    self.home.driver.unpark();
                }
                false
            }
            Inserted::Due => true,
            Inserted::Shutdown => ended(location),
        }
    }

    /// Waits for `deadline` from now on, which is `now` (edges 4 and 5).
    pub(crate) fn reset(&mut self, deadline: Instant, now: Instant) {
        self.deadline = deadline;
        let moved = match self.state {
            State::Armed(key) | State::Overdue(key) => self.timer().reset(key, deadline),
            _ => None,
        };
        match moved {
            Some((key, unpark)) => {
                self.state = if deadline <= now {
                    State::Overdue(key)
                } else {
                    State::Armed(key)
                };
                if unpark {
                    self.home.driver.unpark();
                }
            }
            None => self.state = State::new(deadline, now),
        }
    }

    /// True when it was polled to its end, or the wheel has fired it.
    pub(crate) fn is_elapsed(&self) -> bool {
        match self.state {
            State::Waiting | State::Reached => false,
            State::Armed(key) | State::Overdue(key) => {
                self.timer().standing(key) == Standing::Fired
            }
            State::Elapsed => true,
        }
    }

    /// The timers of its runtime.
    fn timer(&self) -> &Timer {
        // Looked at when it was made, so this panics in a forked child only.
        self.home.driver.time("sleep")
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let State::Armed(key) | State::Overdue(key) = self.state
            && !self.home.driver.is_copy()
        {
            self.timer().cancel(key);
        }
    }
}

impl State {
    /// Of an alarm that is in no wheel.
    fn new(deadline: Instant, now: Instant) -> Self {
        if deadline <= now {
            Self::Reached
        } else {
            Self::Waiting
        }
    }
}

/// The panic of a timer that is polled after its runtime.
#[cold]
fn ended(location: &'static Location<'static>) -> ! {
    panic!(
        "sleep: the runtime of the timer made at {location} has ended; \
         await timers inside the runtime they were made in"
    )
}
