//! What time it is: the machine's clock, or one that a test stops and sets.
//!
//! ```text
//!            pause                      advance, or nothing runnable: the next timer's time
//!    Real ──────────► Paused { base } ◄──┐
//!                       ▲   │    └───────┘
//!                 pause │   ▼ resume
//!                     Shifted { base, since }      runs again, from where it stood
//! ```
//!
//! A real clock costs one relaxed load more than the machine's (24 ns). Only once some clock of
//! the process has been paused does [`Instant::now`] ask which runtime it is in.
//!
//! Why not a clock for the whole process: two tests run on two threads, each with its own time.
//! This file lies below the runtime, so it learns the present clock through a hook
//! ([`set_current_hook`], set by `runtime/context.rs`).
//! Read next: `time/timer.rs`; the public switches are in `time/pause.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// What "for ever" means where a deadline would not fit.
///
/// Unit: time. Effect: `sleep(Duration::MAX)` ends after it. Source: tokio's documentation of
/// `sleep` speaks of about 30 years.
const FOREVER: Duration = Duration::from_secs(86_400 * 365 * 30);

/// A moment of the runtime's clock.
///
/// Like [`std::time::Instant`], but it stands still while the runtime's clock is
/// [paused](crate::time::pause).
///
/// # Examples
///
/// ```
/// use trefoil::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let later = start + Duration::from_millis(5);
/// assert_eq!(later - start, Duration::from_millis(5));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub(crate) std::time::Instant);

impl Instant {
    /// The present moment, of the paused clock when called in a runtime that has one.
    #[inline]
    pub fn now() -> Self {
        if NOT_REAL.load(Relaxed) == 0 {
            return Self(std::time::Instant::now());
        }
        Self::now_of_current()
    }

    /// The rare half of [`now`](Self::now), kept out of line.
    #[cold]
    fn now_of_current() -> Self {
        match CURRENT.get().and_then(|current| current()) {
            Some(clock) => clock.now(),
            None => Self(std::time::Instant::now()),
        }
    }

    /// The moment of the machine's clock, unchanged.
    pub fn from_std(std: std::time::Instant) -> Self {
        Self(std)
    }

    /// The same moment as the standard library's type.
    pub fn into_std(self) -> std::time::Instant {
        self.0
    }

    /// The time from `earlier` to this moment; zero if `earlier` is the later one.
    pub fn duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The time from `earlier` to this moment; `None` if `earlier` is the later one.
    pub fn checked_duration_since(&self, earlier: Self) -> Option<Duration> {
        self.0.checked_duration_since(earlier.0)
    }

    /// The time from `earlier` to this moment; zero if `earlier` is the later one.
    pub fn saturating_duration_since(&self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }

    /// The time from this moment until now; zero if it has not come yet.
    pub fn elapsed(&self) -> Duration {
        Self::now().saturating_duration_since(*self)
    }

