//! `dump()`: what every task of every runtime waits for, with the line of the call.
//!
//! ```text
//! runtime "main": 2 workers, 1004 tasks, up 12.3s
//! worker 0  tid 4711  RUNNING task 17 "resize" for up to 3.2s  ← spawned src/main.rs:88
//! worker 1  tid 4712  parked
//! ├─ 2 "server" src/main.rs:20           waiting accept fd 7      src/main.rs:23
//! │  ├─ 17 "resize" src/main.rs:88       running on worker 0
//! │  └─ … 990 more "conn" src/server.rs:41: waiting read          src/server.rs:44
//! ```
//!
//! It polls nothing and stops nothing. It counts references to tasks up under the mutex of each
//! list of live tasks, one list after the other, and reads their wait slots: each line was true
//! when it was read, the whole is no snapshot.
//!
//! What it cannot say: which chain of async calls led to a wait (only the leaf is known), all
//! branches of a `select!` (the last one polled is shown), and leaves that are not trefoil's.
//! Read next: `task/wait_slot.rs`, how a line is read while it changes.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::parts::lanes::{
    self, Lane, LaneReport, TaskReport, TaskState, WaitReport, WorkerReport,
};
use crate::runtime::counters::WorkerCounters;
use crate::runtime::handle::{RuntimeFlavor, Shared};
use crate::runtime::workers;
use crate::task::header::TaskRef;
use crate::task::local_tasks::LocalTasks;

/// Siblings with the same spawn line and wait that are shown one by one; more become one line.
const SHOWN_ALIKE: usize = 3;

/// What all runtimes and pools of the process do, at about this moment.
///
/// May be called from any thread, also while every worker is stuck. Printing it gives a tree.
///
/// ```
/// # let rt = trefoil::runtime::Builder::new_current_thread().build().unwrap();
/// # rt.block_on(async {
/// let waiter = trefoil::spawn(std::future::pending::<()>());
/// trefoil::task::yield_now().await;
/// let dump = trefoil::dump();
/// assert!(dump.lanes.iter().flat_map(|lane| &lane.tasks).any(|t| t.spawned.file() == file!()));
/// println!("{dump}");
/// # waiter.abort();
/// # });
/// ```
#[must_use]
pub fn dump() -> Dump {
    let mut lanes: Vec<_> = lanes::alive().iter().map(|lane| lane.report()).collect();
    for lane in &mut lanes {
        lane.tasks.sort_by_key(|task| task.id);
    }
    Dump { lanes }
}

/// What [`dump`] saw: plain data, and a tree when it is printed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Dump {
    /// Runtimes and pools, in the order of their start.
    pub lanes: Vec<LaneReport>,
}

impl Lane for Shared {
    fn report(&self) -> LaneReport {
        let now = Instant::now();
        let workers: Vec<WorkerReport> = self
            .counters
            .workers
            .iter()
            .enumerate()
            .map(|(index, counters)| self.report_worker(index, counters, now))
            .collect();
        let tasks = self
            .owned
            .snapshot()
            .iter()
            .map(|task| {
                let id = task.id().as_u64();
                report_task(task, workers.iter().position(|w| w.running == Some(id)))
            })
            .collect();
        let blocking = self.blocking.counts();
        let name = match &self.config.name {
            Some(name) => format!("{name:?}"),
            None => self.id.to_string(),
        };
        LaneReport {
            title: format!("runtime {name}"),
            up: self.counters.age(),
            workers,
            tasks,
            notes: vec![format!(
                "timers {}, blocking {}/{} busy, queue {}",
                self.driver.armed_timers(),
                blocking.threads - blocking.idle,
                blocking.max,
                blocking.queued
            )],
        }
    }
}

