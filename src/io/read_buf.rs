//! A byte buffer that knows how much of itself is filled, and how much was ever initialised.
//!
//! ```text
//!   ├──── filled ────┼──── unfilled ────────────────────────┤
//!   ├──── initialised ─────────────────┼─── uninitialised ──┤
//!   0             filled          initialised            capacity
//! ```
//!
//! Invariant: `filled <= initialised <= capacity`, and the bytes below `initialised` hold values.
//! Safe code moves `filled` only up to `initialised`, so no reader, however wrong, can show memory
//! that nobody wrote.
//!
//! Why not `&mut [u8]`: the spare room of a `Vec` would have to be zeroed for each read, only for
//! the kernel to write over it.
//!
//! One hole is left that types cannot close: a reader may put *another* `ReadBuf` in the place of
//! ours. [`fill_slice`], [`fill_spare`] and `fill` of `io/growing.rs` compare where the bytes lie,
//! before they believe a count; every adaptor of `io/` reads through one of the three.
//! Read next: `io/async_read.rs`.

#![allow(unsafe_code, reason = "memory that is partly uninitialised")]

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::task::{Poll, ready};

use bytes::BufMut;
use bytes::buf::UninitSlice;

/// A buffer for [`AsyncRead::poll_read`](crate::io::AsyncRead::poll_read): filled from the front,
/// possibly uninitialised at the back.
///
/// ```
/// use trefoil::io::ReadBuf;
///
/// let mut memory = [0; 8];
/// let mut buf = ReadBuf::new(&mut memory);
/// buf.put_slice(b"abc");
/// assert_eq!((buf.filled(), buf.remaining()), (&b"abc"[..], 5));
/// ```
pub struct ReadBuf<'a> {
    /// All of it. Below `initialised` each element holds a value.
    memory: &'a mut [MaybeUninit<u8>],
    /// Bytes that were read.
    filled: usize,
    /// Bytes that were ever written.
    initialised: usize,
}

impl<'a> ReadBuf<'a> {
    /// A buffer over bytes that all hold values; nothing is filled.
    pub fn new(memory: &'a mut [u8]) -> Self {
        let initialised = memory.len();
        let memory: *mut [u8] = memory;
        // SAFETY: same address, length and lifetime as the exclusive reference just given up, and
        // MaybeUninit<u8> has the layout of u8. Nobody can put an uninitialised byte in through
        // the new type: below `initialised` that takes the unsafe `inner_mut` or `unfilled_mut`,
        // whose contracts forbid it.
        let memory = unsafe { &mut *(memory as *mut [MaybeUninit<u8>]) };
        Self {
            memory,
            filled: 0,
            initialised,
        }
    }

    /// A buffer over bytes of which none is known to hold a value.
    pub fn uninit(memory: &'a mut [MaybeUninit<u8>]) -> Self {
        Self {
            memory,
            filled: 0,
            initialised: 0,
        }
    }

    /// All bytes: filled and not.
    #[inline]
    pub fn capacity(&self) -> usize {
        self.memory.len()
    }

    /// What has been read so far.
    #[inline]
    pub fn filled(&self) -> &[u8] {
        &self.initialized()[..self.filled]
    }

    /// What has been read so far, to be changed in place.
    #[inline]
    pub fn filled_mut(&mut self) -> &mut [u8] {
        let filled = self.filled;
        &mut self.initialized_mut()[..filled]
    }

