//! Time: sleeping, time-outs, intervals, and the wheel under them.
//!
//! Files in reading order: `wheel` (the data structure), `clock` (what time it is), `timer` (both
//! together), then what programs use: `sleep`, `timeout`, `interval`, `pause`.

pub(crate) mod clock;
pub mod error;
pub(crate) mod interval;
pub(crate) mod send_timeout;
pub(crate) mod sleep;
pub(crate) mod timeout;
pub(crate) mod timer;
pub(crate) mod wheel;
