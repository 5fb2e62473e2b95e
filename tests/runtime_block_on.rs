//! Entering a runtime: `block_on` in all places where it may and may not be, and enter guards.

#[path = "both/mod.rs"]
mod both;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use both::{OnDrop, both, current, text, until, watchdog, workers};
use rt::runtime::{Builder, Handle, Runtime};
use rt::sync::oneshot;
use rt::task;
use trefoil as rt;

/// The message and the line of the panic of `f`, which must point into this file.
fn refused<R>(f: impl FnOnce() -> R) -> String {
    thread_local! {
        static FILE: RefCell<String> = const { RefCell::new(String::new()) };
    }
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let file = info.location().map_or("", |line| line.file());
            FILE.with(|slot| file.clone_into(&mut slot.borrow_mut()));
            before(info);
        }));
    });
    let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("was not refused");
    };
    let message = text(payload);
    FILE.with(|file| assert!(file.borrow().ends_with(file!()), "{message}: {file:?}"));
    message
}

#[test]
fn block_on_inside_block_on_is_refused_at_the_callers_line() {
    for rt in both() {
        let other = current();
        let message = rt.block_on(async { refused(|| rt.block_on(async {})) });
        assert!(message.contains("await the future instead"), "{message}");
        let message = rt.block_on(async { refused(|| other.block_on(async {})) });
        assert!(message.contains("spawn_blocking"), "{message}");
        let message = rt.block_on(async { refused(|| Handle::current().block_on(async {})) });
        assert!(message.starts_with("Handle::block_on"), "{message}");
        let handle = rt.handle().clone();
        let inside = rt.spawn(async move { refused(|| handle.block_on(async {})) });
        assert!(rt.block_on(inside).unwrap().contains("await"));
        assert_eq!(rt.block_on(async { 1 }), 1, "still usable");
        assert_eq!(other.block_on(async { 1 }), 1);
    }
}

#[test]
fn without_a_runtime_the_panic_names_the_remedy() {
    for message in [
        refused(|| rt::spawn(async {})),
        refused(|| task::spawn_blocking(|| ())),
        refused(|| rt::time::sleep(Duration::ZERO)),
        refused(|| _ = Handle::current()),
        refused(|| task::JoinSet::new().spawn(async {})),
    ] {
        assert!(message.contains("Runtime::block_on"), "{message}");
    }
    assert!(Handle::try_current().unwrap_err().is_missing_context());
}

#[test]
fn what_was_not_enabled_says_so() {
    let rt = Builder::new_current_thread().build().unwrap();
    let guard = rt.enter();
    let message = refused(|| rt::time::sleep(Duration::ZERO));
    assert!(message.contains("enable_time"), "{message}");
    drop(guard);
    let message = rt.block_on(async {
        let bound = AssertUnwindSafe(rt::net::UdpSocket::bind("127.0.0.1:0"));
        let task = rt::spawn(async move { bound.0.await.map(|_| ()) });
        text(task.await.unwrap_err().into_panic())
    });
    assert!(message.contains("enable_io"), "{message}");
}

#[test]
fn block_in_place_needs_other_threads() {
    let rt = current();
    let message = rt.block_on(async { refused(|| task::block_in_place(|| ())) });
    assert!(message.contains("spawn_blocking"), "{message}");
    assert_eq!(task::block_in_place(|| 1), 1, "no runtime: it just runs");
}

#[test]
fn where_blocking_is_allowed_block_on_is_too() {
    let _dog = watchdog();
    for rt in both() {
        let handle = rt.handle().clone();
        let task =
            rt.spawn_blocking(move || handle.block_on(async { rt::spawn(async { 1 }).await }));
        assert_eq!(rt.block_on(task).unwrap().unwrap(), 1);
    }
    let rt = workers(1);
    let task = rt.spawn(async {
        let sum = task::block_in_place(|| {
            Handle::current().block_on(async {
                let inner = rt::spawn(async {
                    task::block_in_place(|| Handle::current().block_on(async { 1 }))
                });
                inner.await.unwrap() + 1
            })
        });
        task::yield_now().await;
        let refused = refused(|| Handle::current().block_on(async {}));
        assert!(refused.contains("await"));
        sum
    });
    assert_eq!(rt.block_on(task).unwrap(), 2);
    // In block_on of a multi-thread runtime, too.
    let sum = rt.block_on(async { task::block_in_place(|| rt.block_on(async { 3 })) });
    assert_eq!(sum, 3);
}

