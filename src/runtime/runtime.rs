//! `Runtime`: owns the threads, ends the tasks; and `block_on`, the door from threads to tasks.
//!
//! ```text
//!   block_on(f):  mark the thread as an executor (nested: panic) ─► enter the runtime
//!                 ─► poll f once; Ready: done, nothing else was touched
//!                 ─► Pending: current thread: drive the loop   multi thread: poll, park, repeat
//! ```
//!
//! The first poll happens before anything is locked or taken, so a future that is ready costs 10 ns.
//! Read next: `runtime/builder.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_task::waker_ref;

use crate::parts::block_on::{self, Entered, ThreadWaker};
use crate::parts::budget;
use crate::parts::scoped;
use crate::parts::wait_site;
use crate::runtime::context::{self, TryCurrentError};
use crate::runtime::current_thread;
use crate::runtime::handle::{Handle, RuntimeFlavor};
use crate::runtime::multi_thread;
use crate::runtime::queues;
use crate::task::join::JoinHandle;

/// A runtime: a scheduler for tasks, a driver for sockets and timers, a pool for what blocks.
///
/// Dropping it cancels all tasks, and waits until their futures are dropped and running blocking
/// closures have ended; [`shutdown_timeout`](Self::shutdown_timeout) and
/// [`shutdown_background`](Self::shutdown_background) do not wait for ever.
///
/// In a process that was forked from the runtime's it is a dead copy: what needs its threads
/// panics, and dropping it does nothing.
///
/// # Panics
///
/// Dropping it inside a task or `block_on` panics: it would have to wait for itself.
///
/// ```
/// let rt = trefoil::runtime::Runtime::new().unwrap();
/// let sum = rt.block_on(async {
///     let a = trefoil::spawn(async { 1 });
///     let b = trefoil::spawn(async { 2 });
///     a.await.unwrap() + b.await.unwrap()
/// });
/// assert_eq!(sum, 3);
/// ```
pub struct Runtime {
    handle: Handle,
    /// `shutdown_*` has done what `drop` would do.
    ended: bool,
}

impl UnwindSafe for Runtime {}
impl RefUnwindSafe for Runtime {}

impl Runtime {
    /// The runtime over a handle whose threads are running.
    pub(crate) fn from_handle(handle: Handle) -> Self {
        Self {
            handle,
            ended: false,
        }
    }

    /// The runtime's handle.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Starts `future` as a task of this runtime; see [`Handle::spawn`].
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn(future)
    }

    /// Runs a closure that blocks on the blocking pool; see [`Handle::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle.spawn_blocking(f)
    }

    /// Runs `future` to its end on this thread, inside the runtime, and gives back its output.
    ///
    /// On a current-thread runtime this drives everything: tasks run here while it waits, and
    /// stand still when it returns. On a multi-thread runtime the workers go on by themselves.
    ///
    /// # Panics
    ///
    /// Inside a task or another `block_on`: await the future instead, or use
    /// [`spawn_blocking`](crate::task::spawn_blocking) or
    /// [`block_in_place`](crate::task::block_in_place). And when the future panics.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _executor = enter_executor("Runtime::block_on");
        self.handle.driver().refuse_copy("Runtime::block_on");
        context::with_entered(&self.handle, || {
            let mut future = pin!(future);
            match self.handle.runtime_flavor() {
                RuntimeFlavor::CurrentThread => {
                    let first = || poll_once(&block_on::this_thread(), future.as_mut());
                    match queues::first_poll(&self.handle.0, first) {
                        Poll::Ready(output) => output,
                        Poll::Pending => current_thread::block_on(&self.handle, future),
                    }
                }
                RuntimeFlavor::MultiThread => park_until_ready(future),
            }
        })
    }

    /// Makes this thread part of the runtime until the guard is dropped, so that `spawn`, timers
    /// and sockets work on it outside of `block_on`.
    ///
    /// # Panics
    ///
    /// Dropping guards in another order than the reverse of their making panics.
    ///
    /// ```
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// let guard = rt.enter();
    /// let task = trefoil::spawn(async { 1 });
    /// drop(guard);
    /// assert_eq!(rt.block_on(task).unwrap(), 1);
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Ends the runtime; waits for tasks and blocking closures that are running, at most for
    /// `limit`. What is stuck longer ends by itself, when it ends.
    ///
    /// # Panics
    ///
    /// Inside a task or `block_on`, unless `limit` is zero.
    ///
    /// ```
    /// use std::time::Duration;
    /// let rt = trefoil::runtime::Runtime::new().unwrap();
    /// rt.spawn_blocking(|| std::thread::sleep(Duration::from_millis(5)));
    /// rt.shutdown_timeout(Duration::from_secs(1));
    /// ```
    #[track_caller]
    pub fn shutdown_timeout(mut self, limit: Duration) {
        if self.handle.driver().is_copy() {
            return;
        }
        if !limit.is_zero() {
            refuse_to_block("Runtime::shutdown_timeout");
        }
        self.ended = true;
        self.end(Some(limit));
    }

    /// Ends the runtime without waiting for anything; may be called inside a task.
    ///
    /// ```
    /// let rt = trefoil::runtime::Runtime::new().unwrap();
    /// rt.shutdown_background();
    /// ```
    pub fn shutdown_background(self) {
        self.shutdown_timeout(Duration::ZERO);
    }

    /// Ends everything: scheduler first (tasks may still use driver and blocking pool while they
    /// are dropped), then the driver, then the pool.
    fn end(&self, limit: Option<Duration>) {
        let shared = &*self.handle.0;
        let start = Instant::now();
        match self.handle.runtime_flavor() {
            RuntimeFlavor::CurrentThread => {
                current_thread::shutdown(&self.handle);
                shared.driver.shutdown();
            }
            RuntimeFlavor::MultiThread => multi_thread::shutdown(&self.handle, limit),
        }
        shared
            .blocking
            .shutdown(limit.map(|limit| limit.saturating_sub(start.elapsed())));
    }
}

