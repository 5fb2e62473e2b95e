//! Channels and locks that know only wakers.

pub(crate) mod barrier;
pub(crate) mod cancellation_token;
pub mod mpsc;
pub(crate) mod mpsc_queue;
pub(crate) mod mutex;
pub(crate) mod mutex_owned;
pub(crate) mod notify;
pub mod oneshot;
pub(crate) mod semaphore;
pub(crate) mod wait;
