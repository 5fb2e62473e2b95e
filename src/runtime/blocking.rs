//! Threads for work that blocks: the pool grows while closures wait, idles, and shrinks.
//!
//! ```text
//!   spawn_blocking ──► queue ──► idle thread     one mutex: queue, counts, shutdown
//!                        │  └──► new thread      (below the maximum)
//!                        └─────► waits           (at the maximum)
//! ```
//!
//! The rule that keeps every closure from being forgotten: **a closure is pushed together with the
//! decision who will take it, under one lock.** If a thread is idle, the pusher takes it off the
//! idle count *at once* and notifies it; the next pusher does not count on the same thread. Else,
//! below the maximum, a new thread is started. A thread that ends its job takes the next one from
//! the queue, whoever it was meant for; the thread that was notified for it finds nothing and is
//! idle again. (Counting idle threads outside the lock lost closures: tokio#8056.)
//!
//! A thread that has waited for `keep_alive` ends, unless it was notified in the same moment:
//! both are decided under the lock (tokio#1560).
//!
//! Closures are tasks whose future calls the closure (`task/raw.rs`), so join handle, abort and
//! panics are those of any task. Once begun a closure cannot be aborted.
//!
//! Why one mutex and not sharded queues: the system call that wakes a thread costs 7 µs, the mutex
//! 11 ns.
//! Read next: `task/spawn.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::JoinHandle as ThreadHandle;
use std::time::{Duration, Instant};

use crate::parts::budget;
use crate::runtime::config::{self, Config};
use crate::task::header::{Ending, Runnable, Schedule, TaskRef};

/// A closure as a future: its only poll calls it.
pub(crate) struct BlockingTask<F>(Option<F>);

impl<F> BlockingTask<F> {
    /// A future that calls `f`.
    pub(crate) fn new(f: F) -> Self {
        Self(Some(f))
    }
}

/// The closure is called by value and never pinned.
impl<F> Unpin for BlockingTask<F> {}

impl<R, F: FnOnce() -> R> Future for BlockingTask<F> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<R> {
        let f = self.0.take().expect("a blocking task is polled once");
        Poll::Ready(budget::unlimited(f))
    }
}

/// The scheduler of blocking tasks: they are pushed once, by hand, and never woken.
pub(crate) struct NoSchedule;

impl Schedule for NoSchedule {
    fn schedule(&self, _task: Runnable) {
        unreachable!("a blocking task is scheduled from its birth to its end");
    }

    fn unlist(&self, _task: Ending) -> Option<TaskRef> {
        None
    }
}

/// A closure that waits for a thread.
pub(crate) struct Job {
    /// The task.
    pub(crate) runnable: Runnable,
    /// Keeps it alive: blocking tasks are on no list.
    pub(crate) own: TaskRef,
    /// Dropped when the join handle has its answer: what must outlive the closure's task.
    pub(crate) after: Option<Box<dyn Send>>,
}

impl Job {
    /// Calls the closure, unless it was aborted.
    fn run(self) {
        self.runnable.end();
        drop(self.own);
        drop(self.after);
    }

    /// Drops the closure; its join handle says that it was cancelled.
    pub(crate) fn cancel(self) {
        self.own.cancel();
        self.run();
    }
}

/// What the pool's mutex guards.
#[derive(Default)]
struct State {
    /// Closures that no thread has taken.
    queue: VecDeque<Job>,
    /// Threads there are.
    threads: usize,
    /// Threads that wait and are not notified.
    idle: usize,
    /// Notifications that no thread has taken yet.
    notified: usize,
    /// No more closures; threads end when the queue is empty.
    shutdown: bool,
    /// Handles of threads that have not been joined, by serial number.
    handles: Vec<(u64, ThreadHandle<()>)>,
    /// The last thread that ended; joined by the next one that ends, or at shutdown.
    last: Option<ThreadHandle<()>>,
    /// The next thread's serial number.
    next: u64,
}

/// What a thread sees when it is counted: for metrics and `dump()`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockingCounts {
    /// Threads there are.
    pub(crate) threads: usize,
    /// Threads that wait for work.
    pub(crate) idle: usize,
    /// Closures that wait for a thread.
    pub(crate) queued: usize,
    /// Threads there may be.
    pub(crate) max: usize,
}

