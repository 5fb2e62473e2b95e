//! What does a timer cost that is dropped before it fires?
//!
//! - Unit: ns per sleep created, polled once and dropped, beside 100, 10 000 and a million others.
//! - Baseline: insert into and remove from a `BTreeMap` of so many deadlines, without any runtime.
//! - What would change our mind: a wheel is to cost nearly the same at each size but for cache
//!   misses. Should the map come out ahead with 10 000 timers alive, the map is simpler.

#![forbid(unsafe_code)]

mod common;

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use trefoil as rt;

/// Deadlines spread over an hour, from an hour on, so that none fires: the i-th of them.
fn deadline(i: u64) -> Duration {
    // Knuth's multiplicative hash; 3_600_000 ms are an hour.
    Duration::from_millis(3_600_000 + (i.wrapping_mul(2_654_435_761) >> 3) % 3_600_000)
}

/// A sleep that has been polled once, so that its timer is in the wheel.
async fn armed(i: u64) -> Pin<Box<rt::time::Sleep>> {
    let mut sleep = Box::pin(rt::time::sleep(deadline(i)));
    poll_fn(|cx| {
        assert!(sleep.as_mut().poll(cx).is_pending());
        Poll::Ready(())
    })
    .await;
    sleep
}

fn main() {
    let mut criterion = common::criterion();
    for live in [100, 10_000, 1_000_000] {
        let mut group = criterion.benchmark_group(format!("timers/{live}_alive"));
        let mut map: BTreeMap<(Duration, u64), ()> =
            (0..live).map(|i| ((deadline(i), i), ())).collect();
        let mut next = live;
        group.bench_function("baseline/btree_map", |bencher| {
            bencher.iter(|| {
                next += 1;
                map.insert((deadline(next), next), ());
                map.remove(&(deadline(next), next))
            });
        });
        for (name, runtime) in common::runtimes() {
            // Alive on the worker that will add the next ones: its wheel is the full one.
            let (give, take) = std::sync::mpsc::channel();
            common::timed(&runtime, async move {
                for i in 0..live {
                    give.send(armed(i).await).unwrap();
                }
            });
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|n| {
                    common::timed(&runtime, async move {
                        for i in 0..n {
                            drop(armed(live + i).await);
                        }
                    })
                });
            });
            drop(take);
        }
        group.finish();
    }
    criterion.final_summary();
}
