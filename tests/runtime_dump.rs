//! `dump()`: what it says, and that it can be asked at any time.

#[path = "both/mod.rs"]
mod both;

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use both::{Tally, both, current, until, watchdog, workers};
use rt::runtime::{Builder, LaneReport, Runtime, TaskReport, TaskState};
use rt::sync::{Mutex, Notify, Semaphore, mpsc as queue, oneshot};
use rt::task;
use trefoil as rt;

/// The report of the runtime called `name`.
fn lane(name: &str) -> LaneReport {
    let title = format!("runtime {name:?}");
    let dump = rt::dump();
    let found = dump.lanes.into_iter().find(|lane| lane.title == title);
    found.expect("the runtime is listed")
}

/// The task that was spawned at `line` of this file.
fn at(lane: &LaneReport, line: u32) -> &TaskReport {
    let found = lane
        .tasks
        .iter()
        .find(|task| task.spawned.file() == file!() && task.spawned.line() == line);
    found.unwrap_or_else(|| panic!("no task of line {line}: {lane:#?}"))
}

fn named(name: &str, kind: usize) -> Runtime {
    let mut builder = if kind == 0 {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    builder
        .worker_threads(2)
        .name(name)
        .enable_all()
        .build()
        .unwrap()
}

/// Lets everything run until it waits.
fn settle(rt: &Runtime) {
    rt.block_on(async {
        for _ in 0..10 {
            task::yield_now().await;
        }
    });
    until(|| {
        let dump = rt::dump();
        let id = rt.handle().name().map(|name| format!("runtime {name:?}"));
        let lane = dump
            .lanes
            .iter()
            .find(|lane| Some(&lane.title) == id.as_ref());
        lane.unwrap()
            .tasks
            .iter()
            .all(|task| task.state == TaskState::Waiting && task.wait.is_some())
    });
}

#[test]
fn each_wait_is_shown_with_its_kind_and_line() {
    let _dog = watchdog();
    for kind in 0..2 {
        let name = ["waits on one", "waits on many"][kind];
        let rt = named(name, kind);
        let _entered = rt.enter();
        let notify = Arc::new(Notify::new());
        let semaphore = Arc::new(Semaphore::new(0));
        let mutex = Arc::new(Mutex::new(()));
        let _locked = mutex.try_lock().unwrap();
        let (_tx, mut rx) = queue::channel::<()>(1);
        let (_one, shot) = oneshot::channel::<()>();
        let (n, s, m) = (notify.clone(), semaphore.clone(), mutex.clone());
        let mut lines = Vec::new();
        let first = line!() + 1;
        rt.spawn(async move { n.notified().await });
        lines.push((first, "notify"));
        rt.spawn(async move { s.acquire().await.map(drop) });
        lines.push((first + 2, "semaphore"));
        rt.spawn(async move { drop(m.lock().await) });
        lines.push((first + 4, "lock"));
        rt.spawn(async move { rx.recv().await });
        lines.push((first + 6, "recv"));
        rt.spawn(async move { rt::time::sleep(Duration::from_secs(1000)).await });
        lines.push((first + 8, "sleep"));
        rt.spawn(shot);
        lines.push((first + 10, ""));
        settle(&rt);
        let lane = lane(name);
        for (line, kind) in lines {
            let task = at(&lane, line);
            let wait = task.wait.as_ref().unwrap();
            assert!(wait.kind.contains(kind), "{wait:?} is no {kind}");
            if !kind.is_empty() {
                assert_eq!(
                    (wait.location.file(), wait.location.line()),
                    (file!(), line)
                );
            }
        }
        let text = rt::dump().to_string();
        assert!(text.contains(name) && text.contains(&format!("{}:{first}:", file!())));
    }
}

#[test]
fn names_and_parents_are_shown() {
    let _dog = watchdog();
    for kind in 0..2 {
        let name = ["family on one", "family on many"][kind];
        let rt = named(name, kind);
        let _entered = rt.enter();
        let notify = Arc::new(Notify::new());
        let n = notify.clone();
        let parent = task::Builder::new()
            .name("parent")
            .spawn(async move {
                let children: Vec<_> = (0..10)
                    .map(|_| {
                        let n = n.clone();
                        let child = task::Builder::new().name("child");
                        child.spawn(async move { n.notified().await }).unwrap()
                    })
                    .collect();
                n.notified().await;
                drop(children);
            })
            .unwrap();
        settle(&rt);
        let lane = lane(name);
        let id = parent.id().to_string().parse::<u64>().unwrap();
        let own = lane.tasks.iter().find(|task| task.id == id).unwrap();
        assert_eq!((own.name, own.parent), (Some("parent"), None));
        let children: Vec<_> = lane
            .tasks
            .iter()
            .filter(|t| t.name == Some("child"))
            .collect();
        assert_eq!(children.len(), 10);
        assert!(children.iter().all(|task| task.parent == Some(id as u32)));
        let text = rt::dump().to_string();
        assert!(
            text.contains("\"parent\"") && text.contains("… 7 more like task"),
            "{text}"
        );
    }
}

#[test]
fn it_works_while_all_workers_are_stuck() {
    let _dog = watchdog();
    let rt = named("stuck", 1);
    let mut gates = Vec::new();
    let first = line!() + 4;
    for _ in 0..2 {
        let (open, gate) = mpsc::channel::<()>();
        let (inside, wait) = mpsc::channel();
        rt.spawn(async move {
            inside.send(()).unwrap();
            _ = gate.recv();
        });
        wait.recv().unwrap();
        gates.push(open);
    }
    let waiting = rt.spawn(async {});
    let lane = lane("stuck");
    let running: Vec<_> = lane
        .tasks
        .iter()
        .filter(|task| matches!(task.state, TaskState::Running(_)))
        .collect();
    assert_eq!(running.len(), 2);
    assert!(
        running
            .iter()
            .all(|task| task.spawned.line().abs_diff(first) < 3)
    );
    assert!(
        lane.workers
            .iter()
            .all(|worker| worker.running.is_some() && worker.tid != 0)
    );
    let id = waiting.id().to_string().parse::<u64>().unwrap();
    let own = lane.tasks.iter().find(|task| task.id == id).unwrap();
    assert_eq!(own.state, TaskState::Ready);
    assert!(rt::dump().to_string().contains("RUNNING"));
    drop(gates);
}

#[test]
fn a_task_that_waits_for_what_is_not_ours_is_shown_as_such() {
    let _dog = watchdog();
    for rt in both() {
        let task = rt.spawn(pending::<()>());
        rt.block_on(async {
            for _ in 0..3 {
                task::yield_now().await;
            }
        });
        until(|| {
            let id = task.id().to_string().parse::<u64>().unwrap();
            let dump = rt::dump();
            let mut tasks = dump.lanes.iter().flat_map(|lane| &lane.tasks);
            let own = tasks.find(|task| task.id == id).unwrap();
            own.state == TaskState::Waiting && own.wait.is_none()
        });
    }
}

#[test]
fn a_runtime_that_ended_is_gone() {
    let rt = named("gone", 1);
    assert_eq!(lane("gone").workers.len(), 2);
    drop(rt);
    // A dump that another test takes just now may still hold it.
    until(|| {
        let dump = rt::dump();
        dump.lanes
            .iter()
            .all(|lane| lane.title != "runtime \"gone\"")
    });
}

#[test]
fn a_task_may_ask() {
    let _dog = watchdog();
    for rt in both() {
        let text = rt.block_on(rt.spawn(async { (task::id(), rt::dump()) }));
        let (id, dump) = text.unwrap();
        let id = id.to_string().parse::<u64>().unwrap();
        let own = dump
            .lanes
            .iter()
            .flat_map(|lane| &lane.tasks)
            .find(|t| t.id == id);
        assert!(matches!(own.unwrap().state, TaskState::Running(_)));
    }
}

#[test]
fn in_a_loop_beside_everything_that_moves() {
    let _dog = watchdog();
    let stop = Arc::new(AtomicBool::new(false));
    let dumps = Tally::new();
    let reader = {
        let (stop, dumps) = (stop.clone(), dumps.clone());
        thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                let dump = rt::dump();
                assert!(!dump.to_string().is_empty() || dump.lanes.is_empty());
                dumps.add();
            }
        })
    };
    let start = Instant::now();
    let mut round = 0;
    while dumps.get() < 200 || start.elapsed() < Duration::from_secs(1) {
        round += 1;
        let rt = if round % 2 == 0 {
            current()
        } else {
            workers(2)
        };
        let metrics = rt.metrics();
        rt.block_on(async {
            let mut set = task::JoinSet::new();
            for i in 0..200_u64 {
                set.spawn(async move {
                    task::yield_now().await;
                    match i % 4 {
                        0 => rt::time::sleep(Duration::from_micros(i)).await,
                        1 => rt::spawn(async {}).await.unwrap(),
                        2 => task::spawn_blocking(|| ()).await.unwrap(),
                        _ => _ = task::id(),
                    }
                });
                if i % 5 == 0 {
                    set.spawn(pending()).abort();
                }
            }
            while set.join_next().await.is_some() {}
            for worker in 0..metrics.num_workers() {
                _ = metrics.worker_park_count(worker) + metrics.worker_poll_count(worker);
                _ = metrics.worker_total_busy_duration(worker);
            }
            _ = metrics.num_alive_tasks() + metrics.global_queue_depth();
        });
        if round % 3 == 0 {
            rt.shutdown_background();
        }
    }
    stop.store(true, Ordering::SeqCst);
    reader.join().unwrap();
}

#[test]
fn a_long_chain_of_parents_does_not_overflow_the_stack() {
    fn chain(left: usize, done: mpsc::Sender<()>) {
        rt::spawn(async move {
            if left == 0 {
                done.send(()).unwrap();
            } else {
                chain(left - 1, done);
            }
            pending::<()>().await;
        });
    }
    let _dog = watchdog();
    let rt = workers(1);
    let (done, wait) = mpsc::channel();
    let _entered = rt.enter();
    chain(5000, done);
    wait.recv().unwrap();
    assert!(rt::dump().to_string().lines().count() > 5000);
}
