//! One turn of everything that can wake a task from outside: I/O, timers, signals.
//!
//! ```text
//!   turn(wait):  1. may it wait? ask all wheels for the next deadline
//!                2. epoll_wait: until an event, that deadline, or an unpark
//!                3. each event: look its fd up, mark it ready, collect wakers; wake them
//!                4. a byte in the pipe of the signals? find out which have come
//!                5. fire the timers that are due; wake them
//! ```
//!
//! The driver belongs to no thread. Whoever has nothing better to do takes the right to turn it
//! ([`Reactor::try_turn`]) and waits there; the others wait elsewhere.
//! Read next: `runtime/handle.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::parts::parker::before_blocking;
use crate::reactor::poller::{Reactor, Turn};
use crate::reactor::readiness::Readiness;
use crate::signal::registry;
use crate::time::clock::Clock;
use crate::time::timer::Timer;

/// Everything that can wake a task from outside: I/O, timers, signals.
pub(crate) struct Driver {
    /// epoll and what is registered.
    reactor: Reactor,
    /// All timers.
    timer: Timer,
    /// What time it is.
    clock: Arc<Clock>,
    /// `Builder::enable_io` was called.
    io_enabled: bool,
    /// `Builder::enable_time` was called.
    time_enabled: bool,
    /// Is there a byte in the pipe of the signals? Set at the first `signal` in this runtime.
    signals: OnceLock<Arc<Readiness>>,
    /// Held by the one who sets `signals`: epoll takes the pipe only once.
    signals_setter: Mutex<()>,
}

/// What a driver is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DriverOptions {
    /// Sockets, signals and children may be used.
    pub(crate) io: bool,
    /// Timers may be used.
    pub(crate) time: bool,
    /// Events taken from epoll a turn.
    pub(crate) events_per_turn: usize,
    /// Fewer, in a look beside work.
    pub(crate) events_per_look: Option<usize>,
    /// Wheels: one a worker.
    pub(crate) wheels: usize,
    /// What the clock can do.
    pub(crate) clock: ClockKind,
}

/// What a runtime's clock can do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ClockKind {
    /// Follow the machine's clock: several threads could not agree on a pause.
    Real,
    /// Be paused later.
    Pausable,
    /// Stand still from the start.
    Paused,
}

impl Driver {
    /// A driver with nothing registered.
    ///
    /// # Errors
    ///
    /// When epoll or its eventfd cannot be made (EMFILE, ENFILE, ENOMEM).
    pub(crate) fn new(options: DriverOptions) -> io::Result<Self> {
        let clock = Arc::new(match options.clock {
            ClockKind::Real => Clock::real(),
            ClockKind::Pausable => Clock::pausable(),
            ClockKind::Paused => Clock::paused(),
        });
        Ok(Self {
            reactor: Reactor::new(options.events_per_turn, options.events_per_look)?,
            timer: Timer::new(Arc::clone(&clock), options.wheels),
            clock,
            io_enabled: options.io,
            time_enabled: options.time,
            signals: OnceLock::new(),
            signals_setter: Mutex::new(()),
        })
    }

    /// True in a forked child of the runtime's process.
    #[inline]
    pub(crate) fn is_copy(&self) -> bool {
        self.reactor.is_copy()
    }

    /// Panics at the caller's line in a forked child.
    #[track_caller]
    #[inline]
    pub(crate) fn refuse_copy(&self, what: &str) {
        if self.is_copy() {
            forked(what);
        }
    }

    /// The reactor; panics at the caller's line when I/O is not enabled, and in a forked child.
    #[track_caller]
    #[inline]
    pub(crate) fn io(&self, what: &str) -> &Reactor {
        self.refuse_copy(what);
        if !self.io_enabled {
            panic!("{what}: this runtime has no I/O; call Builder::enable_io or enable_all");
        }
        &self.reactor
    }

    /// Sees to it that this driver serves signals; panics at the caller's line without I/O.
    ///
    /// # Errors
    ///
    /// When there is no pipe and none can be made; what `epoll_ctl(2)` says.
    #[track_caller]
    pub(crate) fn watch_signals(&self, what: &str) -> io::Result<()> {
        let reactor = self.io(what);
        let _only_one = self
            .signals_setter
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.signals.get().is_none() {
            let (_key, readiness) = reactor.watch(registry::pipe()?)?;
            let _was_none = self.signals.set(readiness);
        }
        Ok(())
    }

    /// The timers; panics at the caller's line when time is not enabled, and in a forked child.
    #[track_caller]
    #[inline]
    pub(crate) fn time(&self, what: &str) -> &Timer {
        self.refuse_copy(what);
        if !self.time_enabled {
            panic!("{what}: this runtime has no timers; call Builder::enable_time or enable_all");
        }
        &self.timer
    }

    /// Timers that are armed.
    pub(crate) fn armed_timers(&self) -> usize {
        self.timer.len()
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// The right to turn, unless another thread has it.
    pub(crate) fn try_turn(&self) -> Option<Turn<'_>> {
        self.reactor.try_turn()
    }

    /// Looks at everything, without waiting. True: events have come.
    pub(crate) fn look(&self, turn: &mut Turn<'_>) -> bool {
        let came = self.wait_for_events(turn, Some(Duration::ZERO));
        self.timer.fire();
        came > 0
    }

    /// Waits until something happens: an event, a timer, an unpark, or the end of `limit`.
    pub(crate) fn wait(&self, turn: &mut Turn<'_>, limit: Option<Duration>) {
        // This thread may be a worker of the thread pool, too, with work that it keeps to itself.
        before_blocking();
        // A paused clock jumps to the next timer instead of waiting for it. Not before a look at
        // what is there already: bytes that have come must not find their time-out passed.
        if self.timer.is_virtual() && self.wait_for_events(turn, Some(Duration::ZERO)) > 0 {
            self.timer.fire();
            return;
        }
        // From here on whoever arms an earlier timer unparks us.
        let next = self.timer.prepare_park();
        let limit = match (next, limit) {
            (Some(next), Some(limit)) => Some(next.min(limit)),
            (next, limit) => next.or(limit),
        };
        self.wait_for_events(turn, limit);
        self.timer.finish_park();
        self.timer.fire();
    }

    /// epoll_wait and what follows from it. Gives the number of tasks woken and unparks seen.
    fn wait_for_events(&self, turn: &mut Turn<'_>, limit: Option<Duration>) -> usize {
        let came = match turn.turn(limit) {
            Ok(came) => came,
            // epoll_wait(2) fails only for a bad descriptor or address: nothing can be done.
            Err(error) => panic!("driver: waiting for events failed: {error}"),
        };
        if let Some(pipe) = self.signals.get()
            && pipe.take_readable()
        {
            registry::drain();
        }
        came
    }

    /// Ends the wait of whoever waits in the driver, or the next one.
    pub(crate) fn unpark(&self) {
        self.reactor.unpark();
    }

    /// The runtime has ended: everything that waits here fails from now on.
    pub(crate) fn shutdown(&self) {
        self.reactor.shutdown();
        self.timer.shutdown();
    }
}

/// The panic of everything that needs the runtime's threads and has none of them.
#[track_caller]
#[cold]
fn forked(what: &str) -> ! {
    panic!(
        "{what}: this process is a fork of the runtime's and has none of its threads; \
            build a new runtime in it"
    )
}
