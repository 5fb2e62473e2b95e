//! What `interval`, `interval_at` and the three policies for missed ticks promise.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Waker};

use rt::time::{self, Duration, Instant, Interval, MissedTickBehavior, interval, interval_at};
use trefoil as rt;

/// Runs `future` on a runtime whose clock stands still.
fn paused<F: Future>(future: F) -> F::Output {
    let mut builder = rt::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The next tick: when it was due and when it came, in ms since `start`.
async fn tick(interval: &mut Interval, start: Instant) -> (u128, u128) {
    let due = interval.tick().await;
    ((due - start).as_millis(), start.elapsed().as_millis())
}

#[test]
fn the_first_tick_comes_at_once_and_then_one_a_period() {
    paused(async {
        let start = Instant::now();
        let mut every = interval(ms(10));
        for n in 0..20 {
            assert_eq!(tick(&mut every, start).await, (n * 10, n * 10));
        }
        let start = Instant::now();
        let mut later = interval_at(start + ms(7), ms(10));
        assert_eq!(tick(&mut later, start).await, (7, 7));
        assert_eq!(tick(&mut later, start).await, (17, 17));
    });
}

#[test]
fn ticks_do_not_drift_when_the_period_is_no_whole_millisecond() {
    paused(async {
        let start = Instant::now();
        let period = Duration::from_micros(3333);
        let mut every = interval(period);
        for n in 0..1000 {
            let due = every.tick().await;
            assert_eq!(due, start + period * n);
            assert!(start.elapsed() >= period * n);
            assert!(start.elapsed() < period * n + ms(1));
        }
    });
}

/// Ticks of a period of 10 of which the third is looked for only at 37 (the drawing in
/// `time/interval.rs`), as (due, came).
fn late_at_37(behavior: MissedTickBehavior) -> Vec<(u128, u128)> {
    paused(async {
        let start = Instant::now();
        let mut every = interval(ms(10));
        every.set_missed_tick_behavior(behavior);
        assert_eq!(every.missed_tick_behavior(), behavior);
        let mut ticks = vec![tick(&mut every, start).await, tick(&mut every, start).await];
        time::advance(ms(27)).await;
        for _ in 0..4 {
            ticks.push(tick(&mut every, start).await);
        }
        ticks
    })
}

#[test]
fn burst_catches_up_and_keeps_the_grid() {
    let ticks = late_at_37(MissedTickBehavior::Burst);
    assert_eq!(
        ticks,
        [(0, 0), (10, 10), (20, 37), (30, 37), (40, 40), (50, 50)]
    );
    assert_eq!(MissedTickBehavior::default(), MissedTickBehavior::Burst);
}

#[test]
fn delay_begins_a_new_grid() {
    let ticks = late_at_37(MissedTickBehavior::Delay);
    assert_eq!(
        ticks,
        [(0, 0), (10, 10), (20, 37), (47, 47), (57, 57), (67, 67)]
    );
}

#[test]
fn skip_leaves_the_missed_ticks_out() {
    let ticks = late_at_37(MissedTickBehavior::Skip);
    assert_eq!(
        ticks,
        [(0, 0), (10, 10), (20, 37), (40, 40), (50, 50), (60, 60)]
    );
}

#[test]
fn a_tick_that_is_late_by_less_than_five_milliseconds_was_not_missed() {
    for behavior in [
        MissedTickBehavior::Burst,
        MissedTickBehavior::Delay,
        MissedTickBehavior::Skip,
    ] {
        paused(async {
            let start = Instant::now();
            let mut every = interval(ms(10));
            every.set_missed_tick_behavior(behavior);
            every.tick().await;
            time::advance(ms(14)).await;
            assert_eq!(tick(&mut every, start).await, (10, 14));
            assert_eq!(tick(&mut every, start).await, (20, 20));
        });
    }
}

#[test]
fn each_reset_sets_the_next_tick() {
    paused(async {
        let start = Instant::now();
        let mut every = interval(ms(100));
        assert_eq!(every.period(), ms(100));
        every.tick().await;
        time::advance(ms(30)).await;
        every.reset();
        assert_eq!(tick(&mut every, start).await, (130, 130));
        time::advance(ms(30)).await;
        every.reset_immediately();
        assert_eq!(tick(&mut every, start).await, (160, 160));
        every.reset_after(ms(5));
        assert_eq!(tick(&mut every, start).await, (165, 165));
        every.reset_at(start + ms(400));
        assert_eq!(tick(&mut every, start).await, (400, 400));
        assert_eq!(
            tick(&mut every, start).await,
            (500, 500),
            "the period is the old one"
        );
    });
}

#[test]
fn a_dropped_tick_is_not_lost() {
    paused(async {
        let start = Instant::now();
        let mut every = interval(ms(10));
        every.tick().await;
        for polls in 0..4 {
            {
                let mut dropped = pin!(every.tick());
                for _ in 0..polls {
                    let mut cx = Context::from_waker(Waker::noop());
                    assert!(dropped.as_mut().poll(&mut cx).is_pending());
                }
            }
            time::advance(ms(1)).await;
        }
        assert_eq!(tick(&mut every, start).await, (10, 10));
        // Due, fired, and then dropped before it is polled.
        {
            let mut dropped = pin!(every.tick());
            let mut cx = Context::from_waker(Waker::noop());
            assert!(dropped.as_mut().poll(&mut cx).is_pending());
            time::advance(ms(12)).await;
        }
        assert_eq!(tick(&mut every, start).await, (20, 22));
    });
}

#[test]
fn poll_tick_is_the_same_by_hand() {
    paused(async {
        let start = Instant::now();
        let mut every = interval(ms(10));
        for n in 0..5 {
            let due = poll_fn(|cx| every.poll_tick(cx)).await;
            assert_eq!(due, start + ms(10) * n);
        }
        assert!(format!("{every:?}").contains("10ms"));
    });
}

#[test]
fn a_period_of_zero_is_refused_with_the_remedy() {
    paused(async {
        let now = Instant::now();
        for refused in [
            catch_unwind(AssertUnwindSafe(|| drop(interval(Duration::ZERO)))),
            catch_unwind(AssertUnwindSafe(|| drop(interval_at(now, Duration::ZERO)))),
        ] {
            let payload = refused.expect_err("no panic");
            let text = payload.downcast_ref::<String>().unwrap();
            assert!(text.contains("zero"), "{text}");
        }
    });
}

#[test]
fn an_interval_beside_work_keeps_ticking() {
    // With the machine's clock: a task that never rests, and ticks that come all the same.
    let mut builder = rt::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async {
        let start = std::time::Instant::now();
        let busy = rt::spawn(async {
            loop {
                rt::task::yield_now().await;
            }
        });
        let mut every = interval(ms(2));
        for _ in 0..20 {
            every.tick().await;
        }
        busy.abort();
        assert!(start.elapsed() >= ms(38) && start.elapsed() < Duration::from_secs(20));
    });
}
