//! `LocalSet`: tasks whose futures may not leave their thread, on any runtime; and `spawn_local`.
//!
//! ```text
//!   rt.block_on(set.run_until(f))        on whatever runtime this thread is in
//!          │ poll: f first, then some of the set's tasks
//!          ▼
//!   LocalTasks ◄── spawn_local(…)        by f, by the tasks, or by who has entered the set
//! ```
//!
//! The set is a future like another: when it is polled it runs its tasks, and a wake-up of one of
//! them wakes the set's own task. So the runtime knows nothing of it, and sockets, timers and
//! `spawn` work in it as everywhere.
//! Read next: `runtime/local_runtime.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::parts::names::Name;
use crate::parts::scoped::{self, Entered};
use crate::runtime::context;
use crate::runtime::runtime::Runtime;
use crate::task::join::{AbortHandle, JoinHandle};
use crate::task::local_tasks::{HERE, Left, LocalTasks, bound};
use crate::task::set::JoinSet;

/// Tasks that run on the thread which made the set: their futures need not be `Send`.
///
/// They run while somebody polls the set: inside [`run_until`](Self::run_until), or awaits it. They
/// take turns among themselves and block nobody else as long as they do not block. Dropping the set
/// drops them; a task can be aborted from anywhere.
///
/// ```
/// use std::rc::Rc;
/// use trefoil::task::{self, LocalSet};
///
/// let rt = trefoil::runtime::Runtime::new().unwrap();
/// let set = LocalSet::new();
/// let sum = set.block_on(&rt, async {
///     let shared = Rc::new(20);
///     let copy = Rc::clone(&shared);
///     let task = task::spawn_local(async move { *copy + 1 });
///     task.await.unwrap() + *shared
/// });
/// assert_eq!(sum, 41);
/// ```
pub struct LocalSet {
    tasks: Arc<LocalTasks>,
    /// It stays on the thread that made it.
    not_send: PhantomData<*const ()>,
}

impl LocalSet {
    /// A set without tasks, of this thread.
    pub fn new() -> Self {
        Self {
            tasks: LocalTasks::new(),
            not_send: PhantomData,
        }
    }

    /// Makes [`spawn_local`] spawn into this set until the guard is dropped.
    ///
    /// ```
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// use trefoil::task::{self, LocalSet};
    ///
    /// let set = LocalSet::new();
    /// let guard = set.enter();
    /// let task = task::spawn_local(async { 1 });
    /// drop(guard);
    /// assert_eq!(set.block_on(&rt, task).unwrap(), 1);
    /// ```
    pub fn enter(&self) -> LocalEnterGuard {
        LocalEnterGuard {
            _entered: scoped::enter(&HERE, Arc::clone(&self.tasks)),
            _not_send: PhantomData,
        }
    }

    /// Starts `future` as a task of this set; it runs when the set is polled.
    ///
    /// ```
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// let set = trefoil::task::LocalSet::new();
    /// let task = set.spawn_local(async { "here" });
    /// assert_eq!(set.block_on(&rt, task).unwrap(), "here");
    /// ```
    #[track_caller]
    pub fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        self.tasks.spawn(future, Name::NONE, Location::caller())
    }

    /// Runs `future` to its end on this thread, inside `runtime`, and the set's tasks beside it.
    ///
    /// # Panics
    ///
    /// As [`Runtime::block_on`].
    #[track_caller]
    pub fn block_on<F: Future>(&self, runtime: &Runtime, future: F) -> F::Output {
        runtime.block_on(self.run_until(future))
    }

    /// Waits for `future`, and runs the set's tasks meanwhile.
    ///
    /// Tasks that are left when it is done stay in the set.
    ///
    /// # Cancel safety
    ///
    /// That of `future`. The tasks stay in the set, and stand still until it is polled again.
    ///
    /// ```
    /// use trefoil::task::{self, LocalSet};
    ///
    /// # let rt = trefoil::runtime::Runtime::new().unwrap();
    /// # rt.block_on(async {
    /// let answer = LocalSet::new()
    ///     .run_until(async { task::spawn_local(async { 42 }).await.unwrap() })
    ///     .await;
    /// assert_eq!(answer, 42);
    /// # });
    /// ```
    pub fn run_until<F: Future>(&self, future: F) -> RunUntil<'_, F> {
        RunUntil {
            tasks: &self.tasks,
            future,
            not_send: PhantomData,
        }
    }
}

