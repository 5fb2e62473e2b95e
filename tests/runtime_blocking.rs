//! The blocking pool: every closure gets a thread, and every thread ends.

#[path = "both/mod.rs"]
mod both;

use std::process::Command;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use both::{Tally, both, current, until, watchdog};
use rt::runtime::{Builder, Runtime};
use rt::task;
use trefoil as rt;

/// Closures that end only when all of them have begun.
fn all_at_once(rt: &Runtime, count: usize) {
    let barrier = Arc::new(Barrier::new(count));
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            let barrier = barrier.clone();
            rt.spawn_blocking(move || {
                barrier.wait();
            })
        })
        .collect();
    rt.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
}

#[test]
fn closures_that_must_all_run_at_once_do_in_fresh_runtimes() {
    let _dog = watchdog();
    for round in 0..1500 {
        let rt = Builder::new_current_thread().build().unwrap();
        for step in 0..3 {
            all_at_once(&rt, 2 + (round + step) % 3);
        }
    }
}

#[test]
fn closures_that_never_return_do_not_keep_others_waiting() {
    let _dog = watchdog();
    let rt = current();
    let mut gates = Vec::new();
    for _ in 0..20 {
        let (open, gate) = mpsc::channel::<()>();
        let (inside, wait) = mpsc::channel();
        rt.spawn_blocking(move || {
            inside.send(()).unwrap();
            _ = gate.recv();
        });
        wait.recv().unwrap();
        gates.push(open);
    }
    drop(gates);
}

#[test]
fn idle_threads_end_and_later_closures_run_all_the_same() {
    let _dog = watchdog();
    let rt = Builder::new_current_thread()
        .thread_keep_alive(Duration::from_millis(1))
        .build()
        .unwrap();
    for _ in 0..30 {
        all_at_once(&rt, 3);
        until(|| rt.metrics().num_blocking_threads() == 0);
        assert_eq!(rt.metrics().num_idle_blocking_threads(), 0);
    }
    // Spawned just when threads are about to end.
    let rt = Builder::new_current_thread()
        .thread_keep_alive(Duration::from_micros(50))
        .build()
        .unwrap();
    for round in 0..2000 {
        all_at_once(&rt, 1 + round % 3);
        for _ in 0..round % 50 {
            thread::yield_now();
        }
    }
}

#[test]
fn idle_threads_are_used_again() {
    let _dog = watchdog();
    for rt in both() {
        all_at_once(&rt, 2);
        until(|| rt.metrics().num_idle_blocking_threads() == 2);
        all_at_once(&rt, 2);
        assert_eq!(rt.metrics().num_blocking_threads(), 2);
    }
}

#[test]
fn never_more_threads_than_the_maximum_and_all_closures_run() {
    let _dog = watchdog();
    let rt = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(3)
        .build()
        .unwrap();
    let (now, most, ran) = (Tally::new(), Tally::new(), Tally::new());
    let inside = Arc::new(std::sync::Mutex::new(0));
    let tasks: Vec<_> = (0..300)
        .map(|_| {
            let (inside, most, ran) = (inside.clone(), most.clone(), ran.clone());
            rt.spawn_blocking(move || {
                {
                    let mut count = inside.lock().unwrap();
                    *count += 1;
                    if *count > most.get() {
                        most.add();
                    }
                }
                thread::yield_now();
                *inside.lock().unwrap() -= 1;
                ran.add();
            })
        })
        .collect();
    drop(now);
    rt.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(ran.get(), 300);
    assert!(most.get() <= 3 && rt.metrics().num_blocking_threads() <= 3);
}

#[test]
fn a_closure_may_spawn_closures_and_tasks() {
    let _dog = watchdog();
    for rt in both() {
        let task = rt.spawn_blocking(|| {
            let closure = task::spawn_blocking(|| 1);
            let task = rt::spawn(async { 2 });
            rt::runtime::Handle::current()
                .block_on(async { closure.await.unwrap() + task.await.unwrap() })
        });
        assert_eq!(rt.block_on(task).unwrap(), 3);
    }
}

