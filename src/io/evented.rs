//! An OS object with its registration: the one place where "try, would block, wait" is written.
//!
//! ```text
//!   poll_io:  1 spend one unit of the budget         none left: Pending, the task is woken
//!             2 ready, as far as is known?           no: waker stored, wait site left, Pending
//!             3 the system call                      bytes, an error: done
//!             4 would block: deny the readiness,
//!               unless an event came since 2; go to 2
//! ```
//!
//! Step 2 before step 3, because a task that has just emptied its socket need not ask the kernel
//! again: a short read of a stream says that it is empty (epoll(7)) and clears the readiness, so a
//! message costs one read, one write and one epoll_wait.
//! An error of the call keeps the readiness: `accept` without a free fd is tried again at each
//! poll. And it spends budget like a success, or a loop over errors would starve the others.
//!
//! One waker a direction for the `poll_*` methods, a list for the futures of `&self` methods, of
//! which many may wait at once. Why not the list for all: a slot needs no cleaning up.
//! Read next: `net/tcp_stream.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::panic::Location;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::io::interest::{Interest, Ready};
use crate::io::wait::Wait;
use crate::parts::budget;
use crate::parts::slab::Key;
use crate::parts::wait_site::{self, Kind};
use crate::reactor::bits::{Bits, Direction};
use crate::reactor::readiness::{Readiness, Seen};
use crate::reactor::waiters::Place;
use crate::runtime::context;
use crate::runtime::handle::Handle;

/// An fd's place in a runtime's reactor; given back on drop.
pub(crate) struct Registration {
    pub(super) readiness: Arc<Readiness>,
    key: Key,
    /// The number that was registered: also what a wait site shows.
    fd: RawFd,
    /// Keeps the reactor alive; nothing more, a handle does not keep a runtime running.
    pub(super) handle: Handle,
}

/// An OS object and its registration.
///
/// The order of the fields matters: the registration is dropped first, because deregistering
/// must come before close(2), or the number could already be another file's.
pub(crate) struct Evented<S> {
    registration: Registration,
    io: S,
}

impl Registration {
    /// Registers `fd` with the runtime that this thread is in.
    ///
    /// # Errors
    ///
    /// What epoll_ctl(2) says, or that the runtime has ended.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O: both name the remedy.
    #[track_caller]
    fn new(fd: RawFd, interest: Interest, what: &str) -> io::Result<Self> {
        Self::with_handle(fd, interest, what, context::expect(what))
    }

    /// Registers `fd` with the runtime of `handle`.
    #[track_caller]
    fn with_handle(fd: RawFd, interest: Interest, what: &str, handle: Handle) -> io::Result<Self> {
        let reactor = handle.driver().io(what);
        let (key, readiness) = reactor.register(&mut mio::unix::SourceFd(&fd), mio_of(interest))?;
        Ok(Self {
            readiness,
            key,
            fd,
            handle,
        })
    }

    /// Leaves the mark of a wait.
    fn mark(&self, wait: &Wait) {
        wait_site::leave(wait.kind, wait.line, u64::from(self.fd.unsigned_abs()));
    }

    /// Waits in the direction's slot, or with `place` in a list.
    fn poll_seen(
        &self,
        cx: &mut Context<'_>,
        wait: &Wait,
        place: Option<&mut Option<Place>>,
    ) -> Poll<io::Result<Seen>> {
        let seen = match place {
            Some(place) => self.readiness.poll_listed(cx, wait.wanted, place),
            None => self.readiness.poll(cx, wait.wanted),
        };
        match seen {
            Poll::Ready(seen) => Poll::Ready(seen.check_shutdown().map(|()| seen)),
            Poll::Pending => {
                self.mark(wait);
                Poll::Pending
            }
        }
    }

    /// Waits until an operation is worth a try, and tells what was seen.
    ///
    /// A future in a list (`readable()`) spends no budget, as in tokio: programs fill a socket in a
    /// loop of `writable()` and `try_write` that must not end before WouldBlock.
    pub(crate) fn poll_ready(
        &self,
        cx: &mut Context<'_>,
        wait: &Wait,
        place: Option<&mut Option<Place>>,
    ) -> Poll<io::Result<Seen>> {
        if place.is_some() {
            return self.poll_seen(cx, wait, place);
        }
        let spent = ready!(self.poll_budget(cx, wait));
        let seen = ready!(self.poll_seen(cx, wait, place));
        spent.made_progress();
        Poll::Ready(seen)
    }

