//! The driver's part for one worker: its socket, its pidfd, its output.
//!
//! ```text
//!   readable ──► bytes ──► Inbox ──► messages ──► Visit::message ──► violation? ─► killed
//!   end of file ──► it has closed its end: killed, if it lives
//!   pidfd ──► the rest of the socket, the rest of the output ──► reaped ──► Visit::died
//! ```
//!
//! Read next: `processes/driver.rs`.

#![forbid(unsafe_code)]

use std::io::{self, PipeReader};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::io::async_fd::AsyncFd;
use crate::io::interest::Interest;
use crate::parts::slab::Key;
use crate::processes::after::Evidence;
use crate::processes::core::Core;
use crate::processes::core_mail::DYING;
use crate::processes::error::Violation;
use crate::processes::events::Event;
use crate::processes::inbox::Inbox;
use crate::processes::launch::Made;
use crate::processes::output::Capture;
use crate::sys::passing;
use crate::sys::pidfd::Child;

/// Reads from one worker before the others have their turn. Not tuned.
const READS: usize = 8;
/// Bytes that are read at most after a worker's end: more than a socket or a pipe holds, so that
/// a grandchild that goes on writing does not keep us.
const LAST_WORDS: usize = 4 << 20;

/// What one look at a worker found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pumped {
    /// Nothing.
    Nothing,
    /// Something: look again.
    Something,
    /// It is gone.
    Over,
}

/// One captured stream.
struct Stream {
    pipe: AsyncFd<PipeReader>,
    capture: Capture,
    ended: bool,
}

/// One worker's descriptors, registered with the runtime.
pub(crate) struct Watch {
    key: Key,
    child: Arc<Child>,
    socket: AsyncFd<Arc<OwnedFd>>,
    pidfd: AsyncFd<Arc<OwnedFd>>,
    stdout: Option<Stream>,
    stderr: Option<Stream>,
    inbox: Inbox,
    /// Nothing more is read: the end came, or a violation.
    deaf: bool,
    /// It ended with something unread.
    unread: bool,
    /// While it is open, the worker may live.
    _lifeline: io::PipeWriter,
}

impl Stream {
    /// Registers one.
    fn new(pipe: PipeReader, capture: Capture) -> io::Result<Self> {
        Ok(Self {
            pipe: AsyncFd::with_interest(pipe, Interest::READABLE)?,
            capture,
            ended: false,
        })
    }

    /// Reads what is there.
    fn pump(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) {
        while !self.ended {
            let Poll::Ready(Ok(mut guard)) = self.pipe.poll_read_ready(cx) else {
                return;
            };
            match self.capture.read(guard.get_inner(), buffer) {
                Ok(0) => self.finish(),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(_) => self.finish(),
            }
        }
    }

    /// Reads the rest after the worker's end.
    fn drain(&mut self, buffer: &mut [u8]) {
        let mut total = 0;
        while !self.ended && total < LAST_WORDS {
            match self.capture.read(self.pipe.get_ref(), buffer) {
                Ok(0) | Err(_) => self.finish(),
                Ok(count) => total += count,
            }
        }
        self.finish();
    }

    /// It is over.
    fn finish(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.capture.finish();
        }
    }
}

/// A Unix socket whose peer closed it with unread bytes says ECONNRESET instead of an end.
fn left_unread(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ConnectionReset
}

impl Watch {
    /// Registers a worker's descriptors.
    ///
    /// # Errors
    ///
    /// The worker, when that cannot be done.
    pub(crate) fn new(key: Key, made: Made, core: &Core) -> Result<Self, Arc<Child>> {
        let child = Arc::clone(&made.child);
        Self::register(key, made, core).map_err(|_| child)
    }

    /// The same, with the reason.
    fn register(key: Key, made: Made, core: &Core) -> io::Result<Self> {
        let (child, recipe) = (made.child, &core.setup.recipe);
        let stream = |pipe: Option<PipeReader>, output| {
            let capture = Capture::new(output, child.pid());
            pipe.map(|pipe| Stream::new(pipe, capture)).transpose()
        };
        Ok(Self {
            key,
            socket: AsyncFd::new(made.socket)?,
            pidfd: AsyncFd::with_interest(Arc::clone(child.pidfd()), Interest::READABLE)?,
            stdout: stream(made.stdout, recipe.stdout.clone())?,
            stderr: stream(made.stderr, recipe.stderr.clone())?,
            inbox: Inbox::new(core.setup.max_message),
            deaf: false,
            unread: false,
            _lifeline: made.lifeline,
            child,
        })
    }

