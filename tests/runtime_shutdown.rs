//! The end of a runtime, in all the ways and at all the wrong moments.

#[path = "both/mod.rs"]
mod both;

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use both::{OnDrop, Tally, both, current, text, until, watchdog, workers};
use rt::runtime::{Handle, Runtime};
use rt::sync::{Notify, mpsc as queue, oneshot};
use rt::task::{self, JoinHandle};
use trefoil as rt;

/// Ways to end a runtime that leave nothing behind when no closure blocks.
#[derive(Debug, Clone, Copy)]
enum Way {
    Drop,
    Timeout,
    Background,
}

const WAYS: [Way; 3] = [Way::Drop, Way::Timeout, Way::Background];

fn end(rt: Runtime, way: Way) {
    match way {
        Way::Drop => drop(rt),
        Way::Timeout => rt.shutdown_timeout(Duration::from_secs(60)),
        Way::Background => rt.shutdown_background(),
    }
}

/// Twenty tasks that wait for different things, or for nothing.
fn mixed(rt: &Runtime, live: &Tally, dropped: &Tally) -> Vec<JoinHandle<()>> {
    let notify = Arc::new(Notify::new());
    let (tx, rx) = queue::channel::<u32>(1);
    let rx = Arc::new(rt::sync::Mutex::new(rx));
    (0..20)
        .map(|kind| {
            live.add();
            let guard = dropped.guard();
            let (notify, tx, rx) = (notify.clone(), tx.clone(), rx.clone());
            let handle = rt.handle().clone();
            let late = (live.clone(), dropped.clone());
            rt.spawn(async move {
                // Spawns at its end, whatever ends it; the guard is dropped after that.
                let _guard = guard;
                let _spawns = OnDrop(move || {
                    if kind % 4 == 0 {
                        late.0.add();
                        let guard = late.1.guard();
                        handle.spawn(async move {
                            let _guard = guard;
                            pending::<()>().await;
                        });
                    }
                });
                match kind % 10 {
                    0 => pending().await,
                    1 => rt::time::sleep(Duration::from_secs(1000)).await,
                    2 => notify.notified().await,
                    3 => loop {
                        task::yield_now().await;
                    },
                    4 => {
                        tx.send(1).await.unwrap();
                        tx.send(2).await.unwrap();
                        tx.send(3).await.unwrap();
                    }
                    5 => _ = rx.lock().await.recv().await,
                    6 => {
                        let socket = rt::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
                        _ = socket.recv(&mut [0; 8]).await;
                    }
                    7 => _ = task::spawn_blocking(|| ()).await,
                    8 => _ = rt::spawn(pending::<()>()).await,
                    _ => loop {
                        rt::time::sleep(Duration::from_micros(10)).await;
                        notify.notify_waiters();
                    },
                }
            })
        })
        .collect()
}

#[test]
fn three_hundred_runtimes_with_twenty_tasks_each() {
    let _dog = watchdog();
    for round in 0..300 {
        let rt = if round % 2 == 0 {
            current()
        } else {
            workers(2)
        };
        let (live, dropped) = (Tally::new(), Tally::new());
        let tasks = mixed(&rt, &live, &dropped);
        match round % 3 {
            0 => {}
            1 => rt.block_on(task::yield_now()),
            _ => rt.block_on(async { rt::time::sleep(Duration::from_micros(200)).await }),
        }
        // A shutdown in the background leaves the workers to end by themselves.
        let way = WAYS[round / 2 % 3];
        end(rt, way);
        if matches!(way, Way::Background) {
            until(|| dropped.get() == live.get() && tasks.iter().all(JoinHandle::is_finished));
        }
        assert_eq!(dropped.get(), live.get(), "round {round}: {way:?}");
        assert!(tasks.iter().all(JoinHandle::is_finished));
        let other = current();
        for task in tasks {
            if let Err(error) = other.block_on(task) {
                assert!(error.is_cancelled());
            }
        }
    }
}

