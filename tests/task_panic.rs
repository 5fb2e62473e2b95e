//! A panic costs its task, and nothing else: in `poll`, in any `Drop`, in wakers.

#[path = "both/mod.rs"]
mod both;

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::time::Duration;

use both::{OnDrop, Tally, both, current, hush, planned, text, watchdog, workers};
use rt::runtime::Runtime;
use rt::sync::oneshot;
use rt::task;
use trefoil as rt;

/// Everything still works: tasks, timers, blocking closures.
fn works(rt: &Runtime) {
    let sum = rt.block_on(async {
        let tasks: Vec<_> = (0..50)
            .map(|i| {
                rt::spawn(async move {
                    task::yield_now().await;
                    i
                })
            })
            .collect();
        rt::time::sleep(Duration::from_millis(1)).await;
        let mut sum = task::spawn_blocking(|| 1).await.unwrap();
        for task in tasks {
            sum += task.await.unwrap();
        }
        sum
    });
    assert_eq!(sum, 1226);
}

fn planned_drop() -> OnDrop<impl FnMut()> {
    OnDrop(|| planned())
}

#[test]
fn two_hundred_panics_and_everything_goes_on() {
    let _dog = watchdog();
    for rt in both() {
        let sibling = rt.spawn(async {
            for _ in 0..1000 {
                task::yield_now().await;
            }
            7
        });
        let tasks: Vec<_> = (0..200)
            .map(|i| {
                rt.spawn(async move {
                    if i % 2 == 0 {
                        task::yield_now().await;
                    }
                    planned()
                })
            })
            .collect();
        rt.block_on(async {
            for task in tasks {
                let error: task::JoinError = task.await.unwrap_err();
                assert!(error.is_panic() && !error.is_cancelled());
                assert_eq!(text(error.into_panic()), "planned");
            }
        });
        assert_eq!(rt.block_on(sibling).unwrap(), 7);
        works(&rt);
    }
}

#[test]
fn the_payload_comes_through_as_it_was() {
    hush();
    for rt in both() {
        let task = rt.spawn(async { std::panic::resume_unwind(Box::new(42_u64)) });
        let error: task::JoinError = rt.block_on(task).unwrap_err();
        let error = error.try_into_panic().unwrap();
        assert_eq!(*error.downcast::<u64>().unwrap(), 42);
    }
}

#[test]
fn errors_say_what_happened() {
    let rt = current();
    let task = rt.spawn(async { planned() });
    let id = task.id();
    let error = rt.block_on(task).unwrap_err();
    assert_eq!(error.id(), id);
    assert_eq!(
        error.to_string(),
        format!("task {id} panicked with message \"planned\"")
    );
    assert!(format!("{error:?}").starts_with("JoinError::Panic("));

    let task = rt.spawn(pending::<()>());
    let id = task.id();
    task.abort();
    let error = rt.block_on(task).unwrap_err();
    assert_eq!(error.to_string(), format!("task {id} was cancelled"));
    let error = error.try_into_panic().unwrap_err();
    assert!(error.is_cancelled() && error.id() == id);
    hush();
    let refused = catch_unwind(AssertUnwindSafe(|| error.into_panic()));
    assert!(text(refused.unwrap_err()).contains("is_panic"));
}

#[test]
fn a_future_that_panics_when_an_abort_drops_it_is_a_panic() {
    let _dog = watchdog();
    for rt in both() {
        for queued in [false, true] {
            let guard = planned_drop();
            let task = rt.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            if !queued {
                rt.block_on(async {
                    for _ in 0..3 {
                        task::yield_now().await;
                    }
                });
            }
            task.abort();
            let error = rt.block_on(task).unwrap_err();
            assert!(error.is_panic());
            assert_eq!(text(error.into_panic()), "planned");
        }
        works(&rt);
    }
}

#[test]
fn a_future_that_panics_in_drop_at_its_end_is_a_panic() {
    struct Ends(#[expect(dead_code, reason = "held for its drop")] OnDrop<fn()>);
    impl Future for Ends {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    let _dog = watchdog();
    for rt in both() {
        let task = rt.spawn(Ends(OnDrop(|| planned())));
        assert!(rt.block_on(task).unwrap_err().is_panic());
        drop(rt.spawn(Ends(OnDrop(|| planned()))));
        works(&rt);
    }
}

#[test]
fn a_future_that_panics_in_poll_and_in_drop_is_one_panic() {
    struct Twice;
    impl Future for Twice {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            planned()
        }
    }
    impl Drop for Twice {
        fn drop(&mut self) {
            hush();
            panic!("planned, too");
        }
    }
    let _dog = watchdog();
    for rt in both() {
        let error = rt.block_on(rt.spawn(Twice)).unwrap_err();
        assert_eq!(text(error.into_panic()), "planned");
        works(&rt);
    }
}

#[test]
fn an_output_that_panics_in_drop_harms_nobody() {
    let _dog = watchdog();
    for rt in both() {
        // The runtime drops it.
        drop(rt.spawn(async {
            task::yield_now().await;
            planned_drop()
        }));
        // The handle drops it.
        let task = rt.spawn(async { planned_drop() });
        rt.block_on(async {
            while !task.is_finished() {
                task::yield_now().await;
            }
        });
        drop(task);
        works(&rt);
    }
}

/// Panics when it is woken.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        planned();
    }
}

