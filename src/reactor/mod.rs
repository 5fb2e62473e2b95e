//! The reactor: epoll through mio, turned into wake-ups.

pub(crate) mod poller;
pub(crate) mod readiness;
