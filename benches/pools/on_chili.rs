//! The rows that chili's API allows: joins on a scope that is handed on.

use chili::{Config, Scope, ThreadPool};
use std::num::NonZero;

/// True for a row that can be measured here.
pub fn has(row: &str) -> bool {
    ["fib35", "tree"].iter().any(|kind| row.starts_with(kind))
}

/// fib with a join at each node.
fn fib(scope: &mut Scope<'_>, n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = scope.join(|s| fib(s, n - 1), |s| fib(s, n - 2));
    a + b
}

/// A binary tree's sum, a join at each node.
fn sum(scope: &mut Scope<'_>, depth: u32, node: u64) -> u64 {
    if depth == 0 {
        return 1 + (node >> 63);
    }
    let (a, b) = scope.join(
        |s| sum(s, depth - 1, 2 * node),
        |s| sum(s, depth - 1, 2 * node + 1),
    );
    a + b + 1
}

/// Runs a row.
pub fn run(row: &str) -> f64 {
    let threads = if row.contains("_1") { 1 } else { 2 };
    let pool = ThreadPool::with_config(Config {
        thread_count: NonZero::new(threads),
        ..Config::default()
    });
    let mut scope = pool.scope();
    let over = row.ends_with("over");
    let (nodes, alone, time): (u64, fn(), f64) = match row {
        _ if row.starts_with("fib35") => {
            let time = super::best(super::FIBS, || assert_eq!(fib(&mut scope, 35), 9_227_465));
            (super::FIBS, super::sequential_fib, time)
        }
        _ if row.starts_with("tree1023") => {
            let run = || (0..2000).for_each(|_| assert_eq!(sum(&mut scope, 9, 1), 1023));
            let alone = || (0..2000).for_each(|_| super::small_tree());
            (2000 * 1023, alone, super::best(2000 * 1023, run))
        }
        _ => {
            let time = super::best(super::TREES, || {
                assert_eq!(sum(&mut scope, 21, 1), 4_194_303)
            });
            (super::TREES, super::sequential_tree, time)
        }
    };
    time - if over { super::best(nodes, alone) } else { 0.0 }
}
