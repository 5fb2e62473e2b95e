//! `interval` and `interval_at`: a tick in every period.
//!
//! ```text
//!   period 10, the third tick is looked for only at 37
//!
//!   wanted     0   10   20   30   40   50   60   70
//!   Burst      0   10   37 37 40   50   60   70       catches up, then keeps the old grid
//!   Delay      0   10        37   47   57   67        a new grid from the late tick on
//!   Skip       0   10        37 40   50   60   70     leaves out what was missed, old grid
//! ```
//!
//! The next deadline is computed from the last *deadline*, not from when it was noticed, so that
//! ticks do not drift by the millisecond that each of them may be late.
//! Read next: `time/pause.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::time::clock::Instant;
use crate::time::sleep::{self, Alarm};

/// How late a tick may be noticed without counting as missed.
///
/// Unit: time. Effect: below it the grid is kept, whatever the policy; the wheel itself is up to a
/// millisecond late. Source: tokio 1.54 behaves so; not tuned here.
const SLACK: Duration = Duration::from_millis(5);

/// Ticks now, and then once in every `period`.
///
/// What happens after a tick was noticed too late is up to
/// [`set_missed_tick_behavior`](Interval::set_missed_tick_behavior).
///
/// # Panics
///
/// When `period` is zero; outside of a runtime, or in one without
/// [`enable_time`](crate::runtime::Builder::enable_time).
///
/// # Examples
///
/// ```
/// use trefoil::time::{Duration, interval};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// let mut interval = interval(Duration::from_millis(2));
/// let first = interval.tick().await; // at once
/// let second = interval.tick().await;
/// assert_eq!(second - first, Duration::from_millis(2));
/// # });
/// ```
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    Interval::new(None, period, "interval", Location::caller())
}

/// Ticks at `start`, and then once in every `period`.
///
/// Like [`interval`] otherwise.
///
/// # Panics
///
/// As [`interval`] does.
///
/// # Examples
///
/// ```
/// use trefoil::time::{Duration, Instant, interval_at};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// let start = Instant::now() + Duration::from_millis(3);
/// let mut interval = interval_at(start, Duration::from_millis(2));
/// assert_eq!(interval.tick().await, start);
/// # });
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    Interval::new(Some(start), period, "interval_at", Location::caller())
}

/// What an [`Interval`] does after a tick was noticed more than 5 ms late.
///
/// ```
/// use trefoil::time::{Duration, MissedTickBehavior, interval};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// let mut heartbeat = interval(Duration::from_secs(1));
/// heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
/// assert_eq!(heartbeat.missed_tick_behavior(), MissedTickBehavior::Delay);
/// # });
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissedTickBehavior {
    /// Ticks as often as it missed, without waiting, then goes on as if nothing had happened.
    #[default]
    Burst,
    /// The next tick comes one period after the late one was noticed.
    Delay,
    /// Leaves the missed ticks out; the next one comes when it would have come anyway.
    Skip,
}

impl MissedTickBehavior {
    /// When the next tick is due, after the one due at `due` was noticed at `now`.
    fn next(self, due: Instant, now: Instant, period: Duration) -> Instant {
        match self {
            Self::Burst => due.add_clamped(period),
            Self::Delay => now.add_clamped(period),
            Self::Skip => {
                let into_period = (now - due).as_nanos() % period.as_nanos();
                now.add_clamped(period - duration_of_nanos(into_period))
            }
        }
    }
}

/// The duration of `nanos` nanoseconds, which is less than some other duration.
fn duration_of_nanos(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    Duration::new((nanos / SECOND) as u64, (nanos % SECOND) as u32)
}

/// A tick in every period: what [`interval`] and [`interval_at`] give.
pub struct Interval {
    alarm: Alarm,
    period: Duration,
    behavior: MissedTickBehavior,
    /// Where it was made; what `poll_tick` leaves as its mark.
    location: &'static Location<'static>,
}

impl Interval {
    /// An interval from `start` (or now) on.
    #[track_caller]
    fn new(
        start: Option<Instant>,
        period: Duration,
        what: &str,
        location: &'static Location<'static>,
    ) -> Self {
        if period.is_zero() {
            panic!("{what}: a period of zero would tick without end; give it a longer one");
        }
        let (home, now) = sleep::clocked(what);
        let alarm = Alarm::new(home, start.unwrap_or(now), now);
        Self {
            alarm,
            period,
            behavior: MissedTickBehavior::default(),
            location,
        }
    }

    /// Waits for the next tick, and gives the moment at which it was due.
    ///
    /// # Panics
    ///
    /// At a poll, after the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// No tick is lost: a dropped wait has not consumed one.
    #[track_caller]
    pub fn tick(&mut self) -> Tick<'_> {
        Tick {
            interval: self,
            location: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// [`tick`](Self::tick) for code that writes its futures by hand.
    ///
    /// When it is pending, the waker of the last call is woken at the next tick.
    ///
    /// # Panics
    ///
    /// After the runtime has ended.
    pub fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        self.poll_from(cx, self.location)
    }

    /// `poll_tick`, with a mark that says `location`.
    fn poll_from(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<Instant> {
        ready!(self.alarm.poll(cx, location));
        let due = self.alarm.deadline();
        let now = self.alarm.now();
        let next = if now - due > SLACK {
            self.behavior.next(due, now, self.period)
        } else {
            due.add_clamped(self.period)
        };
        self.alarm.reset(next, now);
        Poll::Ready(due)
    }

    /// Starts anew: the next tick comes one period from now.
    pub fn reset(&mut self) {
        self.reset_after(self.period);
    }

    /// The next tick comes now, and from it the periods count.
    pub fn reset_immediately(&mut self) {
        self.reset_after(Duration::ZERO);
    }

    /// The next tick comes after `after`, and from it the periods count.
    pub fn reset_after(&mut self, after: Duration) {
        let now = self.alarm.now();
        self.alarm.reset(now.add_clamped(after), now);
    }

    /// The next tick comes at `deadline`, and from it the periods count.
    pub fn reset_at(&mut self, deadline: Instant) {
        self.alarm.reset(deadline, self.alarm.now());
    }

    /// What happens after a tick that was noticed too late.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.behavior
    }

    /// Sets what happens after a tick that was noticed too late. Default:
    /// [`MissedTickBehavior::Burst`].
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.behavior = behavior;
    }

    /// The time from tick to tick.
    pub fn period(&self) -> Duration {
        self.period
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval")
            .field("period", &self.period)
            .field("missed_tick_behavior", &self.behavior)
            .field("next", &self.alarm.deadline())
            .finish()
    }
}

pin_project_lite::pin_project! {
    /// The future of [`Interval::tick`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct Tick<'a> {
        interval: &'a mut Interval,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl Future for Tick<'_> {
    type Output = Instant;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        let this = self.project();
        this.interval.poll_from(cx, this.location)
    }
}
