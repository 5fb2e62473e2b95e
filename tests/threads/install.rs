// A pool at work: see `../threads_pool.rs`.

use pool::{ThreadPool, Yield};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// Long enough for idle workers to fall asleep. Nothing waits for it: a worker that is still
/// awake is a good test too.
const NAP: Duration = Duration::from_millis(2);

// ---- install ----

#[test]
fn install_runs_on_a_worker_and_gives_back_its_value() {
    on_each_pool(100, |pool| {
        let text = "borrowed".to_owned();
        let (index, length) = pool.install(|| (pool::current_thread_index(), text.len()));
        assert!(index < Some(pool.current_num_threads()) && index.is_some());
        assert_eq!(length, 8);
        assert_eq!(pool::current_thread_index(), None);
    });
}

#[test]
fn a_nested_install_on_the_same_pool_runs_inline() {
    on_each_pool(100, |pool| {
        pool.install(|| {
            let here = std::thread::current().id();
            pool.install(|| pool.install(|| assert_eq!(std::thread::current().id(), here)));
        });
    });
}

#[test]
fn pools_that_install_into_each_other_do_not_deadlock() {
    let _limit = Limit::new();
    for threads in [1, 8] {
        let (a, b) = (pool_of(threads), pool_of(threads));
        for n in 0..1000 {
            assert_eq!(a.install(|| b.install(|| a.install(|| b.install(|| n)))), n);
        }
    }
}

#[test]
fn pools_that_slept_install_into_each_other_too() {
    let _limit = Limit::new();
    for threads in [1, 8] {
        let (a, b) = (pool_of(threads), pool_of(threads));
        for n in 0..50 {
            std::thread::sleep(NAP);
            let both = a.join(
                || b.install(|| a.install(|| n)),
                || b.install(|| a.install(|| n + 1)),
            );
            assert_eq!(both, (n, n + 1));
        }
    }
}

#[test]
fn two_pools_that_install_into_each_other_at_the_same_time_end() {
    let _limit = Limit::new();
    let (a, b) = (pool_of(1), pool_of(1));
    for nap in [false, true] {
        for _ in 0..if nap { 50 } else { 500 } {
            if nap {
                std::thread::sleep(NAP);
            }
            std::thread::scope(|threads| {
                threads.spawn(|| a.install(|| b.install(|| ())));
                b.install(|| a.install(|| ()));
            });
        }
    }
}

#[test]
fn a_worker_that_waits_for_another_pool_serves_its_own() {
    let _limit = Limit::new();
    let (ours, other) = (pool_of(1), pool_of(1));
    for _ in 0..500 {
        ours.install(|| {
            let (ran, wait) = channel();
            pool::spawn(move || ran.send(()).unwrap());
            // The other pool's only thread waits for a job that only this thread can run.
            other.install(move || wait.recv().unwrap());
        });
    }
}

#[test]
fn a_worker_that_waits_for_another_pool_takes_what_comes_from_outside() {
    let _limit = Limit::new();
    let (ours, other) = (pool_of(1), pool_of(1));
    for _ in 0..200 {
        let (ran, wait) = channel();
        let (begun, when_begun) = channel();
        std::thread::scope(|threads| {
            let ours = &ours;
            threads.spawn(move || {
                when_begun.recv().unwrap();
                std::thread::sleep(Duration::from_micros(100));
                ours.install(|| ran.send(()).unwrap());
            });
            let other = &other;
            ours.install(move || {
                other.install(move || {
                    begun.send(()).unwrap();
                    wait.recv().unwrap();
                });
            });
        });
    }
}

#[test]
fn a_join_half_is_seen_before_its_worker_waits_for_another_pool() {
    let _limit = Limit::new();
    let (ours, other) = (pool_of(2), pool_of(1));
    for _ in 0..500 {
        let (ran, wait) = channel();
        let blocks = || other.install(move || wait.recv().unwrap());
        ours.join(blocks, move || ran.send(()).unwrap());
    }
}

