//! `JoinSet`: many tasks with one owner, their outputs as they end.
//!
//! ```text
//!   slab of join handles          each has a waker of its own, which knows its key
//!   ┌───┬───┬───┬───┐
//!   │ a │ b │ c │ d │   b ends ─► its waker pushes b's key ─► ready: [b] ─► wakes join_next
//!   └───┴───┴───┴───┘                                            │
//!                                 join_next pops b's key, takes b's output out of its handle
//! ```
//!
//! So each end costs constant time, however many tasks still run: a loop over all handles would
//! make a set of n tasks cost n² polls.
//! Read next: `task/set_wait.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use futures_task::{ArcWake, waker_ref};

use crate::parts::budget;
use crate::parts::names::Name;
use crate::parts::slab::{Key, Slab};
use crate::runtime::context;
use crate::runtime::handle::Handle;
use crate::task::error::JoinError;
use crate::task::id::Id;
use crate::task::join::{AbortHandle, JoinHandle};

/// A set of tasks whose outputs come in the order in which they end; dropped, it aborts them.
///
/// All tasks have one output type. The set does not run anything: tasks run from the moment they
/// are spawned.
///
/// ```
/// # let rt = trefoil::runtime::Runtime::new().unwrap();
/// # rt.block_on(async {
/// let mut set = trefoil::task::JoinSet::new();
/// for i in 0..10 {
///     set.spawn(async move { i });
/// }
/// let mut sum = 0;
/// while let Some(result) = set.join_next().await {
///     sum += result.unwrap();
/// }
/// assert_eq!(sum, 45);
/// # });
/// ```
pub struct JoinSet<T> {
    handles: Slab<JoinHandle<T>>,
    ended: Arc<Ended>,
}

/// What the tasks' wakers share with the set.
#[derive(Default)]
struct Ended {
    state: Mutex<EndedState>,
}

/// Guarded by [`Ended`]'s mutex.
#[derive(Default)]
struct EndedState {
    /// Keys of tasks that have ended and were not taken.
    ready: VecDeque<Key>,
    /// Who waits in `join_next`.
    waiting: Option<Waker>,
}

impl Ended {
    /// A task has ended.
    fn push(&self, key: Key) {
        let waiting = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.ready.push_back(key);
            state.waiting.take()
        };
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

/// The waker of one task's join handle.
struct Entry {
    key: Key,
    ended: Arc<Ended>,
}

impl ArcWake for Entry {
    fn wake_by_ref(this: &Arc<Self>) {
        this.ended.push(this.key);
    }
}

impl<T> JoinSet<T> {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self {
            handles: Slab::new(),
            ended: Arc::default(),
        }
    }

    /// How many tasks are in the set: those that run, and those whose output was not taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.handles.len()
    }

    /// True when no task is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.handles.is_empty()
    }
}

