//! What `pause`, `advance`, `resume` and the runtime's jumps in time promise.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rt::time::{self, Duration, Instant, sleep, timeout};
use trefoil as rt;

/// A runtime on this thread; its clock stands still when `paused`.
fn runtime(paused: bool) -> rt::runtime::Runtime {
    let mut builder = rt::runtime::Builder::new_current_thread();
    builder.enable_all().start_paused(paused).build().unwrap()
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const HOUR: Duration = Duration::from_secs(3600);

/// Runs `future` and checks that it takes no real time worth naming.
fn quickly<F: Future>(future: F) -> F::Output {
    let start = std::time::Instant::now();
    let output = runtime(true).block_on(future);
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "it waited for real time"
    );
    output
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
fn an_idle_runtime_jumps_to_its_next_timer() {
    quickly(async {
        let start = Instant::now();
        sleep(HOUR).await;
        assert_eq!(start.elapsed(), HOUR);
        let (a, b) = (
            rt::spawn(async { sleep(HOUR * 2).await }),
            rt::spawn(async { sleep(HOUR).await }),
        );
        b.await.unwrap();
        assert_eq!(start.elapsed(), HOUR * 2);
        a.await.unwrap();
        assert_eq!(start.elapsed(), HOUR * 3);
    });
}

#[test]
fn the_clock_stands_while_tasks_run() {
    quickly(async {
        let start = Instant::now();
        let sleeper = rt::spawn(async { sleep(ms(1)).await });
        let until = std::time::Instant::now() + ms(20);
        while std::time::Instant::now() < until {
            rt::task::yield_now().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(!sleeper.is_finished());
    });
}

#[test]
fn a_cancelled_timer_moves_no_clock() {
    quickly(async {
        let start = Instant::now();
        assert!(timeout(HOUR, rt::task::yield_now()).await.is_ok());
        let (tx, rx) = rt::sync::oneshot::channel();
        let thread = std::thread::spawn(move || tx.send(()).unwrap());
        // Nothing can run and no timer is armed: it waits for the thread, however long.
        rx.await.unwrap();
        thread.join().unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

#[test]
fn advance_moves_the_clock_exactly_and_runs_who_is_due() {
    quickly(async {
        let start = Instant::now();
        let ran = Arc::new(AtomicUsize::new(0));
        for n in 1..=10 {
            let ran = Arc::clone(&ran);
            rt::spawn(async move {
                sleep(ms(n * 10)).await;
                ran.fetch_add(1, Ordering::Relaxed);
            });
        }
        rt::task::yield_now().await;
        for n in 1..=10 {
            time::advance(ms(9)).await;
            assert_eq!(ran.load(Ordering::Relaxed), n - 1);
            time::advance(ms(1)).await;
            assert_eq!(ran.load(Ordering::Relaxed), n);
        }
        time::advance(Duration::from_nanos(1)).await;
        assert_eq!(start.elapsed(), ms(100) + Duration::from_nanos(1));
    });
}

#[test]
fn advance_works_in_a_task_and_does_nothing_before_its_first_poll() {
    quickly(async {
        let start = Instant::now();
        drop(time::advance(HOUR));
        assert_eq!(start.elapsed(), Duration::ZERO);
        let sleeper = rt::spawn(async { sleep(HOUR).await });
        rt::spawn(async move {
            time::advance(HOUR).await;
            assert!(sleeper.is_finished());
        })
        .await
        .unwrap();
        assert_eq!(start.elapsed(), HOUR);
    });
}

#[test]
fn paused_in_the_middle_of_a_millisecond_a_sleep_ends_with_its_advance() {
    for _ in 0..50 {
        runtime(false).block_on(async {
            // Whatever part of a millisecond has passed by now.
            time::pause();
            let start = Instant::now();
            let sleeper = rt::spawn(async { sleep(ms(3)).await });
            rt::task::yield_now().await;
            time::advance(ms(3)).await;
            assert!(sleeper.is_finished());
            sleep(ms(10)).await;
            assert_eq!(start.elapsed(), ms(13));
        });
    }
}

#[test]
fn pause_and_resume_leave_no_gap_and_no_step_back() {
    runtime(false).block_on(async {
        let before = Instant::now();
        time::pause();
        let stood = Instant::now();
        assert!(stood >= before);
        std::thread::sleep(ms(3));
        assert_eq!(Instant::now(), stood);
        time::advance(HOUR).await;
        time::resume();
        let resumed = Instant::now();
        assert!(resumed >= stood + HOUR);
        let real = std::time::Instant::now();
        sleep(ms(10)).await;
        assert!(real.elapsed() >= ms(9), "time is real again");
        assert!(resumed.elapsed() >= ms(10));
        // And once more.
        time::pause();
        sleep(HOUR).await;
        assert!(before.elapsed() >= HOUR * 2);
    });
}

#[test]
fn without_auto_advance_time_moves_by_hand_only() {
    quickly(async {
        time::set_auto_advance(false);
        let start = Instant::now();
        let sleeper = rt::spawn(async { sleep(ms(10)).await });
        let (tx, rx) = rt::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            // Not needed to be right; makes it likely that the runtime is idle by now.
            std::thread::sleep(ms(20));
            tx.send(()).unwrap();
        });
        rx.await.unwrap();
        thread.join().unwrap();
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert!(!sleeper.is_finished());
        time::advance(ms(10)).await;
        assert!(sleeper.is_finished());
        time::set_auto_advance(true);
        sleep(HOUR).await;
        assert_eq!(start.elapsed(), HOUR + ms(10));
    });
}

#[test]
fn another_thread_may_switch_auto_advance_on_or_resume() {
    let runtime = runtime(true);
    let handle = runtime.handle().clone();
    let start = std::time::Instant::now();
    runtime.block_on(async {
        time::set_auto_advance(false);
        let thread = std::thread::spawn(move || {
            let _inside = handle.enter();
            std::thread::sleep(ms(10));
            time::set_auto_advance(true);
        });
        sleep(HOUR).await;
        thread.join().unwrap();
        time::set_auto_advance(false);
        let handle = rt::runtime::Handle::current();
        let thread = std::thread::spawn(move || {
            let _inside = handle.enter();
            std::thread::sleep(ms(10));
            time::resume();
        });
        sleep(ms(5)).await;
        thread.join().unwrap();
    });
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn the_clock_waits_for_a_blocking_closure() {
    quickly(async {
        for _ in 0..50 {
            let start = Instant::now();
            let job = rt::task::spawn_blocking(|| std::thread::sleep(Duration::from_micros(300)));
            timeout(HOUR, job).await.unwrap().unwrap();
            assert_eq!(start.elapsed(), Duration::ZERO);
        }
        // Afterwards it moves again.
        sleep(HOUR).await;
    });
}

#[test]
fn bytes_that_have_come_do_not_find_their_timeout_passed() {
    use rt::io::{AsyncReadExt, AsyncWriteExt};
    quickly(async {
        let listener = rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = rt::net::TcpStream::connect(address).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        let start = Instant::now();
        for _ in 0..100 {
            client.write_all(b"x").await.unwrap();
            let mut byte = [0];
            timeout(HOUR, server.read_exact(&mut byte))
                .await
                .unwrap()
                .unwrap();
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

#[test]
fn two_runtimes_have_two_clocks() {
    let (one, two) = (runtime(true), runtime(true));
    let start = one.block_on(async {
        let start = Instant::now();
        sleep(HOUR).await;
        start
    });
    let other = two.block_on(async { Instant::now() });
    assert!(other < start + HOUR);
    // Outside of a runtime it is the machine's clock, also while others stand still.
    let real = Instant::now().into_std();
    assert!(real.elapsed() < Duration::from_secs(60));
    assert!(one.block_on(async { Instant::now() }) == start + HOUR);
}

#[test]
fn misuse_panics_with_the_remedy() {
    runtime(true).block_on(async {
        assert!(panic_text(time::pause).contains("resume"));
        time::resume();
        assert!(panic_text(time::resume).contains("pause"));
        let advance = rt::spawn(async { time::advance(ms(1)).await });
        let panic = advance.await.unwrap_err().into_panic();
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(
            text.contains("pause") && text.contains("time_pause.rs"),
            "{text}"
        );
        time::pause();
    });
    let mut builder = rt::runtime::Builder::new_multi_thread();
    let several = builder.worker_threads(1).enable_all().build().unwrap();
    several.block_on(async {
        assert!(panic_text(time::pause).contains("new_current_thread"));
    });
}

#[test]
fn a_timeout_in_paused_time_ends_at_its_deadline() {
    quickly(async {
        let start = Instant::now();
        assert!(timeout(HOUR, pending::<()>()).await.is_err());
        assert_eq!(start.elapsed(), HOUR);
    });
}

#[test]
fn instants_are_as_std_has_them() {
    let now = Instant::now();
    let later = now + ms(5);
    assert_eq!(later - now, ms(5));
    assert_eq!(now - later, Duration::ZERO);
    assert_eq!(later.duration_since(now), ms(5));
    assert_eq!(now.checked_duration_since(later), None);
    assert_eq!(later.checked_duration_since(now), Some(ms(5)));
    assert_eq!(now.saturating_duration_since(later), Duration::ZERO);
    assert_eq!(now.checked_add(Duration::MAX), None);
    assert_eq!(later.checked_sub(ms(5)), Some(now));
    let mut moved = now;
    moved += ms(7);
    moved -= ms(2);
    assert_eq!((moved, moved - ms(5)), (later, now));
    assert_eq!(Instant::from_std(now.into_std()), now);
    assert_eq!(Instant::from(std::time::Instant::from(now)), now);
    assert!(now < later && !format!("{now:?}").is_empty());
    assert!(now.elapsed() < Duration::from_secs(60));
}
