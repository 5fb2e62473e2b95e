//! 19 fork-join: divide, solve both halves at once, put together.
//!
//! Teaches how a computation gets all cores: not by a thread for each piece, but by a `join` for
//! each division. A join costs some nanoseconds: the second half lies ready, and a thread that is
//! idle takes the oldest one that it finds (it steals the largest piece). So cut as small as is
//! convenient, and let the pool decide what really runs elsewhere.
//!
//! Run: `cargo run --release --example 19-fork-join`
//!
//! Expected output (the times of a machine with two cores):
//!
//! ```text
//! -- 1. wrong: a thread for each half
//! fib(12) is 144, in 20.59 ms
//! -- 2. cured: a join for each half
//! fib(12) is 144, in 0.26 ms
//! -- 3. three programs, alone and with all cores
//! mergesort: sorted is true, in 20.1 ms alone and 12.5 ms together
//! 10 queens: 724 ways, in 0.5 ms alone and 0.3 ms together
//! life: 1204 alive, in 5.4 ms alone and 3.6 ms together
//! next: 20-async-meets-pool awaits such work from an event loop
//! ```

use trefoil as rt; // or, for join only: use rayon as rt;

use std::time::Instant;

use rt::threads::{ThreadPoolBuilder, for_each, join};

/// fib, with a thread for each first half: 150 of them.
fn fib_by_threads(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    std::thread::scope(|s| {
        let first = s.spawn(move || fib_by_threads(n - 1));
        let second = fib_by_threads(n - 2);
        first.join().expect("it only adds") + second
    })
}

/// fib, with a join for each two halves.
fn fib_by_joins(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(|| fib_by_joins(n - 1), || fib_by_joins(n - 2));
    a + b
}

/// Sorts `numbers`; `room` is as long, for the merging.
fn mergesort(numbers: &mut [u32], room: &mut [u32]) {
    // Below that, dividing is more work than sorting.
    if numbers.len() <= 64 {
        return numbers.sort_unstable();
    }
    let middle = numbers.len() / 2;
    let (left, right) = numbers.split_at_mut(middle);
    let (left_room, right_room) = room.split_at_mut(middle);
    join(
        || mergesort(left, left_room),
        || mergesort(right, right_room),
    );
    let (mut l, mut r) = (0, 0);
    for place in room.iter_mut() {
        let from_left = r == right.len() || (l < left.len() && left[l] <= right[r]);
        *place = if from_left { left[l] } else { right[r] };
        l += usize::from(from_left);
        r += usize::from(!from_left);
    }
    numbers.copy_from_slice(room);
}

/// In how many ways the rows from `row` on can be filled with queens: a join for two columns.
fn queens(row: u32, taken: [u32; 3], free: u32) -> u32 {
    if row == 10 {
        return 1;
    }
    let first = free & free.wrapping_neg();
    let rest = free & !first;
    let place = || {
        let [column, left, right] = taken.map(|taken| taken | first);
        let taken = [column, left << 1, right >> 1];
        queens(row + 1, taken, !(taken[0] | taken[1] | taken[2]) & 0x3ff)
    };
    match (first, rest) {
        (0, _) => 0,
        (_, 0) => place(),
        _ => {
            let (a, b) = join(place, || queens(row, taken, rest));
            a + b
        }
    }
}

/// Twenty generations on a torus of 128 by 128 cells; the cells of a generation at the same time.
fn life() -> usize {
    let is_alive = |n: u32| u8::from((n.wrapping_mul(2_654_435_761) >> 16).is_multiple_of(3));
    let mut board: Vec<u8> = (0..16_384).map(is_alive).collect();
    for _ in 0..20 {
        let mut next: Vec<_> = board.iter().copied().enumerate().collect();
        for_each(&mut next, |(place, cell)| {
            let row = |by: usize| (*place / 128 + by) % 128 * 128;
            let cells = |row: usize| [127, 0, 1].map(|by| board[row + (*place + by) % 128]);
            let around = [row(127), row(0), row(1)].map(cells);
            let count = around.as_flattened().iter().sum::<u8>() - *cell;
            *cell = u8::from(count == 3 || (*cell == 1 && count == 2));
        });
        board = next.into_iter().map(|(_, cell)| cell).collect();
    }
    board.iter().filter(|cell| **cell == 1).count()
}

/// Runs a program and gives what it found, and the milliseconds that it took.
fn timed<T>(program: impl FnOnce() -> T) -> (T, f64) {
    let start = Instant::now();
    (program(), start.elapsed().as_secs_f64() * 1000.0)
}

/// Runs a program on a pool of one thread, and on the pool that has all cores.
fn compare(name: &str, program: impl Fn() -> String + Sync) {
    let one = ThreadPoolBuilder::new().num_threads(1).build();
    let (found, alone) = timed(|| one.expect("a thread").install(&program));
    let (same, together) = timed(&program);
    assert_eq!(found, same);
    println!("{name}: {found}, in {alone:.1} ms alone and {together:.1} ms together");
}

fn main() {
    println!("-- 1. wrong: a thread for each half");
    let (fib, ms) = timed(|| fib_by_threads(12));
    println!("fib(12) is {fib}, in {ms:.2} ms");
    println!("-- 2. cured: a join for each half");
    let (fib, ms) = timed(|| fib_by_joins(12));
    println!("fib(12) is {fib}, in {ms:.2} ms");

    println!("-- 3. three programs, alone and with all cores");
    compare("mergesort", || {
        let mix = |n: u32| n.wrapping_mul(2_654_435_761);
        let mut numbers: Vec<u32> = (0..500_000).map(mix).collect();
        let mut room = numbers.clone();
        mergesort(&mut numbers, &mut room);
        format!("sorted is {}", numbers.is_sorted())
    });
    compare("10 queens", || format!("{} ways", queens(0, [0; 3], 0x3ff)));
    compare("life", || format!("{} alive", life()));
    println!("next: 20-async-meets-pool awaits such work from an event loop");
}
