//! What `sleep`, `sleep_until` and `Sleep` promise; with the paused clock where it can be.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rt::time::{self, Duration, Instant, sleep, sleep_until};
use trefoil as rt;

/// A runtime whose clock stands still.
fn paused() -> rt::runtime::Runtime {
    let mut builder = rt::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

/// A runtime with two workers and the machine's clock.
fn two_workers() -> rt::runtime::Runtime {
    let mut builder = rt::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A waker that counts how often it was woken; its `Arc` count says who still holds it.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn woken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls once with `count` as the waker.
fn poll_once<F: Future>(future: Pin<&mut F>, count: &Arc<Count>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(count));
    future.poll(&mut Context::from_waker(&waker))
}

/// The text of the panic of `f`.
fn panic_text(f: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(f)).expect_err("no panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => payload
            .downcast::<&str>()
            .map_or_else(|_| String::new(), |text| (*text).into()),
    }
}

#[test]
fn a_sleep_is_never_short_and_less_than_a_millisecond_long() {
    paused().block_on(async {
        for micros in [
            0,
            1,
            999,
            1000,
            1001,
            1500,
            63_999,
            64_000,
            4_096_001,
            300_000_000,
        ] {
            let wanted = Duration::from_micros(micros);
            let start = Instant::now();
            sleep(wanted).await;
            let took = start.elapsed();
            assert!(
                took >= wanted && took < wanted + ms(1),
                "{wanted:?} took {took:?}"
            );
            // Away from the grid of whole milliseconds.
            time::advance(Duration::from_micros(337)).await;
        }
    });
}

#[test]
fn with_the_machines_clock_a_sleep_is_not_short_either() {
    for runtime in [two_workers(), {
        let mut builder = rt::runtime::Builder::new_current_thread();
        builder.enable_time().build().unwrap()
    }] {
        runtime.block_on(async {
            for wanted in [ms(0), Duration::from_micros(100), ms(1), ms(20)] {
                let (start, real) = (Instant::now(), std::time::Instant::now());
                sleep(wanted).await;
                assert!(start.elapsed() >= wanted && real.elapsed() >= wanted);
                // Generous: it says that it came at all.
                assert!(real.elapsed() < wanted + Duration::from_secs(10));
            }
        });
    }
}

#[test]
fn a_near_timer_ends_the_wait_for_a_far_one() {
    // tokio#3190: the park had the far time-out, and nobody interrupted it.
    let runtime = two_workers();
    let far = runtime.spawn(async { sleep(Duration::from_secs(3600)).await });
    for _ in 0..50 {
        let start = std::time::Instant::now();
        // Armed by this thread, while a worker waits in the driver.
        runtime.block_on(async { sleep(ms(1)).await });
        // Armed by a worker.
        runtime.block_on(async { rt::spawn(sleep(ms(1))).await.unwrap() });
        assert!(start.elapsed() < Duration::from_secs(10));
    }
    assert!(!far.is_finished());
}

#[test]
fn the_deadline_counts_from_the_call() {
    paused().block_on(async {
        let start = Instant::now();
        let lazy = sleep(ms(100));
        assert_eq!(lazy.deadline(), start + ms(100));
        time::advance(ms(70)).await;
        lazy.await;
        assert_eq!(start.elapsed(), ms(100));
    });
}

#[test]
fn a_moment_that_has_passed_is_ready_at_the_first_poll() {
    paused().block_on(async {
        let count = Arc::new(Count::default());
        time::advance(ms(10)).await;
        for ago in [0, 1, 5] {
            let late = pin!(sleep_until(Instant::now() - ms(ago)));
            assert!(!late.is_elapsed(), "false before the first poll");
            assert!(poll_once(late, &count).is_ready());
        }
        assert!(poll_once(pin!(sleep(Duration::ZERO)), &count).is_ready());
    });
}

#[test]
fn a_dropped_sleep_leaves_the_wheel() {
    paused().block_on(async {
        for polls in 0..4 {
            let count = Arc::new(Count::default());
            let mut sleep = Box::pin(sleep(ms(100)));
            for _ in 0..polls {
                assert!(poll_once(sleep.as_mut(), &count).is_pending());
                time::advance(ms(1)).await;
            }
            assert_eq!(Arc::strong_count(&count), if polls == 0 { 1 } else { 2 });
            drop(sleep);
            assert_eq!(Arc::strong_count(&count), 1, "the wheel holds the waker");
            time::advance(ms(1000)).await;
            assert_eq!(count.woken(), 0);
        }
    });
}

