//! Submitting jobs: the basics of the process pool.

use std::time::Duration;

use trefoil::processes::{self, JobError};

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

use runner::{Scratch, pool, runtime, until};

fn square(x: u64) -> u64 {
    x * x
}

fn pid(_: ()) -> u32 {
    std::process::id()
}

fn unregistered(x: u8) -> u8 {
    x
}

fn fails(text: String) -> Result<u8, String> {
    Err(text)
}

fn panics(text: String) {
    panic!("{text}");
}

fn panics_oddly(_: ()) {
    std::panic::panic_any(7_u8);
}

fn exits(code: i32) {
    std::process::exit(code);
}

fn append((path, text): (String, String)) {
    use std::io::Write;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

fn wait_for(path: String) {
    until(|| std::path::Path::new(&path).exists());
}

fn nothing(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

fn environment(name: String) -> bool {
    std::env::var_os(name).is_some()
}

fn one_deeper(_: ()) -> u32 {
    let pool = match runner::builder().workers(1).build() {
        Ok(pool) => pool,
        Err(error) => {
            let inner = error.into_inner().unwrap().downcast::<JobError>().unwrap();
            assert!(matches!(*inner, JobError::DepthExceeded));
            return 0;
        }
    };
    1 + pool.submit(one_deeper, ()).wait().unwrap()
}

fn main() {
    processes::init(|r| {
        r.job(square)
            .job(pid)
            .job(fails)
            .job(panics)
            .job(panics_oddly)
            .job(exits)
            .job(append)
            .job(wait_for)
            .job(nothing)
            .job(environment)
            .job(one_deeper)
    });
    runner::run_both(
        &[
            ("a01_a_job_gives_its_result", a01),
            ("a02_each_of_many_jobs_gives_its_own_result", a02),
            ("a03_one_worker_begins_jobs_in_order", a03),
            ("a04_threads_and_tasks_may_submit_at_once", a04),
            ("a05_an_unregistered_function_fails_at_once", a05),
            ("a07_a_pool_without_workers_is_refused", a07),
            ("a08_there_is_a_worker_a_processor", a08),
            ("a09_an_err_of_a_job_is_a_result", a09),
            ("a10_a_panic_costs_the_job_and_not_the_worker", a10),
            ("a11_a_panic_without_a_text_has_a_message", a11),
            ("a12_an_exit_in_a_job_is_a_crash", a12),
            ("a13_empty_payloads_work", a13),
            ("a14_pools_nest_down_to_a_depth", a14),
            ("a15_a_worker_does_not_mark_its_children", a15),
            ("a16_a_full_queue_makes_submit_wait", a16),
            ("a17_an_idle_worker_is_used_before_another_starts", a17),
            ("a18_a_higher_priority_goes_first", a18),
            ("a19_a_dropped_pending_detaches_its_job", a19),
        ],
        &["a0", "a1"],
    );
}

fn a01() {
    let inside = runtime().block_on(async { pool(1).submit(square, 12).await });
    assert_eq!(inside.unwrap(), 144);
    assert_eq!(pool(1).submit(square, 12).wait().unwrap(), 144);
}

fn a02() {
    runtime().block_on(async {
        let pool = pool(2);
        let jobs: Vec<_> = (0..10_000).map(|x| pool.submit(square, x)).collect();
        for (x, job) in (0..).zip(jobs) {
            assert_eq!(job.await.unwrap(), x * x);
        }
    });
}

fn a03() {
    let (pool, scratch) = (pool(1), Scratch::new());
    let log = scratch.path("log");
    let jobs: Vec<_> = (0..50)
        .map(|x| pool.submit(append, (log.clone(), format!("{x} "))))
        .collect();
    for job in jobs {
        job.wait().unwrap();
    }
    let wanted: String = (0..50).map(|x| format!("{x} ")).collect();
    assert_eq!(std::fs::read_to_string(log).unwrap(), wanted);
}

fn a04() {
    let pool = pool(2);
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let pool = &pool;
            scope.spawn(move || {
                for x in 0..100 {
                    let x = thread * 1000 + x;
                    assert_eq!(pool.submit(square, x).wait().unwrap(), x * x);
                }
            });
        }
    });
    drop(pool);
    let rt = trefoil::runtime::Runtime::new().unwrap();
    rt.block_on(async {
        let pool = std::sync::Arc::new(self::pool(2));
        let tasks: Vec<_> = (0..100_u64)
            .map(|x| {
                let pool = pool.clone();
                trefoil::spawn(async move { (x, pool.submit(square, x).await.unwrap()) })
            })
            .collect();
        for task in tasks {
            let (x, y) = task.await.unwrap();
            assert_eq!(x * x, y);
        }
    });
}

fn a05() {
    let pool = pool(1);
    let job = pool.submit(unregistered, 1);
    assert!(job.is_finished());
    let error = job.wait().unwrap_err();
    let JobError::NotRegistered { type_name } = &error else {
        panic!("{error}")
    };
    assert!(type_name.ends_with("unregistered"));
}

