//! Time: sleeping, time-outs, intervals, and the wheel under them.
//!
//! A timer is a number in a wheel and a waker. `sleep` puts both there; the driver, between two
//! waits, fires what has fallen due. Times are exact to a millisecond, and never early.
//!
//! ```
//! use trefoil::time::{Duration, sleep, timeout};
//!
//! # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # rt.block_on(async {
//! let slow = sleep(Duration::from_secs(60));
//! assert!(timeout(Duration::from_millis(2), slow).await.is_err());
//! # });
//! ```
//!
//! Files in reading order: `wheel` (the data structure), `clock` (what time it is), `nearest`
//! (who sleeps until when), `timer` (all together), then what programs use: `sleep`, `timeout`,
//! `interval`, `pause`, `send_timeout`.

pub(crate) mod wheel;

pub(crate) mod clock;

pub(crate) mod nearest;

pub(crate) mod timer;

pub(crate) mod sleep;

pub mod error;

pub(crate) mod timeout;

pub(crate) mod interval;

pub(crate) mod pause;

pub(crate) mod send_timeout;

pub use std::time::Duration;

pub use clock::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use pause::{advance, pause, resume, set_auto_advance};
pub use sleep::{Sleep, sleep, sleep_until};
pub use timeout::{Timeout, timeout, timeout_at};

/// The futures of this chapter that are not named otherwise.
///
/// Not `futures`: programs write `use tokio::time::*` and have a crate of that name.
pub mod awaitables {
    pub use crate::time::interval::Tick;
    pub use crate::time::pause::Advance;
    pub use crate::time::send_timeout::SendTimeout;
}
