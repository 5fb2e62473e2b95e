//! What sync owes the scheduler: budget spent by what is always ready, no blocking inside tasks.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use trefoil as rt;
use trefoil::runtime::{Builder, Runtime};
use trefoil::sync::{Barrier, CancellationToken, Mutex, Notify, Semaphore};

fn runtime() -> Runtime {
    Builder::new_current_thread().build().unwrap()
}

/// Awaits what `make` gives again and again, beside a task that waits for its turn; says how often
/// before that had it.
fn rounds_until_another_task_runs<F>(make: impl Fn() -> F + Send + 'static) -> usize
where
    F: Future + Send + 'static,
{
    const FAR_TOO_MANY: usize = 100_000;
    let rounds = Arc::new(AtomicUsize::new(0));
    let seen = rounds.clone();
    runtime().block_on(async move {
        let greedy = rt::task::spawn(async move {
            for _ in 0..FAR_TOO_MANY {
                make().await;
                rounds.fetch_add(1, SeqCst);
            }
        });
        let polite = rt::task::spawn(async move { seen.load(SeqCst) });
        let rounds = polite.await.unwrap();
        greedy.abort();
        rounds
    })
}

#[test]
fn what_is_always_ready_lets_other_tasks_run() {
    let semaphore = Arc::new(Semaphore::new(1));
    let mutex = Arc::new(Mutex::new(()));
    let notify = Arc::new(Notify::new());
    let barrier = Arc::new(Barrier::new(1));
    let token = CancellationToken::new();
    token.cancel();

    let (s, m, n) = (semaphore.clone(), mutex.clone(), notify.clone());
    let rounds = [
        rounds_until_another_task_runs(move || semaphore.clone().acquire_owned()),
        rounds_until_another_task_runs(move || mutex.clone().lock_owned()),
        rounds_until_another_task_runs(move || {
            notify.notify_one();
            notify.clone().notified_owned()
        }),
        rounds_until_another_task_runs(move || {
            let barrier = barrier.clone();
            async move { barrier.wait().await }
        }),
        rounds_until_another_task_runs(move || token.clone().cancelled_owned()),
        rounds_until_another_task_runs(move || {
            let s = s.clone();
            async move { drop(s.acquire().await) }
        }),
        rounds_until_another_task_runs(move || {
            let m = m.clone();
            async move { drop(m.lock().await) }
        }),
        rounds_until_another_task_runs(move || {
            let n = n.clone();
            async move {
                n.notify_one();
                n.notified().await;
            }
        }),
    ];
    assert_eq!(rounds, [128; 8], "one unit each");
}

#[test]
fn an_error_spends_budget_too() {
    let closed = Arc::new(Semaphore::new(1));
    closed.close();
    assert_eq!(
        rounds_until_another_task_runs(move || closed.clone().acquire_owned()),
        128
    );
}

#[test]
fn blocking_methods_refuse_to_block_a_task() {
    let semaphore = Arc::new(Semaphore::new(9));
    let mutex = Arc::new(Mutex::new(()));
    type Call<'a> = (&'a str, Box<dyn Fn() + 'a>);
    let calls: [Call<'_>; 6] = [
        (
            "blocking_acquire",
            Box::new(|| drop(semaphore.blocking_acquire())),
        ),
        (
            "blocking_acquire_many",
            Box::new(|| drop(semaphore.blocking_acquire_many(2))),
        ),
        (
            "blocking_acquire_owned",
            Box::new(|| drop(semaphore.clone().blocking_acquire_owned())),
        ),
        (
            "blocking_acquire_many_owned",
            Box::new(|| drop(semaphore.clone().blocking_acquire_many_owned(2))),
        ),
        ("blocking_lock", Box::new(|| drop(mutex.blocking_lock()))),
        (
            "blocking_lock_owned",
            Box::new(|| drop(mutex.clone().blocking_lock_owned())),
        ),
    ];
    for (name, call) in &calls {
        call();
        let panic = runtime()
            .block_on(async { catch_unwind(AssertUnwindSafe(call)) })
            .expect_err(name);
        let text = panic.downcast_ref::<String>().unwrap();
        assert!(text.contains("Cannot block the current thread"), "{text}");
        assert!(text.contains(name), "{text}");
    }
    assert_eq!(semaphore.available_permits(), 9);
    assert!(mutex.try_lock().is_ok());
}

#[test]
fn tasks_share_a_mutex_and_a_semaphore() {
    runtime().block_on(async {
        let mutex = Arc::new(Mutex::new(0));
        let slots = Arc::new(Semaphore::new(2));
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let (mutex, slots) = (mutex.clone(), slots.clone());
                rt::task::spawn(async move {
                    let _slot = slots.acquire().await.unwrap();
                    let mut count = mutex.lock().await;
                    let before = *count;
                    rt::task::yield_now().await;
                    *count = before + 1;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*mutex.lock().await, 20);
        assert_eq!(slots.available_permits(), 2);
    });
}
