//! `spawn`, `spawn_blocking`, `block_in_place`: from here to the scheduler or the blocking pool.
//!
//! Read next: `runtime/handle.rs`, which makes the task.

#![forbid(unsafe_code)]

use std::future::Future;
use std::panic::Location;

use crate::parts::names::Name;
use crate::runtime::context;
use crate::runtime::handle::{Handle, RuntimeFlavor};
use crate::runtime::in_place;
use crate::task::header;
use crate::task::id::Id;
use crate::task::join::JoinHandle;
use crate::task::local_tasks::is_bound;

/// Starts `future` as a task of the runtime that this thread is in.
///
/// It runs at once, beside the caller, whether or not its handle is awaited; dropping the handle
/// lets it run on.
///
/// # Panics
///
/// Outside of a runtime.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let task = trefoil::spawn(async { "from a task" });
/// assert_eq!(task.await.unwrap(), "from a task");
/// # });
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    spawn_named(future, Name::NONE, Location::caller())
}

/// [`spawn`] with a name and a line.
#[track_caller]
pub(crate) fn spawn_named<F>(
    future: F,
    name: Name,
    spawned: &'static Location<'static>,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // By reference: cloning the handle would cost two locked operations.
    match context::try_with(|handle| handle.spawn_named(future, name, spawned)) {
        Some(handle) => handle,
        None => context::missing("spawn"),
    }
}

/// Runs a closure that blocks on a thread of the blocking pool, so that tasks go on meanwhile.
///
/// For file access, foreign libraries, anything that waits without `.await`. The closure runs
/// inside the runtime (it may spawn), and may block on it with
/// [`Handle::block_on`](crate::runtime::Handle::block_on). See [`Handle::spawn_blocking`] for
/// limits and failures.
///
/// # Panics
///
/// Outside of a runtime.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let bytes = trefoil::task::spawn_blocking(|| std::fs::read("/proc/self/cmdline"));
/// assert!(!bytes.await.unwrap().unwrap().is_empty());
/// # });
/// ```
#[track_caller]
pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    context::expect("spawn_blocking").spawn_blocking_named(f, Name::NONE, Location::caller())
}

impl Handle {
    /// Runs a closure that blocks on a thread of the runtime's blocking pool.
    ///
    /// The pool starts a thread for it unless one is idle, up to `max_blocking_threads`; beyond
    /// that the closure waits its turn. Once begun it cannot be aborted. When the runtime has
    /// ended, or no thread exists and none can be started, the closure is dropped and awaiting
    /// the handle gives a cancelled error.
    ///
    /// ```
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// let text = rt.handle().spawn_blocking(|| std::fs::read_to_string("/proc/version"));
    /// assert!(rt.block_on(text).unwrap().unwrap().contains("Linux"));
    /// ```
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.spawn_blocking_named(f, Name::NONE, Location::caller())
    }

    /// [`spawn_blocking`](Self::spawn_blocking) with a name and a line.
    #[track_caller]
    pub(crate) fn spawn_blocking_named<F, R>(
        &self,
        f: F,
        name: Name,
        spawned: &'static Location<'static>,
    ) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.driver().refuse_copy("spawn_blocking");
        let inside = self.clone();
        let job = move || context::with_entered(&inside, f);
        self.queue_blocking(job, name, spawned, Busy::begin(self))
    }
}

/// Keeps the runtime's paused clock from moving by itself while a blocking closure exists: until
/// its join handle has the answer, or the clock could jump between the two.
struct Busy(Handle);

impl Busy {
    /// `None`, and no allocation, for a clock that is never paused.
    fn begin(handle: &Handle) -> Option<Box<dyn Send>> {
        let pausable = handle.driver().clock().inhibit();
        pausable.then(|| Box::new(Self(handle.clone())) as Box<dyn Send>)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if self.0.driver().clock().allow() {
            self.0.driver().unpark();
        }
    }
}

/// Runs a closure that blocks right here, in the middle of a task, after handing this worker's
/// queues over to another thread.
///
/// The other tasks of this worker go on; other branches of the *same* task (`join!`, `select!`)
/// do not. It starts a thread (25 µs): for more than that use [`spawn_blocking`]. Inside it
/// `block_on` is allowed.
///
/// # Panics
///
/// On a current-thread runtime: it has no other thread to hand over to. And in a
/// [`LocalSet`](crate::task::LocalSet), whose tasks cannot go on elsewhere.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let task = trefoil::spawn(async {
///     trefoil::task::block_in_place(|| std::fs::read_to_string("/proc/version"))
/// });
/// assert!(task.await.unwrap().is_ok());
/// # });
/// ```
#[track_caller]
pub fn block_in_place<F, R>(f: F) -> R
where
    F: FnOnce() -> R,
{
    if is_bound() {
        panic!(
            "block_in_place: the tasks of a LocalSet cannot be handed over to another thread; \
             use spawn_blocking"
        );
    }
    match context::try_with(Handle::clone) {
        Some(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
            in_place::block_in_place(&handle, f)
        }
        Some(_) if crate::parts::block_on::in_executor() => panic!(
            "block_in_place: a current-thread runtime has no other thread to hand over to; \
             use spawn_blocking, or a multi-thread runtime"
        ),
        _ => f(),
    }
}

/// The id of the running task.
///
/// # Panics
///
/// Outside of a task (the future given to `block_on` is none).
#[track_caller]
#[must_use]
pub fn id() -> Id {
    match header::current_id() {
        Some(id) => id,
        None => panic!("task::id: not inside a task; call it in a spawned future, or use try_id"),
    }
}

/// The id of the running task, if there is one.
#[must_use]
pub fn try_id() -> Option<Id> {
    header::current_id()
}
