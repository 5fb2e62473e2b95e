//! From the C way of reporting errors to Rust's: a result of -1 and errno become `io::Error`.
//!
//! Every system call of this crate that std does not make goes through here.
//! Read next: `sys/signal.rs`.

#![allow(unsafe_code, reason = "libc gives errno as a pointer")]

use std::io;

/// The result of a call, or the error that errno tells.
///
/// # Errors
///
/// When `result` is -1.
pub(crate) fn check<N: PartialEq + From<i8>>(result: N) -> io::Result<N> {
    if result == N::from(-1) {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Makes a call again as long as a signal interrupts it (EINTR).
///
/// # Errors
///
/// What the call says besides EINTR.
pub(crate) fn retry<N: PartialEq + From<i8>>(mut call: impl FnMut() -> N) -> io::Result<N> {
    loop {
        match check(call()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Runs `f` and puts errno back: for signal handlers, which may run between somebody's failed
/// call and their look at errno.
pub(crate) fn preserving_errno<R>(f: impl FnOnce() -> R) -> R {
    // SAFETY: it has no precondition (errno(3)); the pointer is this thread's own errno.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: it points to this thread's errno, which lives as long as the thread.
    let before = unsafe { *errno };
    let result = f();
    // SAFETY: as above; no reference to errno exists, only this thread uses it.
    unsafe { *errno = before };
    result
}
