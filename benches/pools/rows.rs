// What is measured, the same text for both pools: `pool` is the crate, `Row` comes from `super`.
// Each function gives nanoseconds per operation, measured once, in a process of its own.

use pool::{ThreadPool, ThreadPoolBuilder};
use std::time::{Duration, Instant};

/// A pool of `threads` threads.
fn threads(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
}

/// The best of three, per operation: disturbances only add.
fn best(operations: u64, mut run: impl FnMut()) -> f64 {
    (0..3)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_nanos() as f64 / operations as f64
        })
        .fold(f64::INFINITY, f64::min)
}

/// fib with a join at each node.
fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = pool::join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// A binary tree's sum, a join at each node.
fn sum(depth: u32) -> u64 {
    if depth == 0 {
        return 1;
    }
    let (a, b) = pool::join(|| sum(depth - 1), || sum(depth - 1));
    a + b + 1
}

/// Places queens in the rows from `row` on; a join splits the columns.
fn queens(n: u32, row: u32, columns: u32, left: u32, right: u32) -> u64 {
    if row == n {
        return 1;
    }
    let free = !(columns | left | right) & ((1 << n) - 1);
    split(n, row, columns, left, right, free)
}

/// Tries the free columns, half of them on each side of a join.
fn split(n: u32, row: u32, columns: u32, left: u32, right: u32, free: u32) -> u64 {
    match free.count_ones() {
        0 => 0,
        1 => queens(n, row + 1, columns | free, (left | free) << 1, (right | free) >> 1),
        _ => {
            let first = free & free.wrapping_neg();
            let (a, b) = pool::join(
                || split(n, row, columns, left, right, first),
                || split(n, row, columns, left, right, free & !first),
            );
            a + b
        }
    }
}

/// The middle of many latencies of an `install` from outside, with a rest before each.
fn install(threads_in_pool: usize, rest: Duration, times: usize) -> f64 {
    let pool = threads(threads_in_pool);
    let mut all: Vec<u128> = (0..times)
        .map(|_| {
            if !rest.is_zero() {
                std::thread::sleep(rest);
            }
            let start = Instant::now();
            pool.install(|| ());
            start.elapsed().as_nanos()
        })
        .collect();
    all.sort_unstable();
    all[times / 2] as f64
}

/// A million empty tasks in a scope.
fn spawns(threads_in_pool: usize) -> f64 {
    const TASKS: u64 = 1_000_000;
    let pool = threads(threads_in_pool);
    best(TASKS, || {
        pool.scope(|scope| {
            for _ in 0..TASKS {
                scope.spawn(|_| ());
            }
        });
    })
}

/// The same, oldest first.
fn fifo_spawns(threads_in_pool: usize) -> f64 {
    const TASKS: u64 = 1_000_000;
    let pool = threads(threads_in_pool);
    best(TASKS, || {
        pool.scope_fifo(|scope| {
            for _ in 0..TASKS {
                scope.spawn_fifo(|_| ());
            }
        });
    })
}

/// The same, spawned from a thread that is no worker.
fn outside_spawns(threads_in_pool: usize) -> f64 {
    const TASKS: u64 = 1_000_000;
    let pool = threads(threads_in_pool);
    best(TASKS, || {
        pool.in_place_scope(|scope| {
            for _ in 0..TASKS {
                scope.spawn(|_| ());
            }
        });
    })
}

/// Joins whose halves sleep: 8 leaves of 5 ms on 8 threads; per leaf level (ideal 5 ms).
fn leaves() -> f64 {
    fn tree(depth: u32) {
        if depth == 0 {
            return std::thread::sleep(Duration::from_millis(5));
        }
        pool::join(|| tree(depth - 1), || tree(depth - 1));
    }
    let pool = threads(8);
    best(1, || pool.install(|| tree(3)))
}

/// Runs a row.
pub fn run(row: &str) -> f64 {
    let fibs = |n| best(14_930_351, || assert_eq!(threads(n).install(|| fib(35)), 9_227_465));
    let trees = |n| best(4_194_303, || assert_eq!(threads(n).install(|| sum(21)), 4_194_303));
    match row {
        "fib35_1" => fibs(1),
        "fib35_2" => fibs(2),
        "tree_1" => trees(1),
        "tree_2" => trees(2),
        "queens12_2" => {
            let pool = threads(2);
            best(1, || assert_eq!(pool.install(|| queens(12, 0, 0, 0, 0)), 14_200))
        }
        "leaves_8" => leaves(),
        "scope_spawn_1" => spawns(1),
        "scope_spawn_2" => spawns(2),
        "spawn_fifo_1" => fifo_spawns(1),
        "spawn_fifo_2" => fifo_spawns(2),
        "spawn_outside_1" => outside_spawns(1),
        "spawn_outside_2" => outside_spawns(2),
        "install_1" => install(1, Duration::ZERO, 20_000),
        "install_2" => install(2, Duration::ZERO, 20_000),
        "install_rest_2" => install(2, Duration::from_millis(2), 300),
        other => panic!("no row is called {other}"),
    }
}
