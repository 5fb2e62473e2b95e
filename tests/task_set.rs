//! What a JoinSet promises.

#[path = "both/mod.rs"]
mod both;

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use both::{Counter, Tally, both, current, planned, text, watchdog};
use rt::sync::oneshot;
use rt::task::{self, JoinSet};
use trefoil as rt;

#[test]
fn outputs_come_in_the_order_of_their_ends() {
    let _dog = watchdog();
    for rt in both() {
        rt.block_on(async {
            let mut set = JoinSet::new();
            let mut senders = Vec::new();
            for i in 0..20 {
                let (tx, rx) = oneshot::channel::<()>();
                senders.push(Some(tx));
                set.spawn(async move {
                    rx.await.unwrap();
                    i
                });
            }
            for i in (0..20).rev().filter(|i| i % 3 == 0) {
                senders[i].take().unwrap().send(()).unwrap();
                assert_eq!(set.join_next().await.unwrap().unwrap(), i);
            }
            assert_eq!(set.len(), 13);
            assert!(set.try_join_next().is_none());
        });
    }
}

#[test]
fn an_empty_set_has_nothing_to_wait_for() {
    let rt = current();
    rt.block_on(async {
        let mut set = JoinSet::<()>::new();
        assert!(set.is_empty() && set.join_next().await.is_none());
        assert!(set.join_next_with_id().await.is_none());
        assert!(set.try_join_next().is_none());
        set.shutdown().await;
        assert_eq!(set.join_all().await, []);
    });
}

#[test]
fn ids_belong_to_their_tasks() {
    let _dog = watchdog();
    for rt in both() {
        rt.block_on(async {
            let mut set = JoinSet::new();
            for _ in 0..30 {
                set.spawn(async { task::id() });
            }
            let abort = set.spawn(pending());
            abort.abort();
            let mut ended = 0;
            while let Some(result) = set.join_next_with_id().await {
                match result {
                    Ok((id, output)) => assert_eq!(id, output),
                    Err(error) => assert!(error.is_cancelled() && error.id() == abort.id()),
                }
                ended += 1;
            }
            assert_eq!(ended, 31);
        });
    }
}

#[test]
fn a_dropped_set_aborts_its_tasks() {
    let _dog = watchdog();
    for rt in both() {
        let dropped = Tally::new();
        rt.block_on(async {
            let mut set = JoinSet::new();
            for _ in 0..10 {
                let guard = dropped.guard();
                set.spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                });
            }
            task::yield_now().await;
            drop(set);
            while dropped.get() < 10 {
                task::yield_now().await;
            }
        });
    }
}

#[test]
fn detached_tasks_run_on() {
    let _dog = watchdog();
    for rt in both() {
        rt.block_on(async {
            let mut set = JoinSet::new();
            let (tx, rx) = oneshot::channel::<()>();
            let (done, end) = oneshot::channel::<()>();
            set.spawn(async move {
                rx.await.unwrap();
                done.send(()).unwrap();
            });
            set.detach_all();
            assert!(set.is_empty() && set.join_next().await.is_none());
            drop(set);
            tx.send(()).unwrap();
            end.await.unwrap();
        });
    }
}

#[test]
fn a_detached_end_is_not_taken_for_a_later_tasks() {
    let _dog = watchdog();
    for rt in both() {
        rt.block_on(async {
            let mut set = JoinSet::new();
            let (tx, rx) = oneshot::channel::<()>();
            let old = set.spawn(async move {
                rx.await.unwrap();
                1
            });
            set.detach_all();
            let (tx2, rx2) = oneshot::channel::<()>();
            set.spawn(async move {
                rx2.await.unwrap();
                2
            });
            tx.send(()).unwrap();
            while !old.is_finished() {
                task::yield_now().await;
            }
            task::yield_now().await;
            assert!(set.try_join_next().is_none());
            tx2.send(()).unwrap();
            assert_eq!(set.join_next().await.unwrap().unwrap(), 2);
        });
    }
}

#[test]
fn shutdown_waits_until_all_are_dropped() {
    let _dog = watchdog();
    for rt in both() {
        let dropped = Tally::new();
        rt.block_on(async {
            let mut set = JoinSet::new();
            for i in 0..50 {
                let guard = dropped.guard();
                set.spawn(async move {
                    let _guard = guard;
                    if i % 2 == 0 {
                        pending::<()>().await;
                    }
                });
            }
            set.shutdown().await;
            assert!(set.is_empty());
            assert_eq!(dropped.get(), 50);
        });
    }
}

