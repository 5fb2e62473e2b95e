//! The knobs of a runtime, as the builder leaves them: with unit, default and source.
//!
//! Read next: `runtime/handle.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::parts::unwind;

/// A hook: called on a runtime's own threads.
pub(crate) type Hook = Arc<dyn Fn() + Send + Sync>;

/// What makes a thread's name.
pub(crate) type ThreadName = Arc<dyn Fn() -> String + Send + Sync>;

/// Polls after which sockets and timers are looked at, at the latest.
///
/// Unit: polls. Source: tokio's documented default (61), after Go's `schedtick%61`; the look comes
/// earlier when polls are long (`runtime/pace.rs`).
pub(crate) const EVENT_INTERVAL: u32 = 61;

/// Pops after which work from outside, or work that stepped back, comes before a worker's own.
///
/// Unit: pops. Source: tokio's documented default for one thread (31).
pub(crate) const GLOBAL_QUEUE_INTERVAL: u32 = 31;

/// Events taken from epoll a turn.
///
/// Unit: events. Source: tokio's documented default.
pub(crate) const EVENTS_PER_TURN: usize = 1024;

/// Threads for work that blocks, at most.
///
/// Unit: threads. Source: tokio's documented default.
pub(crate) const BLOCKING_THREADS: usize = 512;

/// How long a thread for work that blocks waits for the next job.
///
/// Source: tokio's documented default.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Everything a runtime's parts need to know.
#[derive(Clone)]
pub(crate) struct Config {
    /// What `dump()` calls it.
    pub(crate) name: Option<String>,
    /// See [`EVENT_INTERVAL`].
    pub(crate) event_interval: u32,
    /// See [`GLOBAL_QUEUE_INTERVAL`].
    pub(crate) global_queue_interval: u32,
    /// Names of all threads.
    pub(crate) thread_name: ThreadName,
    /// Stack of all threads in bytes; `None`: std's default, 2 MiB.
    pub(crate) thread_stack_size: Option<usize>,
    /// On each thread, before it does anything.
    pub(crate) on_thread_start: Option<Hook>,
    /// On each thread, before it ends.
    pub(crate) on_thread_stop: Option<Hook>,
    /// On a worker, before it waits.
    pub(crate) on_thread_park: Option<Hook>,
    /// On a worker, after it waited.
    pub(crate) on_thread_unpark: Option<Hook>,
}

impl Config {
    /// A builder for one of the runtime's threads.
    pub(crate) fn thread(&self) -> std::thread::Builder {
        let builder = std::thread::Builder::new().name((self.thread_name)());
        match self.thread_stack_size {
            Some(bytes) => builder.stack_size(bytes),
            None => builder,
        }
    }
}

/// Calls a hook, if there is one; true if there is.
///
/// A hook that panics has said so on stderr; its thread goes on. A worker that died of it would
/// take its queues along.
pub(crate) fn call(hook: &Option<Hook>) -> bool {
    if let Some(hook) = hook {
        _ = unwind::catch(|| hook());
    }
    hook.is_some()
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("event_interval", &self.event_interval)
            .field("global_queue_interval", &self.global_queue_interval)
            .field("thread_stack_size", &self.thread_stack_size)
            .finish_non_exhaustive()
    }
}
