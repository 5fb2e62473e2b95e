// Submitted jobs: see `../threads_submit.rs`.

use pool::{CancelOnDrop, JobError, Payload, Pending};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use std::error::Error;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;
use trefoil::runtime::{Builder, Runtime};

assert_impl_all!(Pending<u8>: Send, Sync, Unpin);
assert_impl_all!(Pending<std::cell::Cell<u8>>: Send, Sync, Unpin);
assert_impl_all!(Pending<std::rc::Rc<u8>>: Unpin);
assert_not_impl_any!(Pending<std::rc::Rc<u8>>: Send, Sync);
assert_impl_all!(Pending<std::marker::PhantomPinned>: Unpin);
assert_impl_all!(CancelOnDrop<u8>: Send, Sync, Unpin);
assert_not_impl_any!(CancelOnDrop<std::rc::Rc<u8>>: Send, Sync);
assert_impl_all!(JobError: Send, Sync, Unpin, Error);
assert_impl_all!(Payload: Send, Sync, Unpin);

/// A minute: a time that no test waits out.
const LONG: Duration = Duration::from_secs(60);

/// Both kinds of runtime.
fn runtimes() -> [Runtime; 2] {
    [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap(),
    ]
}

/// Occupies all workers of a pool until the result is dropped.
fn occupy(pool: &pool::ThreadPool) -> Vec<Sender<()>> {
    let threads = pool.current_num_threads();
    let all = Arc::new(Barrier::new(threads + 1));
    let gates = (0..threads)
        .map(|_| {
            let (gate, open) = channel::<()>();
            let all = Arc::clone(&all);
            pool.spawn(move || {
                all.wait();
                _ = open.recv();
            });
            gate
        })
        .collect();
    all.wait();
    gates
}

/// Tells the thread on which it is dropped.
struct Telltale(Sender<ThreadId>);

impl Drop for Telltale {
    fn drop(&mut self) {
        self.0.send(thread::current().id()).unwrap();
    }
}

#[test]
fn an_awaited_job_gives_its_result_to_both_runtimes() {
    on_each_pool(3, |pool| {
        for rt in runtimes() {
            rt.block_on(async {
                let jobs: Vec<_> = (0..100).map(|n| pool.submit(move || n * 2)).collect();
                for (n, job) in jobs.into_iter().enumerate() {
                    assert_eq!(job.await.unwrap(), n * 2);
                }
            });
        }
    });
}

#[test]
fn the_loop_goes_on_while_a_job_runs() {
    on_each_pool(3, |pool| {
        for rt in runtimes() {
            rt.block_on(async {
                // The job ends only if another task of this runtime runs meanwhile.
                let (go, gate) = channel();
                let job = pool.submit(move || gate.recv().unwrap());
                let other = trefoil::spawn(async move { go.send(7).unwrap() });
                assert_eq!(job.await.unwrap(), 7);
                other.await.unwrap();
            });
        }
    });
}

#[test]
fn a_thread_outside_waits_for_a_job() {
    on_each_pool(200, |pool| {
        let here = thread::current().id();
        let there = pool.submit(|| thread::current().id());
        assert_ne!(there.wait().unwrap(), here);
    });
}

#[test]
fn a_worker_that_waits_works_on() {
    on_each_pool(50, |pool| {
        // On a pool of one nobody else could run them.
        let sum = pool.install(|| {
            let jobs: Vec<_> = (0..10).map(|n| pool::submit(move || n)).collect();
            let inner = pool::submit(|| pool::submit(|| 100).wait().unwrap());
            let jobs = jobs.into_iter().map(|job| job.wait().unwrap());
            jobs.sum::<i32>() + inner.wait().unwrap()
        });
        assert_eq!(sum, 145);
    });
}

#[test]
fn workers_that_wait_for_each_others_pools_do_not_lock_up() {
    on_each_pool(20, |first| {
        let second = Arc::new(pool_of(1));
        let (done, all) = channel();
        for n in 0..20 {
            let (second, done) = (Arc::clone(&second), done.clone());
            first.spawn(move || done.send(second.submit(move || n).wait().unwrap()).unwrap());
        }
        drop(done);
        assert_eq!(all.into_iter().sum::<i32>(), 190);
    });
}

