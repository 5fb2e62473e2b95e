//! What does a task cost that does nothing?
//!
//! - Unit: ns per task, spawned and joined; alone, and as one of 64 and of 10 000 alive at once.
//! - Baseline: a boxed future polled once by hand: one allocation and one call, no runtime.
//!   tokio 1.54 is three to five times slower here (`versus/`, rows `spawn_*`).
//! - What would change our mind: a form that drops one of the locked operations counted in
//!   `src/task/state.rs` and is not faster here is not worth its proof.

#![forbid(unsafe_code)]

mod common;

use futures_util::FutureExt;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use trefoil as rt;

/// Rounds of `many` empty tasks, spawned and then awaited in order.
async fn rounds(rounds: u64, many: usize) {
    let mut handles = Vec::with_capacity(many);
    for _ in 0..rounds {
        handles.extend((0..many).map(|_| rt::spawn(async {})));
        for handle in handles.drain(..) {
            handle.await.unwrap();
        }
    }
}

fn main() {
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("spawn");
    group.bench_function("baseline/boxed_future", |bencher| {
        bencher.iter(|| {
            let future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async {});
            black_box(future).now_or_never()
        });
    });
    for (name, runtime) in common::runtimes() {
        for many in [1, 64, 10_000] {
            group.throughput(criterion::Throughput::Elements(many as u64));
            group.bench_function(format!("{name}/{many}"), |bencher| {
                bencher.iter_custom(|n| common::timed(&runtime, rounds(n, many)));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
