//! Large payloads, scarce descriptors, many crashes: nothing is lost, nothing stays.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use trefoil::processes::{self, Blob, JobError, ProcessPool};

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

use runner::{pool, until};

fn echo(bytes: Blob) -> Blob {
    bytes
}

fn number(x: u64) -> u64 {
    x
}

fn size(bytes: Blob) -> usize {
    bytes.0.len()
}

fn make(size: usize) -> Blob {
    Blob(vec![3; size])
}

fn make_and_die(size: usize) -> Blob {
    // It dies while its answer is on its way: the answer is larger than the socket.
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_millis(20));
        std::process::abort();
    });
    Blob(vec![3; size])
}

fn open_descriptors(_: ()) -> Vec<u32> {
    std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok())
        .collect()
}

fn crash(_: ()) {
    std::process::exit(1);
}

fn main() {
    processes::init(|r| {
        r.job(echo)
            .job(number)
            .job(size)
            .job(make)
            .job(make_and_die)
            .job(open_descriptors)
            .job(crash)
    });
    runner::run(&[
        ("e62_payloads_of_all_sizes_survive", e62),
        ("e63_large_payloads_may_cross", e63),
        ("e64_a_crash_in_a_large_answer_costs_that_job", e64),
        ("h83_scarce_descriptors_are_an_error_and_pass", h83),
        ("h83_a_program_that_is_not_there", h83_missing),
        ("h84_a_worker_has_five_descriptors", h84_descriptors),
        ("h84_the_parent_has_four_descriptors_a_worker", h84_parent),
        ("h84_many_crashes_leave_nothing", h84_crashes),
        ("h84_many_pools_leave_nothing", h84_pools),
        ("random_kills_under_load_lose_no_outcome", storm),
    ]);
}

fn hash(bytes: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(bytes)
}

fn e62() {
    let pool = pool(2);
    let around = [64 << 10, 128 << 10, 1 << 20, 16 << 20];
    let sizes = around
        .into_iter()
        .flat_map(|size| [size - 1, size, size + 1]);
    for size in [0, 1, 4095, 4096, 4097]
        .into_iter()
        .chain(sizes)
        .chain([80 << 20])
    {
        let bytes: Vec<u8> = (0..size).map(|i: usize| (i ^ (i >> 8)) as u8).collect();
        let wanted = hash(&bytes);
        let back = pool.submit(echo, Blob(bytes)).wait().unwrap();
        assert_eq!((back.0.len(), hash(&back.0)), (size, wanted));
    }
}

fn e63() {
    let pool = pool(1);
    // The next argument is written while the answer before it comes.
    let jobs: Vec<_> = (0..4)
        .map(|_| pool.submit(echo, Blob(vec![5; 32 << 20])))
        .collect();
    for job in jobs {
        assert_eq!(job.wait().unwrap().0.len(), 32 << 20);
    }
}

fn e64() {
    let pool = pool(2);
    let bad = pool.submit(make_and_die, 64 << 20);
    let good = pool.submit(make, 32 << 20);
    // It may be through before it dies; but it is one or the other.
    match bad.wait() {
        Ok(blob) => assert_eq!(blob.0.len(), 64 << 20),
        Err(error) => assert!(error.is_crash(), "{error}"),
    }
    assert_eq!(good.wait().unwrap().0.len(), 32 << 20);
    assert_eq!(
        pool.submit(size, Blob(vec![1; 32 << 20])).wait().unwrap(),
        32 << 20
    );
}

/// Sets how many descriptors this process may have; gives what it was.
#[allow(unsafe_code, reason = "setrlimit(2)")]
fn limit_descriptors(to: u64) -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: it writes the struct.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    let before = std::mem::replace(&mut limit.rlim_cur, to);
    // SAFETY: it reads the struct.
    let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(result, 0);
    before
}

