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
//! Read next: `task/spawn.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use futures_task::{ArcWake, waker_ref};

use crate::parts::budget;
use crate::parts::names::Name;
use crate::parts::slab::{Key, Slab};
use crate::parts::wait_site::{self, Kind};
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

    /// Waits until a task ends, takes it out of the set and gives its output; `None` when the set
    /// is empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped: a task that ended meanwhile stays in the set.
    #[track_caller]
    pub fn join_next(&mut self) -> JoinNext<'_, T> {
        JoinNext {
            set: self,
            location: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// [`join_next`](Self::join_next) with the task's id. A failed task's id is in its error.
    ///
    /// # Cancel safety
    ///
    /// As [`join_next`](Self::join_next).
    #[track_caller]
    pub fn join_next_with_id(&mut self) -> JoinNextWithId<'_, T> {
        JoinNextWithId {
            set: self,
            location: Location::caller(),
            _pinned: PhantomPinned,
        }
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

    /// Aborts all tasks and waits until they have ended. Their outputs are thrown away.
    ///
    /// # Cancel safety
    ///
    /// Once polled, all tasks are aborted; those that have not ended stay in the set.
    #[track_caller]
    pub fn shutdown(&mut self) -> Shutdown<'_, T> {
        let location = Location::caller();
        Shutdown {
            set: self,
            begun: false,
            location,
            _pinned: PhantomPinned,
        }
    }

    /// Waits for all tasks and gives their outputs, in the order in which they ended.
    ///
    /// # Panics
    ///
    /// When a task panicked (with its payload) or was cancelled; the others are aborted.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the set: all tasks are aborted.
    #[track_caller]
    pub fn join_all(self) -> JoinAll<T> {
        let location = Location::caller();
        let outputs = Vec::with_capacity(self.len());
        JoinAll {
            set: self,
            outputs,
            location,
            _pinned: PhantomPinned,
        }
    }

    /// Leaves the mark of a wait for this set.
    fn leave_mark(&self, location: &'static Location<'static>) {
        wait_site::leave(Kind::Join, location, self.handles.len() as u64);
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

pin_project_lite::pin_project! {
    /// The future of [`JoinSet::join_next`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct JoinNext<'a, T> {
        set: &'a mut JoinSet<T>,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<T: 'static> Future for JoinNext<'_, T> {
    type Output = Option<Result<T, JoinError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = this.set.poll_join_next(cx);
        if result.is_pending() {
            this.set.leave_mark(this.location);
        }
        result
    }
}

pin_project_lite::pin_project! {
    /// The future of [`JoinSet::join_next_with_id`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct JoinNextWithId<'a, T> {
        set: &'a mut JoinSet<T>,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<T: 'static> Future for JoinNextWithId<'_, T> {
    type Output = Option<Result<(Id, T), JoinError>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = this.set.poll_join_next_with_id(cx);
        if result.is_pending() {
            this.set.leave_mark(this.location);
        }
        result
    }
}

pin_project_lite::pin_project! {
    /// The future of [`JoinSet::shutdown`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct Shutdown<'a, T> {
        set: &'a mut JoinSet<T>,
        begun: bool,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<T: 'static> Future for Shutdown<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if !std::mem::replace(this.begun, true) {
            this.set.abort_all();
        }
        loop {
            match this.set.poll_join_next(cx) {
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Ready(Some(_)) => {}
                Poll::Pending => {
                    this.set.leave_mark(this.location);
                    return Poll::Pending;
                }
            }
        }
    }
}

pin_project_lite::pin_project! {
    /// The future of [`JoinSet::join_all`].
    #[must_use = "futures do nothing unless you `.await` them"]
    pub struct JoinAll<T> {
        set: JoinSet<T>,
        outputs: Vec<T>,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<T: 'static> Future for JoinAll<T> {
    type Output = Vec<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Vec<T>> {
        let this = self.project();
        loop {
            match this.set.poll_join_next(cx) {
                Poll::Ready(None) => return Poll::Ready(std::mem::take(this.outputs)),
                Poll::Ready(Some(Ok(output))) => this.outputs.push(output),
                Poll::Ready(Some(Err(error))) => match error.try_into_panic() {
                    Ok(payload) => std::panic::resume_unwind(payload),
                    Err(error) => panic!("JoinSet::join_all: {error}"),
                },
                Poll::Pending => {
                    this.set.leave_mark(this.location);
                    return Poll::Pending;
                }
            }
        }
    }
}
