// Scopes and spawns: see `../threads_scope.rs`.

use pool::{Scope, in_place_scope, in_place_scope_fifo, scope, scope_fifo};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};

/// What happened, in order.
#[derive(Default)]
struct Order(Mutex<Vec<usize>>);

impl Order {
    fn add(&self, what: usize) {
        self.0.lock().unwrap().push(what);
    }

    fn seen(&self) -> Vec<usize> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

#[test]
fn a_scope_gives_back_what_its_body_does() {
    on_each_pool(100, |pool| {
        assert_eq!(pool.scope(|_| 22), 22);
        assert_eq!(pool.scope_fifo(|_| "body"), "body");
        assert_eq!(pool.in_place_scope(|_| vec![1]), [1]);
        assert_eq!(pool.in_place_scope_fifo(|_| ()), ());
        assert_eq!(scope(|_| 1) + scope_fifo(|_| 2), 3);
        assert_eq!(in_place_scope(|_| 3) + in_place_scope_fifo(|_| 4), 7);
    });
}

#[test]
fn a_scope_ends_after_all_its_tasks() {
    on_each_pool(50, |pool| {
        let mut slots = vec![0; 100];
        pool.scope(|scope| {
            for (n, slot) in slots.iter_mut().enumerate() {
                scope.spawn(move |_| *slot = n);
            }
        });
        assert!(slots.iter().enumerate().all(|(n, slot)| n == *slot));
        pool.scope_fifo(|scope| {
            for slot in &mut slots {
                scope.spawn_fifo(move |_| *slot += 1);
            }
        });
        assert!(slots.iter().enumerate().all(|(n, slot)| n + 1 == *slot));
    });
}

#[test]
fn tasks_that_spawn_into_their_scope_are_waited_for_too() {
    fn divide<'s>(scope: &Scope<'s>, depth: u32, count: &'s AtomicUsize) {
        count.fetch_add(1, Relaxed);
        if depth > 0 {
            scope.spawn(move |scope| divide(scope, depth - 1, count));
            scope.spawn(move |scope| divide(scope, depth - 1, count));
        }
    }
    on_each_pool(20, |pool| {
        let count = AtomicUsize::new(0);
        pool.scope(|scope| divide(scope, 10, &count));
        assert_eq!(count.into_inner(), 2047);
    });
}

#[test]
fn a_task_may_borrow_what_outlives_the_scope_and_spawn_into_an_outer_one() {
    on_each_pool(100, |pool| {
        let outer_data = [1, 2, 3];
        let sum = AtomicUsize::new(0);
        pool.scope(|outer| {
            let inner_data = [10, 20];
            scope(|inner| {
                inner.spawn(|_| {
                    sum.fetch_add(inner_data.iter().sum(), Relaxed);
                    outer.spawn(|_| raise(&sum, outer_data.iter().sum()));
                });
            });
            assert!(sum.load(Relaxed) >= 30);
        });
        assert_eq!(sum.into_inner(), 36);
    });
}

#[test]
fn every_task_of_a_large_scope_runs_exactly_once() {
    on_each_pool(2, |pool| {
        let runs: Vec<_> = (0..100_000).map(|_| AtomicUsize::new(0)).collect();
        pool.scope(|scope| {
            for run in &runs {
                scope.spawn(|_| raise(run, 1));
            }
        });
        assert!(runs.iter().all(|run| run.load(Relaxed) == 1));
        pool.in_place_scope_fifo(|scope| {
            for run in &runs {
                scope.spawn_fifo(|_| raise(run, 1));
            }
        });
        assert!(runs.iter().all(|run| run.load(Relaxed) == 2));
    });
}

#[test]
fn tasks_of_a_scope_may_wait_for_each_other() {
    on_pools_of_several(300, |pool| {
        let threads = pool.current_num_threads();
        let all = Barrier::new(threads);
        pool.scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|_| _ = all.wait());
            }
        });
    });
}

#[test]
fn the_body_may_wait_for_a_task_where_a_thread_is_free() {
    on_pools_of_several(300, |pool| {
        pool.scope(|scope| {
            let (done, wait) = channel();
            scope.spawn(move |_| done.send(()).unwrap());
            wait.recv().unwrap();
        });
    });
}

#[test]
fn closures_are_dropped_when_they_have_run_not_when_the_scope_ends() {
    on_each_pool(100, |pool| {
        let token = Arc::new(());
        pool.scope(|scope| {
            for _ in 0..10 {
                let token = token.clone();
                scope.spawn(move |_| drop(token));
            }
        });
        assert_eq!(Arc::strong_count(&token), 1);
    });
}

