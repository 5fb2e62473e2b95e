// The executor: what a spawn, a join, a yield, a wake and a message cost.
//
// Each function is one workload; `run` maps a row's name to it. The operations and their order
// are the row's definition, so an edit here makes old figures incomparable.
// Read next: `time.rs`.

use crate::job::{Job, Meter, Metrics, SelfWake, spin};
use std::future::poll_fn;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

/// Runs the row, if it belongs to this chapter.
pub fn run(job: Job) -> Option<Metrics> {
    use start::{in_task, outside};
    Some(match job.workload {
        "block_on_ready" => block_on_ready(job),
        "spawn_join" => in_task(job, spawn_join(job.meter(1))),
        "spawn_join_outside" => outside(job, spawn_join(job.meter(1))),
        "spawn_64" => in_task(job, spawn_many(job.meter(64), 64)),
        "spawn_10k" => in_task(job, spawn_many(job.meter(10_000), 10_000)),
        "spawn_10k_outside" => outside(job, spawn_many(job.meter(10_000), 10_000)),
        "spawn_1m" => in_task(job, spawn_1m(job)),
        "yield_1" => in_task(job, yield_1(job.meter(1))),
        "yield_200" => in_task(job, yield_200(job.meter(200))),
        "wake_self" => in_task(job, wake_self(job.meter(1))),
        "waker_clone_drop" => in_task(job, waker_clone_drop(job.meter(1))),
        "wake_notified" => in_task(job, wake_notified(job.meter(1))),
        "chained" => in_task(job, chained(job.meter(1000))),
        "pp_oneshot" => in_task(job, pp_oneshot(job.meter(1000))),
        "pp_mpsc" => in_task(job, pp_mpsc(job.meter(1))),
        "pp_mpsc_outside" => outside(job, pp_mpsc(job.meter(1))),
        "pp_thread" => pp_thread(job),
        "fib21" => in_task(job, fib21(job)),
        "cpu_fan" => in_task(job, cpu_fan(job.meter(1))),
        "joinset_1k" => in_task(job, joinset_1k(job.meter(1000))),
        _ => return None,
    })
}

/// `block_on` of a future that is ready, from outside.
fn block_on_ready(job: Job) -> Metrics {
    let runtime = start::runtime(job);
    let mut meter = job.meter(1);
    while let Some(n) = meter.run() {
        for _ in 0..n {
            runtime.block_on(async {});
        }
    }
    meter.metrics()
}

/// Spawn an empty task and wait for it.
async fn spawn_join(mut meter: Meter) -> Metrics {
    while let Some(n) = meter.run() {
        for _ in 0..n {
            rt::spawn(async {}).await.unwrap();
        }
    }
    meter.metrics()
}

/// Spawn `many` empty tasks, then await them in order; per task.
async fn spawn_many(mut meter: Meter, many: usize) -> Metrics {
    let mut handles = Vec::with_capacity(many);
    while let Some(n) = meter.run() {
        for _ in 0..n {
            for _ in 0..many {
                handles.push(rt::spawn(async {}));
            }
            for handle in handles.drain(..) {
                handle.await.unwrap();
            }
        }
    }
    meter.metrics()
}

/// A million tasks alive at once; per task.
async fn spawn_1m(job: Job) -> Metrics {
    let many = job.count(1_000_000);
    let mut handles = Vec::with_capacity(many as usize);
    let mut meter = job.fixed(many, 2);
    while let Some(n) = meter.run() {
        handles.extend((0..n).map(|_| rt::spawn(async {})));
        for handle in handles.drain(..) {
            handle.await.unwrap();
        }
    }
    meter.metrics()
}

/// One task that yields.
async fn yield_1(mut meter: Meter) -> Metrics {
    while let Some(n) = meter.run() {
        for _ in 0..n {
            rt::task::yield_now().await;
        }
    }
    meter.metrics()
}

/// 200 tasks that yield; per yield.
async fn yield_200(mut meter: Meter) -> Metrics {
    let mut handles = Vec::with_capacity(200);
    while let Some(n) = meter.run() {
        for _ in 0..200 {
            handles.push(rt::spawn(async move {
                for _ in 0..n {
                    rt::task::yield_now().await;
                }
            }));
        }
        for handle in handles.drain(..) {
            handle.await.unwrap();
        }
    }
    meter.metrics()
}

/// A task that wakes itself and is Pending once.
async fn wake_self(mut meter: Meter) -> Metrics {
    while let Some(n) = meter.run() {
        for _ in 0..n {
            SelfWake::default().await;
        }
    }
    meter.metrics()
}

/// Clone and drop of the task's waker, all inside one poll.
async fn waker_clone_drop(mut meter: Meter) -> Metrics {
    poll_fn(|cx| {
        while let Some(n) = meter.run() {
            for _ in 0..n {
                drop(black_box(cx.waker().clone()));
            }
        }
        Poll::Ready(())
    })
    .await;
    meter.metrics()
}

