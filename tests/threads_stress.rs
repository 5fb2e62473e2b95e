//! What must not grow, get lost or happen twice: pools that come and go, jobs by the million, and
//! a pool that has nothing to do. One test at a time, in this process alone.

#[path = "support/again.rs"]
#[allow(dead_code, reason = "only the limit is used here")]
mod again;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use again::Limit;
use pool::{ThreadPool, ThreadPoolBuilder};
use trefoil::threads as pool;

fn alone() -> (Limit, MutexGuard<'static, ()>) {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    (Limit::new(), turn)
}

/// A pool whose threads are recognised by their name; panics that nobody waits for are dropped.
fn named(threads: usize) -> ThreadPool {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(|index| format!("pool-{index}"))
        .panic_handler(drop)
        .build()
        .unwrap()
}

/// Of each thread of such a pool a file of proc(5).
fn of_pool_threads(file: &str) -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| {
            let path = task.ok()?.path();
            let name = fs::read_to_string(path.join("comm")).ok()?;
            let text = fs::read_to_string(path.join(file)).ok()?;
            name.starts_with("pool-").then_some(text)
        })
        .collect()
}

/// Gives the processor away until `done`.
fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        thread::yield_now();
    }
}

/// Resident memory in KiB.
fn resident() -> i64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let number = line.unwrap().split_whitespace().nth(1).unwrap();
    number.parse().unwrap()
}

/// Runs `step` many times; memory may grow during the first quarter only.
fn flat(what: &str, times: usize, mut step: impl FnMut()) {
    for _ in 0..times / 4 {
        step();
    }
    let before = resident();
    for _ in times / 4..times {
        step();
    }
    let grown = resident() - before;
    // Each thread keeps some pages; a million lost jobs would be 32 MiB at least.
    assert!(grown < 8192, "{what}: {grown} KiB more");
}

fn planned() -> ! {
    resume_unwind(Box::new("planned"))
}

