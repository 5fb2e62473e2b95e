//! When the system has not enough: every failing step of a start is an error with its name, the
//! pool goes on with what it has, and comes back by itself.
//!
//! What needs another user or a limit of the whole process runs in this program with an argument.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use trefoil::processes::{self, JobError, ProcessPool};

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

use runner::{Scratch, kill, until};

/// "nobody", where that user has this number; any number without processes is good.
const NOBODY: u32 = 65_534;

fn number(x: u64) -> u64 {
    x
}

/// Says its pid, then waits for a file.
fn hold((here, gate): (String, String)) -> i32 {
    std::fs::write(format!("{here}.new"), std::process::id().to_string()).unwrap();
    std::fs::rename(format!("{here}.new"), here).unwrap();
    until(|| std::path::Path::new(&gate).exists());
    std::process::id() as i32
}

fn main() {
    processes::init(|r| r.job(number).job(hold));
    match std::env::args().nth(1).as_deref() {
        Some("without-processes") => without_processes(),
        Some("without-threads") => without_threads(),
        Some("without-memory") => without_memory(),
        _ => {}
    }
    runner::run(&[
        ("h83_every_missing_descriptor_is_an_error", h83_descriptors),
        ("h83_a_pool_goes_on_with_fewer_workers", h83_fewer),
        ("h83_a_program_that_may_not_run", h83_access),
        ("h83_a_program_that_is_being_written", h83_busy),
        ("h83_a_program_that_is_not_there", h83_missing),
        ("h83_no_more_processes", h83_processes),
        ("h83_no_more_threads", h83_threads),
        ("h83_no_more_memory", h83_memory),
    ]);
}

/// Sets a limit of this process; gives what it was.
#[allow(unsafe_code, reason = "setrlimit(2)")]
fn limit(resource: u32, to: u64) -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: it writes the struct.
    unsafe { libc::getrlimit(resource, &raw mut limit) };
    let before = std::mem::replace(&mut limit.rlim_cur, to);
    // SAFETY: it reads the struct.
    let result = unsafe { libc::setrlimit(resource, &raw const limit) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    before
}

/// A limit of this process, as long as this is there.
struct Limited(u32, u64);

impl Limited {
    fn new(resource: u32, to: u64) -> Self {
        Self(resource, limit(resource, to))
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        limit(self.0, self.1);
    }
}

