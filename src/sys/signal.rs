//! Signals, as far as the kernel is concerned: a handler that takes note, and a pipe to wake by.
//!
//! ```text
//!   kernel ── signal 15 ──► on_signal (any thread, between any two instructions)
//!                              1. ARRIVED |= 1 << 14
//!                              2. write(pipe, 1 byte)       full? then a byte waits there already
//!
//!   driver ── epoll: readable ──► empty_pipe, then take_arrived: 15
//! ```
//!
//! A handler may do next to nothing (signal-safety(7)): no lock, no memory, no panic. This one does
//! one atomic operation and two system calls, and leaves errno as it was.
//! The flag comes before the byte and the reader empties the pipe before it takes the flags. So
//! whenever a flag is set, a byte is in the pipe or a reader is about to look: nothing is lost.
//! Signals of one kind coalesce, as they do in the kernel.
//!
//! Why not signalfd(2): it needs the signal blocked in every thread, also in those of others.
//! Handler, flags and pipe are of the whole process and stay until it ends. A process that was
//! forked without exec inherits all three: it leaves the pipe alone (it is the parent's).
//! Read next: `signal/registry.rs`, which knows who listens.

#![allow(unsafe_code, reason = "sigaction and a signal handler")]

use std::ffi::c_int;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering};

use crate::sys::call::{check, preserving_errno, retry};
use crate::sys::pipe::pipe;

pub(crate) use libc::{
    SIGALRM, SIGCHLD, SIGFPE, SIGHUP, SIGILL, SIGINT, SIGIO, SIGKILL, SIGPIPE, SIGQUIT, SIGSEGV,
    SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH,
};

/// The highest signal number.
///
/// Unit: signals. Source: signal(7), `_NSIG` - 1 on every architecture but MIPS.
pub(crate) const LAST: c_int = 64;

/// Bit n - 1: signal n has come since the last [`take_arrived`].
static ARRIVED: AtomicU64 = AtomicU64::new(0);

/// Where the handler writes; -1 before there is a pipe.
static WRITE_END: AtomicI32 = AtomicI32::new(-1);

/// The process that the pipe belongs to; 0 before there is a pipe.
static OWNER: AtomicU32 = AtomicU32::new(0);

/// Makes the pipe and gives its reading end. To be called once in a process.
///
/// # Errors
///
/// What pipe2(2) says (EMFILE, ENFILE).
pub(crate) fn open_pipe() -> io::Result<OwnedFd> {
    let (read, write) = pipe()?;
    OWNER.store(std::process::id(), Ordering::Relaxed);
    // Release: a handler that sees the descriptor (Acquire there) sees its owner as well.
    // The descriptor is never closed: a handler may be about to write to it at any time.
    WRITE_END.store(write.into_raw_fd(), Ordering::Release);
    Ok(read)
}

/// Makes [`on_signal`] the handler of `signal`, for good.
///
/// # Errors
///
/// What sigaction(2) says (EINVAL for a number that is none, or is libc's own).
pub(crate) fn install(signal: c_int) -> io::Result<()> {
    // SAFETY: all fields of `sigaction` are integers, a set of bits and an optional function
    // pointer: zeros are valid for each.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = on_signal as extern "C" fn(c_int) as usize;
    // SA_RESTART: other people's system calls go on. SA_ONSTACK: a thread with a small stack of
    // its own for signals (Go code, for one) wants them there.
    action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
    // SAFETY: `action` outlives the call, and `on_signal` has the type that sigaction(2) asks
    // of a handler without SA_SIGINFO. What it does is allowed by signal-safety(7).
    check(unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) })?;
    Ok(())
}

/// The handler.
extern "C" fn on_signal(signal: c_int) {
    preserving_errno(|| {
        // Acquire: pairs with the Release in `open_pipe`, for OWNER.
        let write_end = WRITE_END.load(Ordering::Acquire);
        // SAFETY: getpid(2) has no precondition.
        let process = unsafe { libc::getpid() };
        if u32::try_from(process) != Ok(OWNER.load(Ordering::Relaxed)) {
            // A forked child: a byte from here would wake the parent for nothing.
            return;
        }
        // Release: pairs with the Acquire in `take_arrived`.
        ARRIVED.fetch_or(bit(signal), Ordering::Release);
        let byte = 1_u8;
        // SAFETY: one byte is read from a local; `write_end` stays open for ever. A full pipe
        // gives EAGAIN, for it does not block: then a byte is there already.
        let _written = unsafe { libc::write(write_end, (&raw const byte).cast(), 1) };
    });
}

/// The bit of a signal; none for numbers that are out of range, which the kernel does not send.
fn bit(signal: c_int) -> u64 {
    1_u64.checked_shl((signal - 1).cast_unsigned()).unwrap_or(0)
}

/// Takes all bytes out of the pipe. Must come before [`take_arrived`].
pub(crate) fn empty_pipe(read_end: BorrowedFd<'_>) {
    // A storm writes a byte a signal; more than these take another round.
    let mut bytes = [0_u8; 256];
    // SAFETY: at most `bytes.len()` bytes are written to `bytes`.
    let mut read =
        || unsafe { libc::read(read_end.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
    // Err: EAGAIN, it is empty. 0 would be its end, but the writing end is never closed.
    while retry(&mut read).is_ok_and(|count| count > 0) {}
}

/// The signals that have come since the last call.
pub(crate) fn take_arrived() -> impl Iterator<Item = c_int> {
    // Acquire: pairs with the Release in the handler, so that what the thread had written before
    // it raised the signal is seen by who is woken for it.
    let arrived = ARRIVED.swap(0, Ordering::Acquire);
    (1..=LAST).filter(move |&signal| arrived & bit(signal) != 0)
}
