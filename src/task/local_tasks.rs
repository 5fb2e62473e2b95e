//! The tasks of one thread: futures that may not leave it, woken from anywhere, run where they are.
//!
//! ```text
//!   spawn_local (this thread) ──► live: chain of all tasks
//!        │
//!        ▼                 wake (any thread): push, and wake the poller unless it runs
//!      queue ◄──────────────────────────────────────────────────────┐
//!        │                                                          │
//!        ▼ poll_run, by whoever polls the set, on this thread       │
//!      run up to 61 tasks ── again, stepped back ──► to the end of the queue
//! ```
//!
//! A task's future is touched by `run` alone, and only this thread's [`LocalTasks::poll_run`] and
//! [`LocalTasks::close`] call it: so a future that is not `Send` stays where it was made. Wakers and
//! abort handles, which go anywhere, only push into the queue. An output that is not `Send` is
//! reached by a `JoinHandle` that is not `Send` either.
//!
//! No wake-up is lost: a push and the end of a run meet at one mutex. Either the push comes first,
//! and the run sees the queue before it ends; or the run has ended, and the push finds the
//! poller's waker. (Liveness: `a_wake_ends_the_wait` below.)
//!
//! Why one mutex and not a queue of the thread's own beside it: simple first; uncontended it costs
//! 10 ns a task.
//! Read next: `task/local_set.rs`.

#![allow(unsafe_code, reason = "takes tasks off their chain")]

use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use crate::parts::budget;
use crate::parts::lanes;
use crate::parts::names::Name;
use crate::parts::scoped::Scoped;
use crate::parts::wait_site;
use crate::shim::{Mutex, MutexGuard};
use crate::task::chain::Chain;
use crate::task::header::{AfterRun, Ending, NO_LIST, Runnable, Schedule, TaskRef, YIELDED};
use crate::task::join::JoinHandle;
use crate::task::raw::{self, NewTask};

/// Tasks that one poll of the set runs before it lets its own runtime go on.
///
/// Unit: polls. Source: the event loop's interval; not tuned.
const AT_ONCE: usize = 61;

thread_local! {
    /// The tasks that `spawn_local` adds to on this thread.
    pub(crate) static HERE: Scoped<Arc<LocalTasks>> = const { Scoped::new() };
    /// Set while this thread polls or drops futures of a set, which no other thread could go on with.
    static BOUND: Scoped<()> = const { Scoped::new() };
}

/// True while this thread polls or drops futures that are bound to it.
pub(crate) fn is_bound() -> bool {
    BOUND.with(|slot| slot.with(|bound| bound.is_some()))
}

/// Runs `f`, which polls or drops futures of `tasks`: `spawn_local` adds to them.
pub(crate) fn bound<R>(tasks: &Arc<LocalTasks>, f: impl FnOnce() -> R) -> R {
    BOUND.with(|slot| slot.set(&(), || HERE.with(|slot| slot.set(tasks, f))))
}

/// Tasks that belong to one thread.
pub(crate) struct LocalTasks {
    /// The thread that made it: the only one that runs and drops its futures.
    owner: ThreadId,
    made: Instant,
    state: Mutex<State>,
}

/// What the mutex guards.
struct State {
    /// Tasks that can run.
    queue: VecDeque<Runnable>,
    /// All tasks that are not complete.
    live: Chain,
    /// Who polls the set, until it is woken.
    poller: Option<Waker>,
    /// The owner runs tasks now, and looks at the queue before it stops.
    running: bool,
    /// No more tasks.
    closed: bool,
}

/// What is left after a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Tasks that can run: the poller has been woken.
    More,
    /// Tasks that wait.
    Waiting,
    /// None.
    Nothing,
}

