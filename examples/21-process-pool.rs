//! 21 process-pool: jobs that may crash, hang or eat memory, and cost only themselves.
//!
//! Teaches what threads cannot do: a job that aborts takes its process along, whatever thread it
//! is on. Here each worker is a process, this very program executed again; one that dies is
//! replaced, and the job's error says what happened.
//!
//! Run: `cargo run --release --example 21-process-pool`
//!
//! Expected output:
//!
//! ```text
//! -- 1. wrong: a program with 20 jobs on threads, and one of them aborts
//! the program is gone, by signal 6: 0 of 20 results
//! -- 2. cured: the same 20 jobs in worker processes
//! job 7 crashed, by signal 6
//! 19 of 20 results
//! -- 3. a job that never ends, with a deadline
//! timed out: true; its worker was killed
//! -- 4. a job that wants more memory than a worker may have
//! crashed, by signal 6; this program has not noticed
//! -- 5. a worker that retires after 2 jobs: what it has leaked goes with it
//! 6 jobs, 3 processes
//! -- 6. map: a thousand small jobs, in order
//! the sum of the squares is 332833500
//! next: 22-untrusted is a service whose requests are parsed by code that may crash
//! ```

use trefoil as rt; // tokio has no pool of processes

use std::collections::HashSet;
use std::error::Error;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::time::Duration;

use rt::processes::{self, JobError, ProcessPool, Rlimit};

/// Works on something; number 7 is the unlucky one.
fn work(number: u32) -> u32 {
    if number == 7 {
        std::process::abort();
    }
    number * 2
}

/// Never ends. A thread that does this cannot be stopped by anybody.
fn forever(_: ()) {
    loop {
        std::hint::spin_loop();
    }
}

/// Takes so many bytes. When the kernel refuses, Rust aborts the process.
fn eat(bytes: usize) -> usize {
    std::hint::black_box(Vec::<u8>::with_capacity(bytes)).capacity()
}

/// The number of the process that does this job.
fn who(_: u32) -> u32 {
    std::process::id()
}

/// A small job.
fn square(x: u64) -> u64 {
    x * x
}

/// The signal that ended a job's worker; 0 if something else was wrong.
fn signal(error: &JobError) -> i32 {
    match error {
        JobError::Crashed { status, .. } => status.and_then(|status| status.signal()).unwrap_or(0),
        _ => 0,
    }
}

/// The wrong way: what a child program does, since it does not survive.
fn on_threads() {
    let threads: Vec<_> = (0..20)
        .map(|n| std::thread::spawn(move || work(n)))
        .collect();
    for thread in threads {
        _ = thread.join();
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    // The first line of main: a worker goes no further.
    processes::init(|r| r.job(work).job(forever).job(eat).job(who).job(square));
    if std::env::args().nth(1).as_deref() == Some("on-threads") {
        on_threads();
        return Ok(());
    }
    rt::runtime::Runtime::new()?.block_on(tour())
}

/// All six parts.
async fn tour() -> Result<(), Box<dyn Error>> {
    println!("-- 1. wrong: a program with 20 jobs on threads, and one of them aborts");
    let mut child = Command::new(std::env::current_exe()?);
    let status = child.arg("on-threads").status()?;
    let by = status.signal().unwrap_or(0);
    println!("the program is gone, by signal {by}: 0 of 20 results");

    println!("-- 2. cured: the same 20 jobs in worker processes");
    let limit = Rlimit::As(4 << 30);
    let pool = ProcessPool::builder().workers(2).rlimit(limit).build()?;
    let jobs: Vec<_> = (0..20).map(|n| pool.submit(work, n)).collect();
    let mut saved = 0;
    for (number, job) in jobs.into_iter().enumerate() {
        match job.await {
            Ok(_) => saved += 1,
            Err(error) => println!("job {number} crashed, by signal {}", signal(&error)),
        }
    }
    println!("{saved} of 20 results");

    println!("-- 3. a job that never ends, with a deadline");
    let limit = Duration::from_millis(200);
    let result = pool.job(forever, ()).deadline(limit).submit().await;
    let timed_out = matches!(result, Err(JobError::TimedOut { .. }));
    println!("timed out: {timed_out}; its worker was killed");

    println!("-- 4. a job that wants more memory than a worker may have");
    let error = pool.submit(eat, 8 << 30).await.unwrap_err();
    let by = signal(&error);
    println!("crashed, by signal {by}; this program has not noticed");

    println!("-- 5. a worker that retires after 2 jobs: what it has leaked goes with it");
    let retiring = ProcessPool::builder().workers(1).max_tasks_per_worker(2);
    let retiring = retiring.jitter(0.0).build()?;
    let mut pids = HashSet::new();
    for number in 0..6 {
        pids.insert(retiring.submit(who, number).await?);
    }
    println!("6 jobs, {} processes", pids.len());

    println!("-- 6. map: a thousand small jobs, in order");
    let squares = pool.map(square, 0..1000).await?;
    println!("the sum of the squares is {}", squares.iter().sum::<u64>());
    println!("next: 22-untrusted is a service whose requests are parsed by code that may crash");
    Ok(())
}
