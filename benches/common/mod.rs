//! What the criterion benches share: the two runtimes, and a timer inside a task.

#![forbid(unsafe_code)]

use criterion::Criterion;
use std::time::{Duration, Instant};
use trefoil as rt;

/// Short runs: a reader wants a figure in a minute, the comparison is `versus/`.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20)
        .configure_from_args()
}

/// The current-thread runtime, and one with two workers.
pub fn runtimes() -> [(&'static str, rt::runtime::Runtime); 2] {
    let current = rt::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let multi = rt::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    [
        ("current_thread", current.unwrap()),
        ("two_workers", multi.unwrap()),
    ]
}

/// How long `body` takes in a spawned task: on a worker, not on the thread in `block_on`.
pub fn timed(
    runtime: &rt::runtime::Runtime,
    body: impl Future<Output = ()> + Send + 'static,
) -> Duration {
    runtime.block_on(async {
        let task = rt::spawn(async {
            let began = Instant::now();
            body.await;
            began.elapsed()
        });
        task.await.unwrap()
    })
}
