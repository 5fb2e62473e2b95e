//! What a join handle promises, and what wakers of tasks promise.

#[path = "both/mod.rs"]
mod both;

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};

use both::{Counter, OnDrop, Tally, both, current, deaf, text, until, watchdog, workers};
use rt::sync::oneshot;
use rt::task::{self, JoinHandle};
use trefoil as rt;

fn poll<T>(
    handle: &mut JoinHandle<T>,
    waker: &Arc<Counter>,
) -> Poll<Result<T, rt::task::JoinError>> {
    let waker = Waker::from(waker.clone());
    Pin::new(handle).poll(&mut Context::from_waker(&waker))
}

#[test]
fn a_handle_gives_the_output() {
    for rt in both() {
        let task = rt.spawn(async { String::from("out") });
        assert_eq!(rt.block_on(task).unwrap(), "out");
    }
}

#[test]
fn a_detached_task_runs_on() {
    let _dog = watchdog();
    for rt in both() {
        let (tx, rx) = oneshot::channel();
        drop(rt.spawn(async move {
            task::yield_now().await;
            tx.send(5).unwrap();
        }));
        assert_eq!(rt.block_on(rx).unwrap(), 5);
    }
}

#[test]
fn a_handle_is_finished_only_after_the_end() {
    let _dog = watchdog();
    for rt in both() {
        let (tx, rx) = oneshot::channel::<()>();
        let task = rt.spawn(async { rx.await.unwrap() });
        assert!(!task.is_finished());
        let abort = task.abort_handle();
        tx.send(()).unwrap();
        rt.block_on(async {
            while !task.is_finished() {
                task::yield_now().await;
            }
        });
        assert!(abort.is_finished());
        assert_eq!(abort.id(), task.id());
        rt.block_on(task).unwrap();
    }
}

#[test]
fn only_the_last_waker_is_woken_and_the_others_are_dropped() {
    let rt = current();
    let (tx, rx) = oneshot::channel::<()>();
    let mut task = rt.spawn(async { rx.await.unwrap() });
    let (one, two) = (Counter::new(), Counter::new());
    assert!(poll(&mut task, &one).is_pending());
    assert!(poll(&mut task, &one).is_pending());
    assert_eq!(Arc::strong_count(&one), 2, "the same waker is kept once");
    assert!(poll(&mut task, &two).is_pending());
    assert_eq!(Arc::strong_count(&one), 1);
    tx.send(()).unwrap();
    rt.block_on(async {
        task::yield_now().await;
        task::yield_now().await;
    });
    assert_eq!((one.wakes(), two.wakes()), (0, 1));
    assert!(poll(&mut task, &one).is_ready());
    drop(task);
    assert_eq!(Arc::strong_count(&two), 1);
}

#[test]
fn a_dropped_handle_gives_its_waker_back() {
    let rt = current();
    let mut task = rt.spawn(pending::<()>());
    let waker = Counter::new();
    assert!(poll(&mut task, &waker).is_pending());
    drop(task);
    assert_eq!(Arc::strong_count(&waker), 1);
}

#[test]
fn polling_after_the_output_panics() {
    let rt = current();
    let mut task = rt.spawn(async {});
    rt.block_on(&mut task).unwrap();
    let result = catch_unwind(AssertUnwindSafe(|| poll(&mut task, &Counter::new())));
    assert!(text(result.unwrap_err()).contains("polled again"));
}

#[test]
fn a_task_of_one_runtime_can_be_joined_in_another() {
    let _dog = watchdog();
    for a in both() {
        let b = workers(1);
        let inner = b.spawn(async {
            task::yield_now().await;
            3
        });
        assert_eq!(
            a.block_on(a.spawn(async { inner.await.unwrap() + 1 }))
                .unwrap(),
            4
        );
    }
}

