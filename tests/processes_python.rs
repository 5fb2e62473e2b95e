//! The worker in Python: the protocol is small enough to be spoken by hand.
//!
//! Needs python3 on the PATH; says so and passes where it is not.

use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use trefoil::processes::{JobError, Pending, ProcessPool, Retry};

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

use runner::until;

fn main() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("no python3 here: the worker in Python was not tried");
        return;
    }
    runner::run(&[
        ("a01_a_python_job_gives_its_result", a01),
        ("a02_many_jobs_each_their_own_result", a02),
        ("a05_a_name_that_is_not_served_fails", a05),
        ("a10_an_exception_costs_the_job_and_not_the_worker", a10),
        ("a12_an_exit_is_a_crash", a12),
        ("a13_empty_payloads_work", a13),
        ("a18_a_higher_priority_goes_first", a18),
        ("b30_progress_comes_in_order", b30),
        ("c31_a_crash_costs_exactly_its_job", c31),
        ("c38_a_retry_begins_a_crashed_job_again", c38),
        ("e62_payloads_of_all_sizes_survive", e62),
        ("f71_a_deadline_kills", f71),
        ("f73_cancel_ends_a_running_job", f73),
    ]);
}

fn pool(workers: usize) -> ProcessPool {
    let mut command = Command::new("python3");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/worker.py"));
    ProcessPool::external(&command)
        .workers(workers)
        .build()
        .unwrap()
}

fn submit(pool: &ProcessPool, name: &str, argument: &str) -> Pending<Vec<u8>> {
    pool.submit_bytes(name, argument.as_bytes().to_vec())
}

fn a01() {
    assert_eq!(submit(&pool(1), "square", "12").wait().unwrap(), b"144");
}

fn a02() {
    let pool = pool(2);
    let jobs: Vec<_> = (0..2000)
        .map(|x| submit(&pool, "square", &x.to_string()))
        .collect();
    for (x, job) in (0..2000_u32).zip(jobs) {
        assert_eq!(job.wait().unwrap(), (x * x).to_string().as_bytes());
    }
}

fn a05() {
    let error = submit(&pool(1), "nonsense", "").wait().unwrap_err();
    let JobError::NotRegistered { type_name } = error else {
        panic!("{error}")
    };
    assert_eq!(type_name, "nonsense");
}

fn a10() {
    let pool = pool(1);
    let before = submit(&pool, "pid", "").wait().unwrap();
    let error = submit(&pool, "fail", "").wait().unwrap_err();
    let JobError::Panicked {
        message,
        location,
        job,
    } = error
    else {
        panic!("{error}")
    };
    assert!(message.starts_with("ZeroDivisionError"), "{message}");
    assert!(location.contains("worker.py:"), "{location}");
    assert_eq!(job, "fail");
    assert_eq!(submit(&pool, "pid", "").wait().unwrap(), before);
}

fn a12() {
    let pool = pool(1);
    for code in ["0", "3"] {
        let error = submit(&pool, "exit", code).wait().unwrap_err();
        let JobError::Crashed { status, .. } = error else {
            panic!("{error}")
        };
        assert_eq!(status.unwrap().code(), Some(code.parse().unwrap()));
    }
}

fn a13() {
    assert!(submit(&pool(1), "echo", "").wait().unwrap().is_empty());
}

fn a18() {
    let pool = pool(1);
    let first = submit(&pool, "sleep", "0.3");
    until(|| pool.queued() == 0);
    let low = pool.job_bytes("pid", Vec::new()).submit();
    let high = pool
        .job_bytes("sleep", b"0.01".to_vec())
        .priority(5)
        .submit();
    high.wait().unwrap();
    assert!(first.is_finished());
    low.wait().unwrap();
}

fn b30() {
    let pool = pool(1);
    let job = pool.job_bytes("steps", b"5".to_vec());
    let (job, mut events) = job.submit_with_raw_events();
    for wanted in 0..5 {
        assert_eq!(
            events.next_blocking().unwrap(),
            wanted.to_string().as_bytes()
        );
    }
    assert_eq!(events.next_blocking(), None);
    assert_eq!(job.wait().unwrap(), b"done");
}

fn c31() {
    let pool = pool(2);
    for signal in [9, 11, 6] {
        let others: Vec<_> = (0..5).map(|_| submit(&pool, "pid", "")).collect();
        let error = submit(&pool, "die", &signal.to_string())
            .wait()
            .unwrap_err();
        let JobError::Crashed {
            status,
            stderr_tail,
            ..
        } = error
        else {
            panic!("{error}")
        };
        assert_eq!(status.unwrap().signal(), Some(signal));
        assert!(stderr_tail.contains("last words"));
        others.into_iter().for_each(|job| _ = job.wait().unwrap());
    }
}

fn c38() {
    let pool = pool(1);
    let job = pool.job_bytes("exit", b"1".to_vec());
    let error = job.retry(Retry::on_crash(2)).submit().wait().unwrap_err();
    assert!(matches!(error, JobError::Lost { attempts: 3 }), "{error}");
}

fn e62() {
    let pool = pool(2);
    for size in [
        1,
        1000,
        65_535,
        65_536,
        65_537,
        1 << 20,
        (16 << 20) - 1,
        (16 << 20) + 1,
    ] {
        let bytes: Vec<u8> = (0..size).map(|i| (i * 7) as u8).collect();
        assert!(
            pool.submit_bytes("echo", bytes.clone()).wait().unwrap() == bytes,
            "{size}"
        );
    }
}

fn f71() {
    let pool = pool(1);
    let job = pool.job_bytes("sleep", b"1000".to_vec());
    let error = job
        .deadline(Duration::from_millis(50))
        .submit()
        .wait()
        .unwrap_err();
    assert!(matches!(error, JobError::TimedOut { .. }), "{error}");
    assert_eq!(submit(&pool, "square", "3").wait().unwrap(), b"9");
}

fn f73() {
    let pool = pool(1);
    let job = submit(&pool, "sleep", "1000");
    until(|| pool.queued() == 0);
    assert!(job.cancel());
    assert!(job.wait().unwrap_err().is_cancelled());
    assert_eq!(submit(&pool, "square", "3").wait().unwrap(), b"9");
}