/// A job until it works: the pool comes back by itself, after its wait.
fn recovers(pool: &ProcessPool) {
    loop {
        match pool.submit(number, 6).wait() {
            Ok(x) => return assert_eq!(x, 6),
            Err(JobError::NotStarted { .. }) => {}
            Err(error) => assert!(error.is_crash(), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The step and the errno of a job for which there is no worker.
fn not_started(error: JobError) -> (String, Option<i32>) {
    match error {
        JobError::NotStarted { step, error } => (step.to_string(), error.raw_os_error()),
        error => panic!("{error}"),
    }
}

/// The first free descriptor.
fn first_free() -> u64 {
    let free = File::open("/dev/null").unwrap();
    std::os::fd::AsRawFd::as_raw_fd(&free) as u64
}

fn h83_descriptors() {
    let mut steps = Vec::new();
    for more in 0..=16 {
        let builder = ProcessPool::builder().workers(1).min_workers(0);
        let builder = builder.restart_intensity(1, Duration::from_secs(60));
        let pool = builder.build().unwrap();
        let limited = Limited::new(libc::RLIMIT_NOFILE, first_free() + more);
        let result = pool.submit(number, 5).wait();
        drop(limited);
        match result {
            Ok(x) => assert_eq!(x, 5),
            Err(JobError::NotStarted { step, error }) => {
                assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{step}: {error}");
                steps.push(step.to_string());
            }
            // Made, and then it could not be watched.
            Err(error) => assert!(error.is_crash(), "{error}"),
        }
        recovers(&pool);
    }
    println!("  {steps:?}");
    assert!(!steps.is_empty());
}

fn h83_fewer() {
    let scratch = Scratch::new();
    let (here, gate) = (scratch.path("here"), scratch.path("gate"));
    let pool = ProcessPool::builder().workers(3).min_workers(0);
    let pool = pool.build().unwrap();
    let running = pool.submit(hold, (here.clone(), gate.clone()));
    until(|| std::path::Path::new(&here).exists());
    let limited = Limited::new(libc::RLIMIT_NOFILE, first_free() + 1);
    let jobs: Vec<_> = (0..20).map(|x| pool.submit(number, x)).collect();
    // Many starts fail meanwhile; the worker that is there keeps the pool from losing hope.
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(pool.ready_workers(), 1);
    drop(limited);
    std::fs::write(&gate, "").unwrap();
    running.wait().unwrap();
    for (x, job) in (0..).zip(jobs) {
        assert_eq!(job.wait().unwrap(), x);
    }
    recovers(&pool);
}

/// A pool of another program, which cannot be started: what its jobs say.
fn refused(path: &str) -> (String, Option<i32>) {
    let pool = ProcessPool::external(&Command::new(path)).workers(2);
    let pool = pool.restart_intensity(2, Duration::from_secs(60));
    let pool = pool.build().unwrap();
    let jobs = [
        pool.submit_bytes("a", Vec::new()),
        pool.submit_bytes("b", Vec::new()),
    ];
    let [one, two] = jobs.map(|job| not_started(job.wait().unwrap_err()));
    assert_eq!(one, two);
    one
}

/// A program in a directory that goes away.
fn program(scratch: &Scratch, mode: u32) -> String {
    let path = scratch.path("program");
    std::fs::copy("/bin/true", &path).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    path
}

fn h83_access() {
    let scratch = Scratch::new();
    let refused = refused(&program(&scratch, 0o644));
    assert_eq!(refused, ("exec".to_owned(), Some(libc::EACCES)));
}

fn h83_busy() {
    let scratch = Scratch::new();
    let path = program(&scratch, 0o755);
    let writer = File::options().write(true).open(&path).unwrap();
    assert_eq!(refused(&path), ("exec".to_owned(), Some(libc::ETXTBSY)));
    drop(writer);
}

fn h83_missing() {
    let refused = refused("/nowhere/to/be/found");
    assert_eq!(refused, ("exec".to_owned(), Some(libc::ENOENT)));
}

/// Runs this program in another role, as another user where that is asked.
#[allow(unsafe_code, reason = "geteuid(2)")]
fn in_a_role(role: &str, as_nobody: bool) {
    let scratch = Scratch::new();
    let path = scratch.path("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &path).unwrap();
    let mut command = Command::new(path);
    command.arg(role).current_dir("/");
    // SAFETY: it has no precondition.
    if as_nobody && unsafe { libc::geteuid() } == 0 {
        // Root is above the limit on processes.
        command.uid(NOBODY).gid(NOBODY);
    }
    assert!(command.status().unwrap().success(), "{role}");
}

fn h83_processes() {
    in_a_role("without-processes", true);
}

fn h83_threads() {
    in_a_role("without-threads", true);
}

fn h83_memory() {
    in_a_role("without-memory", false);
}

/// A pool whose worker has run a job: the thread that starts workers is there, too.
fn warm() -> ProcessPool {
    let builder = ProcessPool::builder().workers(1);
    let builder = builder.restart_intensity(1, Duration::from_secs(60));
    let pool = builder.build().unwrap();
    pool.submit(number, 1).wait().unwrap();
    pool
}

fn without_processes() -> ! {
    let pool = warm();
    let limited = Limited::new(libc::RLIMIT_NPROC, 1);
    kill(pool.worker_pids()[0], libc::SIGKILL);
    let error = loop {
        // The first ones may be answered by the worker that is being killed, or die with it.
        match pool.submit(number, 2).wait() {
            Err(error) if !error.is_crash() => break error,
            _ => {}
        }
    };
    assert_eq!(not_started(error), ("clone".to_owned(), Some(libc::EAGAIN)));
    drop(limited);
    recovers(&pool);
    drop(pool);
    assert!(!runner::has_children());
    std::process::exit(0);
}

fn without_threads() -> ! {
    let builder = ProcessPool::builder().workers(1).min_workers(0);
    let builder = builder.restart_intensity(1, Duration::from_secs(60));
    let pool = builder.build().unwrap();
    let limited = Limited::new(libc::RLIMIT_NPROC, 1);
    let error = pool.submit(number, 2).wait().unwrap_err();
    let wanted = ("starting a thread".to_owned(), Some(libc::EAGAIN));
    assert_eq!(not_started(error), wanted);
    drop(limited);
    recovers(&pool);
    drop(pool);
    assert!(!runner::has_children());
    std::process::exit(0);
}

/// This process's address space. Unit: bytes.
fn size() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').next().unwrap().parse::<u64>().unwrap() * 4096
}

fn without_memory() -> ! {
    let pool = warm();
    // One more of all that a start needs beside the stack is kept by the allocator.
    kill(pool.worker_pids()[0], libc::SIGKILL);
    recovers(&pool);
    let limited = Limited::new(libc::RLIMIT_AS, size() + (64 << 10));
    kill(pool.worker_pids()[0], libc::SIGKILL);
    let error = loop {
        match pool.submit(number, 2).wait() {
            Err(error) if !error.is_crash() => break error,
            _ => {}
        }
    };
    drop(limited);
    assert_eq!(not_started(error), ("clone".to_owned(), Some(libc::ENOMEM)));
    recovers(&pool);
    drop(pool);
    assert!(!runner::has_children());
    std::process::exit(0);
}