#[test]
fn many_outside_threads_install_at_the_same_time() {
    on_each_pool(3, |pool| {
        let sum = AtomicUsize::new(0);
        std::thread::scope(|threads| {
            for _ in 0..8 {
                threads.spawn(|| {
                    for _ in 0..200 {
                        pool.install(|| raise(&sum, 1));
                    }
                });
            }
        });
        assert_eq!(sum.into_inner(), 1600);
    });
}

#[test]
fn a_trickle_of_work_never_loses_its_wake_up() {
    // Every pause meets the workers at another point on their way to sleep.
    on_each_pool(1, |pool| {
        for n in 0..3000_u32 {
            for _ in 0..(n.wrapping_mul(2_654_435_761) >> 20) {
                std::hint::spin_loop();
            }
            assert_eq!(pool.install(|| n), n);
        }
        for n in 0..100 {
            std::thread::sleep(Duration::from_micros(10 * n));
            assert_eq!(pool.join(|| n, || n), (n, n));
        }
    });
}

// ---- broadcast ----

#[test]
fn a_broadcast_gives_back_one_result_for_each_thread_in_order() {
    on_each_pool(100, |pool| {
        let threads = pool.current_num_threads();
        let all: Vec<_> = (0..threads).collect();
        let index = |context: pool::BroadcastContext<'_>| {
            assert_eq!(context.num_threads(), threads);
            assert_eq!(pool.current_thread_index(), Some(context.index()));
            context.index()
        };
        assert_eq!(pool.broadcast(index), all);
        assert_eq!(pool.install(|| pool::broadcast(index)), all);
    });
}

#[test]
fn a_broadcast_reaches_threads_that_sleep_or_are_about_to() {
    on_each_pool(1, |pool| {
        for n in 0..1000_u32 {
            for _ in 0..(n.wrapping_mul(2_654_435_761) >> 20) {
                std::hint::spin_loop();
            }
            assert_eq!(pool.broadcast(|_| ()).len(), pool.current_num_threads());
        }
        for _ in 0..20 {
            std::thread::sleep(NAP);
            assert_eq!(pool.broadcast(|_| ()).len(), pool.current_num_threads());
        }
    });
}

#[test]
fn the_runs_of_a_broadcast_may_wait_for_each_other() {
    on_each_pool(200, |pool| {
        let all = Barrier::new(pool.current_num_threads());
        pool.broadcast(|_| _ = all.wait());
        pool.install(|| pool::broadcast(|_| _ = all.wait()));
    });
}

#[test]
fn pools_that_broadcast_into_each_other_do_not_deadlock() {
    let _limit = Limit::new();
    for (left, right) in [(1, 1), (3, 7), (7, 3)] {
        let (a, b) = (pool_of(left), pool_of(right));
        for nap in [false, true] {
            for _ in 0..30 {
                if nap {
                    std::thread::sleep(NAP);
                }
                let count = AtomicUsize::new(0);
                let add = || raise(&count, 1);
                a.broadcast(|_| b.broadcast(|_| add()));
                b.broadcast(|_| a.broadcast(|_| add()));
                assert_eq!(count.into_inner(), 2 * left * right);
            }
        }
    }
}

#[test]
fn a_pool_may_broadcast_into_itself() {
    on_each_pool(20, |pool| {
        let count = AtomicUsize::new(0);
        pool.broadcast(|_| pool.broadcast(|_| raise(&count, 1)));
        assert_eq!(count.into_inner(), pool.current_num_threads().pow(2));
    });
}

#[test]
fn a_broadcast_with_a_context_prints() {
    let _limit = Limit::new();
    let text = pool_of(1).broadcast(|context| format!("{context:?}"));
    assert!(text[0].contains("BroadcastContext"), "{text:?}");
}