impl Default for LocalSet {
    fn default() -> Self {
        Self::new()
    }
}

/// Ready when no task is left.
impl Future for LocalSet {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let tasks = &self.tasks;
        match bound(tasks, || tasks.poll_run(cx)) {
            Left::Nothing => Poll::Ready(()),
            Left::More | Left::Waiting => Poll::Pending,
        }
    }
}

impl Drop for LocalSet {
    fn drop(&mut self) {
        let tasks = &self.tasks;
        // What the futures' drops spawn is refused, as in a runtime that ends.
        bound(tasks, || tasks.close());
    }
}

impl fmt::Debug for LocalSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalSet")
            .field("tasks", &self.tasks.len())
            .finish()
    }
}

pin_project_lite::pin_project! {
    /// The future of [`LocalSet::run_until`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct RunUntil<'a, F> {
        tasks: &'a Arc<LocalTasks>,
        #[pin]
        future: F,
        not_send: PhantomData<*const ()>,
    }
}

impl<F: Future> Future for RunUntil<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let (tasks, future) = (*this.tasks, this.future);
        bound(tasks, || tasks.poll_beside(future, cx))
    }
}

impl<F> fmt::Debug for RunUntil<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunUntil").finish_non_exhaustive()
    }
}

/// Shows that [`spawn_local`] spawns into a set; dropped, it ends that.
#[must_use = "the thread leaves the set when the guard is dropped"]
pub struct LocalEnterGuard {
    _entered: Entered<Arc<LocalTasks>>,
    _not_send: PhantomData<*const ()>,
}

impl fmt::Debug for LocalEnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalEnterGuard").finish_non_exhaustive()
    }
}

/// The tasks that this thread adds to: those of its set, else of its local runtime.
#[track_caller]
fn here(what: &str) -> Arc<LocalTasks> {
    let set = HERE.with(|slot| slot.with(|tasks| tasks.cloned()));
    let local = || context::try_with(|handle| handle.local_tasks().cloned())?;
    match set.or_else(local) {
        Some(tasks) if tasks.are_here() => tasks,
        Some(_) => panic!(
            "{what}: the LocalRuntime of this handle belongs to another thread; spawn there, or \
             use spawn with a future that is Send"
        ),
        None => panic!(
            "{what}: `spawn_local` called from outside of a `task::LocalSet` or \
             `runtime::LocalRuntime`; call it in LocalSet::run_until or LocalRuntime::block_on"
        ),
    }
}

/// Starts `future` as a task of the [`LocalSet`] or
/// [`LocalRuntime`](crate::runtime::LocalRuntime) that this thread is in.
///
/// The future need not be `Send`: it is run and dropped on this thread.
///
/// # Panics
///
/// Outside of both.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// let set = trefoil::task::LocalSet::new();
/// set.block_on(&rt, async {
///     let task = trefoil::task::spawn_local(async { 1 });
///     assert_eq!(task.await.unwrap(), 1);
/// });
/// ```
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    here("task::spawn_local").spawn(future, Name::NONE, Location::caller())
}

impl<T: 'static> JoinSet<T> {
    /// Starts a task of the [`LocalSet`] or [`LocalRuntime`](crate::runtime::LocalRuntime) that
    /// this thread is in, and puts it into the set.
    ///
    /// # Panics
    ///
    /// Outside of both.
    #[track_caller]
    pub fn spawn_local<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        let tasks = here("JoinSet::spawn_local");
        self.insert(tasks.spawn(task, Name::NONE, Location::caller()))
    }

    /// Starts a task of `local_set` and puts it into the set.
    #[track_caller]
    pub fn spawn_local_on<F>(&mut self, task: F, local_set: &LocalSet) -> AbortHandle
    where
        F: Future<Output = T> + 'static,
    {
        self.insert(local_set.spawn_local(task))
    }
}