/// A wake that finds the task already notified, all inside one poll.
async fn wake_notified(mut meter: Meter) -> Metrics {
    poll_fn(|cx| {
        while let Some(n) = meter.run() {
            for _ in 0..n {
                cx.waker().wake_by_ref();
            }
        }
        Poll::Ready(())
    })
    .await;
    meter.metrics()
}

/// Chains of 1000 tasks, each spawning the next as its last act; per task.
async fn chained(mut meter: Meter) -> Metrics {
    /// Spawns the rest of the chain; the end tells `done`.
    fn link(left: u32, done: rt::sync::oneshot::Sender<()>) {
        if left == 0 {
            done.send(()).unwrap();
        } else {
            rt::spawn(async move { link(left - 1, done) });
        }
    }
    while let Some(n) = meter.run() {
        for _ in 0..n {
            let (sender, done) = rt::sync::oneshot::channel();
            link(1000, sender);
            done.await.unwrap();
        }
    }
    meter.metrics()
}

/// Rounds of 1000 tasks that each exchange two oneshots with a peer; per pair of tasks.
async fn pp_oneshot(mut meter: Meter) -> Metrics {
    while let Some(n) = meter.run() {
        for _ in 0..n {
            let left = Arc::new(AtomicU64::new(1000));
            let (sender, mut done) = rt::sync::mpsc::channel::<()>(1);
            for _ in 0..1000 {
                let left = left.clone();
                let sender = sender.clone();
                rt::spawn(async move {
                    let (ping, pinged) = rt::sync::oneshot::channel();
                    let (pong, ponged) = rt::sync::oneshot::channel();
                    rt::spawn(async move {
                        pinged.await.unwrap();
                        pong.send(()).unwrap();
                    });
                    ping.send(()).unwrap();
                    ponged.await.unwrap();
                    if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                        sender.send(()).await.unwrap();
                    }
                });
            }
            done.recv().await.unwrap();
        }
    }
    meter.metrics()
}

/// One message there and back between two tasks, over two channels of one place each.
async fn pp_mpsc(mut meter: Meter) -> Metrics {
    let (to_peer, mut at_peer) = rt::sync::mpsc::channel::<u64>(1);
    let (to_us, mut at_us) = rt::sync::mpsc::channel::<u64>(1);
    let peer = rt::spawn(async move {
        while let Some(message) = at_peer.recv().await {
            to_us.send(message).await.unwrap();
        }
    });
    while let Some(n) = meter.run() {
        for i in 0..n {
            to_peer.send(i).await.unwrap();
            assert_eq!(at_us.recv().await, Some(i));
        }
    }
    drop(to_peer);
    peer.await.unwrap();
    meter.metrics()
}

/// An OS thread asks a task and blocks until it answers; per round trip.
fn pp_thread(job: Job) -> Metrics {
    let (to_task, mut at_task) = rt::sync::mpsc::channel::<std::sync::mpsc::Sender<()>>(16);
    let client = std::thread::spawn(move || {
        job.pin_client();
        let (answer, answers) = std::sync::mpsc::channel();
        let mut meter = job.meter(1);
        while let Some(n) = meter.run() {
            for _ in 0..n {
                to_task.try_send(answer.clone()).unwrap();
                answers.recv().unwrap();
            }
        }
        meter.metrics()
    });
    start::runtime(job).block_on(async {
        let task = rt::spawn(async move {
            while let Some(answer) = at_task.recv().await {
                answer.send(()).unwrap();
            }
        });
        task.await.unwrap();
    });
    client.join().unwrap()
}

/// Fibonacci by tasks: one half spawned, the other awaited in place; per spawned task.
async fn fib21(job: Job) -> Metrics {
    /// The n-th number; fib(21) spawns 10 945 tasks.
    fn fib(n: u32) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(async move {
            if n <= 2 {
                return 1;
            }
            let spawned = rt::spawn(fib(n - 1));
            let here = fib(n - 2).await;
            here + spawned.await.unwrap()
        })
    }
    let mut meter = job.fixed(10_945, 5);
    while meter.run().is_some() {
        assert_eq!(fib(21).await, 10_946);
    }
    meter.metrics()
}

/// Tasks of 100 µs of CPU that never yield; wall time per task, ideally 50 µs with two workers.
async fn cpu_fan(mut meter: Meter) -> Metrics {
    let mut handles = Vec::new();
    while let Some(n) = meter.run() {
        handles.extend((0..n).map(|_| rt::spawn(async { spin(Duration::from_micros(100)) })));
        for handle in handles.drain(..) {
            handle.await.unwrap();
        }
    }
    meter.metrics()
}

/// 1000 empty tasks in a `JoinSet`, joined as they finish; per task.
async fn joinset_1k(mut meter: Meter) -> Metrics {
    while let Some(n) = meter.run() {
        for _ in 0..n {
            let mut set = rt::task::JoinSet::new();
            for _ in 0..1000 {
                set.spawn(async {});
            }
            while let Some(joined) = set.join_next().await {
                joined.unwrap();
            }
        }
    }
    meter.metrics()
}
