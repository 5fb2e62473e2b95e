//! What does a message cost that nobody has to wait for?
//!
//! - Unit: ns per message: sent and received in one task; from one task to another through a
//!   bounded and an unbounded channel; a oneshot made, sent and received.
//! - Baseline: `std::sync::mpsc` sent and received on one thread.
//! - What would change our mind: the bounded channel is a ring with slot numbers. If a mutex
//!   around a `VecDeque` is within a tenth of it here, the mutex is easier to believe.

#![forbid(unsafe_code)]

mod common;

use criterion::Throughput;
use rt::sync::{mpsc, oneshot};
use trefoil as rt;

/// One task sends to itself.
async fn local(n: u64) {
    let (sender, mut receiver) = mpsc::channel(16);
    for i in 0..n {
        sender.send(i).await.unwrap();
        assert_eq!(receiver.recv().await, Some(i));
    }
}

/// One task sends to another, at most 128 ahead.
async fn bounded(n: u64) {
    let (sender, mut receiver) = mpsc::channel(128);
    rt::spawn(async move {
        for i in 0..n {
            sender.send(i).await.unwrap();
        }
    });
    while receiver.recv().await.is_some() {}
}

/// One task sends to another, and yields after each 128th.
async fn unbounded(n: u64) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    rt::spawn(async move {
        for i in 0..n {
            sender.send(i).unwrap();
            if i % 128 == 127 {
                rt::task::yield_now().await;
            }
        }
    });
    while receiver.recv().await.is_some() {}
}

/// A oneshot for each message.
async fn single(n: u64) {
    for i in 0..n {
        let (sender, receiver) = oneshot::channel();
        sender.send(i).unwrap();
        assert_eq!(receiver.await.unwrap(), i);
    }
}

fn main() {
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("channels");
    group.throughput(Throughput::Elements(1));
    let (sender, receiver) = std::sync::mpsc::channel();
    group.bench_function("baseline/std", |bencher| {
        bencher.iter(|| {
            sender.send(1_u64).unwrap();
            receiver.recv().unwrap()
        });
    });
    for (name, runtime) in common::runtimes() {
        group.bench_function(format!("{name}/bounded_local"), |bencher| {
            bencher.iter_custom(|n| common::timed(&runtime, local(n)));
        });
        group.bench_function(format!("{name}/bounded"), |bencher| {
            bencher.iter_custom(|n| common::timed(&runtime, bounded(n)));
        });
        group.bench_function(format!("{name}/unbounded"), |bencher| {
            bencher.iter_custom(|n| common::timed(&runtime, unbounded(n)));
        });
        group.bench_function(format!("{name}/oneshot"), |bencher| {
            bencher.iter_custom(|n| common::timed(&runtime, single(n)));
        });
    }
    group.finish();
    criterion.final_summary();
}
