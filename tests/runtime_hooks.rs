//! What a program's hooks may do, and what the loop owes to those who call it for moments only.

#[path = "both/mod.rs"]
mod both;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use both::{current, until, watchdog};
use rt::runtime::{Builder, Handle, Runtime};
use rt::sync::Notify;
use rt::{task, time};
use trefoil as rt;

/// Both kinds of runtime, with a hook that runs before a thread waits.
fn with_park_hook(hook: impl Fn() + Send + Sync + Clone + 'static) -> [Runtime; 3] {
    let build = |mut builder: Builder| builder.enable_all().build().unwrap();
    let mut one = Builder::new_multi_thread();
    one.worker_threads(1).on_thread_park(hook.clone());
    let mut two = Builder::new_multi_thread();
    two.worker_threads(2).on_thread_park(hook.clone());
    let mut here = Builder::new_current_thread();
    here.on_thread_park(hook);
    [build(here), build(one), build(two)]
}

#[test]
fn a_task_that_the_park_hook_spawns_is_run() {
    let _dog = watchdog();
    for kind in 0..3 {
        let changed = Arc::new(Notify::new());
        let armed = Arc::new(AtomicBool::new(false));
        let hook = {
            let (changed, armed) = (changed.clone(), armed.clone());
            move || {
                if armed.swap(false, SeqCst) {
                    let changed = changed.clone();
                    rt::spawn(async move { changed.notify_one() });
                }
            }
        };
        let runtime = with_park_hook(hook).into_iter().nth(kind).unwrap();
        runtime.block_on(async {
            for _ in 0..20 {
                armed.store(true, SeqCst);
                // So that a worker falls asleep anew, and not only this thread.
                rt::spawn(async {}).await.unwrap();
                changed.notified().await;
            }
        });
    }
}

#[test]
fn a_park_hook_that_always_wakes_the_root_does_not_stop_the_timers() {
    let _dog = watchdog();
    let changed = Arc::new(Notify::new());
    let hook = {
        let changed = changed.clone();
        move || changed.notify_waiters()
    };
    let [here, ..] = with_park_hook(hook);
    let slept = here.spawn(async { time::sleep(Duration::from_millis(1)).await });
    while !slept.is_finished() {
        here.block_on(changed.notified());
    }
}

#[test]
fn many_short_block_ons_look_at_the_timers() {
    let _dog = watchdog();
    let runtime = current();
    let slept = runtime.spawn(async { time::sleep(Duration::from_millis(1)).await });
    while !slept.is_finished() {
        runtime.block_on(task::yield_now());
    }
}

#[test]
fn each_park_has_its_unpark() {
    let _dog = watchdog();
    static PARKS: AtomicUsize = AtomicUsize::new(0);
    static UNPARKS: AtomicUsize = AtomicUsize::new(0);
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_park(|| _ = PARKS.fetch_add(1, SeqCst))
        .on_thread_unpark(|| _ = UNPARKS.fetch_add(1, SeqCst))
        .enable_all()
        .build()
        .unwrap();
    // A watcher's rounds while nothing runs are no news.
    until(|| PARKS.load(SeqCst) == 2);
    assert_eq!(UNPARKS.load(SeqCst), 0);
    runtime.block_on(runtime.spawn(async {})).unwrap();
    let metrics = runtime.metrics();
    until(|| (0..2).all(|index| metrics.worker_park_unpark_count(index) % 2 == 1));
    drop(runtime);
    assert_eq!(PARKS.load(SeqCst), UNPARKS.load(SeqCst));
}

#[test]
fn work_from_outside_does_not_wait_for_many_long_polls() {
    let _dog = watchdog();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let polls = Arc::new(AtomicUsize::new(0));
    let handle = runtime.handle().clone();
    fn again(handle: &Handle, stop: Arc<AtomicBool>, polls: Arc<AtomicUsize>) {
        let next = handle.clone();
        handle.spawn(async move {
            // A long poll, whatever the machine.
            thread::sleep(Duration::from_micros(100));
            polls.fetch_add(1, SeqCst);
            if !stop.load(SeqCst) {
                again(&next, stop, polls);
            }
        });
    }
    again(&handle, stop.clone(), polls.clone());
    again(&handle, stop.clone(), polls.clone());
    until(|| polls.load(SeqCst) > 100);
    let waits: Vec<usize> = (0..20)
        .map(|_| {
            let before = polls.load(SeqCst);
            let counted = polls.clone();
            let after = runtime.block_on(handle.spawn(async move { counted.load(SeqCst) }));
            after.unwrap() - before
        })
        .collect();
    stop.store(true, SeqCst);
    let mut sorted = waits.clone();
    sorted.sort_unstable();
    assert!(
        sorted[10] <= 10,
        "polls before work from outside: {waits:?}"
    );
}

#[test]
fn a_blank_name_is_refused() {
    let refused = std::panic::catch_unwind(|| _ = Builder::new_current_thread().name(" "));
    assert!(refused.is_err());
}
