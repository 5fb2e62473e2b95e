//! First in, first out, through a deque whose owner takes the newest first.
//!
//! ```text
//!   push(job): the job goes to the back of a queue, a *token* into the deque
//!   a token is run: it runs the job at the front of the queue, whichever token it is
//! ```
//!
//! So the jobs of one queue run in the order in which they came, and the deque needs no second
//! kind of end. A queue for each spawning worker: a single one would be contended.
//! Read next: `threads/spawn.rs`.

#![allow(unsafe_code, reason = "tokens point to their queue")]

use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::{Mutex, PoisonError};

use crate::threads::job::{Header, JobRef};

/// A queue of jobs, and the token that stands for any of them.
#[repr(C)]
pub(crate) struct Fifo {
    token: Header,
    /// Guards the queue.
    jobs: Mutex<VecDeque<JobRef>>,
}

impl Fifo {
    /// An empty queue.
    pub(crate) fn new() -> Self {
        Self {
            token: Header::new(run_oldest),
            jobs: Mutex::default(),
        }
    }

    /// Adds a job; gives the token to be pushed for it.
    ///
    /// # Safety
    ///
    /// The queue stays where it is until all its jobs have begun.
    pub(crate) unsafe fn push(&self, job: JobRef) -> JobRef {
        let flat = job.is_flat();
        self.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(job);
        // SAFETY: the queue stays, as the caller promises, until this token's job has begun. Of
        // tokens, exceptionally, there are several: `run_oldest` takes one job for each.
        let token = unsafe { JobRef::new(NonNull::from(self).cast()) };
        // All jobs of a queue are of one kind.
        if flat { token.flat() } else { token }
    }
}

/// Runs the oldest job of the queue whose token is at `header`.
///
/// # Safety
///
/// `header` is the token of a `Fifo` with a job that has not begun.
unsafe fn run_oldest(header: NonNull<Header>) {
    let job = {
        // SAFETY: the queue stays until its last job has begun, and one has not.
        let fifo = unsafe { header.cast::<Fifo>().as_ref() };
        fifo.jobs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    };
    job.expect("a token for each job").execute();
}
