// What the tests of a pool share. Included beside each text, once for each side.

#[allow(unused_imports)]
use super::again::{Limit, again, in_child, passes_again};

/// A pool of so many threads; 0 is the default.
fn pool_of(threads: usize) -> pool::ThreadPool {
    let builder = pool::ThreadPoolBuilder::new().num_threads(threads);
    builder.build().expect("a pool")
}

/// Runs a test so many times on a pool of one thread, of the default number, and of eight.
#[allow(dead_code)]
fn on_each_pool(times: usize, test: impl Fn(&pool::ThreadPool)) {
    let _limit = Limit::new();
    for threads in [1, 0, 8] {
        let pool = pool_of(threads);
        for _ in 0..times {
            test(&pool);
        }
    }
}

/// The same for tests whose jobs wait for each other: two threads at least.
#[allow(dead_code)]
fn on_pools_of_several(times: usize, test: impl Fn(&pool::ThreadPool)) {
    let _limit = Limit::new();
    for threads in [2, 8] {
        let pool = pool_of(threads);
        for _ in 0..times {
            test(&pool);
        }
    }
}

/// Adds to a counter.
#[allow(dead_code)]
fn raise(counter: &std::sync::atomic::AtomicUsize, by: usize) {
    counter.fetch_add(by, std::sync::atomic::Ordering::Relaxed);
}
