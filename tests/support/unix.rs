//! What the tests of Unix sockets and pipes share: both runtimes, and paths of their own.

#![allow(dead_code, reason = "each test file uses its part of it")]

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use trefoil::runtime::Builder;

/// Runs a test on both kinds of runtime.
pub fn both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    let current = Builder::new_current_thread().enable_all().build().unwrap();
    current.block_on(test());
    let mut workers = Builder::new_multi_thread();
    let workers = workers.worker_threads(2).enable_all().build().unwrap();
    workers.block_on(test());
}

/// A path that nobody else uses; the file is removed on drop.
pub struct TempPath(pub PathBuf);

impl TempPath {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("trefoil-path-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    /// With a FIFO at it.
    pub fn fifo() -> Self {
        let path = Self::new();
        let made = std::process::Command::new("mkfifo").arg(&path.0).status();
        assert!(made.unwrap().success());
        path
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Polls once, and wakes nobody.
pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}