#[test]
fn a_detached_broadcast_runs_everywhere_though_the_pool_is_dropped() {
    let _limit = Limit::new();
    for threads in [1, 0, 8] {
        for _ in 0..50 {
            let pool = pool_of(threads);
            let threads = pool.current_num_threads();
            let (send, seen) = channel();
            pool.spawn_broadcast(move |context| send.send(context.index()).unwrap());
            drop(pool);
            let mut seen: Vec<_> = seen.iter().collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..threads).collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_worker_runs_its_own_jobs_before_a_broadcast_and_earlier_broadcasts_first() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    let (send, seen) = channel();
    pool.install(|| {
        let log = |n: u32| {
            let send = send.clone();
            move || send.send(n).unwrap()
        };
        for n in [10, 11] {
            let log = log(n);
            pool::spawn_broadcast(move |_| log());
        }
        pool::spawn(log(1));
        pool::spawn(log(2));
    });
    drop(send);
    assert_eq!(seen.iter().collect::<Vec<_>>(), [2, 1, 10, 11]);
}

// ---- yield and questions ----

#[test]
fn yield_now_runs_one_job_from_anywhere() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    pool.install(|| {
        assert_eq!(pool::yield_now(), Some(Yield::Idle));
        let (ran, seen) = channel();
        let again = ran.clone();
        pool::spawn(move || ran.send(1).unwrap());
        pool::spawn(move || again.send(2).unwrap());
        assert_eq!(pool::yield_now(), Some(Yield::Executed));
        assert_eq!(seen.try_recv(), Ok(2));
        assert_eq!(pool.yield_now(), Some(Yield::Executed));
        assert_eq!(pool.yield_now(), Some(Yield::Idle));
    });
    // A job from outside lies in the injector, where yield_local does not look.
    pool.install(|| {
        let (ran, seen) = channel();
        std::thread::scope(|threads| {
            threads.spawn(|| pool.spawn(move || ran.send(()).unwrap()));
        });
        assert_eq!(pool::yield_local(), Some(Yield::Idle));
        assert_eq!(pool::yield_now(), Some(Yield::Executed));
        assert_eq!(seen.try_recv(), Ok(()));
    });
}

#[test]
fn yield_local_runs_a_job_of_this_worker() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    pool.install(|| {
        assert_eq!(pool::yield_local(), Some(Yield::Idle));
        let (ran, seen) = channel();
        pool::spawn(move || ran.send(()).unwrap());
        assert_eq!(pool.yield_local(), Some(Yield::Executed));
        assert_eq!(seen.recv(), Ok(()));
        pool::spawn_broadcast(|_| ());
        assert_eq!(pool::yield_local(), Some(Yield::Executed));
        assert_eq!(pool::yield_local(), Some(Yield::Idle));
    });
}

#[test]
fn a_worker_that_only_yields_still_sees_other_threads_work_done() {
    on_each_pool(50, |pool| {
        pool.install(|| {
            let (ran, seen) = channel();
            for _ in 0..10 {
                let ran = ran.clone();
                pool::spawn(move || ran.send(()).unwrap());
            }
            let mut left = 10;
            while left > 0 {
                left -= seen.try_iter().count();
                pool::yield_now().unwrap();
            }
        });
    });
}

#[test]
fn outside_a_pool_there_is_nothing_to_yield_to() {
    assert_eq!(pool::yield_now(), None);
    assert_eq!(pool::yield_local(), None);
    assert_eq!(pool::current_thread_index(), None);
    assert_eq!(pool::current_thread_has_pending_tasks(), None);
    static_assertions::assert_impl_all!(Yield: Copy, Eq, std::fmt::Debug);
}

#[test]
fn a_pools_answers_are_for_its_own_workers_only() {
    let _limit = Limit::new();
    let (ours, other) = (pool_of(2), pool_of(3));
    let nothing = |pool: &ThreadPool| {
        assert_eq!(pool.current_thread_index(), None);
        assert_eq!(pool.current_thread_has_pending_tasks(), None);
        assert_eq!(pool.yield_now(), None);
        assert_eq!(pool.yield_local(), None);
    };
    nothing(&ours);
    ours.install(|| {
        nothing(&other);
        assert!(ours.current_thread_index() < Some(2) && ours.current_thread_index().is_some());
        assert_eq!(pool::current_num_threads(), 2);
        assert_eq!(other.current_num_threads(), 3);
        assert_eq!(other.install(pool::current_num_threads), 3);
        assert_eq!(pool::current_num_threads(), 2);
    });
}

