//! What does it cost to run a closure where it may block?
//!
//! - Unit: ns per closure: awaited one by one, and 64 started before the first is awaited.
//! - Baseline: `std::thread::spawn` and `join`, a new thread for each closure.
//! - What would change our mind: one by one, two threads are woken for each closure and the
//!   kernel takes nearly all of it. Of 64, most are to find a thread awake; figures near those
//!   of one by one mean a wake for each.

#![forbid(unsafe_code)]

mod common;

use criterion::Throughput;
use trefoil::task::spawn_blocking;

/// Rounds of `many` empty closures, started and then awaited in order.
async fn rounds(rounds: u64, many: usize) {
    let mut handles = Vec::with_capacity(many);
    for _ in 0..rounds {
        handles.extend((0..many).map(|_| spawn_blocking(|| {})));
        for handle in handles.drain(..) {
            handle.await.unwrap();
        }
    }
}

fn main() {
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("blocking");
    group.bench_function("baseline/new_thread", |bencher| {
        bencher.iter(|| std::thread::spawn(|| {}).join().unwrap());
    });
    for (name, runtime) in common::runtimes() {
        for many in [1, 64] {
            group.throughput(Throughput::Elements(many as u64));
            group.bench_function(format!("{name}/{many}"), |bencher| {
                bencher.iter_custom(|n| common::timed(&runtime, rounds(n, many)));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