#[test]
fn futures_are_dropped_on_a_runtime_thread_or_by_who_ends_it() {
    let _dog = watchdog();
    for (way, kind) in WAYS.into_iter().flat_map(|way| [(way, 0), (way, 1)]) {
        let rt = if kind == 0 { current() } else { workers(2) };
        let me = thread::current().id();
        let (tx, rx) = mpsc::channel();
        for _ in 0..10 {
            let tx = tx.clone();
            let guard = OnDrop(move || {
                let inside = Handle::try_current().is_ok();
                let worker = rt::runtime::worker_index();
                tx.send((inside, thread::current().id(), worker)).unwrap();
            });
            rt.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
        }
        drop(tx);
        end(rt, way);
        let mut count = 0;
        for (inside, thread, worker) in rx {
            assert!(inside, "{way:?}: dropped inside the runtime");
            // Who ends a current-thread runtime is its only worker meanwhile.
            assert!(worker.is_some() && (kind == 1 || thread == me));
            count += 1;
        }
        assert_eq!(count, 10);
    }
}

#[test]
fn futures_whose_drop_wakes_spawns_and_aborts() {
    let _dog = watchdog();
    for (way, kind) in WAYS.into_iter().flat_map(|way| [(way, 0), (way, 1)]) {
        let rt = if kind == 0 { current() } else { workers(2) };
        let wakers: Arc<Mutex<Vec<Waker>>> = Arc::default();
        let handles: Arc<Mutex<Vec<task::AbortHandle>>> = Arc::default();
        let (dropped, refused) = (Tally::new(), Arc::new(Mutex::new(Vec::new())));
        for _ in 0..30 {
            let guard = dropped.guard();
            let (w, h, r) = (wakers.clone(), handles.clone(), refused.clone());
            let handle = rt.handle().clone();
            let on_drop = OnDrop(move || {
                for waker in w.lock().unwrap().clone() {
                    waker.wake();
                }
                for abort in h.lock().unwrap().clone() {
                    abort.abort();
                }
                r.lock().unwrap().push(handle.spawn(async {}));
                r.lock().unwrap().push(rt::spawn(pending()));
                r.lock().unwrap().push(handle.spawn_blocking(|| ()));
            });
            let w = wakers.clone();
            let task = rt.spawn(async move {
                let _both = (guard, on_drop);
                poll_fn(|cx| {
                    w.lock().unwrap().push(cx.waker().clone());
                    Poll::<()>::Pending
                })
                .await;
            });
            handles.lock().unwrap().push(task.abort_handle());
        }
        rt.block_on(async {
            while wakers.lock().unwrap().len() < 30 {
                task::yield_now().await;
            }
        });
        end(rt, way);
        until(|| dropped.get() == 30);
        let other = current();
        let refused = std::mem::take(&mut *refused.lock().unwrap());
        for task in refused {
            // A closure may have been in time: the pool ends last.
            if let Err(error) = other.block_on(task) {
                assert!(error.is_cancelled(), "{error}");
            }
        }
    }
}

#[test]
fn what_is_spawned_after_the_end_is_cancelled_at_once() {
    let _dog = watchdog();
    for way in WAYS {
        for rt in both() {
            let handle = rt.handle().clone();
            end(rt, way);
            let dropped = Tally::new();
            let (a, b) = (dropped.guard(), dropped.guard());
            let task = handle.spawn(async move { drop(a) });
            let closure = handle.spawn_blocking(move || drop(b));
            if !matches!(way, Way::Background) {
                assert!(task.is_finished() && closure.is_finished());
                assert_eq!(dropped.get(), 2);
            }
            let other = current();
            assert!(other.block_on(task).unwrap_err().is_cancelled());
            assert!(other.block_on(closure).unwrap_err().is_cancelled());
            let mut set = task::JoinSet::new();
            set.spawn_on(async {}, &handle);
            assert!(other.block_on(set.join_next()).unwrap().is_err());
        }
    }
}

#[test]
fn a_task_that_is_always_ready_does_not_keep_a_runtime_alive() {
    let _dog = watchdog();
    for round in 0..400 {
        let rt = [current, || workers(1), || workers(2)][round % 3]();
        let (tx, mut rx) = queue::unbounded_channel();
        tx.send(()).unwrap();
        let turns = Tally::new();
        let counted = turns.clone();
        rt.spawn(async move {
            // Only the budget ends a poll.
            while rx.recv().await.is_some() {
                tx.send(()).unwrap();
                counted.add();
            }
        });
        rt.block_on(async {
            while turns.get() < 300 {
                rt::task::yield_now().await;
            }
        });
        drop(rt);
    }
}

