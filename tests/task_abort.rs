//! Aborting: a request, answered at the task's next wait.

#[path = "both/mod.rs"]
mod both;

use std::future::{pending, poll_fn};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

use both::{Dropped, OnDrop, Tally, both, current, until, watchdog, workers};
use rt::sync::{Notify, oneshot};
use rt::task;
use trefoil as rt;

#[test]
fn aborted_at_birth_it_is_never_polled() {
    let rt = current();
    let (polls, dropped) = (Tally::new(), Tally::new());
    let (p, guard) = (polls.clone(), dropped.guard());
    let task = rt.spawn(async move {
        let _guard = guard;
        p.add();
    });
    task.abort();
    assert!(!task.is_finished(), "the runtime's thread ends it");
    let error = rt.block_on(task).unwrap_err();
    assert!(error.is_cancelled() && !error.is_panic());
    assert_eq!((polls.get(), dropped.get()), (0, 1));
}

#[test]
fn aborted_while_it_waits_it_is_dropped_before_the_handle_resolves() {
    let _dog = watchdog();
    for rt in both() {
        for _ in 0..200 {
            let dropped = Tally::new();
            let guard = dropped.guard();
            let (started, start) = oneshot::channel();
            let task = rt.spawn(async move {
                let _guard = guard;
                started.send(()).unwrap();
                pending::<()>().await;
            });
            rt.block_on(async {
                start.await.unwrap();
                task.abort();
                assert!(task.await.unwrap_err().is_cancelled());
                assert_eq!(dropped.get(), 1);
            });
        }
    }
}

#[test]
fn aborted_while_it_runs_it_ends_at_its_next_wait() {
    let _dog = watchdog();
    let rt = workers(1);
    let (inside, wait_inside) = mpsc::channel();
    let (go, wait_go) = mpsc::channel::<()>();
    let reached = Tally::new();
    let r = reached.clone();
    let task = rt.spawn(async move {
        inside.send(()).unwrap();
        wait_go.recv().unwrap();
        r.add();
        task::yield_now().await;
        r.add();
    });
    wait_inside.recv().unwrap();
    task.abort();
    assert!(!task.is_finished());
    go.send(()).unwrap();
    assert!(rt.block_on(task).unwrap_err().is_cancelled());
    assert_eq!(reached.get(), 1);
}

#[test]
fn aborted_while_it_runs_for_the_last_time_it_gives_its_output() {
    let _dog = watchdog();
    let rt = workers(1);
    let (inside, wait_inside) = mpsc::channel();
    let (go, wait_go) = mpsc::channel::<()>();
    let task = rt.spawn(async move {
        inside.send(()).unwrap();
        wait_go.recv().unwrap();
        "done"
    });
    wait_inside.recv().unwrap();
    task.abort();
    go.send(()).unwrap();
    assert_eq!(rt.block_on(task).unwrap(), "done");
}

#[test]
fn aborted_after_its_end_it_keeps_its_output() {
    let _dog = watchdog();
    for rt in both() {
        let task = rt.spawn(async { 1 });
        let abort = task.abort_handle();
        rt.block_on(async {
            while !task.is_finished() {
                task::yield_now().await;
            }
        });
        task.abort();
        abort.abort();
        abort.clone().abort();
        assert_eq!(rt.block_on(task).unwrap(), 1);
        abort.abort();
    }
}

