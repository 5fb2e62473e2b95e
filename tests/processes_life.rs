//! Time, cancelling, and the life of pools: deadlines, shutdowns, recycling, orphans.

use std::collections::HashSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use trefoil::processes::{self, JobError, ProcessPool, Shutdown};

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

use runner::{Scratch, kill, pool, runtime, until};

fn number(x: u64) -> u64 {
    x
}

fn pid(_: ()) -> i32 {
    std::process::id() as i32
}

fn spin(_: ()) {
    loop {
        std::hint::spin_loop();
    }
}

#[allow(unsafe_code, reason = "sigprocmask(2)")]
fn spin_deaf(_: ()) {
    // SAFETY: a set of bits; zeros are valid.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: it writes the whole set.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: the set was written above.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut()) };
    spin(());
}

fn nap(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

fn append((path, text): (String, String)) {
    use std::io::Write;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

fn publish(path: &str, text: &str) {
    std::fs::write(format!("{path}.new"), text).unwrap();
    std::fs::rename(format!("{path}.new"), path).unwrap();
}

/// Says its pid, then waits for a file.
fn hold((here, gate): (String, String)) -> i32 {
    publish(&here, &std::process::id().to_string());
    until(|| std::path::Path::new(&gate).exists());
    std::process::id() as i32
}

#[allow(clippy::zombie_processes, reason = "it is to be killed, with us")]
/// Starts a child that sleeps, says its pid, and waits for ever.
fn with_child(here: String) {
    let child = Command::new("sleep").arg("1000").spawn().unwrap();
    publish(&here, &child.id().to_string());
    spin(());
}

fn stopped(here: String) {
    publish(&here, &std::process::id().to_string());
    kill(std::process::id() as i32, libc::SIGSTOP);
}

fn leak(bytes: usize) -> i32 {
    std::mem::forget(std::hint::black_box(vec![1_u8; bytes]));
    std::process::id() as i32
}

fn main() {
    processes::init(|r| {
        r.job(number)
            .job(pid)
            .job(spin)
            .job(spin_deaf)
            .job(nap)
            .job(append)
            .job(hold)
            .job(with_child)
            .job(stopped)
            .job(leak)
    });
    runner::run_both(
        &[
            ("f71_a_deadline_kills_a_spinning_job", f71),
            ("f72_a_job_that_ends_at_its_deadline_has_one_outcome", f72),
            ("f73_cancel_ends_a_job_wherever_it_is", f73),
            ("f74_the_children_of_a_job_die_with_it", f74),
            ("f75_a_queue_deadline_ends_a_job_that_waits", f75),
            ("g76_drain_finishes_all", g76_drain),
            ("g76_drain_has_a_limit", g76_limit),
            ("g76_cancel_queued_finishes_what_runs", g76_cancel),
            ("g76_now_kills_also_stopped_workers", g76_now),
            ("g76_shutdowns_may_race_with_submits", g76_race),
            ("g77_a_drop_leaves_nothing", g77),
            ("g77_the_end_of_the_runtime_closes_the_pool", g77_runtime),
            ("g78_workers_are_recycled_by_count", g78_count),
            ("g78_workers_are_recycled_by_memory", g78_memory),
            ("g78_workers_are_recycled_by_age", g78_age),
            ("g78_idle_workers_leave_and_come_back", g78_idle),
            ("g79_resizing_loses_no_job", g79),
            ("g80_the_thread_that_built_the_pool_may_end", g80_thread),
            ("g82_a_forked_copy_leaves_the_pool_alone", g82),
        ],
        &["f7", "g7", "g80", "g82"],
    );
}

/// The state letter of a process, if it exists: stat of proc(5).
fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// It is gone, or a zombie that somebody else is to reap.
fn dead(pid: i32) -> bool {
    matches!(state(pid), None | Some('Z' | 'X'))
}

/// The pid that a job wrote.
fn written_pid(path: &str) -> i32 {
    until(|| std::path::Path::new(path).exists());
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

fn f71() {
    let (pool, limit) = (pool(1), Duration::from_millis(100));
    let scratch = Scratch::new();
    let mut late = Vec::new();
    for round in 0..6 {
        let before = pool.submit(pid, ()).wait().unwrap();
        let job = match round % 3 {
            0 => pool.job(spin, ()),
            1 => pool.job(spin_deaf, ()),
            _ => pool.job(stopped, scratch.path("here")),
        };
        let error = job.deadline(limit).submit().wait().unwrap_err();
        let JobError::TimedOut { ran_for } = error else {
            panic!("{error}")
        };
        assert!(ran_for >= limit);
        late.push(ran_for - limit);
        assert_ne!(pool.submit(pid, ()).wait().unwrap(), before);
        until(|| dead(before));
    }
    late.sort_unstable();
    println!("  late by {late:?}");
    // The best of six: the machine may be busy with other things.
    assert!(late[0] < Duration::from_millis(50));
}

fn f72() {
    let pool = pool(2);
    let (mut good, mut late) = (0, 0);
    for round in 0..1000 {
        // About as long as the job takes, which is 2 ms and what the scheduler adds.
        let limit = Duration::from_micros(1200 + (round % 20) * 100);
        match pool.job(nap, 2).deadline(limit).submit().wait() {
            Ok(()) => good += 1,
            Err(JobError::TimedOut { .. }) => late += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(good + late, 1000);
    println!("  {good} in time, {late} late");
    until(|| pool.worker_pids().len() == 2 && pool.ready_workers() == 2);
}

fn f73() {
    let scratch = Scratch::new();
    let pool = runner::builder().workers(1).send_ahead(1).build().unwrap();
    let (here, gate, log) = (
        scratch.path("here"),
        scratch.path("gate"),
        scratch.path("log"),
    );
    let running = pool.submit(hold, (here.clone(), gate.clone()));
    let worker = written_pid(&here);
    let write = |text: &str| pool.submit(append, (log.clone(), text.to_owned()));
    let (ahead, queued, last) = (write("ahead "), write("queued "), write("last "));
    assert!(queued.cancel() && ahead.cancel());
    assert!(!ahead.cancel());
    std::fs::write(&gate, "").unwrap();
    assert_eq!(running.wait().unwrap(), worker);
    assert!(ahead.wait().unwrap_err().is_cancelled());
    assert!(queued.wait().unwrap_err().is_cancelled());
    last.wait().unwrap();
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "last ");
    assert_eq!(
        pool.submit(pid, ()).wait().unwrap(),
        worker,
        "nobody was killed"
    );

    let finished = pool.submit(number, 1);
    until(|| finished.is_finished());
    assert!(!finished.cancel());
    assert_eq!(finished.wait().unwrap(), 1);

    let running = pool.submit(spin, ()).cancel_on_drop();
    until(|| pool.queued() == 0);
    drop(running);
    assert_ne!(pool.submit(pid, ()).wait().unwrap(), worker);
}

fn f74() {
    let (pool, scratch) = (pool(1), Scratch::new());
    let here = scratch.path("here");
    let job = pool.submit(with_child, here.clone());
    let child = written_pid(&here);
    assert!(!dead(child));
    job.abort();
    assert!(job.wait().unwrap_err().is_cancelled());
    until(|| dead(child));
}

fn f75() {
    let scratch = Scratch::new();
    let pool = runner::builder().workers(1).send_ahead(3).build().unwrap();
    let (here, gate) = (scratch.path("here"), scratch.path("gate"));
    let running = pool.submit(hold, (here.clone(), gate.clone()));
    written_pid(&here);
    let fill: Vec<_> = (0..3).map(|x| pool.submit(number, x)).collect();
    let log = scratch.path("log");
    let late = pool.job(append, (log.clone(), "x".to_owned()));
    let late = late.queue_deadline(Duration::from_millis(20)).submit();
    assert!(matches!(late.wait(), Err(JobError::QueueTimedOut)));
    std::fs::write(gate, "").unwrap();
    running.wait().unwrap();
    fill.into_iter().for_each(|job| _ = job.wait().unwrap());
    pool.submit(number, 1).wait().unwrap();
    assert!(!std::path::Path::new(&log).exists());
}

fn g76_drain() {
    let pool = pool(2);
    let jobs: Vec<_> = (0..50).map(|x| pool.submit(number, x)).collect();
    pool.shutdown(Shutdown::drain(Duration::from_secs(50)))
        .wait();
    for (x, job) in (0..).zip(jobs) {
        assert_eq!(job.wait().unwrap(), x);
    }
    assert!(matches!(
        pool.submit(number, 1).wait(),
        Err(JobError::PoolClosed)
    ));
    pool.shutdown(Shutdown::now).wait();
    assert!(pool.worker_pids().is_empty());
}

fn g76_limit() {
    let pool = pool(1);
    let job = pool.submit(spin, ());
    pool.shutdown(Shutdown::drain(Duration::from_millis(30)))
        .wait();
    assert!(matches!(job.wait(), Err(JobError::PoolClosed)));
}

fn g76_cancel() {
    let (pool, scratch) = (pool(1), Scratch::new());
    let (here, gate) = (scratch.path("here"), scratch.path("gate"));
    runtime().block_on(async {
        let running = pool.submit(hold, (here.clone(), gate.clone()));
        let worker = written_pid(&here);
        let queued: Vec<_> = (0..5).map(|x| pool.submit(number, x)).collect();
        let mut end = std::pin::pin!(pool.shutdown(Shutdown::cancel_queued));
        assert!(futures_util::poll!(end.as_mut()).is_pending());
        for job in queued {
            assert!(job.await.unwrap_err().is_cancelled());
        }
        std::fs::write(&gate, "").unwrap();
        assert_eq!(running.await.unwrap(), worker);
        end.await;
    });
}

fn g76_now() {
    let (pool, scratch) = (pool(2), Scratch::new());
    let (here, busy) = (scratch.path("here"), pool.submit(spin, ()));
    let job = pool.submit(stopped, here.clone());
    let worker = written_pid(&here);
    until(|| state(worker) == Some('T'));
    pool.shutdown(Shutdown::now).wait();
    assert!(matches!(job.wait(), Err(JobError::PoolClosed)));
    assert!(matches!(busy.wait(), Err(JobError::PoolClosed)));
}

fn g76_race() {
    for round in 0..20 {
        let pool = Arc::new(pool(2));
        let outcomes = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (pool, outcomes) = (&pool, &outcomes);
                scope.spawn(move || {
                    for x in 0..20 {
                        match pool.submit(number, x).wait() {
                            Ok(y) => assert_eq!(x, y),
                            Err(JobError::PoolClosed | JobError::Cancelled) => {}
                            Err(error) => panic!("{error}"),
                        }
                        outcomes.fetch_add(1, Ordering::SeqCst);
                        if x == round {
                            let how = [
                                Shutdown::now,
                                Shutdown::cancel_queued,
                                Shutdown::drain(Duration::from_secs(5)),
                            ];
                            pool.shutdown(how[thread % 3]).wait();
                        }
                    }
                });
            }
        });
        assert_eq!(outcomes.into_inner(), 80);
    }
}

fn g77() {
    // Outside, at any moment of its life.
    for wait in 0..20 {
        let pool = pool(2);
        let job = pool.submit(spin, ());
        std::thread::sleep(Duration::from_micros(wait * 200));
        drop(pool);
        assert!(!runner::has_children());
        assert!(matches!(job.wait(), Err(JobError::PoolClosed)));
    }
    // Inside a runtime.
    runtime().block_on(async {
        let pool = pool(2);
        let job = pool.submit(spin, ());
        trefoil::time::sleep(Duration::from_millis(5)).await;
        drop(pool);
        assert!(!runner::has_children());
        assert!(matches!(job.await, Err(JobError::PoolClosed)));
    });
    // While unwinding.
    let result = std::panic::catch_unwind(|| {
        let pool = pool(1);
        _ = pool.submit(number, 1).wait();
        panic!("on purpose");
    });
    assert!(result.is_err());
    assert!(!runner::has_children());
    // In a callback of the pool's own.
    let place: Arc<std::sync::Mutex<Option<ProcessPool>>> = Arc::default();
    let (inner, dropped) = (place.clone(), Arc::new(AtomicUsize::new(0)));
    let count = dropped.clone();
    let pool = runner::builder()
        .workers(1)
        .on_worker(move |event| {
            if matches!(event, processes::WorkerEvent::Exited { .. }) {
                drop(inner.lock().unwrap().take());
                count.fetch_add(1, Ordering::SeqCst);
            }
        })
        .build()
        .unwrap();
    let worker = pool.submit(pid, ()).wait().unwrap();
    *place.lock().unwrap() = Some(pool);
    kill(worker, libc::SIGKILL);
    until(|| dropped.load(Ordering::SeqCst) > 0);
}

fn g77_runtime() {
    let rt = runtime();
    let pool = rt.block_on(async { pool(1) });
    let job = pool.submit(spin, ());
    rt.block_on(async { trefoil::time::sleep(Duration::from_millis(5)).await });
    drop(rt);
    assert!(!runner::has_children());
    assert!(matches!(job.wait(), Err(JobError::PoolClosed)));
    assert!(matches!(
        pool.submit(number, 1).wait(),
        Err(JobError::PoolClosed)
    ));
}

fn g78_count() {
    let pool = runner::builder()
        .workers(2)
        .max_tasks_per_worker(1)
        .build()
        .unwrap();
    let jobs: Vec<_> = (0..100).map(|_| pool.submit(pid, ())).collect();
    let pids: HashSet<_> = jobs.into_iter().map(|job| job.wait().unwrap()).collect();
    assert_eq!(pids.len(), 100);
    let jobs: Vec<_> = (0..20).map(|_| pool.submit(pid, ())).collect();
    pool.shutdown(Shutdown::drain(Duration::from_secs(50)))
        .wait();
    let pids: HashSet<_> = jobs.into_iter().map(|job| job.wait().unwrap()).collect();
    assert_eq!(pids.len(), 20, "also with a shutdown meanwhile");

    // With jitter not all change at the same job.
    let pool = runner::builder()
        .workers(1)
        .max_tasks_per_worker(40)
        .jitter(0.9);
    let pool = pool.build().unwrap();
    let (mut lives, mut last) = (Vec::new(), 0);
    for _ in 0..400 {
        let now = pool.submit(pid, ()).wait().unwrap();
        if std::mem::replace(&mut last, now) != now {
            lives.push(0);
        }
        *lives.last_mut().unwrap() += 1;
    }
    lives.pop();
    assert!(lives.iter().collect::<HashSet<_>>().len() > 1, "{lives:?}");
    assert!(
        lives.iter().all(|jobs| (4..=40).contains(jobs)),
        "{lives:?}"
    );
}

fn g78_memory() {
    let pool = runner::builder()
        .workers(1)
        .max_worker_rss(64 << 20)
        .build()
        .unwrap();
    let first = pool.submit(leak, 1).wait().unwrap();
    assert_eq!(
        pool.submit(leak, 128 << 20).wait().unwrap(),
        first,
        "after the job, not during it"
    );
    assert_ne!(pool.submit(leak, 1).wait().unwrap(), first);
}

fn g78_age() {
    let age = Duration::from_millis(30);
    let pool = runner::builder()
        .workers(1)
        .max_worker_age(age)
        .build()
        .unwrap();
    let first = pool.submit(pid, ()).wait().unwrap();
    // Idle or not, it is replaced.
    until(|| dead(first));
    assert_ne!(pool.submit(pid, ()).wait().unwrap(), first);
}

fn g78_idle() {
    let limit = Duration::from_millis(20);
    let builder = runner::builder()
        .workers(3)
        .min_workers(0)
        .idle_timeout(limit);
    let pool = builder.build().unwrap();
    let scratch = Scratch::new();
    for round in 0..2 {
        let gate = scratch.path(&format!("gate{round}"));
        let jobs: Vec<_> = (0..3)
            .map(|x| pool.submit(hold, (scratch.path(&format!("{round}-{x}")), gate.clone())))
            .collect();
        let all: HashSet<_> = (0..3)
            .map(|x| written_pid(&scratch.path(&format!("{round}-{x}"))))
            .collect();
        assert_eq!(all.len(), 3);
        std::fs::write(&gate, "").unwrap();
        jobs.into_iter().for_each(|job| _ = job.wait().unwrap());
        until(|| pool.worker_pids().is_empty());
    }
}

fn g79() {
    let pool = pool(2);
    let jobs: Vec<_> = (0..60).map(|x| (x, pool.submit(nap, x % 5))).collect();
    pool.resize(8);
    until(|| pool.worker_pids().len() == 8);
    pool.resize(1);
    until(|| pool.worker_pids().len() == 1);
    for (_, job) in jobs {
        job.wait().unwrap();
    }
    assert_eq!(pool.submit(number, 3).wait().unwrap(), 3);
}

fn g80_thread() {
    let pool = std::thread::spawn(|| pool(1)).join().unwrap();
    let worker = pool.submit(pid, ()).wait().unwrap();
    let again = std::thread::scope(|scope| {
        scope
            .spawn(|| pool.submit(pid, ()).wait().unwrap())
            .join()
            .unwrap()
    });
    assert_eq!(worker, again);
}

#[allow(unsafe_code, reason = "fork(2)")]
fn g82() {
    let pool = pool(1);
    let worker = pool.submit(pid, ()).wait().unwrap();
    // SAFETY: the child drops the pool, which does nothing there, and leaves by _exit.
    let copy = unsafe { libc::fork() };
    if copy == 0 {
        drop(pool);
        // SAFETY: it has no precondition.
        unsafe { libc::_exit(0) };
    }
    // SAFETY: null is allowed for the status.
    unsafe { libc::waitpid(copy, std::ptr::null_mut(), 0) };
    assert_eq!(pool.submit(pid, ()).wait().unwrap(), worker);
}