#[test]
fn a_spawn_storm_does_not_keep_a_runtime_alive() {
    let _dog = watchdog();
    for (way, kind) in WAYS.into_iter().flat_map(|way| [(way, 0), (way, 1)]) {
        let rt = if kind == 0 { current() } else { workers(2) };
        let (spawned, dropped) = (Tally::new(), Tally::new());
        let stop = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let (handle, stop) = (rt.handle().clone(), stop.clone());
                let (spawned, dropped) = (spawned.clone(), dropped.clone());
                thread::spawn(move || {
                    while !stop.load(Ordering::SeqCst) && spawned.get() < 200_000 {
                        spawned.add();
                        let guard = dropped.guard();
                        handle.spawn(async move {
                            let _guard = guard;
                            task::yield_now().await;
                        });
                    }
                })
            })
            .collect();
        until(|| spawned.get() > 100);
        end(rt, way);
        let at_end = spawned.get();
        until(|| spawned.get() > at_end || threads.iter().all(|thread| thread.is_finished()));
        stop.store(true, Ordering::SeqCst);
        for thread in threads {
            thread.join().unwrap();
        }
        until(|| spawned.get() == dropped.get());
    }
}

#[test]
fn a_runtime_dropped_in_async_code_panics_and_ends_all_the_same() {
    let _dog = watchdog();
    for outer in both() {
        for inner in both() {
            let dropped = Tally::new();
            let guard = dropped.guard();
            inner.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            let result = catch_unwind(AssertUnwindSafe(|| outer.block_on(async { drop(inner) })));
            let message = text(result.unwrap_err());
            assert!(message.contains("Cannot block the current thread"));
            assert!(message.contains("shutdown_background"), "{message}");
            until(|| dropped.get() == 1);
        }
        let inner = workers(1);
        let task = outer.spawn(async move { drop(inner) });
        assert!(outer.block_on(task).unwrap_err().is_panic());
        let inner = current();
        let task = outer.spawn(async move { inner.shutdown_timeout(Duration::from_secs(1)) });
        assert!(outer.block_on(task).unwrap_err().is_panic());
        let inner = workers(1);
        let task = outer.spawn(async move { inner.shutdown_background() });
        outer.block_on(task).unwrap();
        // In a blocking closure it may wait.
        let inner = workers(1);
        let task = outer.spawn_blocking(move || drop(inner));
        outer.block_on(task).unwrap();
    }
}

#[test]
fn a_task_may_end_its_own_runtime_in_the_background() {
    let _dog = watchdog();
    for _ in 0..50 {
        let rt = workers(2);
        let handle = rt.handle().clone();
        let (tx, rx) = mpsc::channel();
        handle.spawn(async move {
            rt.shutdown_background();
            tx.send(()).unwrap();
            task::yield_now().await;
            unreachable!("cancelled at its next wait");
        });
        rx.recv().unwrap();
        until(|| handle.metrics().num_alive_tasks() == 0);
    }
}

#[test]
fn dropping_waits_for_closures_that_run_and_cancels_those_that_wait() {
    let _dog = watchdog();
    for kind in 0..2 {
        let mut builder = if kind == 0 {
            rt::runtime::Builder::new_current_thread()
        } else {
            rt::runtime::Builder::new_multi_thread()
        };
        let rt = builder
            .worker_threads(1)
            .max_blocking_threads(1)
            .build()
            .unwrap();
        let (inside, wait) = mpsc::channel();
        let (go, gate) = mpsc::channel::<()>();
        let done = Tally::new();
        let d = done.clone();
        let running = rt.spawn_blocking(move || {
            inside.send(()).unwrap();
            gate.recv().unwrap();
            d.add();
        });
        let queued = rt.spawn_blocking(|| ());
        wait.recv().unwrap();
        let ender = thread::spawn(move || drop(rt));
        until(|| queued.is_finished());
        assert!(!ender.is_finished() && done.get() == 0);
        go.send(()).unwrap();
        ender.join().unwrap();
        assert!(done.get() == 1 && running.is_finished());
        let other = current();
        assert!(other.block_on(queued).unwrap_err().is_cancelled());
        other.block_on(running).unwrap();
    }
}

