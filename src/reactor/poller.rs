//! epoll through mio: one turn waits for events and wakes who waits for them.
//!
//! ```text
//!   register ─► slot in the table ─► epoll_ctl(ADD, token = slot + generation), edge-triggered
//!
//!   turn:  1 epoll_wait, at most `max_events`
//!          2 lock the table, look up 32 tokens, unlock     a stale token finds nothing
//!          3 each fd: set the bits, collect the wakers
//!          4 wake them; back to 2
//! ```
//!
//! The token is a number, never a pointer: an event that was on its way when its fd was
//! deregistered finds an empty slot or another generation, and is dropped.
//! Each fd is added once, for both directions, and never re-armed: re-arming would cost one
//! `epoll_ctl` a message (228 ns; deleting and adding 1230 ns).
//! A forked child shares the epoll instance with its parent, so there nothing here touches it.
//! Why not one epoll a worker: a socket would be bound to its first worker, however busy.
//! Read next: `runtime/driver.rs`, which turns.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use crate::parts::slab::{Key, Slab};
use crate::reactor::bits::Bits;
use crate::reactor::readiness::Readiness;
use crate::reactor::shutdown::rt_shutdown_error;
use crate::reactor::waking::Waking;
use crate::sys::fork::Process;

/// The token of the reactor's own eventfd: what no slab gives out.
const UNPARK: mio::Token = mio::Token(usize::MAX);

/// Tokens looked up under one lock of the table.
///
/// Unit: events. Source: not tuned; long enough to share the lock, short enough that the first
/// task woken does not wait for the last.
const BATCH: usize = 32;

/// The runtime's epoll instance and the table of what is registered in it.
pub(crate) struct Reactor {
    /// Held by the thread that turns.
    turning: Mutex<Turning>,
    /// Adds and removes fds while another thread waits.
    registry: mio::Registry,
    /// Who is registered.
    table: Mutex<Table>,
    /// An eventfd in the same epoll.
    waker: mio::Waker,
    /// True from an unpark until a turn has seen its event: more of them need no system call.
    unparked: AtomicBool,
    /// Where the epoll instance was made.
    process: Process,
}

/// What one thread at a time may use.
struct Turning {
    poll: mio::Poll,
    /// Room for a turn that may wait.
    events: mio::Events,
    /// Room for a look beside work, if that is to take fewer.
    brief: Option<mio::Events>,
}

/// What is registered.
struct Table {
    /// One entry an fd; its key is the epoll token.
    entries: Slab<Arc<Readiness>>,
    /// True once the runtime has ended.
    shutdown: bool,
}

/// The right to wait for events: one thread at a time.
pub(crate) struct Turn<'a> {
    reactor: &'a Reactor,
    turning: MutexGuard<'a, Turning>,
}

