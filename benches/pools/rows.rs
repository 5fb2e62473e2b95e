// What is measured, the same text for both pools: `pool` is the crate, `Row` comes from `super`.
// Each function gives nanoseconds per operation, measured once, in a process of its own.

use pool::{ThreadPool, ThreadPoolBuilder};
use super::best;
use std::time::{Duration, Instant};

/// A pool of `threads` threads.
fn threads(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
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
fn sum(depth: u32, node: u64) -> u64 {
    if depth == 0 {
        return 1 + (node >> 63);
    }
    let (a, b) = pool::join(|| sum(depth - 1, 2 * node), || sum(depth - 1, 2 * node + 1));
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

/// Sorts by partition and join, single elements at the end by insertion.
fn quicksort(numbers: &mut [u32]) {
    if numbers.len() <= 20 {
        for end in 1..numbers.len() {
            let mut place = end;
            while place > 0 && numbers[place - 1] > numbers[place] {
                numbers.swap(place - 1, place);
                place -= 1;
            }
        }
        return;
    }
    let last = numbers.len() - 1;
    numbers.swap(last / 2, last);
    let pivot = numbers[last];
    let mut left = 0;
    for place in 0..last {
        let goes = numbers[place] < pivot;
        numbers.swap(place, left);
        left += usize::from(goes);
    }
    numbers.swap(left, last);
    let (smaller, rest) = numbers.split_at_mut(left);
    pool::join(|| quicksort(smaller), || quicksort(&mut rest[1..]));
}

/// Sorts four million numbers; per number.
fn sorts() -> f64 {
    let numbers = super::random_numbers(4_000_000);
    let pool = threads(2);
    let mut sorted = numbers.clone();
    best(numbers.len() as u64, || {
        sorted.copy_from_slice(&numbers);
        pool.install(|| quicksort(&mut sorted));
        assert!(sorted.is_sorted());
    })
}

/// The middle of many latencies of an `install` from outside, with a rest before each.
fn install(threads_in_pool: usize, rest: Duration, times: usize) -> f64 {
    let pool = threads(threads_in_pool);
    super::middle_latency(times, rest, || pool.install(|| ()))
}

/// What the whole process computes for an `install` each millisecond, per `install`.
fn install_cpu(threads_in_pool: usize) -> f64 {
    const TIMES: u32 = 500;
    let pool = threads(threads_in_pool);
    pool.install(|| ());
    let before = super::cpu_time(true);
    for _ in 0..TIMES {
        std::thread::sleep(Duration::from_millis(1));
        pool.install(|| ());
    }
    (super::cpu_time(true) - before) as f64 / f64::from(TIMES)
}

/// How a number grows in a second of a pool of eight that has nothing to do.
fn idle(number: fn() -> u64) -> f64 {
    let pool = threads(8);
    pool.broadcast(|_| ());
    std::thread::sleep(Duration::from_millis(100));
    let before = number();
    std::thread::sleep(Duration::from_secs(1));
    (number() - before) as f64
}

/// The middle of many latencies of a job whose answer a task awaits, with a rest before each.
fn awaited(rest: Duration, times: usize) -> f64 {
    let pool = threads(2);
    super::runtime().block_on(async {
        let mut all = Vec::new();
        for _ in 0..times {
            if !rest.is_zero() {
                trefoil::time::sleep(rest).await;
            }
            let start = Instant::now();
            assert_eq!(answer(&pool).await, 7);
            all.push(start.elapsed().as_nanos() as f64);
        }
        super::median(&all)
    })
}

/// A thousand such jobs at once, again and again; per job.
fn awaited_together() -> f64 {
    let pool = threads(2);
    super::runtime().block_on(async {
        let mut all = Vec::new();
        for _ in 0..100 {
            let start = Instant::now();
            let jobs: Vec<_> = (0..1000).map(|_| answer(&pool)).collect();
            for job in jobs {
                assert_eq!(job.await, 7);
            }
            all.push(start.elapsed().as_nanos() as f64 / 1000.0);
        }
        super::median(&all)
    })
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
    let fibs = |n| best(super::FIBS, || assert_eq!(threads(n).install(|| fib(35)), 9_227_465));
    let trees = |n| best(super::TREES, || assert_eq!(threads(n).install(|| sum(21, 1)), 4_194_303));
    let ms = Duration::from_millis;
    match row {
        "fib35_1" => fibs(1),
        "fib35_2" => fibs(2),
        "fib35_1_over" => fibs(1) - best(super::FIBS, super::sequential_fib),
        "tree_1" => trees(1),
        "tree_2" => trees(2),
        "tree_1_over" => trees(1) - best(super::TREES, super::sequential_tree),
        "tree1023_1_over" | "tree1023_2" => {
            let over = row == "tree1023_1_over";
            let pool = threads(if over { 1 } else { 2 });
            // Many small trees: of each there is little to share.
            let small = || pool.install(|| (0..2000).for_each(|_| assert_eq!(sum(9, 1), 1023)));
            let alone = || (0..2000).for_each(|_| super::small_tree());
            let nodes = 2000 * 1023;
            best(nodes, small) - if over { best(nodes, alone) } else { 0.0 }
        }
        "queens12_2" => {
            let pool = threads(2);
            best(1, || assert_eq!(pool.install(|| queens(12, 0, 0, 0, 0)), 14_200))
        }
        "quicksort_2" => sorts(),
        "leaves_8" => leaves(),
        "scope_spawn_1" => spawns(1),
        "scope_spawn_2" => spawns(2),
        "spawn_fifo_1" => fifo_spawns(1),
        "spawn_fifo_2" => fifo_spawns(2),
        "spawn_outside_1" => outside_spawns(1),
        "spawn_outside_2" => outside_spawns(2),
        "install_1" => install(1, ms(0), 20_000),
        "install_2" => install(2, ms(0), 20_000),
        "install_rest_1" => install(1, ms(2), 300),
        "install_rest_2" => install(2, ms(2), 300),
        "install_cpu_2" => install_cpu(2),
        "install_cpu_8" => install_cpu(8),
        "submit_await" => awaited(ms(0), 10_000),
        "submit_await_rest" => awaited(ms(2), 300),
        "submit_1000" => awaited_together(),
        "idle_8" => idle(|| super::cpu_time(false)),
        "idle_switches_8" => idle(super::switches),
        other => panic!("no row is called {other}"),
    }
}
