//! A fence that only one of two threads pays for.
//!
//! Two threads that each write a word and then read the other's need a fence between the two
//! steps, both of them. When one of them does it a million times a second and the other once a
//! minute, membarrier(2) lets the rare one pay: the kernel runs a full barrier on every processor
//! that runs a thread of this process (some microseconds), and the frequent one only has to keep
//! the compiler from moving its steps.
//!
//! ```text
//!   often:   write A;  light();  read B        not both may miss the other's write
//!   rarely:  write B;  heavy();  read A
//! ```
//!
//! Kernels before 4.14 and some sandboxes have no such call: [`available`] says so.
//! Read next: `parts/biased.rs`, the lock made of it.

#![allow(unsafe_code, reason = "a system call without a wrapper")]

use std::sync::OnceLock;
use std::sync::atomic::{Ordering, compiler_fence};

/// One of the call's commands, without flags.
fn membarrier(command: i32) -> i64 {
    // SAFETY: membarrier(2) takes numbers only and touches no memory of ours.
    unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) }
}

/// True when [`heavy`] works here. The first call asks the kernel and registers the process: at
/// once in a process with one thread, else about 10 ms.
pub(crate) fn available() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0)
}

/// The frequent thread's side: keeps the compiler from moving what is before behind what is after.
#[inline]
pub(crate) fn light() {
    compiler_fence(Ordering::SeqCst);
}

/// The rare thread's side: a full fence here and in every running thread of the process.
///
/// # Panics
///
/// When it is not [`available`].
pub(crate) fn heavy() {
    assert!(
        available() && membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0,
        "membarrier: refused after it was granted"
    );
}