/// Counts its drop.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// All kinds of work, some of it cancelled, some of it panicking; gives how many closures and
/// results are to be dropped.
fn use_up(pool: &ThreadPool, round: usize, dropped: &Arc<AtomicUsize>) -> usize {
    let guard = || Dropped(Arc::clone(dropped));
    let mut made = 0;
    for kind in 0..8 {
        let guard = guard();
        made += 1;
        match kind {
            0 => pool.spawn(move || drop(guard)),
            1 => pool.spawn_fifo(move || {
                let _guard = guard;
                planned();
            }),
            2 => drop(pool.submit(move || guard)),
            3 => {
                let job = pool.submit(move || guard);
                _ = job.cancel();
            }
            4 => drop(pool.submit(move || drop(guard)).cancel_on_drop()),
            5 => drop(pool.submit(move || {
                let _guard = guard;
                planned();
            })),
            6 => pool.spawn_broadcast(move |_| {
                let _guard = &guard;
                planned();
            }),
            _ => drop(pool.submit(move || pool::join(|| (), move || guard))),
        }
    }
    if round.is_multiple_of(3) {
        pool.cancel_queued();
    }
    if round.is_multiple_of(2) {
        made += 3;
        let guards = [guard(), guard(), guard()];
        let scope = || {
            pool.scope(|s| {
                for guard in guards {
                    s.spawn(move |_| {
                        let _guard = guard;
                        planned();
                    });
                }
                planned();
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(scope)).is_err());
    }
    if round.is_multiple_of(5) {
        made += 1;
        let guard = guard();
        let join = || pool.join(|| planned(), move || guard);
        assert!(catch_unwind(AssertUnwindSafe(join)).is_err());
    }
    made
}

#[test]
fn a_thousand_pools_leave_no_thread_and_no_byte() {
    let _alone = alone();
    let dropped = Arc::new(AtomicUsize::new(0));
    let mut made = 0;
    let mut round = 0;
    flat("pools", 1000, || {
        let pool = named([1, 2, 8][round % 3]);
        if !round.is_multiple_of(4) {
            made += use_up(&pool, round, &dropped);
        }
        drop(pool);
        round += 1;
        // Not all at once: a thousand pools of eight would be a test of the kernel.
        if round.is_multiple_of(10) {
            until(|| of_pool_threads("comm").is_empty());
        }
    });
    // A thread that has not taken its name yet is not seen, but what it holds is missed.
    until(|| Arc::strong_count(&dropped) == 1 && of_pool_threads("comm").is_empty());
    assert_eq!(dropped.load(Relaxed), made);
}

#[test]
fn a_million_jobs_of_each_kind_keep_memory_flat() {
    let _alone = alone();
    // Blocks that threads keep for their next jobs would look like growth.
    trefoil::testing::set_block_cap(64);
    for threads in [1, 2, 8] {
        let pool = named(threads);
        let rounds = 160;
        flat("spawn", rounds, || {
            let left = Arc::new(AtomicUsize::new(8000));
            for _ in 0..8000 {
                let left = Arc::clone(&left);
                pool.spawn(move || _ = left.fetch_sub(1, Relaxed));
            }
            until(|| left.load(Relaxed) == 0);
        });
        flat("scope", rounds, || {
            pool.scope(|s| (0..8000).for_each(|_| s.spawn(|_| ())));
        });
        flat("scope_fifo", rounds, || {
            pool.scope_fifo(|s| (0..8000).for_each(|_| s.spawn_fifo(|_| ())));
        });
        flat("submit", rounds, || {
            let jobs: Vec<_> = (0..8000).map(|n| pool.submit(move || n)).collect();
            for (n, job) in jobs.into_iter().enumerate() {
                assert_eq!(job.wait().unwrap(), n);
            }
        });
        let mut all_at_once = false;
        flat("cancel", rounds, || {
            let jobs: Vec<_> = (0..8000).map(|n| pool.submit(move || n)).collect();
            all_at_once = !all_at_once;
            if all_at_once {
                pool.cancel_queued();
            }
            jobs.iter().for_each(|job| _ = job.cancel());
            // What is cancelled stays in the queue until a worker comes by.
            until(|| pool.metrics().injected_job_count() == 0);
        });
        flat("panic", 4 * rounds, || {
            let job = pool.submit(|| planned());
            assert!(job.wait().map(|never: ()| never).unwrap_err().is_panic());
        });
    }
}

#[test]
fn two_million_jobs_from_eight_threads_while_pools_come_and_go() {
    const OUTSIDE: usize = 8;
    const EACH: usize = 250_000;
    let _alone = alone();
    let runs: Arc<[AtomicU8]> = (0..OUTSIDE * EACH).map(|_| AtomicU8::new(0)).collect();
    let cancelled = Arc::new(AtomicUsize::new(0));
    // The lock guards which pool is in use; a pool ends when its last user has let it go.
    let current = Mutex::new(Arc::new(named(2)));
    let over = AtomicBool::new(false);
    thread::scope(|s| {
        let outside: Vec<_> = (0..OUTSIDE)
            .map(|me| {
                let (runs, cancelled, current) = (&runs, &cancelled, &current);
                s.spawn(move || {
                    let mut next = me * EACH;
                    let end = next + EACH;
                    while next < end {
                        let pool = Arc::clone(&current.lock().unwrap());
                        let batch = next..end.min(next + 100);
                        next = batch.end;
                        give(&pool, batch, runs, cancelled);
                    }
                })
            })
            .collect();
        s.spawn(|| {
            for threads in [1, 2, 8].into_iter().cycle() {
                if over.load(Relaxed) {
                    break;
                }
                let pool = Arc::new(named(threads));
                *current.lock().unwrap() = pool;
                thread::yield_now();
            }
        });
        outside
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        over.store(true, Relaxed);
    });
    drop(current);
    until(|| Arc::strong_count(&runs) == 1 && of_pool_threads("comm").is_empty());
    let ran = runs.iter().filter(|runs| runs.load(Relaxed) == 1).count();
    let twice = runs.iter().filter(|runs| runs.load(Relaxed) > 1).count();
    assert_eq!((ran + cancelled.load(Relaxed), twice), (OUTSIDE * EACH, 0));
}

/// Gives a pool some jobs, in one way or another.
fn give(
    pool: &ThreadPool,
    jobs: std::ops::Range<usize>,
    runs: &Arc<[AtomicU8]>,
    cancelled: &Arc<AtomicUsize>,
) {
    let run = |job: usize| {
        let runs = Arc::clone(runs);
        move || _ = runs[job].fetch_add(1, Relaxed)
    };
    match jobs.start / 100 % 6 {
        0 => jobs.for_each(|job| pool.spawn(run(job))),
        1 => jobs.for_each(|job| pool.spawn_fifo(run(job))),
        2 => pool.in_place_scope(|s| {
            for job in jobs {
                let run = run(job);
                s.spawn(move |_| run());
            }
        }),
        3 => pool.install(|| {
            pool::scope(|s| {
                for job in jobs {
                    let run = run(job);
                    s.spawn(move |s| s.spawn(move |_| run()));
                }
            });
        }),
        4 => {
            let pending: Vec<_> = jobs.map(|job| pool.submit(run(job))).collect();
            for (number, job) in pending.iter().enumerate() {
                if number % 3 == 0 && job.cancel() {
                    cancelled.fetch_add(1, Relaxed);
                }
            }
            // The rest is left to itself, but for the last one.
            _ = pending.into_iter().next_back().map(|job| job.wait());
        }
        _ => pool.install(|| {
            let items: Vec<_> = jobs.collect();
            _ = pool::map(&items, |job| run(*job)());
        }),
    }
}

#[test]
fn an_idle_pool_computes_nothing_and_switches_nowhere() {
    let _alone = alone();
    for threads in [1, 2, 8] {
        let pool = named(threads);
        let meet = Barrier::new(threads);
        pool.broadcast(|_| _ = meet.wait());
        until(|| pool.metrics().num_sleeping_threads() == threads);
        // Time computed, and both kinds of switches. An interval without any change must come: a
        // thread that looks round now and then would have changes in each.
        let numbers = || {
            let status = of_pool_threads("status").concat();
            let switches = status.lines().filter(|line| line.contains("ctxt_switches"));
            let switches: Vec<_> = switches.map(str::to_owned).collect();
            (of_pool_threads("schedstat"), switches)
        };
        loop {
            let before = numbers();
            thread::sleep(Duration::from_millis(200));
            // More threads than that are late ones of another test's pools.
            if before.0.len() == threads && numbers() == before {
                break;
            }
        }
        drop(pool);
        until(|| of_pool_threads("comm").is_empty());
    }
}

/// A payload whose `Drop` panics as well.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        resume_unwind(Box::new("again"));
    }
}

