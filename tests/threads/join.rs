// `join` and `join_context`: see `../threads_join.rs`.

use pool::{FnContext, join, join_context};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn fib(n: u64) -> u64 {
    if n < 2 {
        return n;
    }
    let (a, b) = join(|| fib(n - 1), || fib(n - 2));
    a + b
}

/// Quicksort of any slice: the halves are borrowed at the same time.
fn sort<T: Ord + Send>(values: &mut [T]) {
    if values.len() < 2 {
        return;
    }
    let last = values.len() - 1;
    values.swap(last / 2, last);
    let mut small = 0;
    for at in 0..last {
        if values[at] <= values[last] {
            values.swap(at, small);
            small += 1;
        }
    }
    values.swap(small, last);
    let (left, right) = values.split_at_mut(small);
    join(|| sort(left), || sort(&mut right[1..]));
}

/// The same numbers on every run.
fn numbers(count: usize) -> Vec<u32> {
    let mut word = 88_172_645_463_325_252_u64;
    let mut next = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        word as u32
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn a_join_gives_back_both_results_in_order() {
    on_each_pool(100, |pool| {
        let both = pool.install(|| join(|| "left".to_owned(), || 7_u64));
        assert_eq!(both, ("left".to_owned(), 7));
        assert_eq!(pool.join(|| 1, || 2), (1, 2));
    });
}

#[test]
fn a_tree_of_joins_counts_every_leaf() {
    on_each_pool(20, |pool| assert_eq!(pool.install(|| fib(20)), 6765));
}

#[test]
fn halves_may_borrow_parts_of_the_callers_data() {
    on_each_pool(5, |pool| {
        let mut values = numbers(20_000);
        let mut expected = values.clone();
        expected.sort_unstable();
        pool.install(|| sort(&mut values));
        assert_eq!(values, expected);
    });
}

#[test]
fn outside_a_pool_both_halves_run_in_the_global_one() {
    let _limit = Limit::new();
    assert_eq!(pool::current_thread_index(), None);
    let here = std::thread::current().id();
    let other = || {
        assert_ne!(std::thread::current().id(), here);
        pool::current_thread_index()
    };
    let (left, right) = join(other, other);
    assert!(left < Some(pool::current_num_threads()) && right.is_some());
}

#[test]
fn the_left_half_runs_on_the_thread_that_joins() {
    on_each_pool(200, |pool| {
        pool.install(|| {
            let here = std::thread::current().id();
            join(|| assert_eq!(std::thread::current().id(), here), || ());
        });
    });
}

#[test]
fn both_halves_run_at_the_same_time_where_a_thread_is_free() {
    on_pools_of_several(1000, |pool| {
        let both = Barrier::new(2);
        let threads = pool.join(
            || {
                both.wait();
                pool::current_thread_index()
            },
            || {
                both.wait();
                pool::current_thread_index()
            },
        );
        assert_ne!(threads.0, threads.1);
    });
}

#[test]
fn eight_leaves_may_wait_for_each_other_on_eight_threads() {
    let _limit = Limit::new();
    let pool = pool_of(8);
    for _ in 0..300 {
        let all = Barrier::new(8);
        fn split(depth: u32, all: &Barrier) {
            if depth == 0 {
                all.wait();
            } else {
                join(|| split(depth - 1, all), || split(depth - 1, all));
            }
        }
        pool.install(|| split(3, &all));
    }
}

#[test]
fn a_half_that_waits_for_the_right_half_of_an_outer_join_gets_it() {
    // The outer right half is older than the inner one. Both must become visible.
    on_pools_of_several(300, |pool| {
        let (outer, inner) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let wait = |what: &AtomicUsize| {
            while what.load(Relaxed) == 0 {
                std::thread::yield_now();
            }
        };
        pool.join(
            || join(|| wait(&outer), || inner.store(1, Relaxed)),
            || outer.store(1, Relaxed),
        );
        assert_eq!(inner.load(Relaxed), 1);
    });
}

#[test]
fn on_one_thread_nothing_migrates() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    pool.install(|| {
        for _ in 0..1000 {
            let migrated = join_context(|left| left.migrated(), |right| right.migrated());
            assert_eq!(migrated, (false, false));
        }
    });
}

#[test]
fn from_outside_both_halves_migrate() {
    let _limit = Limit::new();
    for _ in 0..100 {
        let migrated = join_context(|left| left.migrated(), |right| right.migrated());
        assert_eq!(migrated, (true, true));
    }
}

