//! (being written)

use std::sync::Arc;

use crate::reactor::poller::Reactor;
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
}

impl Driver {
    /// The reactor; panics at the caller's line when I/O is not enabled.
    #[track_caller]
    pub(crate) fn io(&self, _what: &str) -> &Reactor {
        &self.reactor
    }

    /// The timers; panics at the caller's line when time is not enabled.
    #[track_caller]
    pub(crate) fn time(&self, _what: &str) -> &Timer {
        &self.timer
    }

    /// The clock.
    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    /// Ends the wait of whoever waits in the driver.
    pub(crate) fn unpark(&self) {
        self.reactor.unpark();
    }
}