/// The pool.
pub(crate) struct Blocking {
    state: Mutex<State>,
    /// Idle threads wait here; waited on with `state`.
    work: Condvar,
    /// Whoever waits for the pool's end waits here; waited on with `state`.
    ended: Condvar,
    config: Config,
    max: usize,
    keep_alive: Duration,
}

impl Blocking {
    /// A pool of at most `max` threads, none of them started yet.
    pub(crate) fn new(config: Config, max: usize, keep_alive: Duration) -> Self {
        Self {
            state: Mutex::default(),
            work: Condvar::new(),
            ended: Condvar::new(),
            config,
            max,
            keep_alive,
        }
    }

    /// Hands a closure over to the pool, which `pool` keeps alive for its threads.
    ///
    /// # Errors
    ///
    /// Gives the job back: with `None` when the pool has ended, with the system's error when no
    /// thread exists and none could be started. The caller cancels it.
    pub(crate) fn spawn<P>(pool: &Arc<P>, job: Job) -> Result<(), (Job, Option<io::Error>)>
    where
        P: AsRef<Self> + Send + Sync + 'static,
    {
        let this: &Self = (**pool).as_ref();
        let mut state = this.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.shutdown {
            return Err((job, None));
        }
        state.queue.push_back(job);
        if state.idle > 0 {
            state.idle -= 1;
            state.notified += 1;
            drop(state);
            this.work.notify_one();
            return Ok(());
        }
        if state.threads == this.max {
            return Ok(());
        }
        // Under the lock: the decision and the counts stay together. Starting takes 25 µs.
        let serial = state.next;
        let owner = Arc::clone(pool);
        match this
            .config
            .thread()
            .spawn(move || (*owner).as_ref().run(serial))
        {
            Ok(handle) => {
                state.next += 1;
                state.threads += 1;
                state.handles.push((serial, handle));
                Ok(())
            }
            // The threads that exist will get to it.
            Err(_) if state.threads > 0 => Ok(()),
            Err(error) => match state.queue.pop_back() {
                Some(job) => Err((job, Some(error))),
                None => Ok(()),
            },
        }
    }

    /// A thread's life.
    fn run(&self, serial: u64) {
        config::call(&self.config.on_thread_start);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            while let Some(job) = state.queue.pop_front() {
                drop(state);
                job.run();
                state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            }
            if state.shutdown {
                break;
            }
            state.idle += 1;
            let end = Instant::now().checked_add(self.keep_alive);
            let expired = loop {
                if state.notified > 0 {
                    // Whoever notified has taken one thread off the idle count: that is us.
                    state.notified -= 1;
                    break false;
                }
                if state.shutdown {
                    state.idle -= 1;
                    break false;
                }
                let left = match end {
                    Some(end) => end.saturating_duration_since(Instant::now()),
                    None => self.keep_alive,
                };
                if left.is_zero() {
                    state.idle -= 1;
                    break true;
                }
                state = self
                    .work
                    .wait_timeout(state, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            };
            if expired {
                break;
            }
        }
        state.threads -= 1;
        // A thread cannot join itself: it leaves its handle for the next one that ends.
        let before = match state
            .handles
            .iter()
            .position(|(number, _)| *number == serial)
        {
            Some(place) => {
                let (_, own) = state.handles.swap_remove(place);
                state.last.replace(own)
            }
            None => None,
        };
        drop(state);
        config::call(&self.config.on_thread_stop);
        self.ended.notify_all();
        if let Some(before) = before {
            _ = before.join();
        }
    }

    /// Refuses new closures, cancels those that have not begun, and waits for the threads: for
    /// ever with `None`, else at most that long. Threads that are still busy then end by themselves.
    pub(crate) fn shutdown(&self, limit: Option<Duration>) {
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        let queued = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.shutdown = true;
            std::mem::take(&mut state.queue)
        };
        self.work.notify_all();
        // Outside the lock: dropping a closure runs foreign code.
        for job in queued {
            job.cancel();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.threads > 0 {
            state = match (limit, end) {
                (None, _) | (Some(_), None) => self
                    .ended
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                (Some(_), Some(end)) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    self.ended
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
        let last = state.last.take();
        drop(state);
        if let Some(last) = last {
            // It has left the loop; what remains is its hook and the end of the thread.
            _ = last.join();
        }
    }

    /// The counts now.
    pub(crate) fn counts(&self) -> BlockingCounts {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        BlockingCounts {
            threads: state.threads,
            idle: state.idle,
            queued: state.queue.len(),
            max: self.max,
        }
    }
}