#[test]
fn a_root_that_yields_finds_done_what_it_spawned() {
    let rt = current();
    rt.block_on(async {
        let task = rt::spawn(async {});
        task::yield_now().await;
        assert!(task.is_finished());
    });
    // The root is not polled for nothing beside that, at most once.
    let mut polls = 0;
    rt.block_on(std::future::poll_fn(|cx| {
        polls += 1;
        if polls < 10 {
            cx.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(())
    }));
    assert_eq!(polls, 10);
}

#[test]
fn tasks_stand_still_between_two_block_ons_and_go_on_in_the_second() {
    let rt = current();
    let seen = both::Tally::new();
    let s = seen.clone();
    let task = rt.spawn(async move {
        loop {
            s.add();
            task::yield_now().await;
        }
    });
    rt.block_on(task::yield_now());
    let before = seen.get();
    assert!(before > 0);
    thread::yield_now();
    assert_eq!(seen.get(), before);
    rt.block_on(task::yield_now());
    assert!(seen.get() > before);
    task.abort();
}

#[test]
fn enter_guards_nest_and_refuse_another_order() {
    let (one, two) = (current(), workers(1));
    let a = one.enter();
    let b = two.handle().enter();
    assert_eq!(Handle::current().id(), two.handle().id());
    drop(b);
    assert_eq!(Handle::current().id(), one.handle().id());
    let task = rt::spawn(async { 2 });
    drop(a);
    assert!(Handle::try_current().is_err());
    assert_eq!(one.block_on(task).unwrap(), 2);

    let a = one.enter();
    let b = two.enter();
    let result = catch_unwind(AssertUnwindSafe(|| drop(a)));
    assert!(text(result.unwrap_err()).contains("reverse order"));
    assert_eq!(Handle::current().id(), two.handle().id());
    drop(b);
    // A leaked guard harms nobody.
    std::mem::forget(one.enter());
    assert_eq!(
        two.block_on(async { Handle::current().id() }),
        two.handle().id()
    );
}

#[test]
fn inside_block_on_the_innermost_runtime_counts() {
    let (one, two) = (current(), workers(1));
    one.block_on(async {
        let guard = two.enter();
        let task = rt::spawn(async { rt::runtime::worker_index() });
        drop(guard);
        assert_eq!(Handle::current().id(), one.handle().id());
        assert_eq!(task.await.unwrap(), Some(0));
    });
}

#[test]
fn two_threads_share_one_current_thread_runtime() {
    let _dog = watchdog();
    let rt = current();
    for _ in 0..200 {
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            for i in 0..3_u64 {
                let (rt, barrier) = (&rt, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    let sum = rt.block_on(async {
                        let task = rt::spawn(async move {
                            task::yield_now().await;
                            i
                        });
                        let blocking = task::spawn_blocking(move || i);
                        if i == 1 {
                            rt::time::sleep(Duration::from_micros(100)).await;
                        }
                        task.await.unwrap() + blocking.await.unwrap()
                    });
                    assert_eq!(sum, 2 * i);
                });
            }
        });
    }
}

#[test]
fn who_waits_beside_takes_over_when_the_driver_leaves() {
    let _dog = watchdog();
    let rt = current();
    for _ in 0..100 {
        let (first_inside, wait) = mpsc::channel();
        let (tx, rx) = oneshot::channel::<()>();
        thread::scope(|scope| {
            let rt = &rt;
            scope.spawn(move || {
                rt.block_on(async {
                    first_inside.send(()).unwrap();
                    // Ends only by what the second thread's root does.
                    rx.await.unwrap();
                });
            });
            wait.recv().unwrap();
            rt.block_on(async {
                tx.send(()).unwrap();
                // Needs the driver, which the first thread has or leaves behind.
                rt::time::sleep(Duration::from_micros(200)).await;
                rt::spawn(async {}).await.unwrap();
            });
        });
    }
}

#[test]
fn a_panic_of_the_driving_root_lets_the_other_thread_drive() {
    let _dog = watchdog();
    both::hush();
    let rt = current();
    for _ in 0..50 {
        let (inside, wait) = mpsc::channel();
        let (tx, rx) = oneshot::channel::<()>();
        thread::scope(|scope| {
            let r = &rt;
            let failing = scope.spawn(move || {
                r.block_on(async {
                    inside.send(()).unwrap();
                    rx.await.unwrap();
                    both::planned();
                })
            });
            wait.recv().unwrap();
            rt.block_on(async {
                tx.send(()).unwrap();
                rt::spawn(async { task::yield_now().await }).await.unwrap();
                rt::time::sleep(Duration::from_micros(50)).await;
            });
            assert!(failing.join().is_err());
        });
    }
}

