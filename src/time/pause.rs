//! `pause`, `advance`, `resume`: tests that need no real time.
//!
//! A paused clock moves in two ways. [`advance`] moves it by hand. And a runtime with nothing to
//! run would wait for its next timer: instead it moves the clock there, so a test that sleeps for
//! an hour takes no time ([`set_auto_advance`] switches that off). While a closure of
//! `spawn_blocking` runs, the runtime is not idle and the clock stays.
//!
//! The states are drawn in `time/clock.rs`. Only a runtime with one thread can pause: elsewhere
//! another worker would see time jump in the middle of its poll.
//! Read next: `runtime/driver.rs`, which asks the timer how long it may wait.

#![forbid(unsafe_code)]

use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::runtime::context;
use crate::runtime::handle::Handle;
use crate::task::join::JoinHandle;
use crate::time::clock::Refused;

/// Stops the runtime's clock.
///
/// [`Instant::now`](crate::time::Instant::now) stands still, and timers fire only when the clock
/// is moved: by [`advance`], or by the runtime itself when it has nothing else to do.
/// `Builder::start_paused` does the same from the beginning.
///
/// tokio differs: here the clock stops on a whole tick, up to a millisecond after the present
/// moment, so that `sleep(d)` ends with `advance(d)` and not a millisecond later.
///
/// # Panics
///
/// When the clock stands still already; outside of a current-thread runtime; without
/// [`enable_time`](crate::runtime::Builder::enable_time).
///
/// # Examples
///
/// ```
/// use trefoil::time::{self, Duration, Instant};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// time::pause();
/// let real = std::time::Instant::now();
/// time::sleep(Duration::from_secs(3600)).await;
/// assert!(real.elapsed() < Duration::from_secs(60));
/// # });
/// ```
#[track_caller]
pub fn pause() {
    let handle = timed("pause");
    accept("pause", handle.driver().clock().pause());
}

/// Lets the clock run again, from the time it shows.
///
/// # Panics
///
/// When it runs already; outside of a current-thread runtime.
///
/// # Examples
///
/// ```
/// use trefoil::time::{self, Duration, Instant};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// time::pause();
/// let start = Instant::now();
/// time::advance(Duration::from_secs(60)).await;
/// time::resume();
/// assert!(start.elapsed() >= Duration::from_secs(60));
/// # });
/// ```
#[track_caller]
pub fn resume() {
    let handle = timed("resume");
    accept("resume", handle.driver().clock().resume());
    // Called from another thread: the driver waits without a limit, now there is one.
    handle.driver().unpark();
}

/// Says whether a runtime with a paused clock and nothing to run moves the clock to its next
/// timer. It does from the beginning.
///
/// Switched off, time moves by [`advance`] alone: a task that forgot to be woken then hangs where
/// a time-out would have hidden it.
///
/// tokio differs: it has no such switch.
///
/// # Panics
///
/// Outside of a runtime, or in one without
/// [`enable_time`](crate::runtime::Builder::enable_time).
///
/// # Examples
///
/// ```
/// use trefoil::time::{self, Duration};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// time::pause();
/// time::set_auto_advance(false);
/// let sleeper = trefoil::spawn(time::sleep(Duration::from_secs(1)));
/// trefoil::task::yield_now().await;
/// assert!(!sleeper.is_finished());
/// time::advance(Duration::from_secs(1)).await;
/// assert!(sleeper.is_finished());
/// # });
/// ```
#[track_caller]
pub fn set_auto_advance(on: bool) {
    let handle = timed("set_auto_advance");
    handle.driver().clock().set_auto_advance(on);
    // Called from another thread: the driver may wait for a jump that is allowed only now.
    handle.driver().unpark();
}

/// Moves the paused clock on by `duration`, in one jump, and lets the tasks run whose timers have
/// come by that.
///
/// A timer that such a task then sets counts from after the jump: to see every tick of an
/// interval, advance in steps. `Duration::MAX` moves it by about 30 years.
///
/// # Panics
///
/// At the call: outside of a runtime, or in one without
/// [`enable_time`](crate::runtime::Builder::enable_time). At the first poll: when the clock runs.
///
/// # Cancel safety
///
/// The clock moves at the first poll; dropped after it, the future only waits no more for the
/// tasks to run.
///
/// # Examples
///
/// ```
/// use trefoil::time::{self, Duration, Instant};
///
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// time::pause();
/// let start = Instant::now();
/// time::advance(Duration::from_millis(1500)).await;
/// assert_eq!(start.elapsed(), Duration::from_millis(1500));
/// # });
/// ```
#[track_caller]
pub fn advance(duration: Duration) -> Advance {
    Advance {
        handle: timed("advance"),
        duration,
        location: Location::caller(),
        marker: None,
        _pinned: PhantomPinned,
    }
}

pin_project_lite::pin_project! {
    /// The future of [`advance`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct Advance {
        handle: Handle,
        duration: Duration,
        // The user's line, for the panic: a poll knows only its own.
        location: &'static Location<'static>,
        // Set when the clock was moved; runs behind the tasks that were woken by that.
        marker: Option<JoinHandle<()>>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl Future for Advance {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let marker = match this.marker {
            Some(marker) => marker,
            None => {
                let driver = this.handle.driver();
                if driver.clock().advance(*this.duration).is_err() {
                    panic!(
                        "advance at {}: the clock runs; call pause first, or build the runtime \
                         with start_paused(true)",
                        this.location
                    );
                }
                // Here and not by the driver, whose next look may come after our next turn.
                driver.time("advance").fire();
                // Why not `yield_now`: the future of `block_on` has its turn between any two
                // tasks. The marker stands behind those just woken.
                this.marker.insert(this.handle.spawn(async {}))
            }
        };
        // An error says that the runtime is ending: then nothing is left to wait for.
        Pin::new(marker).poll(cx).map(drop)
    }
}

impl std::fmt::Debug for Advance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Advance")
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

/// The runtime that this thread is in, with timers.
#[track_caller]
fn timed(what: &str) -> Handle {
    let handle = context::expect(what);
    handle.driver().time(what);
    handle
}

/// Turns a refusal of the clock into a panic that names the remedy.
#[track_caller]
fn accept(what: &str, answer: Result<(), Refused>) {
    match answer {
        Ok(()) => {}
        Err(Refused::CannotPause) => panic!(
            "{what}: a runtime with several threads has no clock to stop; use \
             Builder::new_current_thread"
        ),
        Err(Refused::IsPaused) => panic!("{what}: the clock stands still already; resume it first"),
        Err(Refused::IsRunning) => panic!("{what}: the clock runs already; pause it first"),
    }
}
