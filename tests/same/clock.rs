// Sleep, timeout, interval and select! on a paused clock: what fires when, to the millisecond.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use rt::time::{
    Instant, MissedTickBehavior, advance, interval, interval_at, sleep, sleep_until, timeout,
};

use crate::{Guard, Log};

/// So many milliseconds.
fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

pub fn run() -> Vec<String> {
    let log = Log::default();
    let mut builder = rt::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(sleeps(&log));
    runtime.block_on(timeouts(&log));
    runtime.block_on(intervals(&log));
    runtime.block_on(selects(&log));
    log.lines()
}

/// Sleepers wake in the order of their deadlines; idle time passes at once.
async fn sleeps(log: &Log) {
    let start = Instant::now();
    let mut tasks = Vec::new();
    for delay in [300, 5, 70_000, 40, 40, 0, 4_100, 64] {
        let log = log.clone();
        tasks.push(rt::spawn(async move {
            sleep(ms(delay)).await;
            log.say(format!(
                "{delay}: woke after {} ms",
                start.elapsed().as_millis()
            ));
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }

    let start = Instant::now();
    let mut moved = pin!(sleep(ms(100)));
    log.say(format!("elapsed: {}", moved.is_elapsed()));
    moved.as_mut().reset(start + ms(250));
    moved.as_mut().await;
    log.say(format!(
        "reset to 250, woke after {} ms",
        start.elapsed().as_millis()
    ));
    log.say(format!("elapsed: {}", moved.is_elapsed()));

    let start = Instant::now();
    let sleeper = rt::spawn(async move {
        sleep_until(start + ms(1_000)).await;
        start.elapsed()
    });
    rt::task::yield_now().await;
    advance(ms(600)).await;
    log.say(format!(
        "advanced by {} ms, finished: {}",
        start.elapsed().as_millis(),
        sleeper.is_finished()
    ));
    advance(ms(600)).await;
    log.say(format!(
        "the sleeper saw {} ms",
        sleeper.await.unwrap().as_millis()
    ));
}

/// What wins when both are due, what is dropped, and an inner timeout in an outer one.
async fn timeouts(log: &Log) {
    let start = Instant::now();
    let result = timeout(ms(50), sleep(ms(20))).await;
    log.say(format!(
        "{result:?} after {} ms",
        start.elapsed().as_millis()
    ));
    let guard = Guard("the slow one", log.clone());
    let slow = async move {
        let _guard = guard;
        pending::<()>().await;
    };
    let result = timeout(ms(50), slow).await;
    // Not its text: the words are each crate's own.
    log.say(format!("{result:?}"));
    log.say(format!("after {} ms", start.elapsed().as_millis()));
    let same_time = timeout(ms(30), sleep(ms(30))).await;
    log.say(format!("due at the same time: {same_time:?}"));
    let ready = timeout(Duration::ZERO, async { "ready at once" }).await;
    log.say(format!("no time at all: {ready:?}"));
    let nested = timeout(ms(100), timeout(ms(10), pending::<()>())).await;
    log.say(format!("the inner one: {nested:?}"));
    let forever = timeout(Duration::MAX, sleep(ms(1))).await;
    log.say(format!("the longest timeout: {forever:?}"));
}

/// The first tick at once; then the three ways to catch up after a stall.
async fn intervals(log: &Log) {
    use MissedTickBehavior::{Burst, Delay, Skip};
    for behavior in [Burst, Delay, Skip] {
        let start = Instant::now();
        let mut ticks = interval(ms(100));
        ticks.set_missed_tick_behavior(behavior);
        for tick in 0..6 {
            let at = ticks.tick().await;
            let (at, now) = (at - start, start.elapsed());
            log.say(format!(
                "{behavior:?} {tick}: {} at {}",
                at.as_millis(),
                now.as_millis()
            ));
            if tick == 1 {
                sleep(ms(250)).await;
            }
        }
    }
    let start = Instant::now();
    let mut ticks = interval_at(start + ms(30), ms(100));
    ticks.tick().await;
    log.say(format!(
        "interval_at: first after {} ms",
        start.elapsed().as_millis()
    ));
    ticks.reset();
    ticks.tick().await;
    log.say(format!(
        "reset: next after {} ms",
        start.elapsed().as_millis()
    ));
    log.say(format!("period {} ms", ticks.period().as_millis()));
}

/// Order, preconditions, patterns, else, and what happens to the losers.
async fn selects(log: &Log) {
    let loser = |name, delay| {
        let guard = Guard(name, log.clone());
        async move {
            sleep(ms(delay)).await;
            guard.0
        }
    };
    let winner = rt::select! {
        name = loser("long", 500) => name,
        name = loser("short", 20) => name,
        name = loser("middle", 100) => name,
    };
    log.say(format!("won: {winner}"));
    let first = rt::select! {
        biased;
        _ = pending::<()>() => 0,
        () = async {} => 1,
        () = async {} => 2,
    };
    log.say(format!("biased: branch {first}"));
    let some: Option<u32> = None;
    let other = rt::select! {
        biased;
        Some(number) = async { some } => number,
        () = sleep(ms(10)), if false => 10,
        else => 99,
    };
    log.say(format!("no pattern, no precondition: {other}"));
    let mut kept = pin!(loser("kept", 100));
    let mut rounds = 0;
    let name = loop {
        rounds += 1;
        rt::select! {
            name = &mut kept => break name,
            () = sleep(ms(30)) => {}
        }
    };
    log.say(format!("{name} after {rounds} rounds"));
    let start = Instant::now();
    let joined = rt::join!(loser("j1", 30), async { 5 }, loser("j2", 60));
    log.say(format!(
        "{joined:?} after {} ms",
        start.elapsed().as_millis()
    ));
    let failed: Result<(u8, u8), &str> = rt::try_join!(
        async {
            sleep(ms(500)).await;
            Ok(1)
        },
        async {
            sleep(ms(50)).await;
            Err("failed")
        },
    );
    log.say(format!(
        "{failed:?} after {} ms",
        start.elapsed().as_millis()
    ));
}
