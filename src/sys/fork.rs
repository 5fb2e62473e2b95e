//! Is this still the process that it was?
//!
//! fork(2) copies the memory of a process and one thread of it. A runtime in such a copy has no
//! workers, its mutexes may be locked by threads that do not exist, and its epoll instance is the
//! parent's. So whoever has something to lose remembers the process in which it was made, and
//! asks before it acts.
//!
//! glibc calls us in each child (pthread_atfork(3)), so asking costs one load; getpid(2) at each
//! spawn would cost more than the spawn. What goes round glibc (a bare `clone` system call) goes
//! unnoticed. vfork, posix_spawn and `clone` for an exec call nothing: wanted.
//! Read next: `sys/socket.rs`.

#![allow(unsafe_code, reason = "pthread_atfork")]

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How many forks lie between this process and the one that first asked. A counter: nothing else
/// depends on it, and a fork orders everything before it.
static FORKS: AtomicU32 = AtomicU32::new(0);

/// One process, among it and its forked children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process(u32);

/// Called by glibc in a forked child. One atomic operation: allowed there (signal-safety(7)).
extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
}

impl Process {
    /// This process.
    pub(crate) fn this() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // Fails only without memory; then forks go unnoticed.
            // SAFETY: pthread_atfork(3) takes null for what is not wanted, and `in_child` may be
            // called in any child at any time.
            _ = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
        });
        Self(FORKS.load(Ordering::Relaxed))
    }

    /// True in a forked child of this process.
    #[inline]
    pub(crate) fn is_another(self) -> bool {
        FORKS.load(Ordering::Relaxed) != self.0
    }
}
