//! 19 fork-join: one job becomes two, again and again, until every core has some.
//!
//! Teaches `join`: it calls both closures, and while one runs here, a worker that has nothing to
//! do may steal the other. Nobody plans who does what; a join that nobody steals costs some ten
//! nanoseconds. A scope is for more jobs than two. In the lab's map: `SHA-256`, `primes`, `Mandelbrot` and `64 unequal jobs`.
//!
//! Run: `cargo run --release --example 19-fork-join`
//!
//! Expected output, on two cores:
//!
//! ```text
//! -- 1. merge sort: a join of both halves, then a merge
//! alone 125 ms, in the pool 70 ms: 1.78 times faster, the same result
//! -- 2. twelve queens: a scope, and a job for each first move; the jobs are unequal
//! alone 18 ms, in the pool 10 ms: 1.72 times faster, the same result
//! -- 3. the game of life: `map` divides the rows by itself
//! alone 30 ms, in the pool 22 ms: 1.36 times faster, the same result
//! -- 4. matrix product: `map` again
//! alone 147 ms, in the pool 80 ms: 1.82 times faster, the same result
//! next: 20-async-meets-pool awaits such jobs on an event loop
//! ```

use trefoil as rt; // tokio has no thread pool for computing; rayon has `join` and `scope`

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use rt::threads;

/// Divides no further below this: some 10 µs of work, against which a join costs nothing.
const SMALL: usize = 1_000;

fn merge_sort(items: &mut [u32], in_pool: bool) {
    if items.len() > SMALL {
        let (left, right) = items.split_at_mut(items.len() / 2);
        if in_pool {
            threads::join(|| merge_sort(left, true), || merge_sort(right, true));
        } else {
            merge_sort(left, false);
            merge_sort(right, false);
        }
    }
    // std's sort finds the two halves in order, and only merges them.
    items.sort();
}

/// In how many ways `left` more queens can stand; bits are columns that are attacked.
fn queens(left: u32, columns: u32, down: u32, up: u32) -> u64 {
    if left == 0 {
        return 1;
    }
    let free = (0..12)
        .map(|column| 1 << column)
        .filter(|bit| (columns | down | up) & bit == 0);
    free.map(|bit: u32| queens(left - 1, columns | bit, (down | bit) << 1, (up | bit) >> 1))
        .sum()
}

/// The same, when the first one stands there.
fn queens_after(column: u32) -> u64 {
    queens(11, 1 << column, 2 << column, (1 << column) >> 1)
}

/// A row of the next generation, in a world without an edge.
fn next_row(world: &[Vec<u8>], y: usize) -> Vec<u8> {
    let (height, width) = (world.len(), world[0].len());
    let rows = [height - 1, 0, 1].map(|dy| &world[(y + dy) % height]);
    let cell = |x| {
        let columns = [width - 1, 0, 1].map(|dx| (x + dx) % width);
        let sum: u8 = rows.iter().flat_map(|row| columns.map(|x| row[x])).sum();
        u8::from(sum == 3 || (sum == 4 && world[y][x] == 1))
    };
    (0..width).map(cell).collect()
}

/// A row of the square of a matrix.
fn square_row(a: &[Vec<f64>], y: usize) -> Vec<f64> {
    let cell = |x: usize| a[y].iter().zip(a).map(|(left, row)| left * row[x]).sum();
    (0..a.len()).map(cell).collect()
}

/// Runs a problem both ways, and compares.
fn compare<R: PartialEq>(title: &str, alone: impl FnOnce() -> R, in_pool: impl FnOnce() -> R) {
    let start = Instant::now();
    let result = alone();
    let slow = start.elapsed();
    let same = if in_pool() == result {
        "the same"
    } else {
        "A DIFFERENT"
    };
    let fast = start.elapsed() - slow;
    let (slow_ms, fast_ms) = (slow.as_millis(), fast.as_millis());
    let ratio = slow.as_secs_f64() / fast.as_secs_f64();
    println!("-- {title}");
    println!(
        "alone {slow_ms} ms, in the pool {fast_ms} ms: {ratio:.2} times faster, {same} result"
    );
}

fn main() {
    // The global pool starts at its first use: not within a measurement.
    threads::join(|| (), || ());

    let numbers: Vec<u32> = (0..2_000_000)
        .map(|i: u32| i.wrapping_mul(2_654_435_769))
        .collect();
    let sorted = |in_pool| {
        let mut items = numbers.clone();
        merge_sort(&mut items, in_pool);
        items
    };
    let title = "1. merge sort: a join of both halves, then a merge";
    compare(title, || sorted(false), || sorted(true));

    let in_scope = || {
        let ways = AtomicU64::new(0);
        // The jobs borrow `ways`: a scope ends only when all of its jobs have ended.
        threads::scope(|scope| {
            for column in 0..12 {
                let ways = &ways;
                scope.spawn(move |_| _ = ways.fetch_add(queens_after(column), Relaxed));
            }
        });
        ways.into_inner()
    };
    let title = "2. twelve queens: a scope, and a job for each first move; the jobs are unequal";
    compare(title, || (0..12).map(queens_after).sum(), in_scope);

    let rows: Vec<usize> = (0..512).collect();
    let row = |y: &usize| (0..512).map(|x| u8::from(x * y % 7 == 3)).collect();
    let world: Vec<Vec<u8>> = rows.iter().map(row).collect();
    let alone = |now: Vec<_>| rows.iter().map(|y| next_row(&now, *y)).collect();
    let in_pool = |now: Vec<_>| threads::map(&rows, |y| next_row(&now, *y));
    let title = "3. the game of life: `map` divides the rows by itself";
    let run = |step: &dyn Fn(Vec<Vec<u8>>) -> _| (0..20).fold(world.clone(), |now, _| step(now));
    compare(title, || run(&alone), || run(&in_pool));

    let row = |y: &usize| (0..512).map(|x| (x * y % 10) as f64).collect();
    let a: Vec<Vec<f64>> = rows.iter().map(row).collect();
    let alone = || rows.iter().map(|y| square_row(&a, *y)).collect();
    let in_pool = || threads::map(&rows, |y| square_row(&a, *y));
    compare("4. matrix product: `map` again", alone, in_pool);
    println!("next: 20-async-meets-pool awaits such jobs on an event loop");
}
