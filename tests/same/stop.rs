// How a runtime ends: what is dropped, what is waited for, and what late callers are told.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use rt::runtime::{Builder, Handle, Runtime};
use rt::task::yield_now;

use crate::{Guard, Log};

/// A runtime with timers and sockets, of either flavour.
fn runtime(workers: usize) -> Runtime {
    let mut builder = if workers == 0 {
        Builder::new_current_thread()
    } else {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(workers);
        builder
    };
    builder.enable_all().build().unwrap()
}

pub fn run() -> Vec<String> {
    let log = Log::default();
    drops(&log);
    blocking(&log);
    late(&log);
    misuse(&log);
    cancelled_waiters(&log);
    log.lines()
}

/// The end of a runtime drops its tasks: those that wait, and those that never ran.
fn drops(log: &Log) {
    for workers in [0, 1] {
        let runtime = runtime(workers);
        let log2 = log.clone();
        let (waits, first) = std::sync::mpsc::channel();
        runtime.block_on(async {
            let guard = Guard("a task that waits", log.clone());
            rt::spawn(async move {
                let _guard = guard;
                waits.send(()).unwrap();
                pending::<()>().await;
                log2.say("never said");
            });
            // On one thread the task runs only when this one steps back.
            while first.try_recv().is_err() {
                yield_now().await;
            }
        });
        log.say("block_on is over, the task still waits");
        drop(runtime);
        log.say("the runtime is gone");
    }
    let runtime = runtime(0);
    let guard = Guard("a task that never ran", log.clone());
    let handle = runtime.spawn(async move { drop(guard) });
    drop(runtime);
    log.say(format!("finished: {}", handle.is_finished()));
    let told = self::runtime(0).block_on(handle);
    log.say(format!(
        "joined elsewhere, cancelled: {}",
        told.unwrap_err().is_cancelled()
    ));
}

/// Blocking jobs run to their end, a panic is told, and a shutdown with a limit does not wait.
fn blocking(log: &Log) {
    let runtime = runtime(0);
    let (value, panics) = runtime.block_on(async {
        let value = rt::task::spawn_blocking(|| 5).await;
        (
            value,
            rt::task::spawn_blocking(|| panic!("on purpose")).await,
        )
    });
    log.say(format!(
        "{value:?}, panic: {}",
        panics.unwrap_err().is_panic()
    ));

    let log2 = log.clone();
    let (started, when_started) = std::sync::mpsc::channel();
    runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        log2.say("a job that had begun ends");
    });
    when_started.recv().unwrap();
    drop(runtime);
    log.say("dropped: it was waited for");

    let runtime = self::runtime(0);
    let (release, stuck) = std::sync::mpsc::channel::<()>();
    let (started, when_started) = std::sync::mpsc::channel();
    runtime.spawn_blocking(move || {
        started.send(()).unwrap();
        let _ = stuck.recv();
    });
    when_started.recv().unwrap();
    runtime.shutdown_timeout(Duration::from_millis(20));
    log.say("shutdown_timeout did not wait for ever");
    drop(release);
    let runtime = self::runtime(1);
    runtime.shutdown_background();
    log.say("shutdown_background returns");
}

/// A handle that outlives its runtime.
fn late(log: &Log) {
    let runtime = runtime(0);
    let handle = runtime.handle().clone();
    let same =
        runtime.block_on(async { Handle::current().id() == Handle::try_current().unwrap().id() });
    log.say(format!("current is current: {same}"));
    drop(runtime);
    let guard = Guard("a task spawned too late", log.clone());
    let task = handle.spawn(async move { drop(guard) });
    log.say(format!("finished at once: {}", task.is_finished()));
    let told = self::runtime(0).block_on(task);
    log.say(format!("cancelled: {}", told.unwrap_err().is_cancelled()));
    log.say(format!("outside: {}", Handle::try_current().is_err()));
    let entered = self::runtime(0);
    let _guard = entered.enter();
    log.say(format!("entered: {}", Handle::try_current().is_ok()));
}

/// Misuse panics, and the runtime survives it.
fn misuse(log: &Log) {
    let panics = |name: &str, call: &dyn Fn()| {
        let result = catch_unwind(AssertUnwindSafe(call));
        log.say(format!("{name} panics: {}", result.is_err()));
    };
    panics("spawn without a runtime", &|| drop(rt::spawn(async {})));
    panics("sleep without a runtime", &|| {
        drop(rt::time::sleep(Duration::ZERO))
    });
    let runtime = runtime(0);
    panics("block_on in block_on", &|| {
        runtime.block_on(async { self::runtime(0).block_on(async {}) });
    });
    panics("a panic in block_on", &|| {
        runtime.block_on(async { panic!("on purpose") })
    });
    log.say(format!(
        "it works on: {}",
        runtime.block_on(async { rt::spawn(async { 3 }).await.unwrap() })
    ));
    let bare = Builder::new_current_thread().build().unwrap();
    panics("sleep without timers", &|| {
        bare.block_on(async { rt::time::sleep(Duration::ZERO).await })
    });
}

/// Waiters that are dropped leave nothing behind: the next one gets what they waited for.
fn cancelled_waiters(log: &Log) {
    runtime(0).block_on(async {
        let (send, mut receive) = rt::sync::mpsc::channel::<u32>(1);
        let patience = Duration::from_millis(1);
        log.say(format!(
            "{:?}",
            rt::time::timeout(patience, receive.recv()).await.is_err()
        ));
        send.send(1).await.unwrap();
        log.say(format!(
            "{:?}",
            rt::time::timeout(patience, send.send(2)).await.is_err()
        ));
        log.say(format!(
            "{:?}, then {:?}",
            receive.recv().await,
            receive.try_recv()
        ));
        let mutex = rt::sync::Mutex::new(0);
        let guard = mutex.lock().await;
        log.say(format!(
            "{:?}",
            rt::time::timeout(patience, mutex.lock()).await.is_err()
        ));
        drop(guard);
        log.say(format!("{:?}", mutex.try_lock().is_ok()));
    });
}
