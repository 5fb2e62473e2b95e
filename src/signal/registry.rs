//! Who listens to which signal: one table for the whole process.
//!
//! ```text
//!   handler: flag + byte ──► pipe ──► epoll of every runtime that has asked for signals
//!                                            │ the first one to turn
//!                                            ▼
//!                                          drain:  SIGTERM: deliveries 4 → 5
//!                                                  wake its listeners: [seen 4] [seen 4] …
//! ```
//!
//! A listener compares the number of deliveries it has seen with the table's. So signals that come
//! while it does something else count as one, the last is never lost, and each listener sees it,
//! in whatever runtime it waits.
//!
//! All runtimes have the same end of the pipe in their epoll. Whoever is first empties it and
//! serves the listeners of all; the others find nothing. Why not a pipe for each runtime: the
//! handler would have to walk over a list of them while others change it.
//! Read next: `signal/unix.rs`.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::parts::slab::Key;
use crate::sync::wait::{Left, More, WaitQueue, wake_in_batches};
use crate::sys::signal as sys;

/// What can only crash, or cannot be caught: sigaction(2) refuses the first two, and a handler
/// that returns from the others would run the same wrong instruction again, for ever.
const FORBIDDEN: [c_int; 5] = [
    sys::SIGKILL,
    sys::SIGSTOP,
    sys::SIGILL,
    sys::SIGFPE,
    sys::SIGSEGV,
];

/// The pipe, and the process that made it.
struct Pipe {
    /// The end to read from. Never closed.
    read: OwnedFd,
    /// A child forked without exec has this struct too, but the pipe is not its own.
    owner: u32,
}

/// A signal that has its handler.
struct Watched {
    /// How often it has been found to have come.
    deliveries: u64,
    /// Who waits for the next one, each with the number of deliveries when it came.
    waiting: WaitQueue<u64>,
}

/// Made at the first call of `signal`.
static PIPE: OnceLock<Pipe> = OnceLock::new();

/// All signals that have been listened to; none is ever taken out. Guards the making of PIPE too.
static WATCHED: Mutex<BTreeMap<c_int, Watched>> = Mutex::new(BTreeMap::new());

/// Locks the table.
fn watched() -> MutexGuard<'static, BTreeMap<c_int, Watched>> {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The pipe's end that becomes readable when a signal has come: for a runtime's epoll.
///
/// # Errors
///
/// When there is no pipe and none can be made; in a forked child of a process that has one.
pub(crate) fn pipe() -> io::Result<BorrowedFd<'static>> {
    let pipe = match PIPE.get() {
        Some(pipe) => pipe,
        None => {
            let _only_one_makes_it = watched();
            match PIPE.get() {
                Some(pipe) => pipe,
                None => {
                    let read = sys::open_pipe()?;
                    PIPE.get_or_init(|| Pipe {
                        read,
                        owner: std::process::id(),
                    })
                }
            }
        }
    };
    if pipe.owner != std::process::id() {
        return Err(io::Error::other(
            "signal: this process was forked from one that listens to signals, and shares its \
             pipe; exec first, or listen only in the child",
        ));
    }
    Ok(pipe.read.as_fd())
}

/// Takes in what has come and wakes who waits for it: called by the driver when the pipe was
/// readable, after each such turn.
pub(crate) fn drain() {
    let Ok(read) = pipe() else {
        // A forked child: what is in the pipe is for its parent.
        return;
    };
    sys::empty_pipe(read);
    wake_in_batches(|wakers| {
        let mut table = watched();
        count_arrived(&mut table);
        for watched in table.values_mut() {
            // Who came after the delivery waits for the next one.
            while let Some(key) = watched.waiting.front()
                && watched.waiting.value(key) < Some(&watched.deliveries)
            {
                if wakers.is_full() {
                    return More::Yes;
                }
                if let Some(waker) = watched.waiting.call(key) {
                    wakers.push(waker);
                }
            }
        }
        More::No
    });
}

/// Moves the handler's flags to the counts.
fn count_arrived(table: &mut BTreeMap<c_int, Watched>) {
    for signal in sys::take_arrived() {
        if let Some(watched) = table.get_mut(&signal) {
            watched.deliveries += 1;
        }
    }
}

/// One who listens to one signal.
pub(crate) struct Listener {
    signal: c_int,
    /// The table's count when it last looked.
    seen: u64,
    /// Its place among the waiting.
    place: Option<Key>,
}

impl Listener {
    /// Listens from now on. The first listener of a signal installs the handler.
    ///
    /// # Errors
    ///
    /// For a number that is no signal, or one that must not be caught; as [`pipe`] says.
    pub(crate) fn new(signal: c_int) -> io::Result<Self> {
        if FORBIDDEN.contains(&signal) {
            let text = format!("signal {signal} cannot be listened to: it kills, stops or crashes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if !(1..=sys::LAST).contains(&signal) {
            let text = format!("there is no signal {signal}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        pipe()?;
        let mut table = watched();
        // What came before is not for this listener. Those who wait for it are woken by the
        // `drain` that its byte leads to.
        count_arrived(&mut table);
        let seen = match table.get(&signal) {
            Some(watched) => watched.deliveries,
            None => {
                sys::install(signal)?;
                let waiting = WaitQueue::new();
                table.insert(
                    signal,
                    Watched {
                        deliveries: 0,
                        waiting,
                    },
                );
                0
            }
        };
        Ok(Self {
            signal,
            seen,
            place: None,
        })
    }

    /// The signal's number.
    pub(crate) fn signal(&self) -> c_int {
        self.signal
    }

    /// Ready when the signal has come since the last time it was ready.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // Declared before the guard, so dropped after it: a waker's drop is foreign code.
        let mut spare: Option<Waker> = None;
        let mut _left: Option<Left<u64>> = None;
        loop {
            {
                let mut table = watched();
                let Some(watched) = table.get_mut(&self.signal) else {
                    unreachable!("a watched signal stays in the table");
                };
                if watched.deliveries != self.seen {
                    self.seen = watched.deliveries;
                    _left = self.place.take().and_then(|key| watched.waiting.leave(key));
                    return Poll::Ready(());
                }
                // Called is out of the line; it happens only together with a delivery.
                if let Some(key) = self.place {
                    if watched.waiting.refresh(key, cx.waker(), &mut spare) {
                        return Poll::Pending;
                    }
                } else if spare.is_some() {
                    self.place = Some(watched.waiting.enter(spare.take(), watched.deliveries));
                    return Poll::Pending;
                }
            }
            spare = Some(cx.waker().clone());
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some(key) = self.place else { return };
        let mut table = watched();
        let left = table
            .get_mut(&self.signal)
            .and_then(|watched| watched.waiting.leave(key));
        drop(table);
        // Its waker, dropped after unlocking.
        drop(left);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("signal", &self.signal)
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
