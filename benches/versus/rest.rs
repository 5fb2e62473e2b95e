// Blocking closures, signals, and the memory of a task that waits.
//
// Files and child processes belong here when they exist.
// Read next: `clients.rs`.

use crate::job::{Job, Meter, Metrics, Tail};
use crate::kernel;
use rt::task::{JoinHandle, spawn_blocking};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Runs the row, if it belongs to this chapter.
pub fn run(job: Job) -> Option<Metrics> {
    use start::in_task;
    Some(match job.workload {
        "spawn_blocking" => in_task(job, blocking(job.meter(1))),
        "spawn_blocking_64" => in_task(job, blocking_64(job.meter(64))),
        "signal" => in_task(job, signal(job.count(600))),
        "idle_mem" => idle_mem(job),
        _ => return None,
    })
}

/// One empty closure on another thread, awaited.
async fn blocking(mut meter: Meter) -> Metrics {
    while let Some(n) = meter.run() {
        for _ in 0..n {
            spawn_blocking(|| {}).await.unwrap();
        }
    }
    meter.metrics()
}

/// 64 closures started, then all awaited; per closure.
async fn blocking_64(mut meter: Meter) -> Metrics {
    let mut handles = Vec::with_capacity(64);
    while let Some(n) = meter.run() {
        for _ in 0..n {
            for _ in 0..64 {
                handles.push(spawn_blocking(|| {}));
            }
            for handle in handles.drain(..) {
                handle.await.unwrap();
            }
        }
    }
    meter.metrics()
}

/// From `kill(getpid(), SIGUSR1)` on an OS thread until `recv` returns.
async fn signal(times: u64) -> Metrics {
    /// When the signal was sent, in ns after `epoch`.
    static SENT: AtomicU64 = AtomicU64::new(0);
    let epoch = Instant::now();
    let mut signals = rt::signal::unix::signal(rt::signal::unix::SignalKind::user_defined1())
        .expect("listen for SIGUSR1");
    let (go, turns) = std::sync::mpsc::channel();
    let sender = std::thread::spawn(move || {
        for () in turns {
            std::thread::sleep(Duration::from_micros(150));
            SENT.store(epoch.elapsed().as_nanos() as u64, Ordering::Relaxed);
            kernel::signal_self();
        }
    });
    let mut tail = Tail::new();
    for _ in 0..times {
        go.send(()).unwrap();
        signals
            .recv()
            .await
            .expect("the stream of signals never ends");
        let sent = Duration::from_nanos(SENT.load(Ordering::Relaxed));
        tail.record(epoch.elapsed().saturating_sub(sent));
    }
    drop(go);
    sender.join().unwrap();
    let mut metrics = Metrics::new();
    tail.report(&mut metrics);
    metrics
}

/// Growth of resident memory per task: a million that wait for ever, then a million that sleep.
fn idle_mem(job: Job) -> Metrics {
    let runtime = start::runtime(job);
    let many = job.count(1_000_000);
    let metrics = runtime.block_on(async {
        let task = rt::spawn(async move {
            let pending = grown(many, || rt::spawn(std::future::pending())).await;
            let forever = Duration::from_secs(1000);
            let sleeping = grown(many, || rt::spawn(rt::time::sleep(forever))).await;
            vec![("pending bytes", pending), ("sleeping bytes", sleeping)]
        });
        task.await.unwrap()
    });
    // Two million tasks need not be torn down one by one: the process ends here.
    std::mem::forget(runtime);
    metrics
}

/// Bytes of resident memory per task that `spawn` starts, after each has been polled.
async fn grown(many: u64, spawn: impl Fn() -> JoinHandle<()>) -> f64 {
    // Touched beforehand, so that the handles' own pages do not count.
    let mut handles: Vec<Option<JoinHandle<()>>> = Vec::new();
    handles.resize_with(many as usize, || None);
    let before = kernel::resident_bytes();
    for place in &mut handles {
        *place = Some(spawn());
    }
    // Queues are first in, first out: once this one has run, all before it have been polled.
    rt::spawn(async {}).await.unwrap();
    rt::task::yield_now().await;
    let after = kernel::resident_bytes();
    std::mem::forget(handles);
    (after - before) as f64 / many as f64
}
