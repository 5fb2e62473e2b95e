//! Trying without waiting: `try_read`, `try_io` and the like.
//!
//! ```text
//!   known to be ready? ── yes ─────────────────────────────► the system call
//!     │ no                                                      │ would block: deny it
//!     ▼                                                         ▼
//!   a look at the driver, on a thread of its runtime ── no ─► WouldBlock
//! ```
//!
//! Read next: `io/async_fd.rs`.

#![forbid(unsafe_code)]

use std::io;

use crate::io::evented::Registration;
use crate::io::interest::Interest;
use crate::io::wait::bits_of;
use crate::reactor::bits::{Bits, Direction};
use crate::reactor::readiness::Seen;
use crate::runtime::context;

impl Registration {
    /// What is seen now, if one of `wanted` is; never waits.
    ///
    /// When none is, an event may lie in the kernel: a loop of tries with a yield in between must
    /// see it, and looks come by the pace (`runtime/pace.rs`). So a failing try takes a look itself,
    /// on a thread of this runtime: there tasks may be woken at any call.
    fn seen_now(&self, wanted: Bits) -> io::Result<Seen> {
        let wanted = wanted.without(Bits::SHUTDOWN);
        let mut seen = self.readiness.now();
        if !seen.bits().meets(wanted)
            && context::is_in(&self.handle)
            && let Some(mut turn) = self.handle.driver().try_turn()
        {
            self.handle.driver().look(&mut turn);
            seen = self.readiness.now();
        }
        if !seen.bits().meets(wanted) {
            // Not before: what has come before the end may still be taken.
            seen.check_shutdown()?;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(seen)
    }

    /// Tries a system call of ours once, if it is worth a try; never waits.
    pub(crate) fn try_now<R>(
        &self,
        direction: Direction,
        attempt: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        let seen = self.seen_now(direction.wanted())?;
        self.attempt(seen, direction.wanted(), attempt, |_| false)
    }

    /// Tries the user's own system call once, if `interest` is ready.
    ///
    /// When it gives WouldBlock the readiness is cleared, but not the end of the stream: this
    /// closure may say so without having asked the kernel.
    ///
    /// # Errors
    ///
    /// WouldBlock when it is not ready, or what `attempt` gives.
    pub(crate) fn try_io<R>(
        &self,
        interest: Interest,
        attempt: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        let wanted = bits_of(interest).with(Bits::ERROR);
        let seen = self.seen_now(wanted)?;
        let result = attempt();
        if result
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        {
            self.readiness.clear(seen, wanted);
        }
        result
    }
}