#[test]
fn a_chain_of_spawns_does_not_nest_its_frames() {
    /// Each link notes where its frame is.
    fn link<'s>(scope: &Scope<'s>, left: usize, frames: &'s Mutex<Vec<usize>>) {
        let here = 0_u8;
        frames.lock().unwrap().push(&raw const here as usize);
        if left > 0 {
            scope.spawn(move |scope| link(scope, left - 1, frames));
        }
    }
    let _limit = Limit::new();
    let pool = pool_of(1);
    let frames = Mutex::new(Vec::new());
    pool.scope(|scope| link(scope, 500, &frames));
    let frames = frames.into_inner().unwrap();
    let depth = frames.iter().max().unwrap() - frames.iter().min().unwrap();
    assert_eq!(frames.len(), 501);
    assert!(depth < 16 << 10, "500 links lie {depth} bytes apart");

    fn free(left: usize, frames: Arc<Mutex<Vec<usize>>>, over: std::sync::mpsc::Sender<()>) {
        let here = 0_u8;
        frames.lock().unwrap().push(&raw const here as usize);
        if left == 0 {
            over.send(()).unwrap();
        } else {
            pool::spawn(move || free(left - 1, frames, over));
        }
    }
    let frames = Arc::new(Mutex::new(Vec::new()));
    let (over, wait) = channel();
    let link = frames.clone();
    pool.spawn(move || free(500, link, over));
    wait.recv().unwrap();
    let frames = frames.lock().unwrap();
    let depth = frames.iter().max().unwrap() - frames.iter().min().unwrap();
    assert!(depth < 16 << 10, "500 links lie {depth} bytes apart");
}

// ---- order, exact on one thread ----