impl<T: 'static> JoinSet<T> {
    /// Starts a task on the current runtime and puts it into the set.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn<F>(&mut self, task: F) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        let handle = context::expect("JoinSet::spawn");
        self.insert(handle.spawn_named(task, Name::NONE, Location::caller()))
    }

    /// Starts a task on `handle`'s runtime and puts it into the set.
    #[track_caller]
    pub fn spawn_on<F>(&mut self, task: F, handle: &Handle) -> AbortHandle
    where
        F: Future<Output = T> + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn_named(task, Name::NONE, Location::caller()))
    }

    /// Runs a closure on the blocking pool of the current runtime and puts it into the set.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    #[track_caller]
    pub fn spawn_blocking<F>(&mut self, f: F) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        let handle = context::expect("JoinSet::spawn_blocking");
        self.insert(handle.spawn_blocking_named(f, Name::NONE, Location::caller()))
    }

    /// Runs a closure on the blocking pool of `handle`'s runtime and puts it into the set.
    #[track_caller]
    pub fn spawn_blocking_on<F>(&mut self, f: F, handle: &Handle) -> AbortHandle
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send,
    {
        self.insert(handle.spawn_blocking_named(f, Name::NONE, Location::caller()))
    }

    /// Takes a join handle into the set.
    pub(crate) fn insert(&mut self, handle: JoinHandle<T>) -> AbortHandle {
        let abort = handle.abort_handle();
        let key = self.handles.insert(handle);
        let entry = Arc::new(Entry {
            key,
            ended: Arc::clone(&self.ended),
        });
        let waker = waker_ref(&entry);
        let handle = self.handles.get(key).expect("inserted above");
        if handle.leave_waker(&Context::from_waker(&waker)).is_ready() {
            // It was faster than we; its end was told to nobody.
            self.ended.push(key);
        }
        abort
    }

    /// The output of a task that has ended, if there is one.
    pub fn try_join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.try_join_next_with_id()
            .map(|result| result.map(|(_, output)| output))
    }

    /// [`try_join_next`](Self::try_join_next) with the task's id.
    pub fn try_join_next_with_id(&mut self) -> Option<Result<(Id, T), JoinError>> {
        loop {
            let key = {
                let mut state = self
                    .ended
                    .state
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                state.ready.pop_front()?
            };
            if let Some(result) = self.take(key) {
                return Some(result);
            }
        }
    }

    /// The form of [`join_next`](Self::join_next) for hand-written futures: `Ready(None)` means
    /// that the set is empty.
    pub fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.poll_join_next_with_id(cx)
            .map(|o| o.map(|result| result.map(|(_, output)| output)))
    }

    /// [`poll_join_next`](Self::poll_join_next) with the task's id.
    pub fn poll_join_next_with_id(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<(Id, T), JoinError>>> {
        if self.is_empty() {
            return Poll::Ready(None);
        }
        let spent = ready!(budget::spend(cx));
        // Made outside the lock: cloning a waker is foreign code.
        let mut fresh: Option<Waker> = None;
        loop {
            let (key, known, old) = {
                let mut state = self
                    .ended
                    .state
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                let key = state.ready.pop_front();
                if key.is_none() && fresh.is_some() {
                    (
                        None,
                        true,
                        std::mem::replace(&mut state.waiting, fresh.take()),
                    )
                } else {
                    let waiting = state.waiting.as_ref();
                    let known = waiting.is_some_and(|w| w.will_wake(cx.waker()));
                    (key, known, None)
                }
            };
            drop(old);
            match key {
                Some(key) => {
                    if let Some(result) = self.take(key) {
                        spent.made_progress();
                        return Poll::Ready(Some(result));
                    }
                }
                None if known => return Poll::Pending,
                None => fresh = Some(cx.waker().clone()),
            }
        }
    }

    /// Takes an ended task out. `None`: it was detached meanwhile.
    fn take(&mut self, key: Key) -> Option<Result<(Id, T), JoinError>> {
        let mut handle = self.handles.remove(key)?;
        let id = handle.id();
        let result = handle.take_output();
        Some(result.map(|output| (id, output)))
    }

    /// Aborts all tasks; they stay in the set until they are joined.
    pub fn abort_all(&mut self) {
        for (_, handle) in self.handles.iter() {
            handle.abort();
        }
    }

    /// Takes all tasks out of the set and lets them run on.
    pub fn detach_all(&mut self) {
        self.handles = Slab::new();
        self.ended = Arc::default();
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        for (_, handle) in self.handles.iter() {
            handle.abort();
        }
    }
}

impl<T> Default for JoinSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for JoinSet<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinSet").field("len", &self.len()).finish()
    }
}

/// Spawns each future on the current runtime.
impl<T, F> FromIterator<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn from_iter<I: IntoIterator<Item = F>>(futures: I) -> Self {
        let mut set = Self::new();
        set.extend(futures);
        set
    }
}

/// Spawns each future on the current runtime.
impl<T, F> Extend<F> for JoinSet<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    #[track_caller]
    fn extend<I: IntoIterator<Item = F>>(&mut self, futures: I) {
        for future in futures {
            self.spawn(future);
        }
    }
}
