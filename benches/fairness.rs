//! How long does work wait behind tasks that never stop?
//!
//! - Unit: µs, p50, p99 and maximum, beside 8 tasks that loop over 100 µs of CPU and a yield:
//!   a task spawned from an OS thread until its first poll; a tick of a 1 ms interval after its
//!   time; a socket from the write on an OS thread until the read returns.
//! - Baseline: one turn of all 8 tasks, 800 µs on one thread, 400 µs on two workers: what a plain
//!   queue without a hurry for anything would take.
//! - What would change our mind: a p99 above the baseline means an interval (injector, driver) is
//!   counted in polls where it has to be a time; a p50 near it means that too.
//!
//! Not a criterion bench: the tail is the answer.

#![forbid(unsafe_code)]

use hdrhistogram::Histogram;
use rt::io::AsyncReadExt;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use trefoil as rt;

/// Events of each kind.
const EVENTS: u32 = 300;

/// Latencies in ns up to a minute, three significant digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap()
}

/// 100 µs of CPU and a yield, until told to stop.
async fn busy(stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        while began.elapsed() < Duration::from_micros(100) {
            std::hint::spin_loop();
        }
        rt::task::yield_now().await;
    }
}

/// From `spawn` on an OS thread to the first poll.
async fn spawned() -> Histogram<u64> {
    let handle = rt::runtime::Handle::current();
    let (report, mut reports) = rt::sync::mpsc::unbounded_channel();
    thread::spawn(move || {
        for _ in 0..EVENTS {
            let report = report.clone();
            let at = Instant::now();
            handle.spawn(async move { report.send(at.elapsed()) });
            thread::sleep(Duration::from_millis(1));
        }
    });
    let mut latencies = histogram();
    while let Some(late) = reports.recv().await {
        latencies.saturating_record(late.as_nanos() as u64);
    }
    latencies
}

/// How late each tick of a 1 ms interval is.
async fn ticks() -> Histogram<u64> {
    let period = Duration::from_millis(1);
    let first = rt::time::Instant::now() + period;
    let mut interval = rt::time::interval_at(first, period);
    let mut latencies = histogram();
    for tick in 0..EVENTS {
        interval.tick().await;
        latencies.saturating_record((first + period * tick).elapsed().as_nanos() as u64);
    }
    latencies
}

/// From a write on an OS thread until the task has read it.
async fn reads() -> Histogram<u64> {
    let listener = rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut writer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    writer.set_nodelay(true).unwrap();
    let (mut stream, _) = listener.accept().await.unwrap();
    let (sent, at) = mpsc::channel();
    thread::spawn(move || {
        for _ in 0..EVENTS {
            thread::sleep(Duration::from_millis(1));
            sent.send(Instant::now()).unwrap();
            writer.write_all(&[7]).unwrap();
        }
    });
    let mut latencies = histogram();
    while let Ok(1) = stream.read(&mut [0]).await {
        latencies.saturating_record(at.recv().unwrap().elapsed().as_nanos() as u64);
    }
    latencies
}

/// Runs `measured` beside the busy tasks and prints a line.
fn beside_busy<F>(name: &str, runtime: &rt::runtime::Runtime, measured: F)
where
    F: Future<Output = Histogram<u64>> + Send + 'static,
{
    let stop = Arc::new(AtomicBool::new(false));
    let latencies = runtime.block_on(async {
        let busy: Vec<_> = (0..8).map(|_| rt::spawn(busy(stop.clone()))).collect();
        let latencies = rt::spawn(measured).await.unwrap();
        stop.store(true, Ordering::Relaxed);
        for task in busy {
            task.await.unwrap();
        }
        latencies
    });
    let us = |quantile| latencies.value_at_quantile(quantile) as f64 / 1000.0;
    println!(
        "{name:<24} {:>9.1} {:>9.1} {:>9.1}",
        us(0.5),
        us(0.99),
        us(1.0)
    );
}

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return println!("fairness: run me with cargo bench");
    }
    println!("{:<24} {:>9} {:>9} {:>9}", "µs until", "p50", "p99", "max");
    let current = rt::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let multi = rt::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    for (name, runtime) in [("current_thread", current), ("two_workers", multi)] {
        beside_busy(&format!("{name}/spawned"), &runtime, spawned());
        beside_busy(&format!("{name}/tick"), &runtime, ticks());
        beside_busy(&format!("{name}/read"), &runtime, reads());
    }
}
