//! `block_in_place`: a worker hands its core to another thread while it blocks.
//!
//! ```text
//!   this thread:  core ──► slot ──► f() … blocks … ──► slot still full? take the core back
//!   new thread:              └──► takes the core, is the worker from now on
//! ```
//!
//! A short `f` is over before the new thread has started: it then finds the slot empty and ends.
//! After a long one this thread finishes its poll without a core (what it wakes goes to the
//! injector) and ends.
//! Why a new thread and not one of the blocking pool: a pool thread that turned into a worker for
//! good would still count as one that serves the pool's queue (tokio#8406).
//! Read next: `runtime/runtime.rs`.

#![forbid(unsafe_code)]

use std::ptr;
use std::sync::PoisonError;

use crate::parts::block_on;
use crate::parts::budget;
use crate::runtime::handle::{Handle, Shared};
use crate::runtime::multi_thread;
use crate::runtime::worker::RUNNING;
use crate::runtime::workers::{self, MultiThread};

/// Gives the core back to this thread when the blocking closure is over, also by a panic.
struct TakeBack<'a> {
    this: &'a MultiThread,
    shared: &'a Shared,
    index: usize,
}

impl Drop for TakeBack<'_> {
    fn drop(&mut self) {
        let slot = &self.this.remotes[self.index].core;
        let core = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if core.is_some() {
            RUNNING.with(|slot| {
                slot.with(|running| {
                    if let Some(running) = running {
                        *running.core.borrow_mut() = core;
                        self.shared.owned.pick_up(self.index);
                    }
                });
            });
        }
    }
}

/// Runs `f`, which blocks, while another thread takes over as this worker. On any other thread
/// it just runs `f`.
pub(crate) fn block_in_place<R>(handle: &Handle, f: impl FnOnce() -> R) -> R {
    let shared = &*handle.0;
    let Some(this) = workers::scheduler(shared) else {
        return budget::unlimited(f);
    };
    let core = RUNNING.with(|slot| {
        slot.with(|running| {
            let running = running.filter(|r| ptr::eq(r.owner, shared))?;
            let core = running.core.borrow_mut().take()?;
            Some((running.index, core))
        })
    });
    let _blocking = block_on::leave();
    let Some((index, core)) = core else {
        return budget::unlimited(f);
    };
    let remote = &this.remotes[index];
    if let Some(task) = remote.lifo.take() {
        core.tasks.push(task);
    }
    shared.owned.put_down();
    *remote.core.lock().unwrap_or_else(PoisonError::into_inner) = Some(core);
    let _take_back = TakeBack {
        this,
        shared,
        index,
    };
    // When the system refuses a thread, peers can still steal from the core's queues.
    _ = multi_thread::start_thread(handle, index);
    budget::unlimited(f)
}