impl Drop for Runtime {
    #[track_caller]
    fn drop(&mut self) {
        if self.ended || self.handle.driver().is_copy() {
            return;
        }
        if block_on::in_executor() {
            // The threads must be told all the same, or they would live for ever.
            self.end(Some(Duration::ZERO));
            if !std::thread::panicking() {
                refuse_to_block("dropping a Runtime");
            }
            return;
        }
        self.end(None);
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("handle", &self.handle)
            .finish()
    }
}

impl Handle {
    /// The handle of the runtime that this thread is in.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// ```
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// let inside = rt.block_on(async { trefoil::runtime::Handle::current().id() });
    /// assert_eq!(inside, rt.handle().id());
    /// ```
    #[track_caller]
    #[must_use]
    pub fn current() -> Self {
        context::expect("Handle::current")
    }

    /// The handle of the runtime that this thread is in, if it is in one.
    ///
    /// # Errors
    ///
    /// When it is in none, or the thread is ending.
    pub fn try_current() -> Result<Self, TryCurrentError> {
        context::try_current()
    }

    /// Makes this thread part of the runtime until the guard is dropped; see [`Runtime::enter`].
    pub fn enter(&self) -> EnterGuard<'_> {
        EnterGuard {
            _entered: context::enter(self.clone()),
            _handle: PhantomData,
        }
    }

    /// Runs `future` to its end on this thread, inside the runtime.
    ///
    /// On a current-thread runtime this polls only `future`: somebody else must be in
    /// [`Runtime::block_on`] for tasks, timers and sockets to go on.
    ///
    /// # Panics
    ///
    /// As [`Runtime::block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let _executor = enter_executor("Handle::block_on");
        self.driver().refuse_copy("Handle::block_on");
        context::with_entered(self, || park_until_ready(pin!(future)))
    }
}

/// Shows that this thread is in a runtime; dropped, it leaves it.
#[must_use = "the thread leaves the runtime when the guard is dropped"]
pub struct EnterGuard<'a> {
    _entered: scoped::Entered<Handle>,
    _handle: PhantomData<&'a Handle>,
}

impl fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}

/// Marks the thread as an executor, or panics with the remedy.
#[track_caller]
#[inline]
pub(crate) fn enter_executor(what: &str) -> Entered {
    match block_on::enter() {
        Some(entered) => entered,
        None => nested(what),
    }
}

/// The panic of a `block_on` inside another executor.
#[track_caller]
#[cold]
fn nested(what: &str) -> ! {
    panic!(
        "{what}: this thread is polling a task or another block_on, which could never go on; \
         await the future instead, or use spawn_blocking or block_in_place"
    )
}

/// Panics where waiting would stop an executor.
#[track_caller]
fn refuse_to_block(what: &str) {
    if block_on::in_executor() {
        panic!(
            "{what}: Cannot block the current thread, it is polling a task or a block_on; move the \
             runtime out of async code, or end it with shutdown_background"
        );
    }
}

/// One poll with a thread's parker as the waker.
fn poll_once<F: Future>(thread: &Arc<ThreadWaker>, future: Pin<&mut F>) -> Poll<F::Output> {
    let waker = waker_ref(thread);
    let poll = budget::refilled(|| future.poll(&mut Context::from_waker(&waker)));
    if poll.is_pending() {
        // This is no task: its mark is not to be taken for that of the next one.
        _ = wait_site::take();
    }
    poll
}

/// Polls and parks until the future is ready.
fn park_until_ready<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    let thread = block_on::this_thread();
    loop {
        if let Poll::Ready(output) = poll_once(&thread, future.as_mut()) {
            return output;
        }
        thread.park();
    }
}