#[test]
fn wait_timeout_gives_the_job_its_time() {
    on_each_pool(5, |pool| {
        let (go, gate) = channel::<()>();
        let mut job = pool.submit(move || gate.recv().is_ok());
        assert!(job.wait_timeout(Duration::ZERO).is_none());
        assert!(job.wait_timeout(Duration::from_millis(1)).is_none());
        assert!(!job.is_finished());
        go.send(()).unwrap();
        assert!(job.wait_timeout(LONG).unwrap().unwrap());
        assert!(job.is_finished());
        let mut job = pool.submit(|| 5);
        assert_eq!(job.wait_timeout(Duration::MAX).unwrap().unwrap(), 5);
    });
}

#[test]
fn a_worker_may_wait_for_a_limited_time() {
    on_each_pool(5, |pool| {
        let (go, gate) = channel::<()>();
        let elsewhere = pool_of(1);
        let mut job = elsewhere.submit(move || gate.recv().is_ok());
        pool.install(|| {
            assert!(job.wait_timeout(Duration::from_millis(1)).is_none());
            go.send(()).unwrap();
            assert!(job.wait_timeout(LONG).unwrap().unwrap());
        });
    });
}

#[test]
fn a_panic_comes_out_of_the_pending_and_not_of_the_handler() {
    let handled = Arc::new(AtomicUsize::new(0));
    for threads in [1, 0, 8] {
        let seen = Arc::clone(&handled);
        let pool = pool::ThreadPoolBuilder::new()
            .num_threads(threads)
            .panic_handler(move |_| raise(&seen, 1))
            .build()
            .unwrap();
        let error = pool.submit(|| resume_unwind(Box::new(7_u8))).wait();
        let error: JobError = error.map(|never: ()| never).unwrap_err();
        assert!(error.is_panic() && !error.is_cancelled());
        assert_eq!(error.into_panic().downcast_ref(), Some(&7_u8));
        let rt = &runtimes()[0];
        let error = rt.block_on(pool.submit(|| -> u8 { resume_unwind(Box::new("planned")) }));
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "job panicked with message \"planned\"");
        // A detached one is nobody's.
        drop(pool.submit(|| -> u8 { resume_unwind(Box::new("planned")) }));
        assert_eq!(pool.submit(|| 1).wait().unwrap(), 1);
    }
    assert_eq!(handled.load(Relaxed), 0);
}

#[test]
fn an_error_goes_up_with_a_question_mark() {
    fn fails(pool: &pool::ThreadPool) -> Result<(), Box<dyn Error + Send + Sync>> {
        let job = pool.submit(|| resume_unwind(Box::new(5)));
        job.wait()?;
        Ok(())
    }
    let error = fails(&pool_of(1)).unwrap_err();
    assert_eq!(error.to_string(), "job panicked");
    assert!(error.source().is_none());
}

#[test]
fn a_job_that_has_not_begun_can_be_cancelled() {
    on_each_pool(20, |pool| {
        let gates = occupy(pool);
        let (tell, told) = channel();
        let telltale = Telltale(tell);
        let ran = Arc::new(AtomicBool::new(false));
        let run = Arc::clone(&ran);
        let job = pool.submit(move || {
            run.store(true, Relaxed);
            drop(telltale);
        });
        assert!(!job.is_finished());
        assert!(job.cancel());
        // The closure went here and now; a second time there is nothing to cancel.
        assert_eq!(told.try_recv().unwrap(), thread::current().id());
        assert!(!job.cancel());
        assert!(job.is_finished());
        drop(gates);
        let error = job.wait().unwrap_err();
        assert!(error.is_cancelled() && !error.is_panic());
        assert_eq!(error.to_string(), "job was cancelled before it began");
        pool.broadcast(|_| ());
        assert!(!ran.load(Relaxed));
    });
}

#[test]
fn a_job_that_runs_or_has_run_cannot_be_cancelled() {
    on_each_pool(20, |pool| {
        let (begun, begins) = channel();
        let (go, gate) = channel::<()>();
        let job = pool.submit(move || {
            begun.send(()).unwrap();
            gate.recv().unwrap();
            5
        });
        begins.recv().unwrap();
        assert!(!job.cancel());
        go.send(()).unwrap();
        assert_eq!(job.wait().unwrap(), 5);
        let job = pool.submit(|| 6);
        while !job.is_finished() {
            thread::yield_now();
        }
        assert!(!job.cancel());
        assert_eq!(job.wait().unwrap(), 6);
    });
}

