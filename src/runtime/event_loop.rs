//! The event loop on one thread: tasks, a look at the driver now and then, a wait.
//!
//! ```text
//!   block_on(root):
//!     loop {
//!       1. root woken?            poll it; Ready: return
//!       2. up to 61 times:        run the next task (queue, then from outside, then stepped back)
//!       3. 61 polls or 50 µs?     look at sockets and timers, without waiting
//!       4. nothing can run?       wait in the driver: an event, a timer, an unpark ends it
//!     }
//! ```
//!
//! | the root's turn comes | because |
//! |---|---|
//! | when no task can run | it is one of the things to do |
//! | after `event_interval` polls | tasks that never end must not starve it |
//! | when it is woken and all others have stepped back | they stepped back for it |
//!
//! Read next: `io/evented.rs`, where a byte reaches a task; or `runtime/worker.rs`, the same on
//! several threads.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use futures_task::waker_ref;

use crate::parts::budget;
use crate::parts::wait_site;
use crate::runtime::config;
use crate::runtime::counters::WorkerCounters;
use crate::runtime::handle::{Handle, Shared, Spares};
use crate::runtime::queues::{Core, CurrentThread, RootWaker, Running};
use crate::task::header::{AfterRun, Runnable};

/// The loop; returns when `root` is ready.
pub(crate) fn drive<F: Future>(
    handle: &Handle,
    this: &CurrentThread,
    running: &Running,
    mut root: Pin<&mut F>,
) -> F::Output {
    let shared = &*handle.0;
    let stats = &shared.counters.workers[0];
    let root_waker = Arc::new(RootWaker {
        woken: AtomicBool::new(true),
        handle: handle.clone(),
    });
    let waker = waker_ref(&root_waker);
    let mut cx = Context::from_waker(&waker);
    let _spares = Spares::keep(shared);
    let mut busy_since = Instant::now();
    running.core.borrow_mut().pace.begins(busy_since);
    // The caller has polled the root once; if that spawned tasks and stepped back, they come first.
    let mut tasks_first = true;
    loop {
        // Acquire: pairs with the swap in `RootWaker::wake_by_ref`.
        if !std::mem::take(&mut tasks_first) && root_waker.woken.swap(false, Ordering::AcqRel) {
            if let Poll::Ready(output) = budget::refilled(|| root.as_mut().poll(&mut cx)) {
                stats.busy_ns.add(busy_since.elapsed().as_nanos() as u64);
                return output;
            }
            // The root is no task: its mark is not to be taken for that of the next one.
            _ = wait_site::take();
        }
        let mut polls = 0;
        let next = loop {
            match run_some(this, running, shared, &root_waker.woken, &mut polls) {
                Next::Look => look(running, shared, stats),
                next => break next,
            }
        };
        if next == Next::Root {
            continue;
        }
        // Nothing can run. A look first if the root wants to run, else a wait.
        let woken = &root_waker.woken;
        let hook = &shared.config.on_thread_park;
        let may_wait = fall_asleep(this, running, woken, hook.is_none());
        // The program's hook may have spawned, or woken the root.
        if may_wait && config::call(hook) && !fall_asleep(this, running, woken, true) {
            // Instead of the wait, which a hook that always brings work would prevent for ever.
            look(running, shared, stats);
            config::call(&shared.config.on_thread_unpark);
            continue;
        }
        if !may_wait {
            // The root woke itself, or work has just come: sockets and timers get their look
            // by the pace, as beside any other work.
            if running.core.borrow_mut().pace.poll_done() {
                look(running, shared, stats);
            }
            continue;
        }
        stats.busy_ns.add(busy_since.elapsed().as_nanos() as u64);
        wait(this, shared, stats);
        busy_since = Instant::now();
        stats
            .seen_ns
            .store(shared.counters.since_start(busy_since), Ordering::Relaxed);
        running.core.borrow_mut().pace.waited(busy_since);
    }
}

/// What the loop does after some tasks have run.
#[derive(PartialEq, Eq)]
enum Next {
    /// A look at sockets and timers, then more tasks.
    Look,
    /// The root's turn.
    Root,
    /// No task is left.
    Empty,
}