/// The tasks of a `LocalSet` or `LocalRuntime`: whoever polls those runs them.
impl Lane for LocalTasks {
    fn report(&self) -> LaneReport {
        let tasks = self.snapshot();
        LaneReport {
            title: format!("local tasks of {:?}", self.owner()),
            up: self.age(),
            workers: Vec::new(),
            tasks: tasks.iter().map(|task| report_task(task, None)).collect(),
            notes: Vec::new(),
        }
    }
}

/// One task's part of the report; `worker` runs it now.
fn report_task(task: &TaskRef, worker: Option<usize>) -> TaskReport {
    let slot = task.slot();
    let state = match worker {
        Some(worker) => TaskState::Running(worker),
        None if task.state().is_scheduled() => TaskState::Ready,
        None => TaskState::Waiting,
    };
    TaskReport {
        id: task.id().as_u64(),
        parent: Some(slot.parent()).filter(|parent| *parent != 0),
        name: slot.name().text(),
        spawned: slot.spawned(),
        state,
        wait: slot.read().map(|site| WaitReport {
            kind: site.kind.to_string(),
            resource: site.resource,
            location: site.location,
        }),
    }
}

impl Shared {
    /// One worker's part of the report.
    fn report_worker(&self, index: usize, counters: &WorkerCounters, now: Instant) -> WorkerReport {
        let seen = Duration::from_nanos(counters.seen_ns.load(Ordering::Relaxed));
        let queued = match self.scheduler.flavor() {
            RuntimeFlavor::CurrentThread => self.scheduler.injected(),
            RuntimeFlavor::MultiThread => {
                workers::scheduler(self).map_or(0, |this| this.tasks.queue_len(index))
            }
        };
        WorkerReport {
            tid: counters.tid.load(Ordering::Relaxed),
            running: Some(counters.running.load(Ordering::Relaxed)).filter(|id| *id != 0),
            parked: counters.parks_unparks.get() % 2 == 1,
            since: now
                .saturating_duration_since(self.counters.start)
                .saturating_sub(seen),
            queued,
        }
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for lane in &self.lanes {
            let (workers, tasks) = (lane.workers.len(), lane.tasks.len());
            writeln!(
                f,
                "{}: {workers} workers, {tasks} tasks, up {:.1?}",
                lane.title, lane.up
            )?;
            for (index, worker) in lane.workers.iter().enumerate() {
                fmt_worker(f, lane, index, worker)?;
            }
            Tree::new(&lane.tasks).fmt_roots(f)?;
            for note in &lane.notes {
                writeln!(f, "{note}")?;
            }
        }
        Ok(())
    }
}

/// One worker's line.
fn fmt_worker(
    f: &mut fmt::Formatter<'_>,
    lane: &LaneReport,
    index: usize,
    worker: &WorkerReport,
) -> fmt::Result {
    write!(f, "worker {index}  ")?;
    if worker.tid != 0 {
        write!(f, "tid {}  ", worker.tid)?;
    }
    match worker.running {
        Some(id) => {
            write!(f, "RUNNING task {id}")?;
            let task = lane.tasks.iter().find(|task| task.id == id);
            if let Some(name) = task.and_then(|task| task.name) {
                write!(f, " {name:?}")?;
            }
            write!(f, " for up to {:.1?}", worker.since)?;
            if let Some(task) = task {
                write!(f, "  ← spawned {}", task.spawned)?;
            }
        }
        None if worker.parked => f.write_str("parked")?,
        None => f.write_str("awake")?,
    }
    if worker.queued > 0 {
        write!(f, "  {} tasks queued", worker.queued)?;
    }
    writeln!(f)
}

/// The tasks by parent.
struct Tree<'a> {
    roots: Vec<&'a TaskReport>,
    children: HashMap<u32, Vec<&'a TaskReport>>,
}

