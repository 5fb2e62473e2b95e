//! `LocalSet`, `LocalRuntime` and `spawn_local`: futures that stay on their thread.

#[path = "both/mod.rs"]
mod both;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc as std_mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use both::{OnDrop, both, current, text, watchdog, workers};
use rt::runtime::{Builder, LocalOptions, LocalRuntime};
use rt::sync::{Notify, mpsc, oneshot};
use rt::task::{self, JoinSet, LocalSet, spawn_local};
use rt::time;
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil as rt;

/// Each of the places where `spawn_local` works, with the same body.
fn everywhere<F: Future<Output = ()> + 'static>(body: impl Fn() -> F) {
    for runtime in both() {
        LocalSet::new().block_on(&runtime, body());
        runtime.block_on(async { LocalSet::new().run_until(body()).await });
        let set = LocalSet::new();
        let task = set.spawn_local(body());
        runtime.block_on(set);
        assert!(task.is_finished());
    }
    LocalRuntime::new().unwrap().block_on(body());
}

#[test]
fn tasks_share_what_is_not_send() {
    let _dog = watchdog();
    everywhere(|| async {
        let here = thread::current().id();
        let log = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (0..10)
            .map(|i| {
                let log = Rc::clone(&log);
                spawn_local(async move {
                    log.borrow_mut().push(i);
                    task::yield_now().await;
                    time::sleep(Duration::from_millis(1)).await;
                    assert_eq!(thread::current().id(), here);
                    Rc::clone(&log) // the output is not Send either
                })
            })
            .collect();
        for task in tasks {
            assert!(Rc::ptr_eq(&task.await.unwrap(), &log));
        }
        assert_eq!(*log.borrow(), (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn wakes_come_from_other_threads() {
    let _dog = watchdog();
    everywhere(|| async {
        for _ in 0..100 {
            let (sender, receiver) = oneshot::channel();
            let other = rt::task::spawn_blocking(move || sender.send(7).unwrap());
            let task = spawn_local(async move { receiver.await.unwrap() });
            assert_eq!(task.await.unwrap(), 7);
            other.await.unwrap();
        }
    });
}

#[test]
fn tasks_spawn_tasks_and_a_panic_ends_one() {
    let _dog = watchdog();
    everywhere(|| async {
        let inner = spawn_local(async { spawn_local(async { Rc::new(1) }).await.unwrap() });
        assert_eq!(*inner.await.unwrap(), 1);
        let bad = spawn_local(async { panic!("on purpose") });
        assert_eq!(text(bad.await.unwrap_err().into_panic()), "on purpose");
        let stuck = spawn_local(pending::<()>());
        task::yield_now().await;
        stuck.abort();
        assert!(stuck.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn an_abort_from_another_thread_drops_the_future_at_home() {
    let _dog = watchdog();
    everywhere(|| async {
        let home = thread::current().id();
        let (dropped, was_dropped) = oneshot::channel();
        let mut dropped = Some(dropped);
        let guard = OnDrop(move || {
            let dropped = dropped.take().expect("dropped once");
            dropped.send(thread::current().id()).unwrap();
        });
        let task = spawn_local(async move {
            let _guard = guard;
            pending::<()>().await;
        });
        task::yield_now().await;
        let abort = task.abort_handle();
        thread::spawn(move || abort.abort()).join().unwrap();
        assert!(task.await.unwrap_err().is_cancelled());
        assert_eq!(was_dropped.await.unwrap(), home);
    });
}

#[test]
fn a_dropped_set_drops_its_tasks_and_their_handles_say_so() {
    let _dog = watchdog();
    let shared = Rc::new(());
    let set = LocalSet::new();
    let task = set.spawn_local({
        let shared = Rc::clone(&shared);
        async move {
            pending::<()>().await;
            drop(shared);
        }
    });
    // The drop of a future may spawn: that is refused, and it may not hang.
    let late = Rc::new(RefCell::new(None));
    set.spawn_local({
        let late = Rc::clone(&late);
        let guard = OnDrop(move || *late.borrow_mut() = Some(spawn_local(async { 1 })));
        async move {
            let _guard = guard;
            pending::<()>().await;
        }
    });
    drop(set);
    assert_eq!(Rc::strong_count(&shared), 1);
    current().block_on(async {
        assert!(task.await.unwrap_err().is_cancelled());
        let late = late.take().expect("the future was dropped");
        assert!(late.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn a_waker_outlives_its_set() {
    let _dog = watchdog();
    let kept: Rc<RefCell<Option<Waker>>> = Rc::default();
    let set = LocalSet::new();
    set.spawn_local({
        let kept = Rc::clone(&kept);
        poll_fn(move |cx| {
            *kept.borrow_mut() = Some(cx.waker().clone());
            Poll::<()>::Pending
        })
    });
    let mut set = Box::pin(set);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(set.as_mut().poll(&mut cx).is_pending());
    drop(set);
    let waker = kept.take().unwrap();
    thread::spawn(move || waker.wake()).join().unwrap();
}

#[test]
fn wakes_race_with_the_end_of_the_set() {
    let _dog = watchdog();
    for _ in 0..200 {
        let (sender, receiver) = std_mpsc::channel::<Waker>();
        let other = thread::spawn(move || receiver.iter().for_each(Waker::wake));
        let set = LocalSet::new();
        for _ in 0..4 {
            let sender = sender.clone();
            set.spawn_local(poll_fn(move |cx| {
                sender.send(cx.waker().clone()).unwrap();
                Poll::<()>::Pending
            }));
        }
        drop(sender);
        current().block_on(set.run_until(task::yield_now()));
        drop(set);
        other.join().unwrap();
    }
}

#[test]
fn run_until_leaves_tasks_for_the_next_time() {
    let _dog = watchdog();
    let runtime = current();
    let set = LocalSet::new();
    let steps = Rc::new(Cell::new(0));
    let task = set.spawn_local({
        let steps = Rc::clone(&steps);
        async move {
            for _ in 0..3 {
                steps.set(steps.get() + 1);
                task::yield_now().await;
            }
        }
    });
    set.block_on(&runtime, async {});
    assert!(!task.is_finished());
    set.block_on(&runtime, task).unwrap();
    assert_eq!(steps.get(), 3);
}

#[test]
fn two_sets_and_a_set_in_a_task_of_a_set() {
    let _dog = watchdog();
    let runtime = current();
    let (a, b) = (LocalSet::new(), LocalSet::new());
    let out = a.block_on(&runtime, async {
        let (sender, receiver) = oneshot::channel();
        let waits = spawn_local(receiver);
        let inner = b
            .run_until(async {
                let task = spawn_local(async { Rc::new(5) });
                sender.send(1).unwrap();
                *task.await.unwrap()
            })
            .await;
        inner + waits.await.unwrap().unwrap()
    });
    assert_eq!(out, 6);
    // A task of the set polls the set itself.
    let set = Rc::new(LocalSet::new());
    let inside = Rc::clone(&set);
    let (sender, receiver) = oneshot::channel();
    let task = set.spawn_local(async move { inside.run_until(receiver).await.unwrap() });
    set.spawn_local(async move {
        task::yield_now().await;
        sender.send(3).unwrap();
    });
    assert_eq!(set.block_on(&runtime, task).unwrap(), 3);
    assert_eq!(Rc::strong_count(&set), 1);
}

#[test]
fn a_yield_of_the_outer_task_is_not_taken_by_an_inner_one() {
    let _dog = watchdog();
    for runtime in both() {
        let ends = LocalSet::new().block_on(&runtime, async {
            // Stays Pending without a wake, so that only the outer yield goes on.
            let inner = spawn_local(pending::<()>());
            for _ in 0..100 {
                task::yield_now().await;
            }
            inner.abort();
            inner.await.unwrap_err().is_cancelled()
        });
        assert!(ends);
    }
    // The same in a spawned task, where a yield is a mark and no wake-up.
    let runtime = current();
    let (done, is_done) = oneshot::channel();
    let set = LocalSet::new();
    set.spawn_local(async move {
        let inner = LocalSet::new();
        inner.spawn_local(pending::<()>());
        inner
            .run_until(async {
                for _ in 0..100 {
                    task::yield_now().await;
                }
            })
            .await;
        done.send(()).unwrap();
    });
    set.block_on(&runtime, is_done).unwrap();
}

#[test]
fn a_busy_set_lets_the_runtime_go_on() {
    let _dog = watchdog();
    for runtime in both() {
        let set = LocalSet::new();
        let stop = Rc::new(Cell::new(false));
        let busy = Rc::clone(&stop);
        set.spawn_local(async move {
            while !busy.get() {
                task::yield_now().await;
            }
        });
        set.block_on(&runtime, async {
            time::sleep(Duration::from_millis(2)).await;
            rt::spawn(async {}).await.unwrap();
            stop.set(true);
        });
    }
}

#[test]
fn outside_it_is_refused_with_the_remedy() {
    let refused = |f: &dyn Fn()| text(catch_unwind(AssertUnwindSafe(f)).unwrap_err());
    let message = refused(&|| drop(spawn_local(async {})));
    assert!(
        message.contains("`spawn_local` called from outside"),
        "{message}"
    );
    let message = refused(&|| {
        current().block_on(async { drop(spawn_local(async {})) });
    });
    assert!(message.contains("LocalSet::run_until"), "{message}");
    let message = refused(&|| {
        JoinSet::new().spawn_local(async {});
    });
    assert!(
        message.contains("`spawn_local` called from outside"),
        "{message}"
    );
    let message = refused(&|| {
        _ = Builder::new_multi_thread().build_local(LocalOptions::default());
    });
    assert!(message.contains("new_current_thread"), "{message}");
    // In another thread that has entered the handle of a local runtime.
    let local = LocalRuntime::new().unwrap();
    let handle = local.handle().clone();
    let other = thread::spawn(move || {
        let _guard = handle.enter();
        rt::spawn(async {}); // what is Send may be spawned
        drop(spawn_local(async {}));
    });
    let message = text(other.join().unwrap_err());
    assert!(message.contains("another thread"), "{message}");
}

#[test]
fn a_guard_says_where_to_spawn() {
    let _dog = watchdog();
    let runtime = workers(1);
    let set = LocalSet::new();
    let task = {
        let _guard = set.enter();
        spawn_local(async { Rc::new(2) })
    };
    assert!(catch_unwind(|| drop(spawn_local(async {}))).is_err());
    assert_eq!(*set.block_on(&runtime, task).unwrap(), 2);
    let local = LocalRuntime::new().unwrap();
    let task = {
        let _guard = local.enter();
        spawn_local(async { Rc::new(3) })
    };
    assert_eq!(*local.block_on(task).unwrap(), 3);
}

#[test]
fn a_local_runtime_runs_both_kinds_of_tasks() {
    let _dog = watchdog();
    let local = LocalRuntime::new().unwrap();
    let home = thread::current().id();
    let handle = local.handle().clone();
    let (sender, mut receiver) = mpsc::channel(1);
    let other = thread::spawn(move || {
        handle.spawn(async move {
            // On the runtime's thread, where local tasks may be spawned.
            let on = spawn_local(async { thread::current().id() });
            sender.send(on.await.unwrap()).await.unwrap();
        })
    });
    let on = local.block_on(async { receiver.recv().await });
    assert_eq!(on, Some(home));
    local.block_on(other.join().unwrap()).unwrap();
    let task = local.spawn_local(async { Rc::new(1) });
    assert_eq!(*local.block_on(task).unwrap(), 1);
    assert_eq!(local.block_on(local.spawn_blocking(|| 2)).unwrap(), 2);
}

#[test]
fn the_end_of_a_local_runtime_drops_its_tasks() {
    let _dog = watchdog();
    for end in 0..3 {
        let local = LocalRuntime::new().unwrap();
        let shared = Rc::new(());
        let kept = Rc::clone(&shared);
        let task = local.spawn_local(async move {
            // Its drop uses the runtime.
            let _timer = OnDrop(|| drop(time::sleep(Duration::ZERO)));
            pending::<()>().await;
            drop(kept);
        });
        local.block_on(task::yield_now());
        match end {
            0 => drop(local),
            1 => local.shutdown_background(),
            _ => local.shutdown_timeout(Duration::from_secs(10)),
        }
        assert_eq!(Rc::strong_count(&shared), 1);
        assert!(current().block_on(task).unwrap_err().is_cancelled());
    }
}

#[test]
fn a_join_set_takes_local_tasks() {
    let _dog = watchdog();
    everywhere(|| async {
        let mut tasks = JoinSet::new();
        for i in 0..5 {
            tasks.spawn_local(async move {
                task::yield_now().await;
                Rc::new(i)
            });
        }
        let mut sum = 0;
        while let Some(done) = tasks.join_next().await {
            sum += *done.unwrap();
        }
        assert_eq!(sum, 10);
    });
    let set = LocalSet::new();
    let mut tasks = JoinSet::new();
    tasks.spawn_local_on(async { Rc::new(4) }, &set);
    let done = set.block_on(&current(), tasks.join_next());
    assert_eq!(*done.unwrap().unwrap(), 4);
}

#[test]
fn dropped_at_every_poll_nothing_is_left() {
    let _dog = watchdog();
    let runtime = current();
    for stop in 0..6 {
        let shared = Rc::new(());
        let set = LocalSet::new();
        let notify = Rc::new(Notify::new());
        for _ in 0..3 {
            let (shared, notify) = (Rc::clone(&shared), Rc::clone(&notify));
            set.spawn_local(async move {
                for _ in 0..3 {
                    notify.notified().await;
                }
                drop(shared);
            });
        }
        runtime.block_on(async {
            let mut running = pin!(set.run_until(pending::<()>()));
            for _ in 0..stop {
                poll_fn(|cx| {
                    assert!(running.as_mut().poll(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
                notify.notify_waiters();
            }
        });
        drop(set);
        assert_eq!(
            (Rc::strong_count(&shared), Rc::strong_count(&notify)),
            (1, 1)
        );
    }
}

#[test]
fn the_dump_shows_local_tasks_and_where_they_wait() {
    let _dog = watchdog();
    let set = LocalSet::new();
    let line = line!() + 1;
    let task = set.spawn_local(async { Notify::new().notified().await });
    set.block_on(&current(), task::yield_now());
    let dump = rt::dump();
    let report = dump
        .lanes
        .iter()
        .flat_map(|lane| &lane.tasks)
        .find(|report| report.spawned.file() == file!() && report.spawned.line() == line)
        .expect("it is alive");
    assert_eq!(report.wait.as_ref().unwrap().location.line(), line);
    drop(task);
}

#[rt::test(flavor = "local")]
async fn the_attribute_makes_a_local_runtime() {
    assert_eq!(*spawn_local(async { Rc::new(1) }).await.unwrap(), 1);
}

#[test]
fn they_have_tokios_auto_traits() {
    assert_impl_all!(LocalSet: Unpin);
    assert_not_impl_any!(LocalSet: Send, Sync);
    assert_impl_all!(LocalRuntime: Unpin, UnwindSafe, RefUnwindSafe);
    assert_not_impl_any!(LocalRuntime: Send, Sync);
    assert_impl_all!(LocalOptions: Unpin, Default);
    assert_not_impl_any!(LocalOptions: Send, Sync);
    assert_not_impl_any!(task::LocalEnterGuard: Send, Sync);
    assert_not_impl_any!(task::futures::RunUntil<'static, ()>: Send, Sync);
}

#[test]
fn block_in_place_is_refused_where_no_other_thread_could_go_on() {
    let _dog = watchdog();
    for runtime in both() {
        let set = LocalSet::new();
        let task = set.spawn_local(async { task::block_in_place(|| ()) });
        let in_a_drop = set.spawn_local(async {
            let _guard = OnDrop(|| task::block_in_place(|| ()));
            pending::<()>().await;
        });
        let message = set.block_on(&runtime, async {
            text(task.await.unwrap_err().into_panic())
        });
        assert!(message.contains("LocalSet"), "{message}");
        drop(set);
        assert!(runtime.block_on(in_a_drop).unwrap_err().is_panic());
    }
    // Outside of the set's polls it is as before.
    let runtime = workers(1);
    let set = LocalSet::new();
    let _guard = set.enter();
    assert_eq!(runtime.block_on(async { task::block_in_place(|| 1) }), 1);
}
