//! `yield_now` and `yield_local`: one job now, for a worker that waits in a loop of its own.
//! Read next: `threads/broadcast.rs`.

#![forbid(unsafe_code)]

use crate::threads::job::JobRef;
use crate::threads::pool::ThreadPool;
use crate::threads::worker::{Worker, with_current};

/// What a yield did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yield {
    /// A job was run.
    Executed,
    /// There was nothing to run.
    Idle,
}

/// Runs one job, wherever there is one: this worker's own, another worker's, one from outside.
/// `None` when this thread is no worker.
///
/// For a worker that waits for something in a loop of its own, which a job may have to do.
///
/// ```
/// assert_eq!(trefoil::threads::yield_now(), None);
/// ```
pub fn yield_now() -> Option<Yield> {
    with_current(|worker| worker.map(now))
}

/// Like [`yield_now`], but only this worker's own jobs and broadcasts are looked at.
///
/// ```
/// assert_eq!(trefoil::threads::yield_local(), None);
/// ```
pub fn yield_local() -> Option<Yield> {
    with_current(|worker| worker.map(local))
}

/// [`yield_now`] on a worker.
fn now(worker: &Worker) -> Yield {
    run(worker, worker.take_any())
}

/// [`yield_local`] on a worker.
fn local(worker: &Worker) -> Yield {
    worker.publish_all();
    run(worker, worker.take_own())
}

/// Runs the job that was found, if one was.
fn run(worker: &Worker, job: Option<JobRef>) -> Yield {
    let Some(job) = job else { return Yield::Idle };
    worker.execute(job);
    Yield::Executed
}

impl ThreadPool {
    /// [`yield_now`], if this thread is a worker of this pool.
    pub fn yield_now(&self) -> Option<Yield> {
        self.with_own_worker(now)
    }

    /// [`yield_local`], if this thread is a worker of this pool.
    pub fn yield_local(&self) -> Option<Yield> {
        self.with_own_worker(local)
    }
}
