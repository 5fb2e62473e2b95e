// Spawn, join, abort, panic, JoinSet, task_local: who runs when, and what the joiner is told.

use std::future::pending;

use rt::task::{JoinError, JoinSet, yield_now};

use crate::{Guard, Log};

rt::task_local! {
    static NAME: &'static str;
}

/// What a joiner sees.
fn told<T: std::fmt::Debug>(result: Result<T, JoinError>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) if error.is_cancelled() => "cancelled".into(),
        Err(error) => {
            let payload = error.into_panic();
            format!("panic: {}", payload.downcast_ref::<&str>().unwrap())
        }
    }
}

pub fn run() -> Vec<String> {
    let log = Log::default();
    let runtime = rt::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(order(&log));
    runtime.block_on(ends(&log));
    runtime.block_on(sets(&log));
    runtime.block_on(locals(&log));
    log.lines()
}

/// Spawned tasks start in order, after the spawner has stepped back.
async fn order(log: &Log) {
    let worker = |name: &'static str, rounds: u32| {
        let log = log.clone();
        rt::spawn(async move {
            log.say(format!("{name} starts"));
            for _ in 0..rounds {
                // Who comes first among several that have yielded is not promised: tokio takes
                // the last, trefoil the first.
                yield_now().await;
            }
            name
        })
    };
    let (a, b, c) = (worker("a", 3), worker("b", 1), worker("c", 2));
    log.say("spawned, and nothing has run");
    log.say(told(c.await));
    log.say(format!(
        "b, which yields less, is finished: {}",
        b.is_finished()
    ));
    log.say(told(a.await));
    log.say(told(b.await));

    // A task that spawns: the child comes behind those that are in the queue already.
    let (outer, inner) = (log.clone(), log.clone());
    let parent = rt::spawn(async move {
        outer.say("parent");
        let child = rt::spawn(async move { inner.say("child") });
        outer.say("parent goes on");
        child.await.unwrap();
        outer.say("parent has joined");
    });
    let log2 = log.clone();
    let other = rt::spawn(async move { log2.say("other") });
    parent.await.unwrap();
    other.await.unwrap();
}

/// Abort before the first poll, while it waits, after the end; a panic; a dropped handle.
async fn ends(log: &Log) {
    let waits = |name| {
        let guard = Guard(name, log.clone());
        rt::spawn(async move {
            guard.1.say(format!("{} runs", guard.0));
            pending::<u8>().await
        })
    };
    let (early, late) = (waits("early"), waits("late"));
    early.abort();
    log.say("early aborted");
    yield_now().await;
    late.abort();
    log.say("late aborted");
    log.say(told(late.await));
    log.say(told(early.await));

    let done = rt::spawn(async { 7 });
    yield_now().await;
    done.abort();
    log.say(told(done.await));

    let guard = Guard("panicking", log.clone());
    let panics = rt::spawn(async move {
        let _guard = guard;
        panic!("on purpose");
    });
    log.say(told::<()>(panics.await));

    let from_outside = waits("by handle");
    let handle = from_outside.abort_handle();
    yield_now().await;
    handle.abort();
    log.say(format!("finished at once: {}", handle.is_finished()));
    log.say(told(from_outside.await));
    log.say(format!("finished now: {}", handle.is_finished()));

    let log2 = log.clone();
    drop(rt::spawn(
        async move { log2.say("detached runs all the same") },
    ));
    yield_now().await;
}

/// Results as completed; abort_all; a set that is dropped.
async fn sets(log: &Log) {
    let mut set = JoinSet::new();
    for (name, yields) in [("slow", 5), ("quick", 1), ("middle", 3)] {
        set.spawn(async move {
            for _ in 0..yields {
                yield_now().await;
            }
            name
        });
    }
    while let Some(result) = set.join_next().await {
        log.say(format!("{} of the set, {} left", told(result), set.len()));
    }
    log.say(format!("empty: {}", set.join_next().await.is_none()));

    let mut set = JoinSet::new();
    for name in ["x", "y"] {
        let guard = Guard(name, log.clone());
        set.spawn(async move {
            let _guard = guard;
            pending::<()>().await
        });
    }
    set.spawn(async {});
    yield_now().await;
    set.abort_all();
    let mut cancelled = 0;
    while let Some(result) = set.join_next().await {
        cancelled += u32::from(result.is_err());
    }
    log.say(format!("{cancelled} were cancelled"));

    let guard = Guard("in a dropped set", log.clone());
    set.spawn(async move {
        let _guard = guard;
        pending::<()>().await
    });
    yield_now().await;
    drop(set);
    yield_now().await;
    log.say("the set is gone");
}

/// A task-local travels with its future, nests, and is not inherited by a spawned task.
async fn locals(log: &Log) {
    log.say(format!("outside: {:?}", NAME.try_with(|name| *name).ok()));
    NAME.scope("outer", async {
        log.say(NAME.with(|name| *name));
        NAME.scope("inner", async { log.say(NAME.get()) }).await;
        yield_now().await;
        log.say(NAME.with(|name| *name));
        let spawned = rt::spawn(async { NAME.try_with(|name| *name).ok() });
        log.say(format!("spawned: {:?}", spawned.await.unwrap()));
    })
    .await;
    log.say(NAME.sync_scope("sync", || NAME.get()));
}