    /// A buffer over the first `n` unfilled bytes, or over all of them when there are fewer.
    ///
    /// What is read into it counts here only after [`assume_init`](Self::assume_init) and
    /// [`advance`](Self::advance).
    pub fn take(&mut self, n: usize) -> ReadBuf<'_> {
        let end = self.filled + n.min(self.remaining());
        ReadBuf {
            initialised: self.initialised.min(end) - self.filled,
            memory: &mut self.memory[self.filled..end],
            filled: 0,
        }
    }

    /// Every byte that holds a value: the filled ones and those behind them.
    #[inline]
    pub fn initialized(&self) -> &[u8] {
        let known: *const [MaybeUninit<u8>] = &self.memory[..self.initialised];
        // SAFETY: the bytes below `initialised` hold values (the invariant in the file's head),
        // the layouts are the same, and the result borrows `self` as `known` did.
        unsafe { &*(known as *const [u8]) }
    }

    /// Every byte that holds a value, to be changed in place.
    #[inline]
    pub fn initialized_mut(&mut self) -> &mut [u8] {
        let known: *mut [MaybeUninit<u8>] = &mut self.memory[..self.initialised];
        // SAFETY: as in `initialized`; the borrow of `self` is exclusive, and through `&mut [u8]`
        // a byte cannot become uninitialised.
        unsafe { &mut *(known as *mut [u8]) }
    }

    /// The whole memory, whatever it holds.
    ///
    /// # Safety
    ///
    /// The caller must not make a byte uninitialised that holds a value.
    #[inline]
    pub unsafe fn inner_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        self.memory
    }

    /// The unfilled part, whatever it holds. After writing to it call
    /// [`assume_init`](Self::assume_init), then [`advance`](Self::advance).
    ///
    /// # Safety
    ///
    /// The caller must not make a byte uninitialised that holds a value.
    #[inline]
    pub unsafe fn unfilled_mut(&mut self) -> &mut [MaybeUninit<u8>] {
        &mut self.memory[self.filled..]
    }

    /// The unfilled part as plain bytes; those that held no value are set to 0.
    #[inline]
    pub fn initialize_unfilled(&mut self) -> &mut [u8] {
        self.initialize_unfilled_to(self.remaining())
    }

    /// The first `n` unfilled bytes as plain bytes; those that held no value are set to 0.
    ///
    /// # Panics
    ///
    /// When fewer than `n` bytes are unfilled.
    #[inline]
    #[track_caller]
    pub fn initialize_unfilled_to(&mut self, n: usize) -> &mut [u8] {
        assert!(
            n <= self.remaining(),
            "initialize_unfilled_to: {n} bytes asked of {}; ask for at most `remaining()`",
            self.remaining()
        );
        let end = self.filled + n;
        if self.initialised < end {
            self.memory[self.initialised..end].fill(MaybeUninit::new(0));
            // Only now: the line above has written every byte up to here.
            self.initialised = end;
        }
        let filled = self.filled;
        &mut self.initialized_mut()[filled..end]
    }

    /// Bytes that are not filled yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.memory.len() - self.filled
    }

    /// Forgets what was read; the bytes keep their values.
    #[inline]
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Counts `n` more bytes as filled.
    ///
    /// # Panics
    ///
    /// When they do not all hold a value: write them with [`put_slice`](Self::put_slice) or
    /// through [`initialize_unfilled`](Self::initialize_unfilled) first.
    #[inline]
    #[track_caller]
    pub fn advance(&mut self, n: usize) {
        let filled = self
            .filled
            .checked_add(n)
            .expect("advance: more bytes than memory has");
        self.set_filled(filled);
    }

    /// Sets how many bytes are filled, counted from the front; may be fewer than before.
    ///
    /// # Panics
    ///
    /// When they do not all hold a value.
    #[inline]
    #[track_caller]
    pub fn set_filled(&mut self, n: usize) {
        assert!(
            n <= self.initialised,
            "ReadBuf: {n} filled bytes claimed, {} hold a value; write them first",
            self.initialised
        );
        self.filled = n;
    }

    /// Declares that the first `n` unfilled bytes hold values.
    ///
    /// # Safety
    ///
    /// They must have been written, and there must be that many.
    #[inline]
    pub unsafe fn assume_init(&mut self, n: usize) {
        debug_assert!(n <= self.remaining(), "assume_init beyond the end");
        self.initialised = self.initialised.max(self.filled + n);
    }

    /// Appends a copy of `bytes` to what is filled.
    ///
    /// # Panics
    ///
    /// When fewer than `bytes.len()` bytes are unfilled.
    #[inline]
    #[track_caller]
    pub fn put_slice(&mut self, bytes: &[u8]) {
        assert!(
            bytes.len() <= self.remaining(),
            "put_slice: {} bytes for {} unfilled; cut the slice to `remaining()`",
            bytes.len(),
            self.remaining()
        );
        let end = self.filled + bytes.len();
        self.memory[self.filled..end].write_copy_of_slice(bytes);
        self.initialised = self.initialised.max(end);
        self.filled = end;
    }

    /// Where the bytes lie, for [`check_same`].
    pub(crate) fn place(&self) -> *const [MaybeUninit<u8>] {
        self.memory
    }
}

