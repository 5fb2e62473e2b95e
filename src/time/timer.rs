//! (being written)

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::time::clock::{Clock, Instant};

/// Names one armed timer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimerKey;

/// All timers of one runtime: a wheel a worker.
pub(crate) struct Timer;

impl Timer {
    /// Timers for `wheels` workers.
    pub(crate) fn new(_clock: Arc<Clock>, _wheels: usize) -> Self {
        todo!()
    }

    /// Arms a timer; true when the thread that waits in the driver must be unparked for it.
    pub(crate) fn insert(&self, _deadline: Instant, _waker: Waker) -> (TimerKey, bool) {
        todo!()
    }

    /// Replaces the waker; false when the timer has fired already (or was cancelled).
    pub(crate) fn set_waker(&self, _key: TimerKey, _waker: &Waker) -> bool {
        todo!()
    }

    /// Disarms a timer; false when it has fired already.
    pub(crate) fn cancel(&self, _key: TimerKey) -> bool {
        todo!()
    }

    /// Fires what is due, in every wheel. Gives the number of timers fired.
    pub(crate) fn fire(&self) -> usize {
        todo!()
    }

    /// Says that this thread is about to wait in the driver; the time until the next timer.
    pub(crate) fn prepare_park(&self) -> Option<Duration> {
        todo!()
    }

    /// Says that the wait is over.
    pub(crate) fn finish_park(&self) {
        todo!()
    }

    /// Ends all timers: whoever polls one from now on panics.
    pub(crate) fn shutdown(&self) {
        todo!()
    }
}

/// Tells this thread which wheel its timers go into (a worker's number).
pub(crate) fn set_home(_wheel: usize) {
    todo!()
}
