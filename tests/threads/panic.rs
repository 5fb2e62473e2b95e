// Panics: see `../threads_panic.rs`.

use pool::{join, scope};
use std::any::Any;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};

/// What a test throws: silent, and easy to recognise.
#[derive(Debug, PartialEq)]
struct Thrown(u32);

/// Throws without a message on the terminal.
fn throw(what: u32) -> ! {
    std::panic::resume_unwind(Box::new(Thrown(what)))
}

/// The number that `run` throws.
fn caught<R>(run: impl FnOnce() -> R) -> u32 {
    let Err(payload) = catch_unwind(AssertUnwindSafe(run)) else {
        panic!("it did not panic");
    };
    number(payload)
}

/// The number in a payload.
fn number(payload: Box<dyn Any + Send>) -> u32 {
    let Thrown(number) = *payload.downcast().expect("the payload that was thrown");
    number
}

/// Counts its drops.
struct Guard<'a>(&'a AtomicUsize);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

// ---- join ----

#[test]
fn when_the_left_half_panics_the_right_half_still_runs() {
    on_each_pool(200, |pool| {
        let ran = AtomicUsize::new(0);
        let what = caught(|| pool.join(|| throw(1), || raise(&ran, 1)));
        assert_eq!((what, ran.into_inner()), (1, 1));
    });
}

#[test]
fn when_the_right_half_panics_the_left_half_still_runs() {
    on_each_pool(200, |pool| {
        let ran = AtomicUsize::new(0);
        let what = caught(|| pool.join(|| raise(&ran, 1), || throw(2)));
        assert_eq!((what, ran.into_inner()), (2, 1));
    });
}

#[test]
fn when_both_halves_panic_the_left_one_wins() {
    on_each_pool(200, |pool| {
        assert_eq!(caught(|| pool.join(|| throw(1), || throw(2))), 1);
    });
}

#[test]
fn a_join_whose_left_half_panics_waits_for_its_stolen_right_half() {
    on_pools_of_several(300, |pool| {
        let both = Barrier::new(2);
        let (mut value, dropped) = (0, AtomicUsize::new(0));
        let what = caught(|| {
            pool.join(
                || {
                    both.wait();
                    throw(1)
                },
                || {
                    let _guard = Guard(&dropped);
                    both.wait();
                    for _ in 0..1000 {
                        std::hint::spin_loop();
                    }
                    value = 7;
                },
            )
        });
        assert_eq!((what, value, dropped.into_inner()), (1, 7, 1));
    });
}

#[test]
fn a_stolen_right_half_may_panic_and_both_may() {
    on_pools_of_several(300, |pool| {
        let both = Barrier::new(2);
        let right = || {
            both.wait();
            throw(2)
        };
        let what = caught(|| pool.join(|| _ = both.wait(), right));
        assert_eq!(what, 2);
        let left = || {
            both.wait();
            throw(1)
        };
        assert_eq!(caught(|| pool.join(left, right)), 1);
    });
}

#[test]
fn outside_a_pool_a_panic_of_a_half_comes_back_too() {
    let _limit = Limit::new();
    for _ in 0..100 {
        assert_eq!(caught(|| join(|| throw(1), || ())), 1);
        assert_eq!(caught(|| join(|| (), || throw(2))), 2);
        assert_eq!(caught(|| join(|| throw(1), || throw(2))), 1);
    }
}

#[test]
fn a_panic_deep_in_a_tree_runs_every_other_leaf_and_drops_every_result() {
    fn tree(depth: u32, leaf: &AtomicUsize, live: &Arc<()>) -> Vec<Arc<()>> {
        if depth == 0 {
            if leaf.fetch_add(1, Relaxed) == 100 {
                throw(9);
            }
            return vec![live.clone()];
        }
        let half = || tree(depth - 1, leaf, live);
        let (mut left, right) = join(half, half);
        left.extend(right);
        left
    }
    on_each_pool(50, |pool| {
        let (leaf, live) = (AtomicUsize::new(0), Arc::new(()));
        assert_eq!(caught(|| pool.install(|| tree(8, &leaf, &live))), 9);
        assert_eq!(leaf.into_inner(), 256);
        assert_eq!(Arc::strong_count(&live), 1);
    });
}