    /// One look.
    pub(crate) fn pump(
        &mut self,
        cx: &mut Context<'_>,
        core: &Arc<Core>,
        buffer: &mut [u8],
    ) -> Pumped {
        for stream in [&mut self.stdout, &mut self.stderr].into_iter().flatten() {
            stream.pump(cx, buffer);
        }
        let happened = self.read(cx, core, buffer) | self.write(cx, core);
        if self.pidfd.poll_read_ready(cx).is_ready() && self.bury(core, buffer) {
            return Pumped::Over;
        }
        if happened {
            Pumped::Something
        } else {
            Pumped::Nothing
        }
    }

    /// Reads messages. True when there may be more.
    fn read(&mut self, cx: &mut Context<'_>, core: &Arc<Core>, buffer: &mut [u8]) -> bool {
        for _ in 0..READS {
            if self.deaf {
                return false;
            }
            let Poll::Ready(Ok(mut guard)) = self.socket.poll_read_ready(cx) else {
                return false;
            };
            match passing::receive(guard.get_inner().as_fd(), buffer, false) {
                Ok(received) => {
                    // A short read has emptied the socket; an event that comes later stays.
                    if received.len > 0 && received.len < buffer.len() {
                        guard.clear_ready();
                    }
                    drop(guard);
                    self.take(core, buffer, &received);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) => {
                    drop(guard);
                    self.unread |= left_unread(&error);
                    self.give_up(core);
                }
            }
        }
        true
    }

    /// Reads without having been told that something is there. True when something was; an end is
    /// left to [`pump`](Self::pump).
    pub(crate) fn look(&mut self, core: &Arc<Core>, buffer: &mut [u8]) -> bool {
        let socket = self.socket.get_ref().as_fd();
        match passing::receive(socket, buffer, false) {
            Ok(received) if received.len > 0 && !self.deaf => {
                self.take(core, buffer, &received);
                true
            }
            _ => false,
        }
    }

    /// Bytes have come.
    fn take(&mut self, core: &Arc<Core>, buffer: &[u8], received: &passing::Received) {
        if received.len == 0 {
            return self.give_up(core);
        }
        let mut messages = Vec::new();
        let bytes = &buffer[..received.len];
        let mut result = self.inbox.feed(bytes, |message| messages.push(message));
        if !received.fds.is_empty() || received.cut {
            // No frame announces any: nothing that came with them counts.
            messages.clear();
            result = Err(Violation::Descriptors);
        }
        let key = self.key;
        let wrong = core.visit(|visit| {
            for message in messages {
                visit.message(key, message)?;
            }
            result
        });
        if let Err(violation) = wrong {
            // What follows means nothing.
            self.deaf = true;
            core.visit(|visit| visit.feed(Event::Violated(key, violation), Evidence::None));
        }
    }

    /// Its end of the socket is closed: it can neither be heard nor told anything.
    fn give_up(&mut self, core: &Arc<Core>) {
        self.deaf = true;
        // A process that ends closes its descriptors just before it is dead: killed only if it
        // lives on, or its error would say that we had killed it.
        if !self.child.dies_within(DYING) {
            core.visit(|visit| visit.kill(self.key));
        }
    }

    /// Writes what did not fit before. True when the socket took something.
    fn write(&mut self, cx: &mut Context<'_>, core: &Arc<Core>) -> bool {
        let key = self.key;
        while core.visit(|visit| visit.has_mail(key)) {
            let Poll::Ready(Ok(mut guard)) = self.socket.poll_write_ready(cx) else {
                return false;
            };
            if core.visit(|visit| visit.flush_one(key)) {
                return true;
            }
            guard.clear_ready();
        }
        false
    }

    /// The pidfd is readable. False when it was a false alarm.
    fn bury(&mut self, core: &Arc<Core>, buffer: &mut [u8]) -> bool {
        if !core.visit(|visit| visit.knows(self.key)) {
            // The pool was closed, which has reaped it.
            return true;
        }
        let Some(exit) = self.child.try_reap() else {
            return false;
        };
        // Reaped first: only a dead worker's socket has an end.
        let mut total = 0;
        while !self.deaf && total < LAST_WORDS {
            match passing::receive(self.socket.get_ref().as_fd(), buffer, false) {
                Ok(received) if received.len > 0 => {
                    total += received.len;
                    self.take(core, buffer, &received);
                }
                Err(error) => {
                    self.unread |= left_unread(&error);
                    break;
                }
                Ok(_) => break,
            }
        }
        for stream in [&mut self.stdout, &mut self.stderr].into_iter().flatten() {
            stream.drain(buffer);
        }
        let tail = self.stderr.as_mut().map(|stream| stream.capture.tail());
        let (key, unread) = (self.key, self.unread);
        core.visit(|visit| visit.died(key, exit, unread, tail.unwrap_or_default()));
        true
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch")
            .field("pid", &self.child.pid())
            .field("socket", &self.socket.as_raw_fd())
            .finish_non_exhaustive()
    }
}