impl LocalTasks {
    /// No tasks, of this thread.
    pub(crate) fn new() -> Arc<Self> {
        let tasks = Arc::new(Self {
            owner: thread::current().id(),
            made: Instant::now(),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                live: Chain::new(),
                poller: None,
                running: false,
                closed: false,
            }),
        });
        let weak: Weak<Self> = Arc::downgrade(&tasks);
        lanes::register(weak);
        tasks
    }

    /// The thread that they belong to, for `dump()`.
    pub(crate) fn owner(&self) -> ThreadId {
        self.owner
    }

    /// How long they have existed, as a set.
    pub(crate) fn age(&self) -> Duration {
        self.made.elapsed()
    }

    /// The state; nothing that can panic and no foreign code runs under the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True on the thread that they belong to.
    pub(crate) fn are_here(&self) -> bool {
        thread::current().id() == self.owner
    }

    /// How many are alive.
    pub(crate) fn len(&self) -> usize {
        self.lock().live.len()
    }

    /// References to all that are alive.
    pub(crate) fn snapshot(&self) -> Vec<TaskRef> {
        self.lock().live.to_vec()
    }

    /// Starts a task. When the set has ended, the future is dropped at once.
    ///
    /// # Panics
    ///
    /// On another thread.
    #[track_caller]
    pub(crate) fn spawn<F>(
        self: &Arc<Self>,
        future: F,
        name: Name,
        spawned: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        assert!(
            self.are_here(),
            "spawn_local: these tasks belong to another thread; spawn them there"
        );
        let NewTask {
            runnable,
            own,
            join,
        } = raw::new_task(future, Arc::clone(self), name, spawned);
        let refused = {
            let mut state = self.lock();
            if state.closed {
                Some(own)
            } else {
                own.set_list(0);
                state.live.push(own);
                None
            }
        };
        match refused {
            None => self.push(runnable),
            Some(own) => {
                own.cancel();
                runnable.end();
            }
        }
        join
    }

    /// Puts a task into the queue, and wakes the poller unless it looks anyway.
    fn push(&self, task: Runnable) {
        let poller = {
            let mut state = self.lock();
            state.queue.push_back(task);
            if state.running {
                None
            } else {
                state.poller.take()
            }
        };
        if let Some(poller) = poller {
            poller.wake();
        }
    }

    /// Polls `future`, and runs some tasks while it waits; on this thread.
    pub(crate) fn poll_beside<F: Future>(
        &self,
        future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        // With a budget of its own, like each of the tasks: it may not eat theirs.
        let poll = budget::refilled(|| future.poll(cx));
        if poll.is_pending() {
            _ = self.poll_run(cx);
        }
        poll
    }

    /// Runs tasks that can run, some at most; on this thread. With more left the poller is woken.
    pub(crate) fn poll_run(&self, cx: &mut Context<'_>) -> Left {
        debug_assert!(self.are_here());
        let waker = cx.waker().clone();
        let (nested, _old) = {
            let mut state = self.lock();
            let nested = std::mem::replace(&mut state.running, true);
            // Inside of a task of ours the outer poller stays: to wake the inner one is to push
            // its task into this queue, and nobody would look.
            let old = if nested {
                Some(waker)
            } else {
                state.poller.replace(waker)
            };
            (nested, old)
        };
        self.run_some();
        let left = {
            let mut state = self.lock();
            state.running = nested;
            if !state.queue.is_empty() {
                Left::More
            } else if state.live.len() > 0 {
                Left::Waiting
            } else {
                Left::Nothing
            }
        };
        if left == Left::More {
            cx.waker().wake_by_ref();
        }
        left
    }

    /// Up to [`AT_ONCE`] polls.
    fn run_some(&self) {
        // The poller may be a task itself: what its own poll has left so far is not ours.
        let (yielded, site) = (YIELDED.with(Cell::take), wait_site::take());
        for _ in 0..AT_ONCE {
            let Some(task) = self.lock().queue.pop_front() else {
                break;
            };
            match budget::refilled(|| task.run()) {
                AfterRun::Done => {}
                AfterRun::Again(task) | AfterRun::Yielded(task) => {
                    self.lock().queue.push_back(task);
                }
            }
        }
        YIELDED.with(|flag| flag.set(yielded));
        if let Some(site) = site {
            wait_site::leave(site.kind, site.location, site.resource);
        }
    }

    /// Ends them all: each is cancelled, and its future dropped here. On this thread.
    pub(crate) fn close(&self) {
        debug_assert!(self.are_here());
        let (tasks, _poller) = {
            let mut state = self.lock();
            state.closed = true;
            (state.live.to_vec(), state.poller.take())
        };
        for task in tasks {
            task.cancel();
        }
        loop {
            while let Some(task) = { self.lock().queue.pop_front() } {
                task.end();
            }
            let state = self.lock();
            if state.live.len() == 0 {
                break;
            }
            drop(state);
            // A waker on another thread has counted its wake-up and is about to push.
            thread::yield_now();
        }
    }
}

impl Schedule for Arc<LocalTasks> {
    fn schedule(&self, task: Runnable) {
        self.push(task);
    }

    fn unlist(&self, task: Ending) -> Option<TaskRef> {
        let task = task.task();
        // SAFETY: it is not complete, so it lives.
        if unsafe { task.as_ref() }.list.get() == NO_LIST {
            return None;
        }
        // SAFETY: `spawn` put the task into this chain, its scheduler's; a task has one `Ending`,
        // so it is taken out once.
        Some(unsafe { self.lock().live.unlink(task) })
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::rc::Rc;

    /// Spawns with no name.
    fn spawn<F: Future + 'static>(tasks: &Arc<LocalTasks>, future: F) -> JoinHandle<F::Output> {
        tasks.spawn(future, Name::NONE, Location::caller())
    }

    #[test]
    fn a_wake_ends_the_wait() {
        let tasks = LocalTasks::new();
        let (sender, receiver) = crate::sync::oneshot::channel();
        let value = Rc::new(1);
        let task = spawn(&tasks, async move { receiver.await.unwrap() + *value });
        let other = thread::spawn(move || sender.send(1).unwrap());
        crate::parts::block_on::block_on(std::future::poll_fn(|cx| match tasks.poll_run(cx) {
            Left::Nothing => Poll::Ready(()),
            Left::More | Left::Waiting => Poll::Pending,
        }));
        other.join().unwrap();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(pin!(task).poll(&mut cx), Poll::Ready(Ok(2))));
    }

    #[test]
    fn closing_drops_the_futures_and_refuses_more() {
        let tasks = LocalTasks::new();
        let value = Rc::new(());
        for _ in 0..3 {
            let kept = Rc::clone(&value);
            spawn(&tasks, async move {
                std::future::pending::<()>().await;
                drop(kept);
            });
        }
        tasks.close();
        assert_eq!((Rc::strong_count(&value), tasks.len()), (1, 0));
        let kept = Rc::clone(&value);
        let late = spawn(&tasks, async move { drop(kept) });
        assert!(late.is_finished());
        assert_eq!(Rc::strong_count(&value), 1);
    }
}
