//! A task that is always ready starves nobody: not timers, not sockets, not other tasks.

#[path = "both/mod.rs"]
mod both;

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use both::{Tally, both, current, watchdog, workers};
use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};
use rt::runtime::Runtime;
use rt::sync::{Notify, mpsc as queue};
use rt::task;
use trefoil as rt;

/// Timers, sockets, spawned tasks and closures make progress beside what `rt` does already.
fn others_go_on(rt: &Runtime, what: &str) {
    rt.block_on(rt.spawn({
        let what = what.to_owned();
        async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            let server = rt::spawn(async move {
                let (mut peer, _) = listener.accept().await.unwrap();
                let mut byte = [0];
                while peer.read(&mut byte).await.unwrap() == 1 {
                    peer.write_all(&byte).await.unwrap();
                }
            });
            let mut stream = TcpStream::connect(addr).await.unwrap();
            for round in 0..50_u8 {
                stream.write_all(&[round]).await.unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).await.unwrap();
                assert_eq!(byte[0], round);
            }
            drop(stream);
            server.await.unwrap();
            for _ in 0..10 {
                let start = Instant::now();
                rt::time::sleep(Duration::from_millis(2)).await;
                // The machine may be busy; a starved timer would never fire.
                assert!(start.elapsed() < Duration::from_secs(5), "{what}");
            }
            rt::spawn(async {}).await.unwrap();
            task::spawn_blocking(|| ()).await.unwrap();
        }
    }))
    .unwrap();
    // From the outside, too.
    let handle = rt.handle().clone();
    let outside = thread::spawn(move || handle.spawn(async { 1 }))
        .join()
        .unwrap();
    assert_eq!(rt.block_on(outside).unwrap(), 1);
}

/// Runtimes in which one task can starve the rest: one thread, one worker, two workers.
fn three() -> [Runtime; 3] {
    [current(), workers(1), workers(2)]
}

#[test]
fn beside_tasks_that_only_yield() {
    let _dog = watchdog();
    for rt in three() {
        for _ in 0..3 {
            rt.spawn(async {
                loop {
                    task::yield_now().await;
                }
            });
        }
        others_go_on(&rt, "yield");
    }
}

#[test]
fn beside_tasks_that_wake_themselves() {
    let _dog = watchdog();
    for rt in three() {
        for _ in 0..3 {
            rt.spawn(poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Poll::<()>::Pending
            }));
        }
        others_go_on(&rt, "self-wake");
    }
}

#[test]
fn beside_a_channel_that_is_never_empty() {
    let _dog = watchdog();
    for rt in three() {
        let (tx, mut rx) = queue::unbounded_channel();
        for i in 0..10 {
            tx.send(i).unwrap();
        }
        rt.spawn(async move {
            // Always ready: only the budget ends a poll.
            while let Some(i) = rx.recv().await {
                tx.send(i).unwrap();
            }
        });
        others_go_on(&rt, "full channel");
    }
}

#[test]
fn beside_a_bounded_channel_that_is_always_full() {
    let _dog = watchdog();
    for rt in three() {
        let (tx, mut rx) = queue::channel(4);
        for _ in 0..3 {
            let tx = tx.clone();
            rt.spawn(async move { while tx.send(1).await.is_ok() {} });
        }
        rt.spawn(async move { while rx.recv().await.is_some() {} });
        others_go_on(&rt, "bounded channel");
    }
}

#[test]
fn beside_two_tasks_that_wake_each_other() {
    let _dog = watchdog();
    for rt in three() {
        let (a, b) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        for (own, other) in [(a.clone(), b.clone()), (b, a.clone())] {
            rt.spawn(async move {
                loop {
                    own.notified().await;
                    other.notify_one();
                }
            });
        }
        a.notify_one();
        others_go_on(&rt, "ping pong");
    }
}

#[test]
fn beside_a_chain_of_tasks_that_spawn_their_successor() {
    fn next() {
        rt::spawn(async { next() });
    }
    let _dog = watchdog();
    for rt in three() {
        rt.spawn(async { next() });
        others_go_on(&rt, "chain");
    }
}