#[test]
fn a_join_waker_that_panics_harms_nobody() {
    let _dog = watchdog();
    for rt in both() {
        let (tx, rx) = oneshot::channel::<()>();
        let mut task = rt.spawn(async { rx.await.unwrap() });
        let bomb = Waker::from(Arc::new(Bomb));
        let pinned = Pin::new(&mut task);
        assert!(pinned.poll(&mut Context::from_waker(&bomb)).is_pending());
        tx.send(()).unwrap();
        rt.block_on(async {
            while !task.is_finished() {
                task::yield_now().await;
            }
        });
        rt.block_on(task).unwrap();
        works(&rt);
    }
}

#[test]
fn a_waker_that_panics_when_cloned_reaches_who_polls() {
    static VTABLE: RawWakerVTable = RawWakerVTable::new(|_| planned(), |_| (), |_| (), |_| ());
    let _dog = watchdog();
    for rt in both() {
        let (tx, rx) = oneshot::channel::<()>();
        let mut task = rt.spawn(async { rx.await.unwrap() });
        // A waker made of functions that touch no data.
        let waker = both_waker(&VTABLE);
        let mut set = task::JoinSet::new();
        set.spawn_on(pending::<()>(), rt.handle());
        hush();
        let cx = &mut Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut task).poll(cx)));
        assert!(polled.is_err());
        let cx = &mut Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| set.poll_join_next(cx)));
        assert!(polled.is_err());
        set.abort_all();
        assert!(rt.block_on(set.join_next()).unwrap().is_err());
        tx.send(()).unwrap();
        rt.block_on(task).unwrap();
        works(&rt);
    }
}

#[expect(unsafe_code, reason = "std has no safe waker whose clone panics")]
fn both_waker(vtable: &'static RawWakerVTable) -> Waker {
    let raw = RawWaker::new(std::ptr::null(), vtable);
    // SAFETY: no function of the vtable touches its data; clone does not return.
    unsafe { Waker::from_raw(raw) }
}

#[test]
fn a_panic_in_a_blocking_closure_is_in_its_handle() {
    let _dog = watchdog();
    for rt in both() {
        for _ in 0..20 {
            let error = rt.block_on(rt.spawn_blocking(|| planned()));
            assert!(error.unwrap_err().is_panic());
        }
        drop(rt.spawn_blocking(planned_drop));
        works(&rt);
    }
}

#[test]
fn a_panic_in_block_on_leaves_the_runtime_usable() {
    let _dog = watchdog();
    for rt in both() {
        let other = rt.spawn(async {
            task::yield_now().await;
            4
        });
        for late in [false, true] {
            let result = catch_unwind(AssertUnwindSafe(|| {
                rt.block_on(async {
                    if late {
                        task::yield_now().await;
                        task::yield_now().await;
                    }
                    planned();
                })
            }));
            assert_eq!(text(result.unwrap_err()), "planned");
            assert!(rt::runtime::Handle::try_current().is_err());
        }
        assert_eq!(rt.block_on(other).unwrap(), 4);
        works(&rt);
    }
}

#[test]
fn a_panic_in_block_in_place_gives_the_worker_back() {
    let _dog = watchdog();
    let rt = workers(1);
    for _ in 0..50 {
        let task = rt.spawn(async { task::block_in_place(|| planned()) });
        assert!(rt.block_on(task).unwrap_err().is_panic());
    }
    works(&rt);
}

#[test]
fn futures_that_panic_in_drop_do_not_stop_the_end_of_the_runtime() {
    let _dog = watchdog();
    for rt in both() {
        let dropped = Tally::new();
        let (started, start) = mpsc::channel();
        for i in 0..60 {
            let (guard, bomb, s) = (dropped.guard(), planned_drop(), started.clone());
            rt.spawn(async move {
                let _both = (guard, bomb);
                if i % 2 == 0 {
                    task::yield_now().await;
                }
                s.send(()).unwrap();
                pending::<()>().await;
            });
        }
        rt.block_on(async {
            for _ in 0..60 {
                while start.try_recv().is_err() {
                    task::yield_now().await;
                }
            }
        });
        drop(rt);
        assert_eq!(dropped.get(), 60);
    }
}

#[test]
fn a_payload_that_panics_in_drop_harms_nobody() {
    struct Payload;
    impl Drop for Payload {
        fn drop(&mut self) {
            if !std::thread::panicking() {
                planned();
            }
        }
    }
    let _dog = watchdog();
    hush();
    for rt in both() {
        drop(rt.spawn(async { panic_any(Payload) }));
        let task = rt.spawn(async { panic_any(Payload) });
        rt.block_on(async {
            while !task.is_finished() {
                task::yield_now().await;
            }
        });
        drop(task);
        works(&rt);
    }
}

#[test]
fn a_future_that_panics_is_dropped_amid_the_panic() {
    struct Boom(Arc<AtomicBool>);
    impl Future for Boom {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            panic!("on purpose")
        }
    }
    impl Drop for Boom {
        fn drop(&mut self) {
            self.0.store(std::thread::panicking(), Ordering::SeqCst);
        }
    }
    for runtime in both() {
        let amid = Arc::new(AtomicBool::new(false));
        let task = runtime.spawn(Boom(amid.clone()));
        assert!(runtime.block_on(task).unwrap_err().is_panic());
        assert!(amid.load(Ordering::SeqCst));
    }
}
