//! The reactor: epoll through mio, turned into wake-ups.
//!
//! An fd's owner waits in its [`Readiness`](readiness::Readiness); the thread that turns the
//! [`Reactor`](poller::Reactor) sets the bits there and wakes. In reading order:

pub(crate) mod bits;

pub(crate) mod shutdown;

pub(crate) mod waiters;

pub(crate) mod readiness;

pub(crate) mod waking;

pub(crate) mod poller;