#[test]
fn a_cancelled_job_wakes_the_task_that_awaits_it() {
    on_each_pool(5, |pool| {
        for rt in runtimes() {
            let gates = occupy(pool);
            let (tell, told) = channel();
            let mut job = pool.submit(|| ());
            let task = rt.spawn(async move {
                // Polled once, then cancelled from here: the waker is the one of this task.
                let polled = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut job).poll(cx)));
                assert!(polled.await.is_pending());
                assert!(job.cancel());
                tell.send(job.await.unwrap_err().is_cancelled()).unwrap();
            });
            rt.block_on(task).unwrap();
            assert!(told.recv().unwrap());
            drop(gates);
        }
    });
}

#[test]
fn cancel_queued_cancels_what_was_submitted_before_and_nothing_else() {
    on_each_pool(10, |pool| {
        let ran = AtomicUsize::new(0);
        let spawned = Arc::new(AtomicUsize::new(0));
        let gates = occupy(pool);
        let before: Vec<_> = (0..10)
            .map(|_| pool.submit(|| panic_any("cancelled jobs do not run")))
            .collect();
        for n in 0..10 {
            let spawned = Arc::clone(&spawned);
            match n % 2 {
                0 => pool.spawn(move || raise(&spawned, 1)),
                _ => pool.spawn_fifo(move || raise(&spawned, 1)),
            }
        }
        pool.in_place_scope(|s| {
            s.spawn(|_| raise(&ran, 1));
            s.spawn(|_| {
                pool.join(|| raise(&ran, 1), || raise(&ran, 1));
            });
            pool.cancel_queued();
            let after: Vec<_> = (0..10).map(|n| pool.submit(move || n)).collect();
            drop(gates);
            for (n, job) in after.into_iter().enumerate() {
                assert_eq!(job.wait().unwrap(), n);
            }
        });
        for job in before {
            let error: JobError = job.wait().map(|never: ()| never).unwrap_err();
            assert!(error.is_cancelled());
        }
        assert_eq!(ran.load(Relaxed), 3);
        while spawned.load(Relaxed) < 10 {
            thread::yield_now();
        }
    });
}

#[test]
fn a_dropped_pending_lets_the_job_go_on() {
    on_each_pool(50, |pool| {
        let (tell, told) = channel();
        drop(pool.submit(move || tell.send(5).unwrap()));
        assert_eq!(told.recv().unwrap(), 5);
    });
}

#[test]
fn a_result_that_nobody_wants_is_dropped_on_the_worker() {
    on_each_pool(50, |pool| {
        let (tell, told) = channel();
        let (go, gate) = channel::<()>();
        let job = pool.submit(move || {
            gate.recv().unwrap();
            (Telltale(tell), thread::current().id())
        });
        drop(job);
        go.send(()).unwrap();
        assert_ne!(told.recv().unwrap(), thread::current().id());
    });
}

#[test]
fn a_result_that_panics_in_its_drop_hurts_nobody() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("planned"));
        }
    }
    on_each_pool(20, |pool| {
        let gates = occupy(pool);
        drop(pool.submit(|| Bomb));
        drop(gates);
        pool.broadcast(|_| ());
        assert_eq!(pool.submit(|| 5).wait().unwrap(), 5);
    });
}

#[test]
fn a_closure_that_panics_in_its_drop_is_told_to_whoever_cancels() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            resume_unwind(Box::new("planned"));
        }
    }
    on_each_pool(10, |pool| {
        let gates = occupy(pool);
        let bombs = [Bomb, Bomb].map(|bomb| pool.submit(move || std::mem::forget(bomb)));
        let cancel = || bombs[0].cancel();
        assert!(catch_unwind(AssertUnwindSafe(cancel)).is_err());
        pool.cancel_queued();
        drop(gates);
        let [first, second] = bombs;
        assert!(first.wait().unwrap_err().is_cancelled());
        assert!(second.wait().unwrap_err().is_panic());
    });
}

#[test]
fn a_cancel_on_drop_cancels() {
    on_each_pool(10, |pool| {
        let gates = occupy(pool);
        let (tell, told) = channel();
        let telltale = Telltale(tell.clone());
        drop(pool.submit(move || drop(telltale)).cancel_on_drop());
        assert_eq!(told.try_recv().unwrap(), thread::current().id());
        let telltale = Telltale(tell);
        let mut kept = pool.submit(move || drop(telltale)).cancel_on_drop();
        assert!(kept.wait_timeout(Duration::ZERO).is_none() && !kept.is_finished());
        drop(gates);
        kept.wait().unwrap();
        assert_ne!(told.recv().unwrap(), thread::current().id());
        assert!(pool.submit(|| ()).cancel_on_drop().wait().is_ok());
    });
}