#[test]
fn a_handle_blocks_on_beside_the_thread_that_drives() {
    let _dog = watchdog();
    let rt = current();
    let handle = rt.handle().clone();
    let thread = thread::spawn(move || {
        handle.block_on(async {
            rt::time::sleep(Duration::from_millis(1)).await;
            rt::spawn(async { 5 }).await.unwrap()
        })
    });
    rt.block_on(async {
        while !thread.is_finished() {
            task::yield_now().await;
        }
    });
    assert_eq!(thread.join().unwrap(), 5);
}

#[test]
fn many_threads_block_on_one_multi_thread_runtime() {
    let _dog = watchdog();
    let rt = Arc::new(workers(2));
    let threads: Vec<_> = (0..8)
        .map(|i| {
            let rt = rt.clone();
            thread::spawn(move || {
                for _ in 0..50 {
                    let out = rt.block_on(async { rt::spawn(async move { i }).await.unwrap() });
                    assert_eq!(out, i);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn block_on_borrows_and_needs_no_send() {
    let mut text = String::from("a");
    for rt in both() {
        let local = std::rc::Rc::new(1);
        rt.block_on(async {
            task::yield_now().await;
            text.push_str(&local.to_string());
        });
    }
    assert_eq!(text, "a11");
}

#[test]
fn a_thread_local_that_owns_a_handle_may_spawn_in_its_drop() {
    let _dog = watchdog();
    thread_local! {
        static HELD: RefCell<Option<Box<dyn std::any::Any>>> = const { RefCell::new(None) };
    }
    for rt in both() {
        let ran = both::Tally::new();
        let (r, handle) = (ran.clone(), rt.handle().clone());
        thread::spawn(move || {
            HELD.with(|held| {
                *held.borrow_mut() = Some(Box::new(OnDrop(move || {
                    let r = r.clone();
                    handle.spawn(async move { r.add() });
                    _ = Handle::try_current();
                    _ = task::try_id();
                    _ = handle.metrics().num_alive_tasks();
                    handle.spawn_blocking(|| ());
                })));
            });
            // Used afterwards, so that they are destroyed before.
            Builder::new_current_thread()
                .build()
                .unwrap()
                .block_on(async { rt::spawn(async { task::yield_now().await }).await })
                .unwrap();
        })
        .join()
        .unwrap();
        rt.block_on(async {
            while ran.get() == 0 {
                task::yield_now().await;
            }
        });
    }
}

#[test]
fn a_runtime_in_a_thread_local_ends_with_its_thread() {
    let _dog = watchdog();
    thread_local! {
        static HELD: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    for kind in 0..2 {
        let dropped = both::Tally::new();
        let guard = dropped.guard();
        thread::spawn(move || {
            let rt = if kind == 0 { current() } else { workers(1) };
            rt.spawn(async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            });
            rt.block_on(task::yield_now());
            HELD.with(|held| *held.borrow_mut() = Some(rt));
        })
        .join()
        .unwrap();
        until(|| dropped.get() == 1);
    }
}

#[test]
fn hooks_and_names_belong_to_all_threads() {
    let _dog = watchdog();
    let (starts, stops) = (both::Tally::new(), both::Tally::new());
    let names = Arc::new(Mutex::new(Vec::new()));
    let (a, b, n) = (starts.clone(), stops.clone(), names.clone());
    let rt = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("hooked")
        .on_thread_start(move || {
            a.add();
            let name = thread::current().name().map(str::to_owned);
            n.lock().unwrap().push(name);
        })
        .on_thread_stop(move || {
            b.add();
        })
        .build()
        .unwrap();
    rt.block_on(rt.spawn_blocking(|| ())).unwrap();
    drop(rt);
    assert_eq!(starts.get(), stops.get());
    assert_eq!(starts.get(), 3);
    let names = names.lock().unwrap();
    assert!(names.iter().all(|name| name.as_deref() == Some("hooked")));
}

#[test]
fn who_drives_a_current_thread_runtime_is_its_worker() {
    let runtime = current();
    let index = rt::runtime::worker_index;
    assert_eq!(index(), None);
    runtime.block_on(async {
        assert_eq!(index(), Some(0), "in the first poll");
        task::yield_now().await;
        assert_eq!(index(), Some(0));
        assert_eq!(rt::spawn(async move { index() }).await.unwrap(), Some(0));
    });
    assert_eq!(runtime.handle().block_on(async { index() }), None);
}