impl Reactor {
    /// An epoll instance that takes at most `max_events` events a turn, and at most `max_brief` in
    /// one that does not wait.
    ///
    /// # Errors
    ///
    /// When an fd cannot be had.
    pub(crate) fn new(max_events: usize, max_brief: Option<usize>) -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let registry = poll.registry().try_clone()?;
        let waker = mio::Waker::new(&registry, UNPARK)?;
        Ok(Self {
            turning: Mutex::new(Turning {
                poll,
                events: mio::Events::with_capacity(max_events),
                brief: max_brief.map(mio::Events::with_capacity),
            }),
            registry,
            table: Mutex::new(Table {
                entries: Slab::new(),
                shutdown: false,
            }),
            waker,
            unparked: AtomicBool::new(false),
            process: Process::this(),
        })
    }

    /// True in a forked child: epoll, eventfd and whoever turns are the parent's.
    #[inline]
    pub(crate) fn is_copy(&self) -> bool {
        self.process.is_another()
    }

    /// The right to turn, unless another thread has it.
    pub(crate) fn try_turn(&self) -> Option<Turn<'_>> {
        let turning = match self.turning.try_lock() {
            Ok(turning) => turning,
            // A waker panicked in an earlier turn; nothing of ours was half done.
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Turn {
            reactor: self,
            turning,
        })
    }

    /// Ends the wait of the thread that turns, or of the next one.
    ///
    /// Cheap when repeated: one atomic operation until a turn has seen it.
    pub(crate) fn unpark(&self) {
        if self.is_copy() {
            return;
        }
        // AcqRel, pairs with the swap in `Turn::turn`: whoever finds `true` relies on a turn that
        // has yet to swap, and its own writes (the work it announces) reach that turn's thread.
        if !self.unparked.swap(true, Ordering::AcqRel) {
            // Fails only when the eventfd is gone, which lives as long as `self`.
            self.waker
                .wake()
                .expect("reactor: cannot write to its own eventfd");
        }
    }

    /// The table; nothing that can panic runs under the lock.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers an OS object once, edge-triggered.
    ///
    /// What was ready before is reported by the next turn, so nothing is missed.
    ///
    /// # Errors
    ///
    /// What `epoll_ctl(2)` says (EPERM for a file that is always ready), that the runtime has
    /// ended, or that this is a forked child.
    pub(crate) fn register(
        &self,
        source: &mut dyn mio::event::Source,
        interest: mio::Interest,
    ) -> io::Result<(Key, Arc<Readiness>)> {
        if self.is_copy() {
            return Err(forked_error());
        }
        let readiness = Arc::new(Readiness::new());
        let key = {
            let mut table = self.table();
            if table.shutdown {
                return Err(rt_shutdown_error());
            }
            table.entries.insert(readiness.clone())
        };
        // In the table before in epoll, or its first edge could find nothing.
        let added = source.register(&self.registry, token_of(key), interest);
        if let Err(error) = added {
            let _entry = self.table().entries.remove(key);
            return Err(error);
        }
        Ok((key, readiness))
    }

    /// Takes it out again; must come before close(2).
    ///
    /// # Errors
    ///
    /// What `epoll_ctl(2)` says; the entry is gone in any case. A forked child leaves both alone.
    pub(crate) fn deregister(
        &self,
        key: Key,
        source: &mut dyn mio::event::Source,
    ) -> io::Result<()> {
        if self.is_copy() {
            // The parent still waits for this very file.
            return Ok(());
        }
        let removed = source.deregister(&self.registry);
        // Dropped after the lock: the last reference drops wakers.
        let _entry = self.table().entries.remove(key);
        removed
    }

    /// Registers an fd for reading, for one who looks at `take_readable` after each turn.
    ///
    /// # Errors
    ///
    /// As [`Self::register`].
    pub(crate) fn watch(&self, fd: BorrowedFd<'_>) -> io::Result<(Key, Arc<Readiness>)> {
        self.register(
            &mut mio::unix::SourceFd(&fd.as_raw_fd()),
            mio::Interest::READABLE,
        )
    }

    /// Wakes everybody who waits; from now on all waiting fails.
    pub(crate) fn shutdown(&self) {
        let entries: Vec<Arc<Readiness>> = {
            let mut table = self.table();
            table.shutdown = true;
            table
                .entries
                .iter()
                .map(|(_, readiness)| readiness.clone())
                .collect()
        };
        let mut waking = Waking::new();
        for readiness in entries {
            readiness.set(Bits::SHUTDOWN, &mut waking);
        }
        waking.finish();
    }

    /// How many fds are registered.
    pub(crate) fn registered(&self) -> usize {
        self.table().entries.len()
    }
}

impl Turn<'_> {
    /// Waits for events (`None`: until unparked) and wakes who waits for them.
    ///
    /// Returns how many tasks it woke, an unpark counted as one: zero says that nothing came. A
    /// signal handler that interrupts the wait ends it.
    ///
    /// # Errors
    ///
    /// What `epoll_wait(2)` says, which for a healthy epoll is nothing; or that this is a forked
    /// child.
    pub(crate) fn turn(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        if self.reactor.is_copy() {
            return Err(forked_error());
        }
        let Turning {
            poll,
            events,
            brief,
        } = &mut *self.turning;
        let events = match brief {
            Some(brief) if timeout == Some(Duration::ZERO) => brief,
            _ => events,
        };
        match poll.poll(events, timeout) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(0),
            Err(error) => return Err(error),
        }
        let mut waking = Waking::new();
        let mut unparked = 0;
        let mut found: [Option<(Arc<Readiness>, Bits)>; BATCH] = [const { None }; BATCH];
        let mut events = events.iter().peekable();
        while events.peek().is_some() {
            {
                let table = self.reactor.table();
                // `found` first: zip would lose the event that it had no place for.
                for (found, event) in found.iter_mut().zip(events.by_ref()) {
                    if event.token() == UNPARK {
                        self.reactor.saw_unpark();
                        unparked = 1;
                    } else if let Some(readiness) = table.entries.get(key_of(event.token())) {
                        *found = Some((readiness.clone(), bits_of(event)));
                    }
                }
            }
            for (readiness, bits) in found.iter_mut().filter_map(Option::take) {
                readiness.set(bits, &mut waking);
            }
            waking.wake_all();
        }
        Ok(waking.finish() + unparked)
    }
}

impl Reactor {
    /// A turn has taken the eventfd's edge.
    fn saw_unpark(&self) {
        // AcqRel, pairs with the swap in `unpark`: an unpark before this one in the word's order
        // is answered by this turn, and its writes are visible now; one after it writes again.
        self.unparked.swap(false, Ordering::AcqRel);
    }
}

