//! Drives futures by hand: polls when told to, and counts how often they were woken.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A waker that counts.
#[derive(Default)]
pub struct Count(AtomicUsize);

impl Count {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// How often it was woken since this was asked last.
    pub fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A waker that panics with `a waker's panic`.
pub struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("a waker's panic");
    }
}

/// A pinned future with a counting waker of its own.
pub struct Hand<F> {
    future: Pin<Box<F>>,
    count: Arc<Count>,
}

impl<F: Future> Hand<F> {
    pub fn new(future: F) -> Self {
        Self {
            future: Box::pin(future),
            count: Count::new(),
        }
    }

    /// The same, polled once and found pending.
    pub fn pending(future: F) -> Self
    where
        F::Output: std::fmt::Debug,
    {
        let mut hand = Self::new(future);
        hand.expect_pending();
        hand
    }

    pub fn poll(&mut self) -> Poll<F::Output> {
        let waker = Waker::from(self.count.clone());
        self.poll_with(&waker)
    }

    pub fn poll_with(&mut self, waker: &Waker) -> Poll<F::Output> {
        self.future.as_mut().poll(&mut Context::from_waker(waker))
    }

    #[track_caller]
    pub fn expect_pending(&mut self)
    where
        F::Output: std::fmt::Debug,
    {
        if let Poll::Ready(output) = self.poll() {
            panic!("ready too early: {output:?}");
        }
    }

    #[track_caller]
    pub fn expect_ready(&mut self) -> F::Output {
        match self.poll() {
            Poll::Ready(output) => output,
            Poll::Pending => panic!("still pending"),
        }
    }

    /// Woken since it was asked last?
    pub fn woken(&self) -> bool {
        self.count.take() > 0
    }

    pub fn pin(&mut self) -> Pin<&mut F> {
        self.future.as_mut()
    }
}