    /// Waits in its slot until a read is worth a try.
    pub(crate) fn poll_read_ready(
        &self,
        cx: &mut Context<'_>,
        line: &'static Location<'static>,
    ) -> Poll<io::Result<()>> {
        let wait = Wait::of(Direction::Read, Kind::Read, line);
        self.poll_ready(cx, &wait, None).map_ok(|_| ())
    }

    /// Waits in its slot until a write is worth a try.
    pub(crate) fn poll_write_ready(
        &self,
        cx: &mut Context<'_>,
        line: &'static Location<'static>,
    ) -> Poll<io::Result<()>> {
        let wait = Wait::of(Direction::Write, Kind::Write, line);
        self.poll_ready(cx, &wait, None).map_ok(|_| ())
    }

    /// One unit of the task's budget.
    fn poll_budget(&self, cx: &mut Context<'_>, wait: &Wait) -> Poll<budget::Spent> {
        let spent = budget::spend(cx);
        if spent.is_pending() {
            wait_site::leave(Kind::Yield, wait.line, u64::from(self.fd.unsigned_abs()));
        }
        spent
    }

    /// Waits until `attempt` does not block, and gives its result: the drawing in the file's head.
    ///
    /// `drained` tells whether a result says that the next call would block.
    pub(crate) fn poll_io<R>(
        &self,
        cx: &mut Context<'_>,
        wait: &Wait,
        mut place: Option<&mut Option<Place>>,
        mut attempt: impl FnMut() -> io::Result<R>,
        drained: impl Fn(&R) -> bool,
    ) -> Poll<io::Result<R>> {
        let spent = ready!(self.poll_budget(cx, wait));
        let result = loop {
            let seen = match ready!(self.poll_seen(cx, wait, place.as_deref_mut())) {
                Ok(seen) => seen,
                Err(error) => break Err(error),
            };
            match self.attempt(seen, wait.wanted, &mut attempt, &drained) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => break result,
            }
        };
        spent.made_progress();
        Poll::Ready(result)
    }

    /// Runs a system call of ours, and notes what it says about the readiness.
    pub(super) fn attempt<R>(
        &self,
        seen: Seen,
        wanted: Bits,
        mut attempt: impl FnMut() -> io::Result<R>,
        drained: impl Fn(&R) -> bool,
    ) -> io::Result<R> {
        let result = loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        match &result {
            Ok(done) if drained(done) => {
                self.readiness
                    .clear(seen, wanted.both(Bits::READABLE.with(Bits::WRITABLE)));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.readiness.deny(seen, wanted);
            }
            _ => {}
        }
        result
    }

    /// Clears what was seen, unless an event has come since. The end of a stream stays.
    pub(crate) fn clear(&self, seen: Seen, ready: Ready) {
        self.readiness.clear(seen, Bits::from_u8(ready.bits()));
    }

    /// Sees what is known without an event: a stream that has just been connected has room.
    pub(crate) fn assume_writable(&self) {
        self.readiness.assume(Bits::WRITABLE);
    }

    /// Takes a waiter that goes away out of its list.
    pub(crate) fn leave(&self, place: &mut Option<Place>) {
        self.readiness.leave(place);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.handle.driver().is_copy() {
            return;
        }
        let mut source = mio::unix::SourceFd(&self.fd);
        // Fails only when the fd was closed behind our back; then epoll has forgotten it already.
        let _ = self
            .handle
            .driver()
            .io("drop")
            .deregister(self.key, &mut source);
    }
}

/// What mio registers for `interest`. Errors are always reported; alone they need some bit.
fn mio_of(interest: Interest) -> mio::Interest {
    let parts = [
        (interest.is_readable(), mio::Interest::READABLE),
        (interest.is_writable(), mio::Interest::WRITABLE),
        (interest.is_priority(), mio::Interest::PRIORITY),
    ];
    let asked = parts
        .into_iter()
        .filter(|(asked, _)| *asked)
        .map(|(_, part)| part);
    asked
        .reduce(mio::Interest::add)
        .unwrap_or(mio::Interest::READABLE)
}