    /// The moment `duration` later, if it can be told.
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }

    /// The moment `duration` earlier, if it can be told.
    pub fn checked_sub(&self, duration: Duration) -> Option<Self> {
        self.0.checked_sub(duration).map(Self)
    }

    /// The moment `duration` later, or in 30 years when that cannot be told.
    pub(crate) fn add_clamped(self, duration: Duration) -> Self {
        self.checked_add(duration)
            .or_else(|| self.checked_add(FOREVER))
            .unwrap_or(self)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// # Panics
    ///
    /// When the result cannot be told; [`Instant::checked_add`] does not.
    fn add(self, duration: Duration) -> Self {
        Self(self.0 + duration)
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        self.0 += duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Zero when the right side is the later one.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_duration_since(earlier.0)
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    /// # Panics
    ///
    /// When the result cannot be told; [`Instant::checked_sub`] does not.
    fn sub(self, duration: Duration) -> Self {
        Self(self.0 - duration)
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        self.0 -= duration;
    }
}

impl From<std::time::Instant> for Instant {
    fn from(std: std::time::Instant) -> Self {
        Self(std)
    }
}

impl From<Instant> for std::time::Instant {
    fn from(instant: Instant) -> Self {
        instant.0
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many clocks of this process may differ from the machine's. A count: whoever reads a paused
/// clock came to its runtime by something that synchronises, and so sees it raised.
static NOT_REAL: AtomicUsize = AtomicUsize::new(0);

/// Gives the clock of the runtime that the calling thread is in.
type CurrentHook = fn() -> Option<Arc<Clock>>;

/// How [`Instant::now`] finds the present clock.
static CURRENT: OnceLock<CurrentHook> = OnceLock::new();

/// Sets how [`Instant::now`] finds the clock of the thread's runtime; the first call counts.
pub(crate) fn set_current_hook(hook: CurrentHook) {
    // A second runtime sets the same function again.
    let _ = CURRENT.set(hook);
}

/// Why a clock refused to be paused, advanced or resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The runtime has several threads, which would see time jump under their feet.
    CannotPause,
    /// It stands still already.
    IsPaused,
    /// It runs.
    IsRunning,
}

/// The clock of one runtime.
#[derive(Debug)]
pub(crate) struct Clock {
    /// False for a runtime with several threads.
    pausable: bool,
    start: std::time::Instant,
    /// Set at the first pause, for good. A flag: what it stands for is under the mutex.
    not_real: AtomicBool,
    /// What the clock shows once it is not the machine's any more.
    state: Mutex<State>,
}

/// What the mutex of a [`Clock`] guards.
#[derive(Debug)]
struct State {
    /// What the clock shows while paused, or showed at `since`.
    base: std::time::Instant,
    /// The machine's time when the clock began to run again; `None` while paused.
    since: Option<std::time::Instant>,
    /// True while an idle runtime may jump to its next timer.
    auto_advance: bool,
    /// Blocking closures under way: while one runs the runtime is not idle.
    inhibitors: usize,
}

impl Clock {
    /// The machine's clock, for a runtime with several threads.
    pub(crate) fn real() -> Self {
        Self::new(false)
    }

    /// The machine's clock, which may be paused later.
    pub(crate) fn pausable() -> Self {
        Self::new(true)
    }

    /// A clock that stands still from the beginning.
    pub(crate) fn paused() -> Self {
        let clock = Self::new(true);
        clock.stop_at(&mut clock.lock(), clock.start);
        clock
    }

    /// The machine's clock.
    fn new(pausable: bool) -> Self {
        let start = std::time::Instant::now();
        let state = State {
            base: start,
            since: Some(start),
            auto_advance: true,
            inhibitors: 0,
        };
        Self {
            pausable,
            start,
            not_real: AtomicBool::new(false),
            state: Mutex::new(state),
        }
    }

    /// When it was made: tick 0 of the timers.
    pub(crate) fn start(&self) -> Instant {
        Instant(self.start)
    }

    /// What time it is.
    #[inline]
    pub(crate) fn now(&self) -> Instant {
        if !self.not_real.load(Relaxed) {
            return Instant(std::time::Instant::now());
        }
        Instant(self.lock().now())
    }

    /// True while the clock stands still.
    pub(crate) fn is_paused(&self) -> bool {
        self.not_real.load(Relaxed) && self.lock().since.is_none()
    }

    /// True when an idle runtime moves the clock to its next timer instead of waiting for it.
    pub(crate) fn may_auto_advance(&self) -> bool {
        if !self.not_real.load(Relaxed) {
            return false;
        }
        let state = self.lock();
        state.since.is_none() && state.auto_advance && state.inhibitors == 0
    }

    /// Stops the clock where it is.
    pub(crate) fn pause(&self) -> Result<(), Refused> {
        if !self.pausable {
            return Err(Refused::CannotPause);
        }
        let mut state = self.lock();
        if state.since.is_none() {
            return Err(Refused::IsPaused);
        }
        // On a whole millisecond since the start, up to one later: timers then end exactly when
        // the clock is advanced by what they wait for.
        let past = state.now().saturating_duration_since(self.start);
        let parts = past.subsec_nanos().div_ceil(1_000_000);
        let past = Duration::from_secs(past.as_secs()) + Duration::from_millis(parts.into());
        self.stop_at(&mut state, Instant(self.start).add_clamped(past).0);
        Ok(())
    }

    /// Stops the clock and lets it show `at`.
    fn stop_at(&self, state: &mut State, at: std::time::Instant) {
        state.base = at;
        state.since = None;
        if !self.not_real.swap(true, Relaxed) {
            NOT_REAL.fetch_add(1, Relaxed);
        }
    }

    /// Lets the clock run again, from what it shows.
    pub(crate) fn resume(&self) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.since.is_some() {
            return Err(Refused::IsRunning);
        }
        state.since = Some(std::time::Instant::now());
        Ok(())
    }

    /// Moves the stopped clock on by `duration` (30 years at most when that overflows).
    pub(crate) fn advance(&self, duration: Duration) -> Result<(), Refused> {
        let mut state = self.lock();
        if state.since.is_some() {
            return Err(Refused::IsRunning);
        }
        state.base = Instant(state.base).add_clamped(duration).0;
        Ok(())
    }

    /// Moves the clock to `instant`, if it stands still and may move by itself; never back.
    pub(crate) fn auto_advance_to(&self, instant: Instant) {
        let mut state = self.lock();
        if state.since.is_none() && state.auto_advance && state.inhibitors == 0 {
            state.base = state.base.max(instant.0);
        }
    }

    /// Says whether an idle runtime may move the stopped clock.
    pub(crate) fn set_auto_advance(&self, on: bool) {
        self.lock().auto_advance = on;
    }

    /// Keeps the stopped clock from moving until [`allow`](Self::allow): a blocking closure has
    /// begun. False, and nothing to take back, for a clock that is never paused.
    pub(crate) fn inhibit(&self) -> bool {
        if self.pausable {
            self.lock().inhibitors += 1;
        }
        self.pausable
    }

    /// Takes one [`inhibit`](Self::inhibit) back. True when it was the last and the clock stands
    /// still: whoever waits in the driver must be unparked, to look at the clock again.
    #[must_use = "when true, the driver must be unparked"]
    pub(crate) fn allow(&self) -> bool {
        let mut state = self.lock();
        state.inhibitors = state.inhibitors.saturating_sub(1);
        state.inhibitors == 0 && state.since.is_none() && state.auto_advance
    }

    /// The state. No user code runs under this lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        if *self.not_real.get_mut() {
            NOT_REAL.fetch_sub(1, Relaxed);
        }
    }
}

impl State {
    /// What the clock shows.
    fn now(&self) -> std::time::Instant {
        match self.since {
            Some(since) => self.base + since.elapsed(),
            None => self.base,
        }
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_paused_clock_moves_only_when_told() {
        let clock = Clock::paused();
        let start = clock.now();
        clock.advance(Duration::from_secs(5)).unwrap();
        assert_eq!(clock.now() - start, Duration::from_secs(5));
        clock.advance(Duration::MAX).unwrap();
        assert_eq!(clock.now() - start, FOREVER + Duration::from_secs(5));
        assert_eq!(clock.pause(), Err(Refused::IsPaused));
    }

    #[test]
    fn a_resumed_clock_runs_on_from_where_it_stood() {
        let clock = Clock::paused();
        clock.advance(Duration::from_secs(3600)).unwrap();
        let stood = clock.now();
        clock.resume().unwrap();
        assert!(clock.now() >= stood);
        assert_eq!(clock.advance(Duration::ZERO), Err(Refused::IsRunning));
        assert_eq!(Clock::real().pause(), Err(Refused::CannotPause));
    }
}