fn h83() {
    let (mut failed, mut worked) = (0, 0);
    for more in 0..14 {
        let builder = ProcessPool::builder().workers(1).min_workers(0);
        let pool = builder
            .restart_intensity(1, Duration::from_secs(60))
            .build()
            .unwrap();
        // The first free number, and so many more.
        let free = std::fs::File::open("/dev/null").unwrap();
        let first = std::os::fd::AsRawFd::as_raw_fd(&free) as u64;
        drop(free);
        let before = limit_descriptors(first + more);
        let result = pool.submit(number, 5).wait();
        limit_descriptors(before);
        match result {
            Ok(x) => {
                assert_eq!(x, 5);
                worked += 1;
            }
            Err(JobError::NotStarted { step, error }) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{step}: {error}");
                failed += 1;
            }
            Err(error) => assert!(error.is_crash(), "{error}"),
        }
        // With descriptors again it recovers by itself, after its wait.
        loop {
            match pool.submit(number, 6).wait() {
                Ok(x) => break assert_eq!(x, 6),
                Err(JobError::NotStarted { .. }) => {}
                Err(error) => assert!(error.is_crash(), "{error}"),
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    println!("  {failed} times no worker, {worked} times one");
    assert!(failed > 0);
}

fn h83_missing() {
    let command = Command::new("/nowhere/to/be/found");
    let pool = ProcessPool::external(&command).workers(2);
    let pool = pool
        .restart_intensity(2, Duration::from_secs(60))
        .build()
        .unwrap();
    for job in [
        pool.submit_bytes("a", Vec::new()),
        pool.submit_bytes("b", Vec::new()),
    ] {
        let error = job.wait().unwrap_err();
        let JobError::NotStarted { step, error } = error else {
            panic!("{error}")
        };
        assert_eq!(step.to_string(), "exec");
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    }
}

fn h84_descriptors() {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Other children are started meanwhile.
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                assert!(Command::new("true").status().unwrap().success());
            }
        });
        let pools = [pool(3), pool(3)];
        for pool in &pools {
            until(|| pool.worker_pids().len() == 3);
            for job in (0..12).map(|_| pool.submit(open_descriptors, ())) {
                let mut open = job.wait().unwrap();
                open.sort_unstable();
                // The last is the one by which it looks.
                assert_eq!(open, [0, 1, 2, 3, 4, 5]);
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
}

fn h84_parent() {
    let pool = ProcessPool::builder()
        .workers(8)
        .min_workers(0)
        .build()
        .unwrap();
    let before = runner::descriptors();
    pool.resize(8);
    let jobs: Vec<_> = (0..400).map(|x| pool.submit(number, x)).collect();
    jobs.into_iter().for_each(|job| _ = job.wait().unwrap());
    let workers = pool.worker_pids().len();
    assert!(workers > 0);
    until(|| runner::descriptors() <= before + 4 * pool.worker_pids().len());
}

/// This process's memory. Unit: KiB.
fn rss() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4
}

fn h84_crashes() {
    let pool = pool(2);
    let rounds = if std::env::var_os("TREFOIL_LONG").is_some() {
        10_000
    } else {
        1000
    };
    pool.submit(number, 1).wait().unwrap();
    let mut after_some = 0;
    for round in 0..rounds {
        assert!(pool.submit(crash, ()).wait().unwrap_err().is_crash());
        if round == rounds / 2 {
            after_some = rss();
        }
    }
    let grown = rss().saturating_sub(after_some);
    assert!(
        grown < 4096,
        "{grown} KiB more after the second half of {rounds} crashes"
    );
    pool.submit(number, 1).wait().unwrap();
}

fn h84_pools() {
    let rounds = if std::env::var_os("TREFOIL_LONG").is_some() {
        10_000
    } else {
        300
    };
    let before = (runner::descriptors(), runner::threads());
    let mut after_some = 0;
    for round in 0..rounds {
        let pool = pool(1);
        assert_eq!(pool.submit(number, round).wait().unwrap(), round);
        drop(pool);
        if round == rounds / 2 {
            after_some = rss();
        }
    }
    until(|| (runner::descriptors(), runner::threads()) == before);
    let grown = rss().saturating_sub(after_some);
    assert!(
        grown < 4096,
        "{grown} KiB more after the second half of {rounds} pools"
    );
}

#[allow(unsafe_code, reason = "kill(2)")]
fn storm() {
    let seconds = if std::env::var_os("TREFOIL_LONG").is_some() {
        30
    } else {
        2
    };
    let pool = ProcessPool::builder().workers(4);
    let pool = pool
        .restart_intensity(u32::MAX, Duration::from_secs(1))
        .build()
        .unwrap();
    let (good, bad, kills) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let (mut sent, stop) = (0, AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                let pids = pool.worker_pids();
                if !pids.is_empty() {
                    let victim = pids[kills.fetch_add(1, Ordering::SeqCst) % pids.len()];
                    // SAFETY: kill(2) has no precondition; the pool has just named it.
                    unsafe { libc::kill(victim, libc::SIGKILL) };
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            let jobs: Vec<_> = (0..200).map(|x| (x, pool.submit(number, x))).collect();
            sent += jobs.len();
            for (x, job) in jobs {
                match job.wait() {
                    Ok(y) => {
                        assert_eq!(x, y);
                        good.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(error) => {
                        assert!(error.is_crash(), "{error}");
                        bad.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    let (good, bad) = (good.into_inner(), bad.into_inner());
    assert_eq!(good + bad, sent);
    println!("  {kills:?} kills: {good} answered, {bad} crashed of {sent}");
    pool.submit(number, 1).wait().unwrap();
}