/// Runs tasks until something else is due. `polls`: how many have run since the root's turn.
fn run_some(
    this: &CurrentThread,
    running: &Running,
    shared: &Shared,
    root_woken: &AtomicBool,
    polls: &mut u32,
) -> Next {
    let stats = &shared.counters.workers[0];
    let config = &shared.config;
    let mut after = AfterRun::Done;
    loop {
        let (task, look) = {
            let core = &mut *running.core.borrow_mut();
            push_back(core, after);
            // The root's turn comes after `event_interval` polls; earlier when it is woken and
            // only tasks are left that have stepped back for others. Not with every look: looks
            // are frequent when polls are long, and the root would overtake what it has spawned.
            let passes = *polls > 0
                && core.tasks.is_empty()
                // Relaxed: a hint; the swap in `drive` sees what the waker wrote.
                && root_woken.load(Ordering::Relaxed);
            if passes || *polls >= config.event_interval {
                return Next::Root;
            }
            match next_task(this, core, config.global_queue_interval) {
                None => return Next::Empty,
                Some(task) => (task, core.pace.poll_done()),
            }
        };
        *polls += 1;
        stats.start_poll(task.id().as_u64());
        after = budget::refilled(|| task.run());
        stats.end_poll();
        if look {
            push_back(&mut running.core.borrow_mut(), after);
            return Next::Look;
        }
    }
}

/// Puts a task that ran where it belongs.
#[inline]
fn push_back(core: &mut Core, after: AfterRun) {
    match after {
        AfterRun::Done => {}
        AfterRun::Again(task) => core.tasks.push_back(task),
        AfterRun::Yielded(task) => core.yielded.push_back(task),
    }
}

/// The next task to run.
fn next_task(this: &CurrentThread, core: &mut Core, interval: u32) -> Option<Runnable> {
    core.pops_left -= 1;
    if core.pops_left == 0 {
        // So that a queue that never empties starves nobody.
        core.pops_left = interval;
        this.take_injected(core);
        if let Some(task) = core.yielded.pop_front() {
            return Some(task);
        }
    }
    if let Some(task) = core.tasks.pop_front() {
        return Some(task);
    }
    this.take_injected(core);
    core.tasks.pop_front().or_else(|| core.yielded.pop_front())
}

/// Looks at sockets and timers without waiting. What they wake is pushed into the core's queue.
fn look(running: &Running, shared: &Shared, stats: &WorkerCounters) {
    let turn = shared.driver.try_turn();
    let found = turn.is_some_and(|mut turn| shared.driver.look(&mut turn));
    let mut core = running.core.borrow_mut();
    core.pace.looked(found);
    if let Some(now) = core.pace.last_look() {
        stats
            .seen_ns
            .store(shared.counters.since_start(now), Ordering::Relaxed);
    }
}

/// True when there is nothing to run; `announce`: then also sets `asleep`, so that whoever brings
/// work from now on ends the wait.
fn fall_asleep(
    this: &CurrentThread,
    running: &Running,
    root_woken: &AtomicBool,
    announce: bool,
) -> bool {
    let mut injected = this.injected.lock().unwrap_or_else(PoisonError::into_inner);
    let core = running.core.borrow();
    let idle = core.tasks.is_empty()
        && core.yielded.is_empty()
        && injected.tasks.is_empty()
        // Acquire: pairs with the swap in `RootWaker::wake_by_ref`; what woke the root is seen
        // when it is polled.
        && !root_woken.load(Ordering::Acquire);
    injected.asleep = idle && announce;
    idle
}

/// Waits in the driver; `asleep` is set already.
fn wait(this: &CurrentThread, shared: &Shared, stats: &WorkerCounters) {
    stats.parks.bump();
    stats.parks_unparks.bump();
    if let Some(mut turn) = shared.driver.try_turn() {
        shared.driver.wait(&mut turn, None);
    }
    stats.parks_unparks.bump();
    this.injected
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .asleep = false;
    config::call(&shared.config.on_thread_unpark);
}

/// Runs cancelled tasks to their ends, until none is alive.
pub(crate) fn drain(shared: &Shared, this: &CurrentThread, running: &Running) {
    let next = || next_task(this, &mut running.core.borrow_mut(), u32::MAX);
    loop {
        while let Some(task) = next() {
            task.end();
        }
        if shared.owned.is_empty() {
            break;
        }
        // A waker on another thread has counted its wake-up and is about to push.
        std::thread::yield_now();
    }
    shared.owned.clear();
}
