//! How the workers of a multi-thread runtime start, how work reaches them, and how they end.
//!
//! A push by a worker goes to its own queues (the last woken task into the LIFO slot), any other
//! push into the injector. Who pushes wakes a peer only when there is more than the worker itself
//! is about to run.
//!
//! **The end.** `shutdown` is set, all tasks are cancelled, everybody is unparked. Each worker runs
//! what is in its queues and leaves; the last one stays until no task is alive, then ends the
//! driver.
//! Read next: `runtime/in_place.rs`.

#![forbid(unsafe_code)]

use std::any::Any;
use std::io;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::runtime::handle::{Handle, RuntimeFlavor, Scheduler, Shared};
use crate::runtime::worker;
use crate::runtime::workers::{self, MultiThread};
use crate::task::header::Runnable;

impl Scheduler for MultiThread {
    fn look_soon(&self, shared: &Shared) {
        worker::look_soon(shared);
    }

    fn push(&self, shared: &Shared, task: Runnable) {
        let Err(task) = worker::push_here(self, shared, task) else {
            return;
        };
        if shared.driver.is_copy() {
            // In a forked child nobody runs it, and a thread that is not there may have the lock.
            return;
        }
        self.tasks.inject(task);
        self.wake_one(shared);
    }

    fn injected(&self) -> usize {
        self.tasks.injected_len()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn flavor(&self) -> RuntimeFlavor {
        RuntimeFlavor::MultiThread
    }
}

/// Starts a thread for the core that lies in the slot of worker `index`.
///
/// # Errors
///
/// The system's, when it refuses another thread.
pub(crate) fn start_thread(handle: &Handle, index: usize) -> io::Result<()> {
    let this = workers::scheduler(&handle.0).expect("a multi-thread runtime");
    let mut threads = this.threads.lock().unwrap_or_else(PoisonError::into_inner);
    threads.retain(|thread| !thread.is_finished());
    let own = handle.clone();
    threads.push(
        handle
            .0
            .config
            .thread()
            .spawn(move || worker::run(own, index))?,
    );
    Ok(())
}

/// Starts all workers.
///
/// # Errors
///
/// When the system refuses a thread; those that were started are ended again.
pub(crate) fn launch(handle: &Handle) -> io::Result<()> {
    let this = workers::scheduler(&handle.0).expect("a multi-thread runtime");
    for index in 0..this.remotes.len() {
        if let Err(error) = start_thread(handle, index) {
            // Cores without a thread have left already.
            this.present
                .fetch_sub(this.remotes.len() - index, Ordering::AcqRel);
            shutdown(handle, None);
            return Err(error);
        }
    }
    Ok(())
}

/// Ends the runtime: begins the end, and waits for the threads as `limit` says (`None`: for
/// ever). Threads that are stuck longer end by themselves later.
pub(crate) fn shutdown(handle: &Handle, limit: Option<Duration>) {
    let shared = &*handle.0;
    let this = workers::scheduler(shared).expect("a multi-thread runtime");
    // First: a worker that leaves runs what it finds without a budget, which only a cancelled task
    // may get. One that is always ready would never give its thread back.
    shared.owned.close_and_cancel();
    // Before the unparks below, whose mutex makes it visible to whoever they wake.
    this.shutdown.store(true, Ordering::SeqCst);
    for remote in &this.remotes {
        remote.bed.unpark(&shared.driver);
    }
    let end = limit.and_then(|limit| Instant::now().checked_add(limit));
    loop {
        // One after the other, and not under the lock: a worker in `block_in_place` may add one.
        let thread = this
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let Some(thread) = thread else { return };
        if thread.thread().id() == std::thread::current().id() {
            // A task of this runtime dropped it in the background: its thread ends later.
            continue;
        }
        if let Some(end) = end {
            // std has no join with a limit: look until it is over. Only the last threads of a
            // shutdown with a limit are waited for like this.
            let mut pause = Duration::from_micros(50);
            while !thread.is_finished() {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return;
                }
                std::thread::sleep(pause.min(left));
                pause = (pause * 2).min(Duration::from_millis(5));
            }
        }
        // A worker that panicked has said so on stderr.
        _ = thread.join();
    }
}