#[test]
fn jobs_outlive_the_handle_of_their_pool() {
    let _limit = Limit::new();
    for threads in [1, 0, 8] {
        for _ in 0..50 {
            let pool = pool_of(threads);
            let jobs: Vec<_> = (0..10).map(|n| pool.submit(move || n)).collect();
            let cancelled = pool.submit(|| ());
            let cancelled = (cancelled.cancel(), cancelled);
            drop(pool);
            for (n, job) in jobs.into_iter().enumerate() {
                assert_eq!(job.wait().unwrap(), n);
            }
            assert_eq!(cancelled.0, cancelled.1.wait().is_err());
        }
    }
}

#[test]
fn a_pool_of_one_keeps_the_order() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    let (tell, told) = channel();
    let submit = |from: &str| {
        for n in 0..3 {
            let (tell, text) = (tell.clone(), format!("{from} {n}"));
            drop(pool.submit(move || tell.send(text).unwrap()));
        }
    };
    let gates = occupy(&pool);
    submit("outside");
    drop(gates);
    // From outside oldest first; a worker's own newest first.
    pool.install(|| submit("inside"));
    drop(tell.clone());
    let order: Vec<_> = (0..6).map(|_| told.recv().unwrap()).collect();
    let expected = ["outside 0", "outside 1", "outside 2", "inside 2", "inside 1", "inside 0"];
    assert_eq!(order, expected);
}

#[test]
fn waiting_on_a_thread_that_polls_is_refused_with_a_remedy() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    for rt in runtimes() {
        let text = rt.block_on(async {
            let job = pool.submit(|| ());
            *catch_unwind(AssertUnwindSafe(|| job.wait()))
                .unwrap_err()
                .downcast::<String>()
                .unwrap()
        });
        assert!(text.starts_with("Pending::wait: Cannot block the current thread"));
        assert!(text.contains("await"), "{text}");
        let blocking = rt.block_on(async {
            let job = pool.submit(|| 5);
            trefoil::task::spawn_blocking(move || job.wait().unwrap()).await
        });
        assert_eq!(blocking.unwrap(), 5);
    }
}

#[test]
fn a_pending_gives_its_outcome_once() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    let mut job = pool.submit(|| 5);
    assert_eq!(job.wait_timeout(LONG).unwrap().unwrap(), 5);
    let mut cx = Context::from_waker(Waker::noop());
    let again = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut job).poll(&mut cx)));
    assert!(again.is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| job.wait())).is_err());
}

#[test]
fn a_task_that_awaits_a_job_is_shown_with_the_line_of_submit() {
    let _limit = Limit::new();
    let pool = pool_of(1);
    let rt = Builder::new_current_thread()
        .name("awaits a job")
        .enable_all()
        .build()
        .unwrap();
    let gates = occupy(&pool);
    let line = line!() + 1;
    let job = pool.submit(|| ());
    assert!(format!("{job:?}").contains(&format!("{}:{line}:", file!())));
    let task = rt.spawn(job);
    rt.block_on(async {
        while !trefoil::dump().to_string().contains("pool-job") {
            trefoil::task::yield_now().await;
        }
    });
    let text = trefoil::dump().to_string();
    assert!(text.contains(&format!("threads/submit.rs:{line}")), "{text}");
    drop(gates);
    rt.block_on(task).unwrap().unwrap();
}

#[test]
fn of_run_and_cancel_each_job_meets_one() {
    on_each_pool(3, |pool| {
        let ran = Arc::new(AtomicUsize::new(0));
        let cancelled = AtomicUsize::new(0);
        const EACH: usize = 2000;
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for n in 0..EACH {
                        let run = Arc::clone(&ran);
                        let job = pool.submit(move || raise(&run, 1));
                        if n % 3 == 0 {
                            thread::yield_now();
                        }
                        if job.cancel() {
                            raise(&cancelled, 1);
                            assert!(job.wait().unwrap_err().is_cancelled());
                        } else {
                            job.wait().unwrap();
                        }
                    }
                });
            }
        });
        assert_eq!(ran.load(Relaxed) + cancelled.load(Relaxed), 4 * EACH);
        assert_eq!(Arc::strong_count(&ran), 1, "a closure was kept");
    });
}