#[test]
fn a_sleep_dropped_around_its_deadline_is_dropped_in_peace() {
    paused().block_on(async {
        for (deadline, at) in [(5, 4), (5, 5), (5, 6), (64, 63), (64, 64), (64, 65)] {
            let count = Arc::new(Count::default());
            let mut sleep = Box::pin(sleep(ms(deadline)));
            assert!(poll_once(sleep.as_mut(), &count).is_pending());
            time::advance(ms(at)).await;
            drop(sleep);
            assert_eq!(count.woken(), usize::from(at >= deadline));
            assert_eq!(Arc::strong_count(&count), 1);
        }
    });
}

#[test]
fn cancel_and_fire_race_in_peace() {
    // A thread drops sleeps while the driver fires them.
    let runtime = two_workers();
    let _inside = runtime.enter();
    for round in 0..200 {
        let count = Arc::new(Count::default());
        let sleeps: Vec<_> = (0..20)
            .map(|_| {
                let mut sleep = Box::pin(sleep(Duration::from_micros(500 + round * 5)));
                let _ = poll_once(sleep.as_mut(), &count);
                sleep
            })
            .collect();
        if round % 4 == 0 {
            runtime.block_on(sleep(ms(1)));
        }
        drop(sleeps);
        // A waker that is being woken is let go of a moment later.
        while Arc::strong_count(&count) > 1 {
            std::thread::yield_now();
        }
        assert!(count.woken() <= 20);
    }
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    paused().block_on(async {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        // 37 and 101 have no common divisor: every number from 1 to 100 once, mixed.
        for n in (1..101u64).map(|n| n * 37 % 101) {
            let log = Arc::clone(&log);
            tasks.push(rt::spawn(async move {
                sleep(ms(n * n)).await;
                log.lock().unwrap().push(n);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*log.lock().unwrap(), (1..101).collect::<Vec<_>>());
    });
}

#[test]
fn sleeps_of_one_millisecond_end_in_the_order_of_their_first_polls() {
    paused().block_on(async {
        let log = Arc::new(Mutex::new(Vec::new()));
        let deadline = Instant::now() + ms(5000);
        let tasks: Vec<_> = (0..200)
            .map(|n| {
                let log = Arc::clone(&log);
                rt::spawn(async move {
                    // Some enter the wheel when the others have moved down a level already.
                    sleep(ms(n / 50 * 1500)).await;
                    sleep_until(deadline).await;
                    log.lock().unwrap().push(n);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*log.lock().unwrap(), (0..200).collect::<Vec<_>>());
    });
}

#[test]
fn a_reset_sleep_wakes_at_its_new_deadline_without_being_polled_again() {
    paused().block_on(async {
        let start = Instant::now();
        let count = Arc::new(Count::default());
        let mut sleep = pin!(sleep(ms(100)));
        assert!(poll_once(sleep.as_mut(), &count).is_pending());
        // Earlier.
        sleep.as_mut().reset(start + ms(10));
        time::advance(ms(10)).await;
        assert_eq!(count.woken(), 1);
        assert!(sleep.is_elapsed());
        // Over: has to be polled to be armed again.
        sleep.as_mut().reset(start + ms(50));
        assert!(!sleep.is_elapsed());
        assert!(poll_once(sleep.as_mut(), &count).is_pending());
        // Later.
        sleep.as_mut().reset(start + ms(90));
        time::advance(ms(60)).await;
        assert_eq!(count.woken(), 1);
        time::advance(ms(20)).await;
        assert_eq!(count.woken(), 2);
        assert!(poll_once(sleep.as_mut(), &count).is_ready());
        assert!(poll_once(sleep.as_mut(), &count).is_ready(), "and stays so");
        // Into the past.
        sleep.as_mut().reset(start + ms(200));
        assert!(poll_once(sleep.as_mut(), &count).is_pending());
        sleep.as_mut().reset(start);
        time::advance(Duration::ZERO).await;
        assert_eq!(count.woken(), 3);
        assert!(poll_once(sleep.as_mut(), &count).is_ready());
    });
}

#[test]
fn a_reset_in_one_task_ends_the_wait_of_the_driver() {
    let runtime = two_workers();
    let (slow, early) = (Duration::from_secs(3600), ms(1));
    runtime.block_on(async {
        let start = std::time::Instant::now();
        let shared = Arc::new(Mutex::new(Box::pin(sleep(slow))));
        let sleeper = Arc::clone(&shared);
        let (armed, is_armed) = std::sync::mpsc::channel();
        let task = rt::spawn(poll_fn(move |cx| {
            let poll = sleeper.lock().unwrap().as_mut().poll(cx);
            let _ = armed.send(());
            poll
        }));
        is_armed.recv().unwrap();
        shared
            .lock()
            .unwrap()
            .as_mut()
            .reset(Instant::now() + early);
        task.await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(60));
    });
}

#[test]
fn the_last_waker_is_woken() {
    paused().block_on(async {
        let (first, second) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let mut sleep = pin!(sleep(ms(5)));
        assert!(poll_once(sleep.as_mut(), &first).is_pending());
        assert!(poll_once(sleep.as_mut(), &second).is_pending());
        assert_eq!(Arc::strong_count(&first), 1);
        time::advance(ms(5)).await;
        assert_eq!((first.woken(), second.woken()), (0, 1));
    });
}

#[test]
fn a_far_sleep_hides_no_near_one() {
    paused().block_on(async {
        let start = Instant::now();
        let far: Vec<_> = [
            Duration::MAX,
            Duration::from_secs(u64::MAX / 4),
            Duration::from_secs(1 << 40),
        ]
        .map(|far| rt::spawn(sleep(far)))
        .into();
        rt::task::yield_now().await;
        // Over 2^36 ms, where another wheel turned back to its first slot.
        for _ in 0..40 {
            sleep(ms(1 << 31)).await;
            sleep(ms(3)).await;
        }
        assert_eq!(start.elapsed(), ms(40 * ((1 << 31) + 3)));
        assert!(far.iter().all(|far| !far.is_finished()));
    });
}

#[test]
fn a_loop_of_sleeps_that_are_over_lets_others_run() {
    paused().block_on(async {
        let others = Arc::new(AtomicUsize::new(0));
        let other = Arc::clone(&others);
        rt::spawn(async move {
            other.store(1, Ordering::Relaxed);
        });
        rt::spawn(async move {
            // Each is ready at once; the budget ends the loop's turn.
            while others.load(Ordering::Relaxed) == 0 {
                sleep(Duration::ZERO).await;
            }
        })
        .await
        .unwrap();
    });
}

#[test]
fn a_hundred_thousand_sleeps_end_and_none_is_early() {
    let runtime = paused();
    let early = Arc::new(AtomicUsize::new(0));
    runtime.block_on(async {
        let start = Instant::now();
        let tasks: Vec<_> = (0..100_000u64)
            .map(|n| {
                let early = Arc::clone(&early);
                rt::spawn(async move {
                    // Knuth's multiplier, for a mixture of 0 to 2 s.
                    let wanted = Duration::from_micros(n.wrapping_mul(2_654_435_761) % 2_000_000);
                    sleep(wanted).await;
                    let took = start.elapsed();
                    if took < wanted || took > wanted + ms(1) {
                        early.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert!(start.elapsed() <= ms(2000));
    });
    assert_eq!(early.load(Ordering::Relaxed), 0);
}

#[test]
fn a_hundred_thousand_dropped_sleeps_leave_nothing() {
    paused().block_on(async {
        let count = Arc::new(Count::default());
        let sleeps: Vec<_> = (0..100_000u64)
            .map(|n| {
                let mut sleep = Box::pin(sleep(ms(1 + n % 5000)));
                assert!(poll_once(sleep.as_mut(), &count).is_pending());
                sleep
            })
            .collect();
        assert_eq!(Arc::strong_count(&count), 100_001);
        drop(sleeps);
        assert_eq!(Arc::strong_count(&count), 1);
        time::advance(ms(10_000)).await;
        assert_eq!(count.woken(), 0);
    });
}

#[test]
fn ten_thousand_sleeps_end_on_two_workers() {
    let runtime = two_workers();
    runtime.block_on(async {
        let tasks: Vec<_> = (0..10_000u64)
            .map(|n| {
                rt::spawn(async move {
                    let wanted = Duration::from_micros(n.wrapping_mul(2_654_435_761) % 100_000);
                    let start = Instant::now();
                    sleep(wanted).await;
                    start.elapsed() >= wanted
                })
            })
            .collect();
        for task in tasks {
            assert!(task.await.unwrap(), "early");
        }
    });
}

#[test]
fn a_sleep_moves_between_threads() {
    let runtime = two_workers();
    let moved = runtime.block_on(async {
        let mut sleep = Box::pin(sleep(ms(20)));
        // Armed here, awaited there, dropped there.
        assert!(poll_once(sleep.as_mut(), &Arc::new(Count::default())).is_pending());
        rt::spawn(async move {
            sleep.as_mut().await;
            sleep.is_elapsed()
        })
        .await
    });
    assert!(moved.unwrap());
}

#[test]
fn without_a_runtime_it_panics_and_names_the_remedy() {
    for text in [
        panic_text(|| drop(sleep(ms(1)))),
        panic_text(|| drop(sleep_until(Instant::now()))),
        panic_text(|| drop(time::timeout(ms(1), async {}))),
        panic_text(|| drop(time::timeout_at(Instant::now(), async {}))),
        panic_text(|| drop(time::interval(ms(1)))),
        panic_text(|| drop(time::interval_at(Instant::now(), ms(1)))),
        panic_text(time::pause),
        panic_text(time::resume),
        panic_text(|| drop(time::advance(ms(1)))),
        panic_text(|| time::set_auto_advance(true)),
    ] {
        assert!(text.contains("block_on"), "{text}");
    }
}

#[test]
fn without_timers_it_panics_and_names_the_remedy() {
    let mut builder = rt::runtime::Builder::new_current_thread();
    let runtime = builder.enable_io().build().unwrap();
    let _inside = runtime.enter();
    for text in [
        panic_text(|| drop(sleep(ms(1)))),
        panic_text(|| drop(time::timeout(ms(1), async {}))),
        panic_text(|| drop(time::interval(ms(1)))),
        panic_text(time::pause),
    ] {
        assert!(text.contains("enable_time"), "{text}");
    }
}

#[test]
fn the_panic_names_the_callers_line() {
    let line = Arc::new(Mutex::new(None));
    let (seen, here) = (Arc::clone(&line), line!());
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if let Some(at) = info.location().filter(|at| at.file() == file!()) {
            seen.lock().unwrap().get_or_insert(at.line());
        }
    }));
    let _ = catch_unwind(|| drop(sleep(ms(1))));
    std::panic::set_hook(hook);
    let line = line.lock().unwrap().expect("a panic in this file");
    // Tests of other threads may panic meanwhile, in this file, too.
    assert!(line > 0 && (line == here + 8 || line != here));
}

#[test]
fn polled_after_its_runtime_it_panics() {
    let runtime = paused();
    let count = Arc::new(Count::default());
    let (mut fresh, mut armed, mut over) = {
        let _inside = runtime.enter();
        (
            Box::pin(sleep(ms(5))),
            Box::pin(sleep(ms(5))),
            Box::pin(sleep(Duration::ZERO)),
        )
    };
    assert!(poll_once(armed.as_mut(), &count).is_pending());
    drop(runtime);
    assert_eq!(count.woken(), 1, "it is told");
    for sleep in [&mut fresh, &mut armed] {
        let text = panic_text(|| assert!(poll_once(sleep.as_mut(), &count).is_ready()));
        assert!(
            text.contains("has ended") && text.contains("time_sleep.rs"),
            "{text}"
        );
    }
    assert!(poll_once(over.as_mut(), &count).is_ready());
}

/// Spans at the ends of what can be said.
const EXTREMES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_nanos(1),
    Duration::from_secs(86_400 * 365 * 100),
    Duration::from_secs(u64::MAX / 1000),
    Duration::from_secs(i64::MAX as u64),
    Duration::MAX,
];

#[test]
fn extreme_times_neither_panic_nor_overflow() {
    for span in EXTREMES {
        paused().block_on(async {
            let start = Instant::now();
            let moment = start.checked_add(span);
            let ready = async { 7 };
            assert_eq!(time::timeout(span, ready).await, Ok(7));
            if let Some(moment) = moment {
                assert_eq!(time::timeout_at(moment, async { 7 }).await, Ok(7));
                assert_eq!(moment.saturating_duration_since(start), span);
                assert_eq!(start - moment, Duration::ZERO);
            }
            assert_eq!(start.checked_sub(Duration::MAX), None);
            // All end, since the clock jumps there; at least 30 years from now, if not at `span`.
            let least = span.min(Duration::from_secs(86_400 * 365 * 30));
            sleep(span).await;
            assert!(start.elapsed() >= least, "{span:?}: {:?}", start.elapsed());
        });
        paused().block_on(async {
            let start = Instant::now();
            let late = time::timeout(span, std::future::pending::<()>()).await;
            assert!(late.is_err());
            if let Some(moment) = start.checked_add(span) {
                sleep_until(moment).await;
                assert!(Instant::now() >= moment);
            }
        });
        paused().block_on(async {
            let mut sleep = pin!(sleep(ms(1)));
            let far = Instant::now()
                .checked_add(span)
                .unwrap_or(Instant::now() + ms(9));
            sleep.as_mut().reset(far);
            sleep.await;
        });
        paused().block_on(async {
            if !span.is_zero() {
                let mut interval = time::interval(span);
                interval.tick().await;
                interval.reset();
                interval.reset_after(span);
                interval.tick().await;
                for behavior in [
                    time::MissedTickBehavior::Burst,
                    time::MissedTickBehavior::Delay,
                    time::MissedTickBehavior::Skip,
                ] {
                    let mut interval = time::interval_at(Instant::now(), span);
                    interval.set_missed_tick_behavior(behavior);
                    time::advance(ms(100)).await;
                    interval.tick().await;
                    interval.reset_immediately();
                    interval.tick().await;
                }
            }
            if let Some(moment) = Instant::now().checked_add(span) {
                let mut interval = time::interval_at(moment, ms(1));
                assert_eq!(interval.tick().await, moment);
                interval.reset_at(moment);
                interval.tick().await;
            }
        });
        paused().block_on(async {
            time::advance(span).await;
            time::advance(span).await;
            sleep(ms(1)).await;
        });
    }
}

#[test]
fn sleeps_have_tokios_auto_traits() {
    fn send_sync<T: Send + Sync>(_: &T) {}
    static_assertions::assert_not_impl_any!(time::Sleep: Unpin);
    static_assertions::assert_not_impl_any!(time::awaitables::Tick<'static>: Unpin);
    static_assertions::assert_not_impl_any!(time::awaitables::Advance: Unpin);
    static_assertions::assert_impl_all!(time::Interval: Send, Sync, Unpin);
    static_assertions::assert_impl_all!(Instant: Send, Sync, Unpin);
    let runtime = paused();
    let _inside = runtime.enter();
    send_sync(&sleep(ms(1)));
    send_sync(&time::advance(ms(1)));
    send_sync(&time::interval(ms(1)).tick());
    send_sync(&time::timeout(ms(1), async {}));
    // Memory of a sleeping task: the future is a part of it.
    assert!(
        size_of::<time::Sleep>() <= 56,
        "{}",
        size_of::<time::Sleep>()
    );
}

#[test]
fn an_armed_sleep_that_is_reset_to_the_past_is_ready_at_the_next_poll() {
    paused().block_on(async {
        let start = Instant::now();
        let mut armed = pin!(sleep_until(start + Duration::from_millis(100)));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(armed.as_mut().poll(&mut cx).is_pending());
        sleep(Duration::from_millis(50)).await;
        armed.as_mut().reset(start + Duration::from_millis(40));
        assert!(armed.as_mut().poll(&mut cx).is_ready());
        assert!(armed.is_elapsed());
        // And back into the future.
        armed.as_mut().reset(start + Duration::from_millis(90));
        assert!(armed.as_mut().poll(&mut cx).is_pending());
        armed.as_mut().reset(start);
        armed.as_mut().reset(start + Duration::from_millis(90));
        assert!(armed.as_mut().poll(&mut cx).is_pending());
        armed.await;
        assert!(start.elapsed() >= Duration::from_millis(90));
    });
}