#[test]
fn beside_a_root_that_never_rests() {
    let _dog = watchdog();
    for rt in three() {
        let task = rt.spawn(async {
            for _ in 0..20 {
                rt::time::sleep(Duration::from_micros(100)).await;
            }
        });
        let closure = rt.spawn_blocking(|| ());
        rt.block_on(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            if task.is_finished() && closure.is_finished() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
    }
}

#[test]
fn a_channel_that_is_always_ready_in_the_root() {
    let _dog = watchdog();
    for rt in three() {
        let (tx, mut rx) = queue::unbounded_channel();
        tx.send(()).unwrap();
        let task = rt.spawn(async { rt::time::sleep(Duration::from_millis(1)).await });
        rt.block_on(async {
            while !task.is_finished() {
                rx.recv().await;
                tx.send(()).unwrap();
            }
        });
    }
}

/// Blocks a worker of `rt` until the sender is dropped; the task has begun when this returns.
fn hog(rt: &Runtime, first: impl FnOnce() + Send + 'static) -> mpsc::Sender<()> {
    let (open, gate) = mpsc::channel::<()>();
    let (inside, wait) = mpsc::channel();
    rt.spawn(async move {
        first();
        inside.send(()).unwrap();
        _ = gate.recv();
    });
    wait.recv().unwrap();
    open
}

#[test]
fn a_task_spawned_by_one_that_then_blocks_its_worker_still_runs() {
    let _dog = watchdog();
    for _ in 0..10 {
        let rt = workers(2);
        let (ran, wait) = mpsc::channel();
        let open = hog(&rt, move || {
            rt::spawn(async move { ran.send(()).unwrap() });
        });
        wait.recv().unwrap();
        drop(open);
    }
}

#[test]
fn a_task_woken_by_one_that_then_blocks_its_worker_still_runs() {
    let _dog = watchdog();
    for round in 0..10 {
        let rt = workers(2 + round % 2);
        let notify = Arc::new(Notify::new());
        let (ran, wait) = mpsc::channel();
        let n = notify.clone();
        rt.spawn(async move {
            n.notified().await;
            ran.send(()).unwrap();
        });
        // Everybody asleep before the hog comes.
        let idle = |rt: &Runtime| {
            (0..rt.metrics().num_workers())
                .all(|worker| rt.metrics().worker_park_unpark_count(worker) % 2 == 1)
        };
        if round % 3 == 0 {
            both::until(|| idle(&rt));
        }
        let open = hog(&rt, move || notify.notify_one());
        wait.recv().unwrap();
        drop(open);
    }
}

#[test]
fn many_tasks_spawned_by_one_that_then_blocks_its_worker_still_run() {
    let _dog = watchdog();
    let rt = workers(2);
    let (ran, wait) = mpsc::channel();
    let open = hog(&rt, move || {
        for _ in 0..500 {
            let ran = ran.clone();
            rt::spawn(async move { ran.send(()).unwrap() });
        }
    });
    for _ in 0..500 {
        wait.recv().unwrap();
    }
    // They ended away from the worker that spawned them, which still looks at none.
    both::until(|| rt.metrics().num_alive_tasks() == 1);
    drop(open);
    both::until(|| rt.metrics().num_alive_tasks() == 0);
}

#[test]
fn a_worker_that_is_never_idle_takes_over_what_waits_behind_a_stuck_one() {
    let _dog = watchdog();
    for _ in 0..10 {
        let rt = workers(2);
        // Whoever runs this has always something of its own to run, and never searches.
        rt.spawn(async {
            loop {
                task::yield_now().await;
            }
        });
        let (ran, wait) = mpsc::channel();
        let open = hog(&rt, move || {
            for _ in 0..10 {
                let ran = ran.clone();
                rt::spawn(async move { ran.send(()).unwrap() });
            }
        });
        for _ in 0..10 {
            wait.recv().unwrap();
        }
        drop(open);
    }
}

#[test]
fn sockets_and_timers_beside_a_stuck_worker() {
    let _dog = watchdog();
    for _ in 0..5 {
        let rt = workers(2);
        let open = hog(&rt, || ());
        others_go_on(&rt, "stuck worker");
        drop(open);
    }
}

#[test]
fn a_worker_that_gets_stuck_in_the_middle_of_everything() {
    let _dog = watchdog();
    let rt = workers(2);
    let stop = Arc::new(AtomicBool::new(false));
    let ticks = Tally::new();
    let (s, t) = (stop.clone(), ticks.clone());
    let ticker = rt.spawn(async move {
        while !s.load(Ordering::SeqCst) {
            rt::time::sleep(Duration::from_micros(500)).await;
            t.add();
        }
    });
    for _ in 0..10 {
        let open = hog(&rt, || ());
        let before = ticks.get();
        both::until(|| ticks.get() > before + 2);
        drop(open);
    }
    stop.store(true, Ordering::SeqCst);
    rt.block_on(ticker).unwrap();
}

#[test]
fn a_stuck_worker_in_block_in_place_is_replaced() {
    let _dog = watchdog();
    let rt = workers(1);
    let (open, gate) = mpsc::channel::<()>();
    let (inside, wait) = mpsc::channel();
    let stuck = rt.spawn(async move {
        let left = rt::spawn(async { 3 });
        task::block_in_place(|| {
            inside.send(()).unwrap();
            _ = gate.recv();
        });
        left.await.unwrap()
    });
    wait.recv().unwrap();
    others_go_on(&rt, "block_in_place");
    drop(open);
    assert_eq!(rt.block_on(stuck).unwrap(), 3);
}

#[test]
fn no_runtime_spins_when_nothing_is_to_do() {
    let _dog = watchdog();
    for rt in both() {
        let task = rt.spawn(std::future::pending::<()>());
        rt.block_on(async { rt::time::sleep(Duration::from_millis(30)).await });
        let polls = |rt: &Runtime| -> u64 {
            let metrics = rt.metrics();
            (0..metrics.num_workers())
                .map(|worker| metrics.worker_park_count(worker))
                .sum()
        };
        let before = polls(&rt);
        rt.block_on(async { rt::time::sleep(Duration::from_millis(200)).await });
        let parks = polls(&rt) - before;
        assert!(parks < 40, "{parks} waits in 200 ms of nothing");
        task.abort();
    }
}