#[test]
fn a_panic_caught_inside_a_half_stays_there() {
    on_each_pool(200, |pool| {
        let inner = || caught(|| join(|| throw(3), || ()));
        assert_eq!(pool.join(inner, inner), (3, 3));
        // And the worker is as good as before.
        assert_eq!(pool.join(|| 1, || 2), (1, 2));
    });
}

#[test]
fn a_join_in_a_destructor_that_runs_while_unwinding_works() {
    struct Joins<'a>(&'a AtomicUsize);
    impl Drop for Joins<'_> {
        fn drop(&mut self) {
            let (a, b) = join(|| 1, || 2);
            self.0.fetch_add(a + b, Relaxed);
        }
    }
    on_each_pool(100, |pool| {
        let sum = AtomicUsize::new(0);
        let what = caught(|| {
            pool.install(|| {
                let _joins = Joins(&sum);
                join(|| throw(1), || ())
            })
        });
        assert_eq!((what, sum.into_inner()), (1, 3));
    });
}

// ---- scope, install, broadcast ----

#[test]
fn a_panic_in_the_body_of_a_scope_comes_out_after_its_tasks() {
    on_each_pool(100, |pool| {
        let ran = AtomicUsize::new(0);
        let run = || raise(&ran, 1);
        let body = |scope: &pool::Scope<'_>| -> () {
            let _ = scope;
            throw(1)
        };
        assert_eq!(caught(|| pool.scope(body)), 1);
        let what = caught(|| {
            pool.scope(|scope| {
                (0..10).for_each(|_| scope.spawn(|_| run()));
                throw(1)
            })
        });
        assert_eq!((what, ran.load(Relaxed)), (1, 10));
        let what = caught(|| {
            pool.scope_fifo(|scope| {
                (0..10).for_each(|_| scope.spawn_fifo(|_| run()));
                throw(2)
            })
        });
        assert_eq!((what, ran.load(Relaxed)), (2, 20));
        let what = caught(|| {
            pool.in_place_scope(|scope| {
                (0..10).for_each(|_| scope.spawn(|_| run()));
                throw(3)
            })
        });
        assert_eq!((what, ran.load(Relaxed)), (3, 30));
    });
}

#[test]
fn a_panic_of_a_task_keeps_no_other_task_from_running() {
    on_each_pool(100, |pool| {
        let ran = AtomicUsize::new(0);
        let task = |n| match n {
            5 => throw(5),
            _ => raise(&ran, 1),
        };
        let spawn = |scope: &pool::Scope<'_>| {
            let _ = scope;
        };
        pool.scope(spawn);
        let what = caught(|| {
            pool.scope(|scope| {
                for n in 0..10 {
                    let task = &task;
                    scope.spawn(move |_| task(n));
                }
            })
        });
        assert_eq!((what, ran.load(Relaxed)), (5, 9));
        let what = caught(|| {
            pool.in_place_scope_fifo(|scope| {
                for n in 0..10 {
                    let task = &task;
                    scope.spawn_fifo(move |_| task(n));
                }
            })
        });
        assert_eq!((what, ran.load(Relaxed)), (5, 18));
    });
}

#[test]
fn of_many_panicking_tasks_one_comes_out() {
    on_each_pool(100, |pool| {
        let what = caught(|| {
            pool.scope(|scope| {
                for n in 0..10 {
                    scope.spawn(move |scope| {
                        scope.spawn(move |_| throw(n));
                        throw(n)
                    });
                }
            })
        });
        assert!(what < 10);
    });
}

#[test]
fn on_one_thread_the_first_panic_is_the_one_that_comes_out() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    let tasks = |scope: &pool::ScopeFifo<'_>| {
        scope.spawn_fifo(|_| throw(1));
        scope.spawn_fifo(|_| throw(2));
    };
    assert_eq!(caught(|| pool.scope_fifo(tasks)), 1);
}