#[test]
fn a_stolen_half_knows_that_it_migrated() {
    on_pools_of_several(500, |pool| {
        pool.install(|| {
            let both = Barrier::new(2);
            let run = |context: FnContext| {
                both.wait();
                context.migrated()
            };
            assert_eq!(join_context(run, run), (false, true));
        });
    });
}

#[test]
fn a_context_is_not_free_to_leave_its_thread_but_can_be_printed() {
    static_assertions::assert_not_impl_any!(FnContext: Send, Sync);
    let (text, ()) = join_context(|context| format!("{context:?}"), |_| ());
    assert!(text.contains("FnContext"), "{text}");
}

/// Runs a recursion of 20,000 levels, each of which adds one.
fn every_level_counts(descend: fn(usize, &AtomicUsize)) {
    let _limit = Limit::new();
    for threads in [1, 0, 8] {
        let builder = pool::ThreadPoolBuilder::new().num_threads(threads);
        let pool = builder.stack_size(256 << 20).build().unwrap();
        for _ in 0..5 {
            let count = AtomicUsize::new(0);
            pool.install(|| descend(20_000, &count));
            assert_eq!(count.into_inner(), 20_000);
        }
    }
}

#[test]
fn a_deep_spine_to_the_left_keeps_every_right_half() {
    // 20,000 right halves are pending at the same time.
    fn descend(depth: usize, count: &AtomicUsize) {
        if depth > 0 {
            join(|| descend(depth - 1, count), || count.fetch_add(1, Relaxed));
        }
    }
    every_level_counts(descend);
}

#[test]
fn a_deep_spine_to_the_right_ends_too() {
    fn descend(depth: usize, count: &AtomicUsize) {
        if depth > 0 {
            join(|| count.fetch_add(1, Relaxed), || descend(depth - 1, count));
        }
    }
    every_level_counts(descend);
}

#[test]
fn joins_and_spawns_inside_each_other_lose_nothing() {
    on_each_pool(50, |pool| {
        let count = AtomicUsize::new(0);
        let add = || raise(&count, 1);
        pool.scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|scope| {
                    join(
                        || {
                            scope.spawn(|_| {
                                join(add, add);
                            });
                            join(add, || scope.spawn(|_| add()));
                        },
                        || {
                            join(add, add);
                            scope.spawn(|_| add());
                        },
                    );
                });
            }
        });
        assert_eq!(count.into_inner(), 20 * 7);
    });
}

#[test]
fn a_scope_inside_a_half_ends_before_the_half() {
    on_each_pool(200, |pool| {
        let sum = |upto: usize| {
            let sum = AtomicUsize::new(0);
            pool::scope(|scope| {
                for n in 0..upto {
                    let sum = &sum;
                    scope.spawn(move |_| raise(sum, n));
                }
            });
            sum.into_inner()
        };
        assert_eq!(pool.join(|| sum(10), || sum(20)), (45, 190));
    });
}

#[test]
fn joins_from_many_outside_threads_do_not_mix_their_results() {
    on_each_pool(2, |pool| {
        std::thread::scope(|scope| {
            for thread in 0..6 {
                scope.spawn(move || {
                    for n in 0..200 {
                        assert_eq!(pool.join(|| (thread, n), || n + 1), ((thread, n), n + 1));
                    }
                });
            }
        });
    });
}

#[test]
fn a_hundred_thousand_joins_from_outside_overflow_no_counter() {
    // More than 65,535: a counter of 16 bits would show.
    let _limit = Limit::new();
    for _ in 0..100_000 {
        join(|| (), || ());
    }
}

#[test]
fn results_that_are_dropped_are_dropped_once() {
    use std::sync::Arc;
    on_each_pool(200, |pool| {
        let token = Arc::new(());
        let (left, right) = (token.clone(), token.clone());
        let both = pool.join(move || left, move || right);
        assert_eq!(Arc::strong_count(&token), 3);
        drop(both);
        assert_eq!(Arc::strong_count(&token), 1);
    });
}

#[test]
fn a_hungry_thread_gets_work_that_became_available_late() {
    // The second thread has been idle for a while when the first one forks again.
    on_pools_of_several(30, |pool| {
        pool.install(|| {
            let mut word = 1_u64;
            for _ in 0..200_000 {
                word = std::hint::black_box(word.wrapping_mul(6_364_136_223_846_793_005));
            }
            let both = Barrier::new(2);
            join(|| both.wait(), || both.wait());
        });
    });
}