#[test]
fn pending_tasks_are_those_in_this_workers_queue() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    let pending = pool::current_thread_has_pending_tasks;
    pool.install(|| {
        assert_eq!(pending(), Some(false));
        pool::spawn(|| ());
        assert_eq!(pending(), Some(true));
        assert_eq!(pool.current_thread_has_pending_tasks(), Some(true));
        pool::yield_now();
        assert_eq!(pending(), Some(false));
        pool::join(|| assert_eq!(pending(), Some(true)), || ());
        assert_eq!(pending(), Some(false));
    });
}

#[test]
fn the_number_of_threads_is_limited() {
    #[cfg(target_pointer_width = "64")]
    assert_eq!(pool::max_num_threads(), 65_535);
    assert!(pool::current_num_threads() >= 1);
}

// ---- the end ----

#[test]
fn a_dropped_pool_finishes_what_is_queued() {
    let _limit = Limit::new();
    for threads in [1, 0, 8] {
        for _ in 0..100 {
            let (send, seen) = channel();
            let pool = pool_of(threads);
            for n in 0..20 {
                let send = send.clone();
                pool.spawn(move || {
                    // One more from inside: its pool must still be there.
                    pool::spawn(move || send.send(n).unwrap());
                });
            }
            drop((pool, send));
            assert_eq!(seen.iter().sum::<u32>(), 190);
        }
    }
}

#[test]
fn threads_start_and_exit_in_pairs_whatever_the_pool_did() {
    let _limit = Limit::new();
    for threads in [1, 2, 8] {
        for round in 0..60 {
            let (started, exited) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
            let (send, over) = channel::<()>();
            let pool = pool::ThreadPoolBuilder::new()
                .num_threads(threads)
                .start_handler({
                    let started = started.clone();
                    move |_| raise(&started, 1)
                })
                .exit_handler({
                    let (exited, send) = (exited.clone(), send);
                    move |_| {
                        let _keep = &send;
                        exited.fetch_add(1, Relaxed);
                    }
                })
                .build()
                .unwrap();
            match round % 3 {
                0 => {}
                1 => pool.install(|| ()),
                _ => {
                    pool.broadcast(|_| ());
                    std::thread::sleep(NAP);
                }
            }
            drop(pool);
            // Ends when the last thread has dropped the handlers.
            assert!(over.recv().is_err());
            assert_eq!(exited.load(Relaxed), threads);
            assert_eq!(started.load(Relaxed), threads);
        }
    }
}

#[test]
fn a_pool_dropped_right_after_its_only_job_is_not_touched_again() {
    let _limit = Limit::new();
    for n in 0..2000 {
        let pool = pool_of(1);
        assert_eq!(pool.install(|| n), n);
        assert_eq!(pool.join(|| n, || 2 * n), (n, 2 * n));
    }
}

#[test]
fn a_pool_may_be_dropped_on_its_own_worker() {
    let _limit = Limit::new();
    for threads in [1, 8] {
        for _ in 0..100 {
            let pool = Arc::new(pool_of(threads));
            let (done, wait) = channel();
            let last = pool.clone();
            pool.spawn(move || {
                drop(last);
                done.send(()).unwrap();
            });
            drop(pool);
            wait.recv().unwrap();
        }
    }
}

#[test]
fn a_pool_is_shared_by_reference_between_threads() {
    static_assertions::assert_impl_all!(ThreadPool: Send, Sync, std::fmt::Debug);
    let pool = pool_of(3);
    let text = format!("{pool:?}");
    assert!(text.contains("ThreadPool") && text.contains('3'), "{text}");
}
