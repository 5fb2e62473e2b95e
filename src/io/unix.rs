//! What is Unix's own: waiting for any file descriptor.
//! Read next: `io/async_fd.rs`.

#![forbid(unsafe_code)]

pub use crate::io::async_fd::{AsyncFd, AsyncFdRegisterError};
pub use crate::io::async_fd_guard::{AsyncFdReadyGuard, AsyncFdReadyMutGuard, TryIoError};

/// The futures of [`AsyncFd`]'s methods.
pub mod futures {
    pub use crate::io::async_fd_wait::{FdAsyncIo, FdAsyncIoMut, WaitFd, WaitFdMut};
}
