//! A `Vec` that is read into, and remembers which part of its spare room holds values.
//!
//! ```text
//!   ├──── len: read ────┼── initialised ──┼── not ──┤
//!                       └──── offered to the reader, up to `most`
//! ```
//!
//! A reader that wants plain bytes zeroes the room it is offered. When it then brings a few bytes,
//! the next one finds the rest zeroed already: else a slow stream would zero the whole room for
//! each of its packets.
//!
//! The `Vec` is private to this file, so between two reads nobody else can touch its room.
//! Read next: `io/read_to_end.rs`.

#![allow(unsafe_code, reason = "memory that is partly uninitialised")]

use std::borrow::BorrowMut;
use std::io;
use std::mem;
use std::task::{Poll, ready};

use crate::io::read_buf::{ReadBuf, check_same};

/// The `Vec`, owned (`V` is `Vec<u8>`) or the caller's (`V` is `&mut Vec<u8>`).
///
/// No other `V` can be built: one whose `borrow_mut` gave another `Vec` each time would be unsound.
#[derive(Debug)]
pub(crate) struct Growing<V> {
    /// What was read, and room.
    vec: V,
    /// Bytes behind its length that hold values.
    initialised: usize,
}

impl Growing<Vec<u8>> {
    /// One that owns its memory.
    pub(crate) fn owned(vec: Vec<u8>) -> Self {
        Self {
            vec,
            initialised: 0,
        }
    }

    /// Gives the memory away; empty memory takes its place.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        self.initialised = 0;
        mem::take(&mut self.vec)
    }
}

impl<'a> Growing<&'a mut Vec<u8>> {
    /// One in the caller's memory.
    pub(crate) fn borrowed(vec: &'a mut Vec<u8>) -> Self {
        Self {
            vec,
            initialised: 0,
        }
    }
}

impl<V: BorrowMut<Vec<u8>>> Growing<V> {
    /// Bytes it has memory for.
    pub(crate) fn capacity(&self) -> usize {
        self.vec.borrow().capacity()
    }

    /// True when it has no room.
    pub(crate) fn is_full(&self) -> bool {
        self.vec.borrow().len() == self.capacity()
    }

    /// The `Vec`, for other uses.
    pub(crate) fn vec(&mut self) -> &mut Vec<u8> {
        // Whatever is done to it, its room may be another one afterwards.
        self.initialised = 0;
        self.vec.borrow_mut()
    }

    /// Runs one read into the room, of which it is offered at most `most` bytes, and gives the
    /// number of bytes that came.
    ///
    /// # Panics
    ///
    /// When the reader swapped the buffer for another one.
    pub(crate) fn fill(
        &mut self,
        most: usize,
        read: impl FnOnce(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
    ) -> Poll<io::Result<usize>> {
        let vec: &mut Vec<u8> = self.vec.borrow_mut();
        let len = vec.len();
        let room = vec.spare_capacity_mut();
        let offered = room.len().min(most);
        let mut buf = ReadBuf::uninit(&mut room[..offered]);
        // SAFETY: these bytes were initialised in an earlier call (`initialised` is set below and
        // nowhere else raised), they are the same bytes now, since each way to the Vec but this
        // function sets `initialised` to 0, and there are that many, because of the `min`.
        unsafe { buf.assume_init(self.initialised.min(offered)) };
        let place = buf.place();
        let result = read(&mut buf);
        check_same(&buf, place);
        let (filled, initialised) = (buf.filled().len(), buf.initialized().len());
        // Also when it has to wait or failed: what is zeroed stays zeroed.
        self.initialised = self.initialised.max(initialised);
        ready!(result)?;
        // SAFETY: the buffer lay over the first bytes behind `len` (checked by `check_same`), and a
        // ReadBuf's filled bytes hold values; there are no more of them than it had room.
        unsafe { vec.set_len(len + filled) };
        self.initialised -= filled;
        Poll::Ready(Ok(filled))
    }
}
