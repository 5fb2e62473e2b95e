// Time: what a timer costs, and how late it is.
//
// The rows with an interval print their tail; the one beside busy tasks is a gate, since a fast
// scheduler that forgets its timers wins every mean above and loses here.
// Read next: `net.rs`.

use crate::job::{Job, Meter, Metrics, Rng, SelfWake, Tail, spin};
use crate::kernel;
use rt::time::{Instant, interval_at, sleep, timeout};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

/// A deadline that no run reaches.
const FAR: Duration = Duration::from_secs(10);

/// Runs the row, if it belongs to this chapter.
pub fn run(job: Job) -> Option<Metrics> {
    use start::in_task;
    Some(match job.workload {
        "sleep_create_drop" => in_task(job, sleep_create_drop(job.meter(1))),
        "sleep_1000live" => in_task(job, sleep_1000live(job.meter(1))),
        "timeout_ready" => in_task(job, timeout_ready(job.meter(1))),
        "timeout_yield" => in_task(job, timeout_yield(job.meter(1))),
        "sleeps_200k" => in_task(job, sleeps(job.count(200_000))),
        "sleeps_1m" => in_task(job, sleeps(job.count(1_000_000))),
        "interval_idle" => in_task(job, interval(job.count(500))),
        "interval_load8" => in_task(job, interval_load8(job.count(1000))),
        _ => return None,
    })
}

/// Polls `future` once, whatever comes of it.
async fn poll_once(mut future: Pin<&mut impl Future<Output = ()>>) {
    poll_fn(|cx| {
        let _ = future.as_mut().poll(cx);
        Poll::Ready(())
    })
    .await
}

/// A boxed sleep of 10 s, polled once and dropped, with no other timer alive.
async fn sleep_create_drop(mut meter: Meter) -> Metrics {
    while let Some(n) = meter.run() {
        for _ in 0..n {
            let mut slept = Box::pin(sleep(FAR));
            poll_once(slept.as_mut()).await;
        }
    }
    meter.metrics()
}

/// The same with random deadlines of 1 to 61 s and the last 1000 kept alive.
async fn sleep_1000live(mut meter: Meter) -> Metrics {
    let mut rng = Rng::new();
    let mut live = VecDeque::with_capacity(1001);
    while let Some(n) = meter.run() {
        for _ in 0..n {
            let mut slept = Box::pin(sleep(Duration::from_millis(1000 + rng.below(60_000))));
            poll_once(slept.as_mut()).await;
            live.push_back(slept);
            if live.len() > 1000 {
                live.pop_front();
            }
        }
    }
    meter.metrics()
}

/// A timeout around a future that is ready.
async fn timeout_ready(mut meter: Meter) -> Metrics {
    while let Some(n) = meter.run() {
        for _ in 0..n {
            timeout(FAR, async {}).await.unwrap();
        }
    }
    meter.metrics()
}

/// A timeout around a future that is Pending once.
async fn timeout_yield(mut meter: Meter) -> Metrics {
    while let Some(n) = meter.run() {
        for _ in 0..n {
            timeout(FAR, SelfWake::default()).await.unwrap();
        }
    }
    meter.metrics()
}

/// `n` tasks with one sleep each; process CPU per timer, spawn included.
///
/// The lateness of every 256th contains the wait from spawn to first poll: no target.
async fn sleeps(n: u64) -> Metrics {
    let mut rng = Rng::new();
    let mut tail = Tail::new();
    let mut handles = Vec::with_capacity(n as usize);
    let before = kernel::process_cpu();
    for i in 0..n {
        let after = Duration::from_micros(100_000 + n / 5 + rng.below(500_000));
        let spawned = (i % 256 == 0).then(Instant::now);
        handles.push(rt::spawn(async move {
            sleep(after).await;
            spawned.map(|at| at.elapsed().saturating_sub(after))
        }));
    }
    for handle in handles {
        if let Some(late) = handle.await.unwrap() {
            tail.record(late);
        }
    }
    let spent = kernel::process_cpu() - before;
    let mut metrics = vec![("ns", spent.as_nanos() as f64 / n as f64)];
    tail.report(&mut metrics);
    metrics
}

/// An interval of 1 ms; how late each tick is, against the start given to `interval_at`.
async fn interval(ticks: u64) -> Metrics {
    let mut tail = Tail::new();
    let period = Duration::from_millis(1);
    let first = Instant::now() + period;
    let mut interval = interval_at(first, period);
    for tick in 0..ticks as u32 {
        interval.tick().await;
        let late = Instant::now().checked_duration_since(first + period * tick);
        tail.record(late.expect("a tick came early"));
    }
    let mut metrics = Metrics::new();
    tail.report(&mut metrics);
    metrics
}

/// The same beside 8 tasks that loop over 100 µs of CPU and a yield.
async fn interval_load8(ticks: u64) -> Metrics {
    let stop = Arc::new(AtomicBool::new(false));
    for _ in 0..8 {
        let stop = stop.clone();
        rt::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                spin(Duration::from_micros(100));
                rt::task::yield_now().await;
            }
        });
    }
    let metrics = interval(ticks).await;
    stop.store(true, Ordering::Relaxed);
    metrics
}
