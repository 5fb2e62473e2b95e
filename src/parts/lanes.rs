//! What `dump()` lists: every runtime and pool registers a reader of itself here.
//!
//! So the dump knows no pool, and a pool knows no dump: a lane is anything that can report on
//! itself in the plain words below. Entries are weak; a lane that ended is forgotten at the next
//! look.
//! Read next: `runtime/dump.rs`.

#![forbid(unsafe_code)]

use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// Something that `dump()` shows.
pub(crate) trait Lane: Send + Sync {
    /// Its state now. Called without any lock held.
    fn report(&self) -> LaneReport;
}

/// The state of one runtime or pool.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LaneReport {
    /// What it is, with its name: `runtime "main"`.
    pub title: String,
    /// How long it has existed.
    pub up: Duration,
    /// Its threads.
    pub workers: Vec<WorkerReport>,
    /// Its live tasks, in no order.
    pub tasks: Vec<TaskReport>,
    /// What else it has to say, a line each.
    pub notes: Vec<String>,
}

/// One worker of a runtime.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WorkerReport {
    /// The thread's id for the system (gettid(2)), to attach a debugger; 0 if it is not known.
    pub tid: u32,
    /// The task it polls, by id.
    pub running: Option<u64>,
    /// True while it waits.
    pub parked: bool,
    /// How long ago it last looked at the driver or woke: what it runs has run at most this long.
    pub since: Duration,
    /// Tasks in its queue.
    pub queued: usize,
}

/// One live task.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct TaskReport {
    /// Its id.
    pub id: u64,
    /// The low 32 bits of the id of the task that spawned it, if a task did.
    pub parent: Option<u32>,
    /// Its name, if it has one.
    pub name: Option<&'static str>,
    /// The line that spawned it.
    pub spawned: &'static Location<'static>,
    /// What it does.
    pub state: TaskState,
    /// Where it waits, or waited last.
    pub wait: Option<WaitReport>,
}

/// What a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TaskState {
    /// A worker polls it; the worker's number.
    Running(usize),
    /// It was woken and waits for a worker.
    Ready,
    /// It waits for something.
    Waiting,
}

/// Where a task waits.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct WaitReport {
    /// What for: `read`, `sleep`, `lock`, …
    pub kind: String,
    /// Which one: a descriptor, an address, a task id, as the kind says.
    pub resource: u64,
    /// The line of the call.
    pub location: &'static Location<'static>,
}

/// All lanes, in the order of their start; guards the vector.
static LANES: Mutex<Vec<Weak<dyn Lane>>> = Mutex::new(Vec::new());

/// Adds a lane, and forgets those that have ended.
pub(crate) fn register(lane: Weak<dyn Lane>) {
    let mut lanes = LANES.lock().unwrap_or_else(PoisonError::into_inner);
    lanes.retain(|lane| lane.strong_count() > 0);
    lanes.push(lane);
}

/// The lanes that are alive.
pub(crate) fn alive() -> Vec<Arc<dyn Lane>> {
    let lanes = LANES.lock().unwrap_or_else(PoisonError::into_inner);
    lanes.iter().filter_map(Weak::upgrade).collect()
}