#[test]
fn a_panic_of_a_scope_inside_a_task_goes_through_both() {
    on_each_pool(100, |pool| {
        let what = caught(|| {
            pool.scope(|outer| {
                outer.spawn(|_| scope(|inner| inner.spawn(|_| throw(4))));
            })
        });
        assert_eq!(what, 4);
    });
}

#[test]
fn a_panic_comes_back_through_install() {
    on_each_pool(200, |pool| {
        assert_eq!(caught(|| pool.install(|| throw(6))), 6);
        assert_eq!(pool.install(|| 7), 7);
    });
}

#[test]
fn a_panic_comes_back_through_two_pools() {
    let _limit = Limit::new();
    let (outer, inner) = (pool_of(1), pool_of(1));
    for _ in 0..100 {
        assert_eq!(caught(|| outer.install(|| inner.install(|| throw(8)))), 8);
    }
}

#[test]
fn a_broadcast_that_panics_somewhere_has_run_everywhere() {
    on_each_pool(50, |pool| {
        let ran = AtomicUsize::new(0);
        let what = caught(|| {
            pool.broadcast(|context| {
                ran.fetch_add(1, Relaxed);
                if context.index() == 0 {
                    throw(3);
                }
            })
        });
        assert_eq!((what, ran.into_inner()), (3, pool.current_num_threads()));
        let ran = AtomicUsize::new(0);
        let everywhere = || {
            ran.fetch_add(1, Relaxed);
            throw(4)
        };
        assert_eq!(caught(|| pool.broadcast(|_| -> () { everywhere() })), 4);
        assert_eq!(ran.into_inner(), pool.current_num_threads());
    });
}

#[test]
fn a_broadcast_into_a_scope_may_panic() {
    on_each_pool(50, |pool| {
        let ran = AtomicUsize::new(0);
        let what = caught(|| {
            pool.scope(|scope| {
                scope.spawn_broadcast(|_, _| {
                    ran.fetch_add(1, Relaxed);
                    throw(5)
                });
            })
        });
        assert_eq!((what, ran.into_inner()), (5, pool.current_num_threads()));
    });
}

#[test]
fn results_of_a_broadcast_that_panics_elsewhere_are_dropped() {
    on_each_pool(50, |pool| {
        let token = Arc::new(());
        let last = pool.current_num_threads() - 1;
        let what = caught(|| {
            pool.broadcast(|context| match context.index() {
                index if index == last => throw(1),
                _ => token.clone(),
            })
        });
        assert_eq!((what, Arc::strong_count(&token)), (1, 1));
    });
}

// ---- detached jobs ----

/// A pool whose panics arrive here.
fn with_handler(threads: usize) -> (pool::ThreadPool, std::sync::mpsc::Receiver<u32>) {
    let (send, seen) = channel();
    let builder = pool::ThreadPoolBuilder::new().num_threads(threads);
    let builder = builder.panic_handler(move |payload| send.send(number(payload)).unwrap());
    (builder.build().unwrap(), seen)
}

#[test]
fn a_panic_of_a_detached_job_goes_to_the_handler() {
    let _limit = Limit::new();
    for threads in [1, 0, 8] {
        let (pool, seen) = with_handler(threads);
        for n in 0..100 {
            pool.spawn(move || throw(n));
            assert_eq!(seen.recv().unwrap(), n);
            pool.spawn_fifo(move || throw(n));
            assert_eq!(seen.recv().unwrap(), n);
            pool.install(|| pool::spawn(move || throw(n)));
            assert_eq!(seen.recv().unwrap(), n);
        }
        drop(pool);
        assert!(
            seen.recv().is_err(),
            "once each, and the handler is dropped with the pool"
        );
    }
}

#[test]
fn each_panic_of_a_detached_broadcast_is_one_call_of_the_handler() {
    let _limit = Limit::new();
    for threads in [1, 0, 8] {
        let (pool, seen) = with_handler(threads);
        let threads = pool.current_num_threads();
        pool.spawn_broadcast(|context| throw(context.index() as u32));
        drop(pool);
        let mut seen: Vec<_> = seen.iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..threads as u32).collect::<Vec<_>>());
    }
}