fn a07() {
    let error = runner::builder().workers(0).build().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

fn a08() {
    let pool = runner::builder().build().unwrap();
    let cpus = std::thread::available_parallelism().unwrap().get();
    until(|| pool.worker_pids().len() == cpus);
}

fn a09() {
    let pool = pool(1);
    let before = pool.submit(pid, ()).wait().unwrap();
    assert_eq!(
        pool.submit(fails, "no".to_owned()).wait().unwrap(),
        Err("no".to_owned())
    );
    assert_eq!(pool.submit(pid, ()).wait().unwrap(), before);
}

fn a10() {
    let pool = pool(1);
    let before = pool.submit(pid, ()).wait().unwrap();
    let error = pool.submit(panics, "ouch".to_owned()).wait().unwrap_err();
    assert!(error.is_panic());
    let JobError::Panicked {
        message,
        location,
        job,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(message, "ouch");
    assert!(location.contains("processes_submit.rs:"), "{location}");
    assert!(job.ends_with("panics"), "{job}");
    assert_eq!(pool.submit(pid, ()).wait().unwrap(), before);
}

fn a11() {
    let error = pool(1).submit(panics_oddly, ()).wait().unwrap_err();
    let JobError::Panicked { message, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(message, "Box<dyn Any>");
}

fn a12() {
    let error = pool(1).submit(exits, 3).wait().unwrap_err();
    let JobError::Crashed { status, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(status.unwrap().code(), Some(3));
    let error = pool(1).submit(exits, 0).wait().unwrap_err();
    assert!(error.is_crash(), "{error}");
}

fn a13() {
    let pool = pool(1);
    assert!(pool.submit(nothing, Vec::new()).wait().unwrap().is_empty());
    assert!(pool.submit(pid, ()).wait().is_ok());
}

fn a14() {
    let depth = pool(1).submit(one_deeper, ()).wait().unwrap();
    assert_eq!(u64::from(depth), processes::MAX_DEPTH - 1);
}

fn a15() {
    let pool = pool(1);
    assert!(
        !pool
            .submit(environment, "TREFOIL_WORKER".to_owned())
            .wait()
            .unwrap()
    );
}

fn a16() {
    let scratch = Scratch::new();
    let gate = scratch.path("gate");
    runtime().block_on(async {
        let pool = runner::builder()
            .workers(1)
            .queue_capacity(2)
            .build()
            .unwrap();
        let first = pool.submit(wait_for, gate.clone());
        let mut queued = Vec::new();
        // Until the worker is up, the first one stands in the queue, too.
        while queued.len() < 2 {
            match pool.try_submit(square, 3) {
                Ok(job) => queued.push(job),
                Err(error) => {
                    assert!(matches!(error, JobError::QueueFull));
                    trefoil::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
        assert!(matches!(
            pool.try_submit(square, 3),
            Err(JobError::QueueFull)
        ));
        let mut waiting: Vec<_> = (0..100).map(|x| pool.submit(square, x)).collect();
        assert!(pool.queued() <= 2);
        let dropped = pool.submit(append, (scratch.path("never"), "x".to_owned()));
        drop(dropped);
        std::fs::write(&gate, "").unwrap();
        first.await.unwrap();
        for (x, job) in (0..).zip(&mut waiting) {
            assert_eq!(job.await.unwrap(), x * x);
        }
    });
    assert!(!std::path::Path::new(&scratch.path("never")).exists());
}

fn a17() {
    let pool = runner::builder().workers(4).min_workers(0).build().unwrap();
    let pids: std::collections::HashSet<_> = (0..20)
        .map(|_| pool.submit(pid, ()).wait().unwrap())
        .collect();
    assert_eq!(pids.len(), 1);
    assert_eq!(pool.worker_pids().len(), 1);
}

fn a18() {
    let (pool, scratch) = (pool(1), Scratch::new());
    let (gate, log) = (scratch.path("gate"), scratch.path("log"));
    let first = pool.submit(wait_for, gate.clone());
    until(|| pool.queued() == 0);
    let jobs: Vec<_> = [(0, "a"), (0, "b"), (9, "c"), (9, "d"), (-1, "e"), (5, "f")]
        .into_iter()
        .map(|(priority, text)| {
            pool.job(append, (log.clone(), text.to_owned()))
                .priority(priority)
                .submit()
        })
        .collect();
    std::fs::write(gate, "").unwrap();
    first.wait().unwrap();
    for job in jobs {
        job.wait().unwrap();
    }
    assert_eq!(std::fs::read_to_string(log).unwrap(), "cdfabe");
}

fn a19() {
    let (pool, scratch) = (pool(1), Scratch::new());
    let log = scratch.path("log");
    pool.submit(append, (log.clone(), "once".to_owned()))
        .detach();
    pool.submit(pid, ()).wait().unwrap();
    assert_eq!(std::fs::read_to_string(log).unwrap(), "once");
}