#[test]
fn an_aborted_closure_in_the_queue_does_not_take_anothers_turn() {
    let _dog = watchdog();
    let rt = Builder::new_current_thread()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    for _ in 0..100 {
        let (open, gate) = mpsc::channel::<()>();
        let first = rt.spawn_blocking(move || gate.recv());
        let tasks: Vec<_> = (0..10).map(|i| rt.spawn_blocking(move || i)).collect();
        for task in tasks.iter().step_by(2) {
            task.abort();
        }
        drop(open);
        rt.block_on(async {
            for (i, task) in tasks.into_iter().enumerate() {
                let result = task.await;
                match i % 2 {
                    // The first may have begun before the abort... not with one busy thread.
                    0 => assert!(result.unwrap_err().is_cancelled()),
                    _ => assert_eq!(result.unwrap(), i),
                }
            }
            _ = first.await;
        });
    }
}

/// Set in the helper process.
const CHILD: &str = "TREFOIL_TEST_CHILD";

/// This binary again for the test `name`, as an unprivileged user who may have `threads` threads.
/// `None` with a message when that cannot be done here.
fn again(name: &str, threads: usize) -> Option<std::process::Output> {
    use std::os::unix::process::CommandExt;
    // A user of its own a test: the limit counts all threads of the user.
    let user = 61_000 + std::process::id() % 500 + threads as u32 * 500;
    // A copy in a directory that everybody may enter.
    let copy = std::env::temp_dir().join(format!("trefoil-blocking-{user}"));
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let output = Command::new("prlimit")
        .arg(format!("--nproc={threads}"))
        .arg(&copy)
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .current_dir("/")
        .uid(user)
        .gid(user)
        .output();
    _ = std::fs::remove_file(&copy);
    match output {
        Ok(output) => Some(output),
        Err(error) => {
            eprintln!("skipped: needs root and prlimit(1): {error}");
            None
        }
    }
}

/// Runs `name` in the helper process and expects it to pass.
fn passes_again(name: &str, threads: usize) {
    if let Some(output) = again(name, threads) {
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success() && out.contains("1 passed"),
            "{out}\n{err}"
        );
    }
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// The process's threads.
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn without_any_thread_the_handle_fails_and_nothing_is_orphaned() {
    if !is_child() {
        return passes_again(
            "without_any_thread_the_handle_fails_and_nothing_is_orphaned",
            1,
        );
    }
    // The harness finds no thread for the test and runs it on the main one: the only one allowed.
    if thread::Builder::new().spawn(|| ()).is_ok() {
        eprintln!("skipped: the limit does not bind here");
        return;
    }
    let rt = current();
    let dropped = Tally::new();
    let guard = dropped.guard();
    let task = rt.spawn_blocking(move || drop(guard));
    assert!(task.is_finished() && dropped.get() == 1);
    assert!(rt.block_on(task).unwrap_err().is_cancelled());
    assert_eq!(rt.block_on(rt.spawn(async { 1 })).unwrap(), 1);
    assert_eq!(rt.metrics().blocking_queue_depth(), 0);
    Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap_err();
    drop(rt);
}

#[test]
fn with_one_thread_less_than_needed_what_was_started_is_stopped() {
    if !is_child() {
        return passes_again(
            "with_one_thread_less_than_needed_what_was_started_is_stopped",
            4,
        );
    }
    let fds = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let (before, open) = (threads(), fds());
    let failed = Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build();
    let error = match failed {
        Ok(_) => {
            eprintln!("skipped: the limit does not bind here");
            return;
        }
        Err(error) => error,
    };
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "EAGAIN");
    until(|| threads() == before);
    assert_eq!(fds(), open);

    // The one or two threads that can be had serve all closures.
    let rt = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let tasks: Vec<_> = (0..20).map(|i| rt.spawn_blocking(move || i)).collect();
    for (i, task) in tasks.into_iter().enumerate() {
        assert_eq!(rt.block_on(task).unwrap(), i);
    }
    // A worker that blocks in place cannot be replaced: it goes on all the same.
    let task = rt.spawn(async {
        let sum = task::block_in_place(|| 1);
        task::yield_now().await;
        sum
    });
    assert_eq!(rt.block_on(task).unwrap(), 1);
}