impl fmt::Debug for Reactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor")
            .field("registered", &self.registered())
            .finish_non_exhaustive()
    }
}

/// Why nothing works in a forked child.
fn forked_error() -> io::Error {
    io::Error::other("this process is a fork of the runtime's; build a new runtime in it")
}

/// The epoll token of a key.
fn token_of(key: Key) -> mio::Token {
    mio::Token(key.to_u64() as usize)
}

/// The key behind an epoll token.
fn key_of(token: mio::Token) -> Key {
    Key::from_u64(token.0 as u64)
}

/// What an event says.
fn bits_of(event: &mio::event::Event) -> Bits {
    [
        (event.is_readable(), Bits::READABLE),
        (event.is_writable(), Bits::WRITABLE),
        (event.is_read_closed(), Bits::READ_CLOSED),
        (event.is_write_closed(), Bits::WRITE_CLOSED),
        (event.is_priority(), Bits::PRIORITY),
        (event.is_error(), Bits::ERROR),
    ]
    .into_iter()
    .filter(|(is, _)| *is)
    .fold(Bits::EMPTY, |set, (_, bit)| set.with(bit))
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use crate::reactor::bits::Direction;
    use crate::reactor::readiness::Seen;
    use std::io::Write;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::task::{Context, Poll, Wake, Waker};

    /// A waker whose wake panics.
    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a foreign waker");
        }
    }

    /// Polls `readiness` for reading.
    fn poll(readiness: &Readiness, waker: &Waker) -> Poll<Seen> {
        readiness.poll(&mut Context::from_waker(waker), Direction::Read.wanted())
    }

    #[test]
    fn a_turn_reports_each_fd_even_when_a_waker_panics() {
        let reactor = Reactor::new(1024, None).unwrap();
        let pairs: Vec<_> = (0..100).map(|_| UnixStream::pair().unwrap()).collect();
        let registered: Vec<_> = pairs
            .iter()
            .map(|(a, _)| reactor.watch(a.as_fd()))
            .collect();
        let waker = Waker::from(Arc::new(Panics));
        for (registered, (_, b)) in registered.iter().zip(&pairs) {
            let (_, readiness) = registered.as_ref().unwrap();
            assert!(poll(readiness, &waker).is_pending());
            (&mut &*b).write_all(b"!").unwrap();
        }
        let mut turn = reactor.try_turn().unwrap();
        assert!(
            reactor.try_turn().is_none(),
            "two threads must not wait at once"
        );
        let zero = Some(Duration::ZERO);
        crate::parts::unwind::catch(|| turn.turn(zero)).unwrap_err();
        for registered in &registered {
            let (_, readiness) = registered.as_ref().unwrap();
            assert!(poll(readiness, Waker::noop()).is_ready());
        }
        assert_eq!(turn.turn(zero).unwrap(), 0, "an edge is told once");
    }

    #[test]
    fn the_key_of_a_closed_fd_finds_nothing() {
        let reactor = Reactor::new(16, None).unwrap();
        let (a, b) = UnixStream::pair().unwrap();
        let (old, _) = reactor.watch(a.as_fd()).unwrap();
        (&b).write_all(b"late").unwrap();
        reactor
            .deregister(old, &mut mio::unix::SourceFd(&a.as_raw_fd()))
            .unwrap();
        drop(a);
        let (c, _d) = UnixStream::pair().unwrap();
        let (new, readiness) = reactor.watch(c.as_fd()).unwrap();
        // The lower half of a key is its slot.
        assert_eq!(old.to_u64() as u32, new.to_u64() as u32);
        assert_eq!(reactor.registered(), 1);
        assert!(reactor.table().entries.get(key_of(token_of(old))).is_none());
        assert!(reactor.table().entries.get(key_of(token_of(new))).is_some());
        reactor
            .try_turn()
            .unwrap()
            .turn(Some(Duration::ZERO))
            .unwrap();
        assert!(poll(&readiness, Waker::noop()).is_pending());
    }

    #[test]
    fn an_unpark_ends_one_wait_and_is_never_lost() {
        let reactor = Reactor::new(16, None).unwrap();
        let rounds = 1000;
        let done = std::sync::Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..rounds {
                    reactor.unpark();
                    reactor.unpark();
                    done.wait();
                    done.wait();
                }
            });
            for _ in 0..rounds {
                // A lost unpark would hang here.
                reactor.try_turn().unwrap().turn(None).unwrap();
                done.wait();
                // The second one may have come after the turn; this one takes it.
                reactor
                    .try_turn()
                    .unwrap()
                    .turn(Some(Duration::ZERO))
                    .unwrap();
                assert!(!reactor.unparked.load(Ordering::Relaxed));
                done.wait();
            }
        });
    }
}