impl<S: AsRawFd> Evented<S> {
    /// Registers a socket, for both directions.
    ///
    /// # Errors
    ///
    /// As [`Self::with_interest`]; the socket is closed then.
    #[track_caller]
    pub(crate) fn new(io: S, what: &str) -> io::Result<Self> {
        let both = Interest::READABLE.add(Interest::WRITABLE);
        Self::with_interest(io, both, what).map_err(|(_, error)| error)
    }

    /// Registers a socket, for both directions, where `other` is: for accepted connections, which
    /// may be polled outside of a runtime like their listener.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub(crate) fn beside(io: S, other: &Registration) -> io::Result<Self> {
        let both = Interest::READABLE.add(Interest::WRITABLE);
        let handle = other.handle.clone();
        let registration = Registration::with_handle(io.as_raw_fd(), both, "accept", handle)?;
        // A peer that connects has often sent already; and a fresh stream has room.
        registration
            .readiness
            .assume(Bits::READABLE.with(Bits::WRITABLE));
        Ok(Self { registration, io })
    }

    /// Registers any fd.
    ///
    /// # Errors
    ///
    /// What epoll_ctl(2) says, or that the runtime has ended; with the object, to go on with.
    ///
    /// # Panics
    ///
    /// Outside of a runtime, or in one without I/O.
    #[track_caller]
    pub(crate) fn with_interest(
        io: S,
        interest: Interest,
        what: &str,
    ) -> Result<Self, (S, io::Error)> {
        match Registration::new(io.as_raw_fd(), interest, what) {
            Ok(registration) => {
                registration.handle.look_soon();
                Ok(Self { registration, io })
            }
            Err(error) => Err((io, error)),
        }
    }
}

impl<S> Evented<S> {
    /// The object.
    pub(crate) fn get(&self) -> &S {
        &self.io
    }

    /// The object, to change it; its fd must stay the same.
    pub(crate) fn get_mut(&mut self) -> &mut S {
        &mut self.io
    }

    /// Where it waits, and the object to change it.
    pub(crate) fn parts_mut(&mut self) -> (&Registration, &mut S) {
        (&self.registration, &mut self.io)
    }

    /// Where it waits.
    pub(crate) fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Takes it out of the reactor.
    pub(crate) fn into_io(self) -> S {
        drop(self.registration);
        self.io
    }
}

impl<S: fmt::Debug> fmt::Debug for Evented<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.io.fmt(f)
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("fd", &self.fd)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use crate::reactor::waking::Waking;
    use crate::runtime::builder::Builder;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::task::Waker;

    #[test]
    fn events_that_lie_cost_a_try_and_nothing_else() {
        let rt = Builder::new_current_thread().enable_all().build().unwrap();
        let _entered = rt.enter();
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let evented = Evented::new(ours, "test").unwrap();
        let registration = evented.registration();
        let mut cx = Context::from_waker(Waker::noop());
        let (mut tries, mut buf) = (0, [0; 8]);
        let mut read = || {
            let wait = Wait::of(Direction::Read, Kind::Read, Location::caller());
            let attempt = || {
                tries += 1;
                evented.get().read(&mut buf)
            };
            registration.poll_io(&mut cx, &wait, None, attempt, |_| false)
        };
        let lies = [
            Bits::READABLE,
            Bits::READ_CLOSED,
            Bits::ERROR,
            Bits::WRITE_CLOSED,
        ];
        for lie in lies.into_iter().cycle().take(10_000) {
            let mut waking = Waking::new();
            registration.readiness.set(lie, &mut waking);
            assert!(read().is_pending());
            assert!(read().is_pending(), "cleared: the second poll does not try");
        }
        theirs.write_all(b"true").unwrap();
        rt.block_on(std::future::poll_fn(|cx| {
            registration.poll_read_ready(cx, Location::caller())
        }))
        .unwrap();
        assert!(matches!(read(), Poll::Ready(Ok(4))));
        assert_eq!(tries, 7_501, "one for each lie that concerns a reader");
    }
}