#[test]
fn panics_of_the_start_and_the_exit_handler_go_to_the_panic_handler() {
    let _limit = Limit::new();
    for threads in [1, 2, 8] {
        let (send, seen) = channel();
        let builder = pool::ThreadPoolBuilder::new().num_threads(threads);
        let builder = builder
            .panic_handler(move |payload| send.send(number(payload)).unwrap())
            .start_handler(|index| throw(index as u32))
            .exit_handler(|index| throw(100 + index as u32));
        let pool = builder.build().unwrap();
        assert_eq!(
            pool.join(|| 1, || 2),
            (1, 2),
            "the threads work all the same"
        );
        drop(pool);
        let mut seen: Vec<_> = seen.iter().collect();
        seen.sort_unstable();
        let threads = threads as u32;
        let expected: Vec<_> = (0..threads).chain(100..100 + threads).collect();
        assert_eq!(seen, expected);
    }
}

#[test]
fn a_panic_of_a_scope_or_a_join_does_not_go_to_the_handler() {
    let _limit = Limit::new();
    let (pool, seen) = with_handler(2);
    assert_eq!(caught(|| pool.join(|| throw(1), || throw(2))), 1);
    assert_eq!(caught(|| pool.scope(|scope| scope.spawn(|_| throw(3)))), 3);
    assert_eq!(caught(|| pool.install(|| throw(4))), 4);
    drop(pool);
    assert_eq!(seen.iter().count(), 0);
}

// ---- what ends the process ----

/// Waits for an end that somebody else brings about.
fn wait_for_the_end() -> ! {
    std::thread::sleep(std::time::Duration::from_secs(60));
    panic!("this process was to be aborted");
}

/// Expects SIGABRT in a child that runs this test.
fn aborts_again(test: &str) {
    let output = again(test, &[]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        output.status.signal(),
        Some(6),
        "SIGABRT, not {}: {text}",
        output.status
    );
}

#[test]
fn without_a_handler_a_panic_of_a_detached_job_aborts() {
    if in_child() {
        pool_of(2).spawn(|| panic_any(1));
        wait_for_the_end();
    }
    let name = concat!(
        module_path!(),
        "::without_a_handler_a_panic_of_a_detached_job_aborts"
    );
    aborts_again(name);
}

#[test]
fn a_panic_inside_the_panic_handler_aborts() {
    if in_child() {
        let builder = pool::ThreadPoolBuilder::new().panic_handler(|_| panic_any(2));
        let pool = builder.build().unwrap();
        pool.spawn(|| throw(1));
        wait_for_the_end();
    }
    aborts_again(concat!(
        module_path!(),
        "::a_panic_inside_the_panic_handler_aborts"
    ));
}

#[test]
fn without_a_panic_handler_a_panic_of_the_start_handler_aborts() {
    if in_child() {
        let builder = pool::ThreadPoolBuilder::new().start_handler(|_| panic_any(3));
        let _pool = builder.num_threads(1).build();
        wait_for_the_end();
    }
    let name = "::without_a_panic_handler_a_panic_of_the_start_handler_aborts";
    aborts_again(&[module_path!(), name].concat());
}

/// Uses about this much stack.
fn deep(kib: usize) -> u64 {
    let page = std::hint::black_box([1_u8; 1024]);
    let below = if kib == 0 { 0 } else { deep(kib - 1) };
    below + u64::from(std::hint::black_box(page)[kib % 1024])
}

#[test]
fn a_stack_that_overflows_ends_the_process_and_a_larger_one_holds() {
    let name = "::a_stack_that_overflows_ends_the_process_and_a_larger_one_holds";
    let name = [module_path!(), name].concat();
    if in_child() {
        let mib: usize = std::env::var("STACK_MIB").unwrap().parse().unwrap();
        let builder = pool::ThreadPoolBuilder::new().stack_size(mib << 20);
        let pool = builder.num_threads(1).build().unwrap();
        assert!(pool.install(|| deep(24 << 10)) > 0);
        return;
    }
    let status = again(&name, &[("STACK_MIB", "8")]).status;
    assert!(matches!(status.signal(), Some(6 | 11)), "{status}");
    passes_again(&name, &[("STACK_MIB", "64")]);
}