#[test]
fn on_one_thread_a_scope_runs_its_tasks_last_in_first_out() {
    let _limit = Limit::new();
    let (pool, order) = (pool_of(1), Order::default());
    for _ in 0..50 {
        pool.scope(|scope| {
            for n in 0..10 {
                let order = &order;
                scope.spawn(move |_| order.add(n));
            }
            order.add(99);
        });
        assert_eq!(order.seen(), [99, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    }
}

#[test]
fn on_one_thread_a_fifo_scope_runs_its_tasks_first_in_first_out() {
    let _limit = Limit::new();
    let (pool, order) = (pool_of(1), Order::default());
    for _ in 0..50 {
        pool.scope_fifo(|scope| {
            for n in 0..10 {
                let order = &order;
                scope.spawn_fifo(move |_| order.add(n));
            }
            order.add(99);
        });
        assert_eq!(order.seen(), [99, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}

#[test]
fn on_one_thread_nested_tasks_keep_their_order() {
    let _limit = Limit::new();
    let (pool, order) = (pool_of(1), Order::default());
    let order = &order;
    pool.scope(|scope| {
        for n in 0..3 {
            scope.spawn(move |scope| {
                for m in 0..3 {
                    scope.spawn(move |_| order.add(10 * n + m));
                }
            });
        }
    });
    assert_eq!(order.seen(), [22, 21, 20, 12, 11, 10, 2, 1, 0]);
    pool.scope_fifo(|scope| {
        for n in 0..3 {
            scope.spawn_fifo(move |scope| {
                for m in 0..3 {
                    scope.spawn_fifo(move |_| order.add(10 * n + m));
                }
            });
        }
    });
    assert_eq!(order.seen(), [0, 1, 2, 10, 11, 12, 20, 21, 22]);
}

#[test]
fn on_one_thread_the_end_of_an_inner_scope_may_take_tasks_of_the_outer_one() {
    let _limit = Limit::new();
    let (pool, order) = (pool_of(1), Order::default());
    let order = &order;
    pool.scope(|outer| {
        outer.spawn(move |_| order.add(1));
        scope(|inner| {
            inner.spawn(move |_| order.add(2));
            // Younger than the inner scope's own task, so it comes first.
            outer.spawn(move |_| order.add(3));
        });
        order.add(4);
    });
    assert_eq!(order.seen(), [3, 2, 4, 1]);
}

#[test]
fn on_one_thread_free_spawns_keep_their_order() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    for _ in 0..50 {
        let (send, seen) = channel();
        pool.install(|| {
            for n in 0..5 {
                let send = send.clone();
                pool::spawn(move || send.send(n).unwrap());
            }
        });
        drop(send);
        assert_eq!(seen.iter().collect::<Vec<_>>(), [4, 3, 2, 1, 0]);
        let (send, seen) = channel();
        pool.install(|| {
            for n in 0..5 {
                let send = send.clone();
                pool::spawn_fifo(move || send.send(n).unwrap());
            }
        });
        drop(send);
        assert_eq!(seen.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}

// ---- in place ----

#[test]
fn the_body_of_a_scope_in_place_stays_on_its_thread() {
    use std::rc::Rc;
    on_each_pool(100, |pool| {
        let here = std::thread::current().id();
        // An Rc: the body does not have to be Send.
        let local = Rc::new(AtomicUsize::new(0));
        let elsewhere = AtomicUsize::new(0);
        let task = || {
            assert!(pool.current_thread_index().is_some());
            elsewhere.fetch_add(1, Relaxed);
        };
        pool.in_place_scope(|scope| {
            assert_eq!(std::thread::current().id(), here);
            local.fetch_add(1, Relaxed);
            scope.spawn(|scope| {
                task();
                scope.spawn(|_| task());
            });
        });
        pool.in_place_scope_fifo(|scope| {
            assert_eq!(std::thread::current().id(), here);
            local.fetch_add(1, Relaxed);
            scope.spawn_fifo(|scope| {
                task();
                scope.spawn_fifo(|_| task());
            });
        });
        assert_eq!((local.load(Relaxed), elsewhere.into_inner()), (2, 4));
    });
}

#[test]
fn a_worker_that_waits_for_a_scope_in_place_of_another_pool_serves_its_own() {
    let _limit = Limit::new();
    let (ours, other) = (pool_of(1), pool_of(1));
    for _ in 0..300 {
        ours.install(|| {
            let (ran, wait) = channel();
            other.in_place_scope(|scope| {
                // Only this thread can run it, and it is about to wait for the other pool.
                pool::spawn(move || ran.send(()).unwrap());
                scope.spawn(move |_| wait.recv().unwrap());
            });
        });
    }
}

// ---- on every thread ----

#[test]
fn a_broadcast_into_a_scope_runs_on_every_thread() {
    on_each_pool(50, |pool| {
        let threads = pool.current_num_threads();
        let (count, mask) = (AtomicUsize::new(0), AtomicUsize::new(0));
        pool.scope(|scope| {
            scope.spawn_broadcast(|_, context| {
                assert_eq!(context.num_threads(), threads);
                assert_eq!(Some(context.index()), pool.current_thread_index());
                mask.fetch_or(1 << context.index(), Relaxed);
                count.fetch_add(1, Relaxed);
            });
        });
        assert_eq!(count.into_inner(), threads);
        assert_eq!(mask.into_inner(), (1 << threads) - 1);
    });
}

#[test]
fn a_broadcast_inside_a_broadcast_runs_n_times_n_times() {
    on_each_pool(20, |pool| {
        let threads = pool.current_num_threads();
        let count = AtomicUsize::new(0);
        pool.scope(|scope| {
            scope.spawn_broadcast(|scope, _| {
                scope.spawn_broadcast(|_, _| raise(&count, 1));
            });
        });
        pool.scope_fifo(|scope| {
            scope.spawn_broadcast(|scope, _| {
                scope.spawn_broadcast(|_, _| raise(&count, 1));
            });
        });
        assert_eq!(count.into_inner(), 2 * threads * threads);
    });
}

#[test]
fn a_broadcast_into_a_scope_in_place_reaches_the_other_pool() {
    on_each_pool(50, |pool| {
        let count = AtomicUsize::new(0);
        pool.in_place_scope(|scope| {
            scope.spawn_broadcast(|_, _| raise(&count, 1));
        });
        assert_eq!(count.into_inner(), pool.current_num_threads());
    });
}

// ---- without a scope ----

#[test]
fn a_spawned_job_runs_though_nobody_waits_for_it() {
    on_each_pool(100, |pool| {
        let (send, seen) = channel();
        let again = send.clone();
        pool.spawn(move || send.send(pool::current_thread_index()).unwrap());
        pool.spawn_fifo(move || again.send(pool::current_thread_index()).unwrap());
        assert_eq!(seen.iter().filter(Option::is_some).count(), 2);
    });
}

#[test]
fn jobs_spawned_by_a_job_run_too() {
    on_each_pool(20, |pool| {
        let (send, seen) = channel();
        pool.spawn(move || {
            for n in 0..100 {
                let send = send.clone();
                pool::spawn(move || send.send(n).unwrap());
            }
        });
        let mut seen: Vec<_> = seen.iter().collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
    });
}

#[test]
fn a_job_is_visible_to_idle_threads_when_it_is_spawned() {
    on_pools_of_several(300, |pool| {
        pool.install(|| {
            let (send, seen) = channel();
            pool::spawn(move || send.send(()).unwrap());
            // Blocks this worker: another one has to come for the job.
            seen.recv().unwrap();
        });
    });
}