#[test]
fn broadcast_survives_payloads_that_panic_in_their_drop() {
    let _alone = alone();
    let pool = named(3);
    for _ in 0..20 {
        let thrown = catch_unwind(AssertUnwindSafe(|| {
            pool.broadcast(|_| -> () { resume_unwind(Box::new(Bomb)) });
        }));
        // The first one is thrown again, as it was; the others are gone.
        let payload = thrown.unwrap_err().downcast::<Bomb>().unwrap();
        std::mem::forget(payload);
    }
    assert_eq!(pool.install(|| 5), 5);
}

#[test]
fn an_adopted_thread_is_told_that_its_pool_has_ended() {
    let _alone = alone();
    let adopted = thread::spawn(|| {
        let pool = ThreadPoolBuilder::new().num_threads(2).use_current_thread();
        drop(pool.build().unwrap());
        let refused = |work: fn()| {
            let payload = catch_unwind(work).unwrap_err();
            let text = payload.downcast_ref::<&str>().unwrap();
            assert!(text.contains("has ended"), "{text}");
        };
        refused(|| _ = pool::broadcast(|_| ()));
        refused(|| pool::spawn(|| ()));
        refused(|| drop(pool::submit(|| ())));
        // What nobody else is needed for goes on.
        assert_eq!(pool::join(|| 1, || 2), (1, 2));
    });
    adopted.join().unwrap();
}
