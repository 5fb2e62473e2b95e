//! One direction of bytes in memory: what `duplex` has two of, and `simplex` one.
//!
//! ```text
//!   open ── shut down, or an end dropped ──► closed
//!     write    room: takes bytes, wakes the reader     BrokenPipe
//!              full: waits
//!     read     bytes: gives them, wakes the writer     bytes that are left, then the end
//!              none: waits
//! ```
//!
//! One mutex around the bytes and both wakers. A waker is cloned, dropped and woken only while it
//! is not held, since all three run foreign code: so a poll that has to wait and brings a new waker
//! looks twice, the second time with the clone in its hand.
//! Read next: `io/duplex.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::io::IoSlice;
use std::panic::Location;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use crate::io::read_buf::ReadBuf;
use crate::parts::budget;
use crate::parts::wait_site;
use crate::parts::wait_site::Kind;

/// One direction.
pub(super) struct Pipe {
    /// Bytes that it holds at most.
    max: usize,
    /// Guards the bytes, the flag and both wakers.
    state: Mutex<State>,
}

/// What a pipe's mutex guards.
struct State {
    /// Written and not yet read.
    bytes: VecDeque<u8>,
    /// No byte comes in any more.
    closed: bool,
    /// Who waits, by [`Side`].
    waiting: [Option<Waker>; 2],
}

/// One of the two who may wait on a pipe.
#[derive(Clone, Copy)]
enum Side {
    /// Waits for bytes.
    Reader,
    /// Waits for room.
    Writer,
}

impl Side {
    /// Its place in [`State::waiting`].
    fn place(self) -> usize {
        self as usize
    }

    /// The place of the one at the other end.
    fn opposite(self) -> usize {
        1 - self.place()
    }

    /// What it waits for.
    fn kind(self) -> Kind {
        match self {
            Self::Reader => Kind::Read,
            Self::Writer => Kind::Write,
        }
    }
}

impl Pipe {
    /// Open and empty, for at most `max` bytes at a time.
    ///
    /// # Panics
    ///
    /// When `max` is 0: nothing could ever be written. `what` is what the user called.
    #[track_caller]
    pub(super) fn new(max: usize, what: &str) -> Self {
        assert!(
            max > 0,
            "{what}: `max_buf_size` must be greater than 0, or no byte fits"
        );
        let state = State {
            bytes: VecDeque::new(),
            closed: false,
            waiting: [None, None],
        };
        Self {
            max,
            state: Mutex::new(state),
        }
    }

    /// Takes the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends what is there to `buf`.
    #[track_caller]
    pub(super) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(cx, Side::Reader, |state| {
            let n = state.bytes.len().min(buf.remaining());
            if n == 0 && !state.closed && buf.remaining() != 0 {
                return None;
            }
            let (front, back) = state.bytes.as_slices();
            let from_front = n.min(front.len());
            buf.put_slice(&front[..from_front]);
            buf.put_slice(&back[..n - from_front]);
            state.bytes.drain(..n);
            Some(Ok(()))
        })
    }

    /// Takes bytes from the slices in turn, until it is full.
    #[track_caller]
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll(cx, Side::Writer, |state| {
            if state.closed {
                return Some(Err(io::ErrorKind::BrokenPipe.into()));
            }
            let mut room = self.max - state.bytes.len();
            if room == 0 && slices.iter().any(|slice| !slice.is_empty()) {
                return None;
            }
            let mut taken = 0;
            for slice in slices {
                let n = slice.len().min(room);
                state.bytes.extend(&slice[..n]);
                room -= n;
                taken += n;
            }
            Some(Ok(taken))
        })
    }

    /// Runs `step` under the lock; `None` from it makes `side` wait. After a step that did
    /// something the other side is woken.
    #[track_caller]
    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        side: Side,
        mut step: impl FnMut(&mut State) -> Option<T>,
    ) -> Poll<T> {
        let spent = ready!(budget::spend(cx));
        // Our waker for `waiting`, cloned without the lock.
        let mut clone = None;
        loop {
            let mut state = self.lock();
            if let Some(result) = step(&mut state) {
                let other = state.waiting[side.opposite()].take();
                drop(state);
                if let Some(waker) = other {
                    waker.wake();
                }
                spent.made_progress();
                return Poll::Ready(result);
            }
            let own = &mut state.waiting[side.place()];
            if !own
                .as_ref()
                .is_some_and(|waker| waker.will_wake(cx.waker()))
            {
                let Some(waker) = clone.take() else {
                    drop(state);
                    clone = Some(cx.waker().clone());
                    continue;
                };
                let old = own.replace(waker);
                drop(state);
                drop(old);
            }
            wait_site::leave(
                side.kind(),
                Location::caller(),
                (&raw const *self).addr() as u64,
            );
            return Poll::Pending;
        }
    }

    /// No byte comes in any more; whoever waits on either side is told.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (held, closed) = {
            let state = self.lock();
            (state.bytes.len(), state.closed)
        };
        f.debug_struct("Pipe")
            .field("held", &held)
            .field("max_buf_size", &self.max)
            .field("closed", &closed)
            .finish()
    }
}