#[test]
fn in_the_background_and_after_the_limit_nobody_waits() {
    let _dog = watchdog();
    for way in [Way::Background, Way::Timeout] {
        for rt in both() {
            let (inside, wait) = mpsc::channel();
            let (go, gate) = mpsc::channel::<()>();
            let running = rt.spawn_blocking(move || {
                inside.send(()).unwrap();
                gate.recv().unwrap();
                1
            });
            wait.recv().unwrap();
            let start = Instant::now();
            match way {
                Way::Background => rt.shutdown_background(),
                _ => rt.shutdown_timeout(Duration::from_millis(5)),
            }
            if matches!(way, Way::Timeout) {
                assert!(start.elapsed() >= Duration::from_millis(5));
            }
            assert!(!running.is_finished());
            go.send(()).unwrap();
            assert_eq!(current().block_on(running).unwrap(), 1);
        }
    }
}

#[test]
fn a_task_that_blocks_its_worker_delays_the_end_by_the_limit_at_most() {
    let _dog = watchdog();
    let rt = workers(2);
    let (inside, wait) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let stuck = rt.spawn(async move {
        inside.send(()).unwrap();
        gate.recv().unwrap();
        task::yield_now().await;
    });
    wait.recv().unwrap();
    rt.shutdown_timeout(Duration::from_millis(5));
    assert!(!stuck.is_finished());
    go.send(()).unwrap();
    assert!(current().block_on(stuck).unwrap_err().is_cancelled());
}

#[test]
fn block_in_place_and_the_end_at_once() {
    let _dog = watchdog();
    for round in 0..200 {
        let rt = workers(1 + round % 2);
        let (started, start) = mpsc::channel();
        let ended = Tally::new();
        let tasks: Vec<_> = (0..3)
            .map(|_| {
                let (started, ended) = (started.clone(), ended.clone());
                rt.spawn(async move {
                    loop {
                        task::block_in_place(|| {
                            _ = started.send(());
                            thread::yield_now();
                        });
                        ended.add();
                        task::yield_now().await;
                    }
                })
            })
            .collect();
        start.recv().unwrap();
        end(rt, WAYS[round % 3]);
        until(|| tasks.iter().all(JoinHandle::is_finished));
    }
}

#[test]
fn a_handle_that_is_blocked_on_its_task_gets_a_cancelled_error() {
    let _dog = watchdog();
    for rt in both() {
        let handle = rt.handle().clone();
        let (inside, wait) = mpsc::channel();
        let task = rt.spawn(pending::<()>());
        let thread = thread::spawn(move || {
            inside.send(()).unwrap();
            handle.block_on(task)
        });
        wait.recv().unwrap();
        drop(rt);
        assert!(thread.join().unwrap().unwrap_err().is_cancelled());
    }
}

#[test]
fn sockets_that_outlive_their_runtime_say_so() {
    let _dog = watchdog();
    for rt in both() {
        let socket = rt
            .block_on(rt::net::UdpSocket::bind("127.0.0.1:0"))
            .unwrap();
        drop(rt);
        let error = current().block_on(socket.recv(&mut [0; 8])).unwrap_err();
        assert!(rt::runtime::is_rt_shutdown_err(&error), "{error}");
        drop(socket);
    }
}

#[test]
fn every_gauge_is_zero_after_the_end() {
    let _dog = watchdog();
    for rt in both() {
        let metrics = rt.metrics();
        let (live, dropped) = (Tally::new(), Tally::new());
        let tasks = mixed(&rt, &live, &dropped);
        rt.block_on(rt.spawn_blocking(|| ())).unwrap();
        drop(tasks);
        drop(rt);
        assert_eq!(metrics.num_alive_tasks(), 0);
        assert_eq!(metrics.global_queue_depth(), 0);
        assert_eq!(metrics.num_blocking_threads(), 0);
        assert_eq!(metrics.num_idle_blocking_threads(), 0);
        assert_eq!(metrics.blocking_queue_depth(), 0);
    }
}

#[test]
fn a_channel_between_two_runtimes_survives_the_end_of_one() {
    let _dog = watchdog();
    for one in both() {
        let two = workers(1);
        let (tx, rx) = oneshot::channel::<()>();
        let waiter = two.spawn(rx);
        one.spawn(async move {
            let _tx = tx;
            pending::<()>().await;
        });
        one.block_on(task::yield_now());
        drop(one);
        assert!(two.block_on(waiter).unwrap().is_err());
    }
}