#[test]
fn an_output_is_dropped_once_whenever_the_handle_goes() {
    let _dog = watchdog();
    for rt in both() {
        let dropped = Tally::new();
        let before = dropped.guard();
        drop(rt.spawn(async move { before }));
        let after = dropped.guard();
        let task = rt.spawn(async move { after });
        rt.block_on(async {
            while !task.is_finished() || dropped.get() == 0 {
                task::yield_now().await;
            }
        });
        assert_eq!(dropped.get(), 1);
        drop(task);
        assert_eq!(dropped.get(), 2);
    }
}

#[test]
fn handles_that_are_dropped_while_tasks_end_lose_no_output() {
    let _dog = watchdog();
    let rt = workers(2);
    let dropped = Tally::new();
    for round in 1..=3000 {
        let output = dropped.guard();
        let mut task = rt.spawn(async move { output });
        if round % 3 == 0 {
            _ = poll(&mut task, &Counter::new());
        }
        drop(task);
    }
    until(|| dropped.get() == 3000);
    drop(rt);
    assert_eq!(dropped.get(), 3000);
}

/// The id seen in the drop of what it is in.
fn id_on_drop(seen: &Arc<Mutex<Vec<Option<task::Id>>>>) -> impl Send + 'static {
    let seen = seen.clone();
    OnDrop(move || seen.lock().unwrap().push(task::try_id()))
}

#[test]
fn a_task_knows_its_id_in_every_drop() {
    let _dog = watchdog();
    for rt in both() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        // The future, when it ends.
        let guard = id_on_drop(&seen);
        let task = rt.spawn(async move {
            let _guard = guard;
            task::id()
        });
        let id = task.id();
        assert_eq!(rt.block_on(task).unwrap(), id);
        assert_eq!(seen.lock().unwrap().pop().unwrap(), Some(id), "end");

        // The future, aborted.
        let guard = id_on_drop(&seen);
        let task = rt.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        let id = task.id();
        task.abort();
        assert!(rt.block_on(task).unwrap_err().id() == id);
        assert_eq!(seen.lock().unwrap().pop().unwrap(), Some(id), "abort");

        // The output, without a handle.
        let guard = id_on_drop(&seen);
        let task = rt.spawn(async move {
            task::yield_now().await;
            guard
        });
        let id = task.id();
        drop(task);
        rt.block_on(async {
            while seen.lock().unwrap().is_empty() {
                task::yield_now().await;
            }
        });
        assert_eq!(seen.lock().unwrap().pop().unwrap(), Some(id), "detached");

        // The output, dropped with the handle.
        let guard = id_on_drop(&seen);
        let task = rt.spawn(async move { guard });
        let id = task.id();
        rt.block_on(async {
            while !task.is_finished() {
                task::yield_now().await;
            }
        });
        drop(task);
        assert_eq!(seen.lock().unwrap().pop().unwrap(), Some(id), "handle");
        assert_eq!(task::try_id(), None);
    }
}

#[test]
fn a_blocking_closure_has_an_id_and_block_on_has_none() {
    for rt in both() {
        assert_eq!(rt.block_on(async { task::try_id() }), None);
        let task = rt.spawn_blocking(task::id);
        let id = task.id();
        assert_eq!(rt.block_on(task).unwrap(), id);
        let refused = catch_unwind(task::id).unwrap_err();
        assert!(text(refused).contains("try_id"));
    }
}

#[test]
fn ids_of_live_tasks_differ() {
    let rt = workers(2);
    let tasks: Vec<_> = (0..3000).map(|_| rt.spawn(async { task::id() })).collect();
    let mut ids: Vec<_> = tasks
        .into_iter()
        .map(|task| rt.block_on(task).unwrap())
        .collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3000);
}

/// A task that counts its polls and hands out wakers, until told to end.
fn counted(polls: &Tally, end: &Arc<AtomicBool>) -> (impl Future<Output = ()> + use<>, Wakers) {
    let wakers = Wakers::default();
    let (polls, end, out) = (polls.clone(), end.clone(), wakers.clone());
    let future = poll_fn(move |cx| {
        polls.add();
        out.lock().unwrap().push(cx.waker().clone());
        if end.load(Ordering::SeqCst) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    });
    (future, wakers)
}