#[test]
fn abort_all_keeps_the_tasks_until_they_are_joined() {
    let _dog = watchdog();
    for rt in both() {
        rt.block_on(async {
            let mut set = JoinSet::new();
            for _ in 0..10 {
                set.spawn(pending::<()>());
            }
            set.abort_all();
            assert_eq!(set.len(), 10);
            let mut cancelled = 0;
            while let Some(result) = set.join_next().await {
                assert!(result.unwrap_err().is_cancelled());
                cancelled += 1;
            }
            assert_eq!(cancelled, 10);
        });
    }
}

#[test]
fn join_all_passes_a_panic_on_and_aborts_the_rest() {
    let _dog = watchdog();
    for rt in both() {
        let dropped = Tally::new();
        let guard = dropped.guard();
        let result = catch_unwind(AssertUnwindSafe(|| {
            rt.block_on(async {
                let mut set = JoinSet::new();
                set.spawn(async move {
                    let _guard = guard;
                    pending::<()>().await;
                });
                set.spawn(async { planned() });
                set.join_all().await
            })
        }));
        assert_eq!(text(result.unwrap_err()), "planned");
        rt.block_on(async {
            while dropped.get() == 0 {
                task::yield_now().await;
            }
        });
        let all = rt.block_on(async {
            let set: JoinSet<_> = (0..100).map(|i| async move { i }).collect();
            set.join_all().await
        });
        assert_eq!(all.len(), 100);
    }
}

#[test]
fn a_dropped_join_next_loses_no_task() {
    let _dog = watchdog();
    for rt in both() {
        rt.block_on(async {
            let mut set = JoinSet::new();
            for i in 0..100 {
                set.spawn(async move {
                    task::yield_now().await;
                    i
                });
            }
            let mut sum = 0;
            let mut empty = false;
            while !empty {
                {
                    let mut next = pin!(set.join_next());
                    let cx = &mut Context::from_waker(Waker::noop());
                    if let Poll::Ready(result) = next.as_mut().poll(cx) {
                        sum += result.map_or(0, Result::unwrap);
                    }
                }
                empty = set.is_empty();
                task::yield_now().await;
            }
            assert_eq!(sum, 4950);
        });
    }
}

#[test]
fn the_last_waker_is_woken_and_a_former_one_is_dropped() {
    let rt = current();
    let mut set = JoinSet::new();
    let (tx, rx) = oneshot::channel::<()>();
    set.spawn_on(async move { rx.await.unwrap() }, rt.handle());
    let (one, two) = (Counter::new(), Counter::new());
    for counter in [&one, &one, &two] {
        let waker = Waker::from(counter.clone());
        assert!(
            set.poll_join_next(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    assert_eq!(Arc::strong_count(&one), 1);
    tx.send(()).unwrap();
    rt.block_on(async {
        for _ in 0..3 {
            task::yield_now().await;
        }
    });
    assert_eq!((one.wakes(), two.wakes()), (0, 1));
    assert!(set.try_join_next().is_some());
}

#[test]
fn closures_and_foreign_runtimes_fit_in() {
    let _dog = watchdog();
    for rt in both() {
        let other = both::workers(1);
        let sum = rt.block_on(async {
            let mut set = JoinSet::new();
            set.spawn_blocking(|| 1);
            set.spawn_blocking_on(|| 2, other.handle());
            set.spawn_on(async { 4 }, other.handle());
            set.spawn(async { 8 });
            set.extend([async { 16 }]);
            set.join_all().await.into_iter().sum::<i32>()
        });
        assert_eq!(sum, 31);
    }
}

#[test]
fn a_large_set_costs_its_size_and_not_its_square() {
    let _dog = watchdog();
    for rt in both() {
        let count = rt.block_on(async {
            let mut set: JoinSet<_> = (0..50_000).map(|_| async {}).collect();
            let mut count = 0;
            while let Some(result) = set.join_next().await {
                result.unwrap();
                count += 1;
            }
            count
        });
        assert_eq!(count, 50_000);
    }
}

#[test]
fn a_set_outlives_its_runtime() {
    let _dog = watchdog();
    for rt in both() {
        let mut set = JoinSet::new();
        set.spawn_on(pending::<()>(), rt.handle());
        drop(rt);
        assert!(set.try_join_next().unwrap().unwrap_err().is_cancelled());
        assert!(set.is_empty());
    }
}
