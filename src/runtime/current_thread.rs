//! Who drives the event loop: `block_on` of a current-thread runtime, and its end.
//!
//! ```text
//!   thread A: block_on ──► takes the core ──► drives everything ──► puts it back ──┐
//!   thread B: block_on ──► no core: polls only its own future, parks ◄── unpark ───┘
//!                          └─► takes the core, drives
//! ```
//!
//! Read next: `runtime/worker.rs`, the same on several threads.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};

use futures_task::waker_ref;

use crate::parts::block_on;
use crate::parts::budget;
use crate::parts::wait_site;
use crate::runtime::context;
use crate::runtime::event_loop;
use crate::runtime::handle::Handle;
use crate::runtime::queues::{CurrentThread, RUNNING, Running, scheduler};

/// Puts the core back when `block_on` ends, also by a panic of the root future.
struct CoreGuard<'a> {
    handle: &'a Handle,
    running: Option<Running>,
}

impl Drop for CoreGuard<'_> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            scheduler(&self.handle.0).put_core(running.core.into_inner());
        }
    }
}

/// Runs `root` on this thread, and the runtime's tasks beside it.
///
/// The caller has entered the runtime's context and marked the thread as an executor.
pub(crate) fn block_on<F: Future>(handle: &Handle, mut root: Pin<&mut F>) -> F::Output {
    let this = scheduler(&handle.0);
    loop {
        if let Some(core) = this.try_take_core() {
            let guard = CoreGuard {
                handle,
                running: Some(Running {
                    owner: ptr::from_ref(&*handle.0),
                    core: RefCell::new(core),
                }),
            };
            let running = guard.running.as_ref().expect("set above");
            let _owner = handle.0.owned.owner(0);
            return RUNNING
                .with(|slot| slot.set(running, || event_loop::drive(handle, this, running, root)));
        }
        if let Poll::Ready(output) = wait_for_core(this, root.as_mut()) {
            return output;
        }
    }
}

/// Another thread drives: polls only `root`, until it is done or the core is free.
fn wait_for_core<F: Future>(this: &CurrentThread, mut root: Pin<&mut F>) -> Poll<F::Output> {
    let thread = block_on::this_thread();
    let waker = waker_ref(&thread);
    let mut cx = Context::from_waker(&waker);
    loop {
        // Before the look at the core, so that the thread which puts it back finds us.
        {
            let mut waiting = this.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if !waiting.iter().any(|other| Arc::ptr_eq(other, &thread)) {
                waiting.push(Arc::clone(&thread));
            }
        }
        if this
            .core
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some()
        {
            return Poll::Pending;
        }
        if let Poll::Ready(output) = budget::refilled(|| root.as_mut().poll(&mut cx)) {
            return Poll::Ready(output);
        }
        // The root is no task: its mark is not to be taken for that of the next one.
        _ = wait_site::take();
        thread.park();
    }
}

/// Ends the runtime: cancels all tasks and runs them to their ends on this thread.
pub(crate) fn shutdown(handle: &Handle) {
    let shared = &*handle.0;
    let this = scheduler(shared);
    let Some(core) = this.try_take_core() else {
        // A thread is still in `block_on` (through a handle): the next end takes care.
        return;
    };
    let guard = CoreGuard {
        handle,
        running: Some(Running {
            owner: ptr::from_ref(shared),
            core: RefCell::new(core),
        }),
    };
    let running = guard.running.as_ref().expect("set above");
    let _owner = shared.owned.owner(0);
    context::with_entered(handle, || {
        RUNNING.with(|slot| {
            slot.set(running, || {
                shared.owned.close_and_cancel();
                event_loop::drain(shared, this, running);
            });
        });
    });
}