#[test]
fn a_task_may_abort_itself() {
    let _dog = watchdog();
    for rt in both() {
        let (tx, rx) = oneshot::channel::<task::AbortHandle>();
        let (done, passed) = oneshot::channel();
        let task = rt.spawn(async move {
            let me = rx.await.unwrap();
            me.abort();
            me.abort();
            done.send(()).unwrap();
            pending::<()>().await;
        });
        tx.send(task.abort_handle()).unwrap();
        rt.block_on(async {
            passed.await.unwrap();
            assert!(task.await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn a_task_that_steps_back_can_be_aborted() {
    let _dog = watchdog();
    for rt in both() {
        let task = rt.spawn(async {
            loop {
                task::yield_now().await;
            }
        });
        let unwoken = rt.spawn(poll_fn(|cx| {
            cx.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        rt.block_on(async {
            task::yield_now().await;
            task.abort();
            unwoken.abort();
            assert!(task.await.unwrap_err().is_cancelled());
            assert!(unwoken.await.unwrap_err().is_cancelled());
        });
    }
}

#[test]
fn an_aborted_future_is_dropped_by_a_thread_of_its_runtime() {
    let _dog = watchdog();
    let rt = workers(2);
    let ids: Vec<_> = (0..100)
        .map(|_| {
            let (tx, rx) = mpsc::channel();
            let (started, start) = mpsc::channel();
            let guard = OnDrop(move || tx.send(rt::runtime::worker_index()).unwrap());
            let task = rt.spawn(async move {
                let _guard = guard;
                started.send(()).unwrap();
                pending::<()>().await;
            });
            start.recv().unwrap();
            task.abort();
            rx.recv().unwrap()
        })
        .collect();
    assert!(ids.iter().all(Option::is_some));

    // One thread: whoever drives it, although another thread aborts.
    let rt = current();
    let (tx, rx) = mpsc::channel();
    let guard = OnDrop(move || tx.send(thread::current().id()).unwrap());
    let task = rt.spawn(async move {
        let _guard = guard;
        pending::<()>().await;
    });
    rt.block_on(task::yield_now());
    thread::spawn({
        let abort = task.abort_handle();
        move || abort.abort()
    })
    .join()
    .unwrap();
    assert!(rt.block_on(task).unwrap_err().is_cancelled());
    assert_eq!(rx.recv().unwrap(), thread::current().id());
}

#[test]
fn aborts_race_with_ends_and_every_future_and_output_is_dropped_once() {
    let _dog = watchdog();
    let rt = workers(2);
    let (futures, outputs, made) = (Tally::new(), Tally::new(), Tally::new());
    const ROUNDS: usize = 3000;
    let mut cancelled = 0;
    for round in 0..ROUNDS {
        let (guard, o, m) = (futures.guard(), outputs.clone(), made.clone());
        let task = rt.spawn(async move {
            let _guard = guard;
            if round % 2 == 0 {
                task::yield_now().await;
            }
            m.add();
            o.guard()
        });
        if round % 3 == 0 {
            thread::yield_now();
        }
        task.abort();
        match rt.block_on(task) {
            Ok(output) => drop::<Dropped>(output),
            Err(error) => {
                assert!(error.is_cancelled());
                cancelled += 1;
            }
        }
        assert_eq!(futures.get(), round + 1);
    }
    assert_eq!(outputs.get(), made.get());
    assert_eq!(made.get() + cancelled, ROUNDS);
}

#[test]
fn an_abort_and_a_wake_at_once_end_the_task_once() {
    let _dog = watchdog();
    let rt = workers(2);
    let dropped = Tally::new();
    for round in 1..=2000 {
        let notify = std::sync::Arc::new(Notify::new());
        let (n, guard) = (notify.clone(), dropped.guard());
        let task = rt.spawn(async move {
            let _guard = guard;
            n.notified().await;
        });
        thread::scope(|scope| {
            let abort = task.abort_handle();
            if round % 20 == 0 {
                scope.spawn(move || abort.abort());
            } else {
                abort.abort();
            }
            notify.notify_one();
        });
        _ = rt.block_on(task);
        assert_eq!(dropped.get(), round);
    }
}

#[test]
fn an_abort_handle_keeps_nothing_alive() {
    let rt = current();
    let dropped = Tally::new();
    let guard = dropped.guard();
    let task = rt.spawn(async move { guard });
    let abort = task.abort_handle();
    drop(task);
    rt.block_on(task::yield_now());
    until(|| abort.is_finished());
    assert_eq!(dropped.get(), 1);
}

#[test]
fn an_aborted_closure_in_the_queue_never_runs_and_a_running_one_goes_on() {
    let _dog = watchdog();
    let mut builder = rt::runtime::Builder::new_current_thread();
    let rt = builder.max_blocking_threads(1).build().unwrap();
    let (inside, wait_inside) = mpsc::channel();
    let (go, wait_go) = mpsc::channel::<()>();
    let running = rt.spawn_blocking(move || {
        inside.send(()).unwrap();
        wait_go.recv().unwrap();
        1
    });
    let (ran, dropped) = (Tally::new(), Tally::new());
    let (r, guard) = (ran.clone(), dropped.guard());
    let queued = rt.spawn_blocking(move || {
        let _guard = guard;
        r.add();
    });
    wait_inside.recv().unwrap();
    running.abort();
    queued.abort();
    go.send(()).unwrap();
    assert_eq!(rt.block_on(running).unwrap(), 1);
    assert!(rt.block_on(queued).unwrap_err().is_cancelled());
    assert_eq!((ran.get(), dropped.get()), (0, 1));
}