// SAFETY: `chunk_mut` is exactly the unfilled part, `remaining_mut` its length, and both change
// by `n` in `advance_mut(n)`, as the trait demands.
unsafe impl BufMut for ReadBuf<'_> {
    fn remaining_mut(&self) -> usize {
        self.remaining()
    }

    /// # Safety
    ///
    /// The trait's: the first `n` bytes of the chunk have been written.
    unsafe fn advance_mut(&mut self, n: usize) {
        // SAFETY: the caller has written the first `n` unfilled bytes; so says this method's
        // contract, and the chunk starts at the first unfilled byte.
        unsafe { self.assume_init(n) };
        self.advance(n);
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        UninitSlice::uninit(&mut self.memory[self.filled..])
    }
}

/// Runs one read into `memory` and gives the number of bytes that came, checked.
///
/// # Panics
///
/// When the reader swapped the buffer for another one.
#[inline]
pub(crate) fn fill_slice(
    memory: &mut [u8],
    read: impl FnOnce(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
) -> Poll<io::Result<usize>> {
    let mut buf = ReadBuf::new(memory);
    let place = buf.place();
    ready!(read(&mut buf))?;
    check_same(&buf, place);
    Poll::Ready(Ok(buf.filled))
}

/// Runs one read into the spare room of `target` and appends the bytes that came.
///
/// Offers no more than one chunk of it; a `Vec` without room gets some first.
///
/// # Panics
///
/// When the reader swapped the buffer for another one.
#[inline]
pub(crate) fn fill_spare<B: BufMut + ?Sized>(
    target: &mut B,
    read: impl FnOnce(&mut ReadBuf<'_>) -> Poll<io::Result<()>>,
) -> Poll<io::Result<usize>> {
    let n = {
        let room = target.chunk_mut();
        // SAFETY: the slice is handed on inside a ReadBuf only, whose methods make no byte
        // uninitialised (its unsafe ones forbid it to their callers).
        let room = unsafe { room.as_uninit_slice_mut() };
        let mut buf = ReadBuf::uninit(room);
        let place = buf.place();
        ready!(read(&mut buf))?;
        check_same(&buf, place);
        buf.filled
    };
    // SAFETY: the buffer is still the one over `chunk_mut`'s memory (`check_same`: same start and
    // length, and no other buffer can lie there while `target` is borrowed), and its first
    // `filled` bytes hold values (the invariant in the file's head), so that many bytes of the
    // chunk are written. BufMut is an unsafe trait: the chunk is what `advance_mut` counts in.
    unsafe { target.advance_mut(n) };
    Poll::Ready(Ok(n))
}

/// Refuses a buffer that does not lie where the one that was handed out did.
///
/// The length counts too: an empty buffer may end where a stranger's begins.
#[track_caller]
pub(crate) fn check_same(buf: &ReadBuf<'_>, place: *const [MaybeUninit<u8>]) {
    assert!(
        std::ptr::eq(buf.memory, place),
        "poll_read: the reader put another ReadBuf in the place of the one it was given"
    );
}

impl fmt::Debug for ReadBuf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuf")
            .field("filled", &self.filled)
            .field("initialized", &self.initialised)
            .field("capacity", &self.capacity())
            .finish()
    }
}