impl<'a> Tree<'a> {
    /// Sorts tasks under their parents; a task whose parent has ended is a root.
    fn new(tasks: &'a [TaskReport]) -> Self {
        let alive: HashMap<u32, u64> = tasks.iter().map(|task| (task.id as u32, task.id)).collect();
        let mut tree = Self {
            roots: Vec::new(),
            children: HashMap::new(),
        };
        for task in tasks {
            match task
                .parent
                .filter(|p| *p != task.id as u32 && alive.contains_key(p))
            {
                Some(parent) => tree.children.entry(parent).or_default().push(task),
                None => tree.roots.push(task),
            }
        }
        tree
    }

    /// Prints the whole tree.
    ///
    /// With a stack of its own: a chain of a million parents must not overflow the thread's.
    fn fmt_roots(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut stack = vec![(String::new(), group(&self.roots).into_iter())];
        while let Some((prefix, lines)) = stack.last_mut() {
            let Some(line) = lines.next() else {
                stack.pop();
                continue;
            };
            let last = lines.len() == 0;
            write!(f, "{prefix}{} ", if last { "└─" } else { "├─" })?;
            match line {
                Line::One(task) => {
                    fmt_task(f, task)?;
                    if let Some(children) = self.children.get(&(task.id as u32)) {
                        let prefix = format!("{prefix}{}", if last { "   " } else { "│  " });
                        stack.push((prefix, group(children).into_iter()));
                    }
                }
                Line::Alike(tasks) => {
                    write!(f, "… {} more like task {}", tasks.len(), tasks[0].id)?;
                    fmt_rest(f, tasks[0])?;
                }
            }
        }
        Ok(())
    }
}

/// A line of the tree.
enum Line<'a> {
    One(&'a TaskReport),
    /// Tasks with the same spawn line and wait, and no place of their own.
    Alike(Vec<&'a TaskReport>),
}

/// Gathers siblings that look alike.
fn group<'a>(siblings: &[&'a TaskReport]) -> Vec<Line<'a>> {
    let mut lines = Vec::new();
    let mut seen: HashMap<_, (usize, Vec<&TaskReport>)> = HashMap::new();
    let mut order = Vec::new();
    for task in siblings {
        let wait = task
            .wait
            .as_ref()
            .map(|wait| (wait.kind.as_str(), wait.location));
        let waits = matches!(task.state, TaskState::Waiting);
        let key = (task.spawned, task.name, waits, wait.filter(|_| waits));
        let (count, rest) = seen.entry(key).or_insert_with(|| {
            order.push(key);
            (0, Vec::new())
        });
        *count += 1;
        if *count <= SHOWN_ALIKE {
            lines.push(Line::One(task));
        } else {
            rest.push(task);
        }
    }
    for key in order {
        match seen.remove(&key) {
            Some((_, rest)) if !rest.is_empty() => lines.push(Line::Alike(rest)),
            _ => {}
        }
    }
    lines
}

/// A task's line.
fn fmt_task(f: &mut fmt::Formatter<'_>, task: &TaskReport) -> fmt::Result {
    write!(f, "{}", task.id)?;
    fmt_rest(f, task)
}

/// What follows the id.
fn fmt_rest(f: &mut fmt::Formatter<'_>, task: &TaskReport) -> fmt::Result {
    if let Some(name) = task.name {
        write!(f, " {name:?}")?;
    }
    write!(f, " {}  ", task.spawned)?;
    match (task.state, &task.wait) {
        (TaskState::Running(worker), _) => writeln!(f, "running on worker {worker}"),
        (TaskState::Ready, _) => writeln!(f, "ready"),
        (TaskState::Waiting, None) => writeln!(f, "waiting unknown leaf"),
        (TaskState::Waiting, Some(wait)) => {
            write!(f, "waiting {}", wait.kind)?;
            match wait.kind.as_str() {
                "accept" | "read" | "write" | "connect" => write!(f, " fd {}", wait.resource)?,
                "join" | "blocking-job" => write!(f, " task {}", wait.resource)?,
                "signal" => write!(f, " {}", wait.resource)?,
                _ => {}
            }
            writeln!(f, "  {}", wait.location)
        }
    }
}
