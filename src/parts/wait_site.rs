//! Where the running task waits: a leaf future that is `Pending` leaves its mark here.
//!
//! ```text
//!   user's line ──► tcp.read(&mut buf)      #[track_caller]: the future remembers the line
//!                        │ poll: Pending
//!                        ▼
//!                 leave(kind, line, resource)      this file, a thread-local
//!                        │ the poll loop, after the poll
//!                        ▼
//!                 the task's wait slot             task/wait_slot.rs, read by dump()
//! ```
//!
//! The detour over a thread-local keeps leaves free of tasks: the same `recv()` works on any
//! executor, where its mark is simply overwritten by the next one.
//! Read next: `task/wait_slot.rs`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::fmt;
use std::panic::Location;
use std::task::{Context, Poll, ready};

use crate::parts::budget;

/// What a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// A leaf that is none of trefoil's.
    Unknown = 0,
    /// A timer; the resource is its deadline in ms since the runtime's start.
    Sleep,
    /// A listener; the resource is the fd.
    Accept,
    /// A connection being made; the resource is the fd.
    Connect,
    /// Bytes to come; the resource is the fd.
    Read,
    /// Room for bytes; the resource is the fd.
    Write,
    /// A mutex or read-write lock; the resource is its address.
    Lock,
    /// Permits; the resource is the semaphore's address.
    Semaphore,
    /// A `Notify`, barrier or token; the resource is its address.
    Notify,
    /// A message; the resource is the channel's address.
    ChannelRecv,
    /// Room in a channel, or its end; the resource is the channel's address.
    ChannelSend,
    /// Another task; the resource is its id.
    Join,
    /// A closure on the blocking pool; the resource is its task id.
    BlockingJob,
    /// A job of the thread pool.
    PoolJob,
    /// A job of the process pool.
    ProcessJob,
    /// A child process; the resource is its pid.
    Child,
    /// A signal; the resource is its number.
    Signal,
    /// Its next turn: the task stepped back by itself.
    Yield,
}

impl Kind {
    /// The kind behind `kind as u8`.
    pub(crate) fn from_u8(number: u8) -> Self {
        const ALL: [Kind; 18] = [
            Kind::Unknown,
            Kind::Sleep,
            Kind::Accept,
            Kind::Connect,
            Kind::Read,
            Kind::Write,
            Kind::Lock,
            Kind::Semaphore,
            Kind::Notify,
            Kind::ChannelRecv,
            Kind::ChannelSend,
            Kind::Join,
            Kind::BlockingJob,
            Kind::PoolJob,
            Kind::ProcessJob,
            Kind::Child,
            Kind::Signal,
            Kind::Yield,
        ];
        ALL.get(usize::from(number))
            .copied()
            .unwrap_or(Kind::Unknown)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown leaf",
            Self::Sleep => "sleep",
            Self::Accept => "accept",
            Self::Connect => "connect",
            Self::Read => "read",
            Self::Write => "write",
            Self::Lock => "lock",
            Self::Semaphore => "semaphore",
            Self::Notify => "notify",
            Self::ChannelRecv => "channel-recv",
            Self::ChannelSend => "channel-send",
            Self::Join => "join",
            Self::BlockingJob => "blocking-job",
            Self::PoolJob => "pool-job",
            Self::ProcessJob => "process-job",
            Self::Child => "child",
            Self::Signal => "signal",
            Self::Yield => "yield",
        })
    }
}

/// A mark: the user's line, what for, and which one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WaitSite {
    /// The line of the user's call.
    pub(crate) location: &'static Location<'static>,
    /// What it waits for.
    pub(crate) kind: Kind,
    /// Which one, as [`Kind`] says; 40 bits of it are kept.
    pub(crate) resource: u64,
}

impl WaitSite {
    /// A job of the process pool, awaited at `location`.
    pub(crate) fn job(location: &'static Location<'static>) -> Self {
        Self {
            kind: Kind::ProcessJob,
            location,
            resource: 0,
        }
    }
}

thread_local! {
    /// The last mark of the poll that runs on this thread.
    static SITE: Cell<Option<WaitSite>> = const { Cell::new(None) };
}

/// Leaves a mark: called by a leaf just before it returns `Pending`.
#[inline]
pub(crate) fn leave(kind: Kind, location: &'static Location<'static>, resource: u64) {
    SITE.with(|site| {
        site.set(Some(WaitSite {
            location,
            kind,
            resource,
        }))
    });
}

/// One poll of a leaf, with what all leaves owe: a unit of the budget, which stays spent if the leaf
/// got on, or else the mark.
#[inline]
pub(crate) fn poll_leaf<T>(
    cx: &mut Context<'_>,
    site: WaitSite,
    poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
) -> Poll<T> {
    let spent = ready!(budget::spend(cx));
    let result = poll(cx);
    match result {
        Poll::Ready(_) => spent.made_progress(),
        Poll::Pending => leave(site.kind, site.location, site.resource),
    }
    result
}

/// Takes the mark: called by the poll loop after a poll that was `Pending`.
#[inline]
pub(crate) fn take() -> Option<WaitSite> {
    SITE.with(Cell::take)
}