type Wakers = Arc<Mutex<Vec<Waker>>>;

#[test]
fn stale_wakers_from_foreign_threads_do_nothing() {
    let _dog = watchdog();
    for rt in both() {
        let (polls, end) = (Tally::new(), Arc::new(AtomicBool::new(true)));
        let (future, wakers) = counted(&polls, &end);
        rt.block_on(rt.spawn(future)).unwrap();
        let waker = wakers.lock().unwrap().pop().unwrap();
        let storm = |waker: Waker| {
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    let clones = vec![waker.clone(); 300];
                    scope.spawn(move || {
                        for waker in clones {
                            waker.wake_by_ref();
                            waker.wake();
                        }
                    });
                }
            });
        };
        storm(waker.clone());
        rt.block_on(rt.spawn(async {})).unwrap();
        drop(rt);
        // The runtime is gone, its wakers are not.
        storm(waker);
        assert_eq!(polls.get(), 1);
    }
}

#[test]
fn a_waker_of_a_task_that_its_runtime_ended_does_nothing() {
    let _dog = watchdog();
    for rt in both() {
        let (polls, end) = (Tally::new(), Arc::new(AtomicBool::new(false)));
        let (future, wakers) = counted(&polls, &end);
        let task = rt.spawn(future);
        rt.block_on(async {
            while polls.get() == 0 {
                task::yield_now().await;
            }
        });
        drop(rt);
        for waker in wakers.lock().unwrap().drain(..) {
            waker.wake_by_ref();
            waker.wake();
        }
        assert_eq!(polls.get(), 1);
        assert!(task.is_finished());
    }
}

#[test]
fn a_wake_storm_makes_no_more_polls_than_wakes_and_the_last_flag_is_seen() {
    let _dog = watchdog();
    for rt in both() {
        for _ in 0..20 {
            let (polls, wakes) = (Tally::new(), Tally::new());
            let flags = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
            let (hand_out, take) = mpsc::channel::<Waker>();
            let (p, f) = (polls.clone(), flags.clone());
            let task = rt.spawn(poll_fn(move |cx| {
                if p.add() == 1 {
                    hand_out.send(cx.waker().clone()).unwrap();
                }
                if f.iter().all(|flag| flag.load(Ordering::Relaxed) == 200) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }));
            let threads: Vec<_> = std::iter::once(std::thread::spawn({
                let (wakes, flags) = (wakes.clone(), flags.clone());
                move || {
                    let waker = take.recv().unwrap();
                    std::thread::scope(|scope| {
                        for flag in flags.iter() {
                            let (waker, wakes) = (waker.clone(), wakes.clone());
                            scope.spawn(move || {
                                for value in 1..=200 {
                                    flag.store(value, Ordering::Relaxed);
                                    wakes.add();
                                    waker.wake_by_ref();
                                }
                            });
                        }
                    });
                }
            }))
            .collect();
            rt.block_on(task).unwrap();
            for thread in threads {
                thread.join().unwrap();
            }
            assert!(polls.get() <= wakes.get() + 1);
        }
    }
}

#[test]
fn wakers_of_one_task_know_each_other() {
    let rt = current();
    rt.block_on(rt.spawn(poll_fn(|cx| {
        let one = cx.waker().clone();
        assert!(one.will_wake(cx.waker()) && one.clone().will_wake(&one));
        assert!(!one.will_wake(&deaf()));
        Poll::Ready(())
    })))
    .unwrap();
}

#[test]
fn a_task_may_drop_and_await_handles_of_its_own_children() {
    let _dog = watchdog();
    for rt in both() {
        let sum = rt.block_on(rt.spawn(async {
            let children: Vec<_> = (0..100).map(|i| rt::spawn(async move { i })).collect();
            let mut sum = 0;
            for (i, child) in children.into_iter().enumerate() {
                if i % 2 == 0 {
                    sum += child.await.unwrap();
                }
            }
            sum
        }));
        assert_eq!(sum.unwrap(), 2450);
    }
}
