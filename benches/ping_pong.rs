//! What does a message there and back between two tasks cost?
//!
//! - Unit: ns per round trip, over two bounded channels of one place, and over two `Notify`s.
//! - Baseline: two OS threads and two `std::sync::mpsc::sync_channel(1)`.
//! - What would change our mind: with two workers both tasks are to stay on one of them, through
//!   its LIFO slot. Figures near the baseline's mean that they were torn apart, and every round
//!   trip wakes a thread.

#![forbid(unsafe_code)]

mod common;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};
use trefoil as rt;

/// `n` numbers there and back over channels.
async fn channels(n: u64) {
    let (to_peer, mut at_peer) = rt::sync::mpsc::channel::<u64>(1);
    let (to_us, mut at_us) = rt::sync::mpsc::channel::<u64>(1);
    rt::spawn(async move {
        while let Some(number) = at_peer.recv().await {
            to_us.send(number).await.unwrap();
        }
    });
    for i in 0..n {
        to_peer.send(i).await.unwrap();
        assert_eq!(at_us.recv().await, Some(i));
    }
}

/// `n` notifications there and back.
async fn notifies(n: u64) {
    let ping = Arc::new(rt::sync::Notify::new());
    let pong = Arc::new(rt::sync::Notify::new());
    let (pinged, answer) = (ping.clone(), pong.clone());
    let peer = rt::spawn(async move {
        loop {
            pinged.notified().await;
            answer.notify_one();
        }
    });
    for _ in 0..n {
        ping.notify_one();
        pong.notified().await;
    }
    peer.abort();
}

/// The same between two OS threads.
fn threads(n: u64) -> Duration {
    let (to_peer, at_peer) = sync_channel::<u64>(1);
    let (to_us, at_us) = sync_channel::<u64>(1);
    let peer = thread::spawn(move || at_peer.iter().for_each(|i| to_us.send(i).unwrap()));
    let began = Instant::now();
    for i in 0..n {
        to_peer.send(i).unwrap();
        at_us.recv().unwrap();
    }
    let took = began.elapsed();
    drop(to_peer);
    peer.join().unwrap();
    took
}

fn main() {
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("ping_pong");
    group.bench_function("baseline/threads", |bencher| bencher.iter_custom(threads));
    for (name, runtime) in common::runtimes() {
        group.bench_function(format!("{name}/mpsc"), |bencher| {
            bencher.iter_custom(|n| common::timed(&runtime, channels(n)));
        });
        group.bench_function(format!("{name}/notify"), |bencher| {
            bencher.iter_custom(|n| common::timed(&runtime, notifies(n)));
        });
    }
    group.finish();
    criterion.final_summary();
}
