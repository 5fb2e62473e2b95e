//! What must not grow: descriptors, threads, memory. One test at a time, in this process alone.

#[path = "both/mod.rs"]
mod both;

use std::fs;
use std::future::pending;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use both::{Tally, current, until, watchdog, workers};
use rt::runtime::Runtime;
use rt::task;
use trefoil as rt;

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fds() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Threads other than the harness's: it starts its own when it likes.
fn workers_alive() -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok())
        .filter(|name| name.starts_with("trefoil-worker"))
        .count()
}

/// Resident memory in KiB.
fn resident() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    let number = line.split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

/// A round of tasks of all kinds, some of them never done.
fn leave_work_pending(rt: &Runtime, live: &Tally, dropped: &Tally) {
    for kind in 0..10 {
        live.add();
        let guard = dropped.guard();
        drop(rt.spawn(async move {
            let _guard = guard;
            match kind {
                0 => pending().await,
                1 => rt::time::sleep(Duration::from_secs(1000)).await,
                2 => loop {
                    task::yield_now().await;
                },
                3 => {
                    let socket = rt::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
                    _ = socket.recv(&mut [0; 1]).await;
                }
                4 => _ = rt::spawn(pending::<()>()).await,
                5 => _ = task::spawn_blocking(|| ()).await,
                _ => task::yield_now().await,
            }
        }));
    }
}

#[test]
fn a_thousand_runtimes_leave_nothing() {
    let (_dog, _alone) = (watchdog(), alone());
    let (live, dropped) = (Tally::new(), Tally::new());
    let round = |i: usize| {
        let rt = if i.is_multiple_of(2) {
            current()
        } else {
            workers(2)
        };
        leave_work_pending(&rt, &live, &dropped);
        if i.is_multiple_of(3) {
            rt.block_on(task::yield_now());
        }
        match i % 4 {
            0 | 1 => drop(rt),
            2 => rt.shutdown_timeout(Duration::from_secs(60)),
            _ => rt.shutdown_background(),
        }
    };
    let rest = || {
        until(|| workers_alive() == 0 && live.get() == dropped.get());
    };
    (0..200).for_each(round);
    rest();
    let (open, memory) = (fds(), resident());
    (0..800).for_each(round);
    rest();
    // A worker that has not yet taken its name is not counted above; one of them may even have been
    // missed when `open` was counted, so fewer descriptors are fine.
    until(|| fds() <= open);
    let grown = resident() - memory;
    assert!(grown < 4096, "{grown} KiB more after 800 runtimes");
}

/// Runs `step` many times; memory may grow during the first tenth only. With `TREFOIL_LONG` in the
/// environment ten times as often: twenty million spawns in all.
fn flat(what: &str, times: usize, mut step: impl FnMut()) {
    let long = std::env::var_os("TREFOIL_LONG").is_some();
    let times = if long { 10 * times } else { times };
    for _ in 0..times / 10 {
        step();
    }
    let before = resident();
    for _ in 0..times - times / 10 {
        step();
    }
    let grown = resident() - before;
    assert!(grown < 4096, "{what}: {grown} KiB more");
}

#[test]
fn a_million_spawns_keep_memory_flat() {
    let (_dog, _alone) = (watchdog(), alone());
    for (kind, rt) in [("one thread", current()), ("two workers", workers(2))] {
        flat(&format!("awaited, {kind}"), 300, || {
            rt.block_on(async {
                let tasks: Vec<_> = (0..1000).map(|i| rt::spawn(async move { i })).collect();
                for task in tasks {
                    task.await.unwrap();
                }
            });
        });
        flat(&format!("detached, {kind}"), 300, || {
            let ran = Tally::new();
            rt.block_on(async {
                for _ in 0..1000 {
                    let ran = ran.clone();
                    rt::spawn(async move { ran.add() });
                }
                while ran.get() < 1000 {
                    task::yield_now().await;
                }
            });
        });
        flat(&format!("aborted, {kind}"), 300, || {
            rt.block_on(async {
                let mut set = task::JoinSet::new();
                for _ in 0..1000 {
                    set.spawn(pending::<()>());
                }
                set.shutdown().await;
            });
        });
        flat(&format!("from outside, {kind}"), 100, || {
            let tasks: Vec<_> = (0..1000).map(|_| rt.spawn(async {})).collect();
            rt.block_on(async {
                for task in tasks {
                    task.await.unwrap();
                }
            });
        });
        flat(&format!("closures, {kind}"), 100, || {
            rt.block_on(async {
                for _ in 0..20 {
                    task::spawn_blocking(|| ()).await.unwrap();
                }
            });
        });
    }
}

#[test]
fn block_in_place_leaves_no_threads() {
    let (_dog, _alone) = (watchdog(), alone());
    let rt = workers(2);
    flat("block_in_place", 1000, || {
        let task = rt.spawn(async { task::block_in_place(std::thread::yield_now) });
        rt.block_on(task).unwrap();
    });
    until(|| workers_alive() <= 3);
    drop(rt);
    until(|| workers_alive() == 0);
}

#[test]
fn a_task_joined_in_another_runtime_does_not_keep_its_own_alive() {
    let (_dog, _alone) = (watchdog(), alone());
    for outer in [current(), workers(1)] {
        let kept = outer.spawn(async {
            let before = fds();
            for _ in 0..10 {
                let inner = workers(1);
                let tasks: Vec<_> = (0..5).map(|i| inner.spawn(async move { i })).collect();
                for task in tasks {
                    task.await.unwrap();
                }
                inner.shutdown_background();
            }
            until(|| fds() <= before);
        });
        outer.block_on(kept).unwrap();
    }
}
