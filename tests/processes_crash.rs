//! Workers that die: exactly one job is lost, and its error says why.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use trefoil::processes::{self, JobError, Pending, Retry, Rlimit, WorkerEvent};

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

use runner::{Scratch, kill, pool, runtime, until};

/// Ways to die.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Death {
    Kill,
    Segv,
    Abort,
    Ill,
    Exit(i32),
    StackOverflow,
    Memory,
    Cpu,
}

/// Dies of a signal. Twice: Rust's handler of SIGSEGV takes the first for a fault that will come
/// again.
fn raise(signal: i32) {
    let pid = std::process::id().to_string();
    loop {
        let mut kill = std::process::Command::new("kill");
        kill.args([format!("-{signal}"), pid.clone()])
            .status()
            .unwrap();
    }
}

#[allow(unconditional_recursion, reason = "that is what it is for")]
fn deeper(from: u64) -> u64 {
    let local = std::hint::black_box([from; 64]);
    deeper(from + 1) + local[from as usize % 64]
}

fn die(how: Death) {
    eprintln!("last words of {how:?}");
    match how {
        Death::Kill => raise(9),
        Death::Segv => raise(11),
        Death::Abort => std::process::abort(),
        Death::Ill => raise(4),
        Death::Exit(code) => std::process::exit(code),
        Death::StackOverflow => _ = std::hint::black_box(deeper(0)),
        Death::Memory => {
            let mut all: Vec<Vec<u8>> = Vec::new();
            loop {
                all.push(vec![1; 64 << 20]);
                std::hint::black_box(&all);
            }
        }
        Death::Cpu => loop {
            std::hint::spin_loop();
        },
    }
}

fn number(x: u64) -> u64 {
    x
}

fn pid(_: ()) -> i32 {
    std::process::id() as i32
}

fn append((path, text): (String, String)) {
    use std::io::Write;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path);
    file.unwrap().write_all(text.as_bytes()).unwrap();
}

/// Says its pid, then waits for a file.
fn hold((here, gate): (String, String)) -> i32 {
    let pid = std::process::id();
    std::fs::write(format!("{here}.new"), pid.to_string()).unwrap();
    std::fs::rename(format!("{here}.new"), here).unwrap();
    until(|| std::path::Path::new(&gate).exists());
    pid as i32
}

/// Dies the first `times` times.
fn die_at_first((log, times): (String, usize)) -> usize {
    append((log.clone(), "x".to_owned()));
    let begun = std::fs::read_to_string(log).unwrap().len();
    if begun <= times {
        die(Death::Kill);
    }
    begun
}

/// Kills a worker, perhaps its own.
fn murder(pid: i32) {
    kill(pid, libc::SIGKILL);
}

fn init_dies(_: ()) {
    std::process::exit(1);
}

fn init_panics(text: String) {
    panic!("{text}");
}

fn init_refuses(text: String) -> Result<(), String> {
    Err(text)
}

fn init_hangs(_: ()) {
    loop {
        std::thread::park();
    }
}

/// Fails at one of the four steps, in one of three ways.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Way {
    Good,
    Error,
    Panic,
    Exit,
}

/// A value that misbehaves where it is encoded and where it is decoded.
struct Nasty {
    at_encode: Way,
    at_decode: Way,
}

fn misbehave<E>(way: Way, error: impl Fn() -> E) -> Result<(), E> {
    match way {
        Way::Good => Ok(()),
        Way::Error => Err(error()),
        Way::Panic => panic!("nasty"),
        Way::Exit => std::process::exit(5),
    }
}

impl Serialize for Nasty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        misbehave(self.at_encode, || serde::ser::Error::custom("nasty"))?;
        self.at_decode.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Nasty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let way = Way::deserialize(deserializer)?;
        misbehave(way, || serde::de::Error::custom("nasty"))?;
        Ok(Self {
            at_encode: Way::Good,
            at_decode: Way::Good,
        })
    }
}

fn take_nasty(_: Nasty) {}

fn give_nasty((at_encode, at_decode): (Way, Way)) -> Nasty {
    Nasty {
        at_encode,
        at_decode,
    }
}

fn main() {
    processes::init(|r| {
        r.job(die)
            .job(number)
            .job(pid)
            .job(append)
            .job(hold)
            .job(die_at_first)
            .job(murder)
            .job(take_nasty)
            .job(give_nasty)
            .initializer(init_dies)
            .initializer(init_panics)
            .initializer(init_refuses)
            .initializer(init_hangs)
    });
    runner::run_both(
        &[
            ("c31_a_crash_costs_exactly_its_job", c31),
            ("c32_an_idle_worker_that_dies_is_replaced", c32),
            ("c33_jobs_sent_ahead_run_once_elsewhere", c33),
            ("c34_an_answer_in_the_socket_counts", c34),
            ("c36_all_workers_may_die_at_once", c36),
            (
                "c37_workers_that_kill_each_other_do_not_wedge_the_pool",
                c37,
            ),
            ("c38_a_retry_begins_a_crashed_job_again", c38),
            ("c39_a_poison_job_is_lost_alone", c39),
            ("c40_a_crash_loop_at_start_ends", c40),
            ("c41_a_failing_initializer_says_why", c41),
            ("c42_a_hanging_initializer_is_killed", c42),
            ("c43_each_failed_job_has_its_own_error", c43),
            ("c44_encoding_and_decoding_may_fail_anywhere", c44),
            ("c45_somebody_else_may_reap_the_worker", c45),
            ("f73_a_running_job_is_cancelled_with_its_worker", f73),
        ],
        &["c3", "c4", "f73"],
    );
}

/// The pid that `hold` wrote.
fn written_pid(path: &str) -> i32 {
    until(|| std::path::Path::new(path).exists());
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

fn c31() {
    let deaths = [
        (Death::Kill, Some(9), None),
        (Death::Segv, Some(11), None),
        (Death::Abort, Some(6), None),
        (Death::Ill, Some(4), None),
        (Death::Exit(0), None, Some(0)),
        (Death::Exit(1), None, Some(1)),
        (Death::StackOverflow, None, None),
        (Death::Memory, Some(6), None),
        (Death::Cpu, Some(libc::SIGXCPU), None),
    ];
    for (death, signal, code) in deaths {
        println!("  {death:?}");
        let mut builder = runner::builder().workers(2);
        if death == Death::Memory {
            builder = builder.rlimit(Rlimit::As(1 << 30));
        }
        if death == Death::Cpu {
            builder = builder.rlimit(Rlimit::Cpu(1));
        }
        let pool = builder.build().unwrap();
        let others: Vec<_> = (0..3).map(|x| pool.submit(number, x)).collect();
        let bad = pool.submit(die, death);
        let more: Vec<_> = (3..5).map(|x| pool.submit(number, x)).collect();
        let error = bad.wait().unwrap_err();
        let JobError::Crashed {
            status,
            stderr_tail,
            job,
            maybe_oom,
            maxrss,
            ..
        } = error
        else {
            panic!("{death:?}: {error}")
        };
        let status = status.unwrap();
        if death != Death::StackOverflow {
            assert_eq!(
                (status.signal(), status.code()),
                (signal, code),
                "{death:?}: {status}"
            );
        } else {
            assert!(status.signal().is_some(), "{status}");
        }
        assert!(
            stderr_tail.contains("last words of"),
            "{death:?}: {stderr_tail}"
        );
        assert!(job.ends_with("die") && maxrss > 0);
        assert_eq!(maybe_oom, signal == Some(libc::SIGKILL));
        for (x, other) in (0..).zip(others.into_iter().chain(more)) {
            assert_eq!(other.wait().unwrap(), x);
        }
        until(|| pool.worker_pids().len() == 2);
    }
}

fn c32() {
    let (told, exits) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(AtomicUsize::new(0)),
    );
    let (told2, exits2) = (told.clone(), exits.clone());
    let pool = runner::builder()
        .workers(1)
        .on_worker(move |event| {
            if let WorkerEvent::Exited { pid, .. } = event {
                told2.lock().unwrap().push(*pid);
                exits2.fetch_add(1, Ordering::SeqCst);
            }
        })
        .build()
        .unwrap();
    let before = pool.submit(pid, ()).wait().unwrap();
    kill(before, libc::SIGKILL);
    until(|| exits.load(Ordering::SeqCst) == 1);
    assert_eq!(*told.lock().unwrap(), [before]);
    assert_ne!(pool.submit(pid, ()).wait().unwrap(), before);
}

fn c33() {
    let scratch = Scratch::new();
    let pool = runner::builder().workers(1).send_ahead(5).build().unwrap();
    let here = scratch.path("here");
    let head = pool.submit(hold, (here.clone(), scratch.path("never")));
    let log = scratch.path("log");
    let ahead: Vec<_> = (0..5)
        .map(|x| pool.submit(append, (log.clone(), x.to_string())))
        .collect();
    let victim = written_pid(&here);
    assert_eq!(pool.queued(), 0, "all of them were sent ahead");
    kill(victim, libc::SIGKILL);
    assert!(head.wait().unwrap_err().is_crash());
    for job in ahead {
        job.wait().unwrap();
    }
    assert_eq!(std::fs::read_to_string(log).unwrap(), "01234");
}

fn c34() {
    // A worker that is killed at a random moment round its answer: one outcome, never none.
    let often = (u32::MAX, Duration::from_secs(1));
    let pool = runner::builder()
        .workers(2)
        .restart_intensity(often.0, often.1);
    let pool = pool.build().unwrap();
    let (mut good, mut bad) = (0, 0);
    let mut seed = 0x9E37_79B9_u32;
    for round in 0..1000 {
        let job = pool.submit(pid, ());
        let victims = pool.worker_pids();
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        for _ in 0..seed >> 20 {
            std::hint::spin_loop();
        }
        if let Some(victim) = victims.get(round % 2) {
            kill(*victim, libc::SIGKILL);
        }
        match job.wait() {
            Ok(_) => good += 1,
            Err(error) => {
                assert!(error.is_crash(), "{error}");
                bad += 1;
            }
        }
    }
    assert_eq!(good + bad, 1000);
    println!("  {good} answered, {bad} crashed");
}

fn c36() {
    let scratch = Scratch::new();
    let pool = pool(3);
    let jobs: Vec<_> = (0..3)
        .map(|x| pool.submit(hold, (scratch.path(&x.to_string()), scratch.path("never"))))
        .collect();
    let victims: Vec<_> = (0..3)
        .map(|x| written_pid(&scratch.path(&x.to_string())))
        .collect();
    let later: Vec<_> = (0..10).map(|x| pool.submit(number, x)).collect();
    victims.into_iter().for_each(|pid| kill(pid, libc::SIGKILL));
    for job in jobs {
        assert!(job.wait().unwrap_err().is_crash());
    }
    for (x, job) in (0..).zip(later) {
        assert_eq!(job.wait().unwrap(), x);
    }
}

fn c37() {
    for workers in [1, 2, 5, 13] {
        let pool = runner::builder().workers(workers);
        let pool = pool
            .restart_intensity(u32::MAX, Duration::from_secs(1))
            .build()
            .unwrap();
        until(|| pool.worker_pids().len() == workers);
        let mut outcomes = 0;
        for _ in 0..200 {
            let pids = pool.worker_pids();
            let jobs: Vec<Pending<()>> = pids
                .into_iter()
                .map(|pid| pool.submit(murder, pid))
                .collect();
            for job in jobs {
                match job.wait() {
                    Ok(()) => outcomes += 1,
                    Err(error) => assert!(error.is_crash(), "{error}"),
                }
            }
        }
        // It goes on as if nothing had been.
        assert_eq!(pool.submit(number, 7).wait().unwrap(), 7);
        println!("  {workers} workers: {outcomes} murders answered");
    }
}

fn c38() {
    let scratch = Scratch::new();
    let pool = pool(2);
    let job = pool.job(die_at_first, (scratch.path("a"), 2));
    assert_eq!(job.retry(Retry::on_crash(2)).submit().wait().unwrap(), 3);
    let error = pool
        .submit(die_at_first, (scratch.path("b"), 1))
        .wait()
        .unwrap_err();
    assert!(error.is_crash(), "one attempt is the default");
}

fn c39() {
    let pool = pool(2);
    let poison = pool
        .job(die, Death::Kill)
        .retry(Retry::on_crash(3))
        .submit();
    let others: Vec<_> = (0..20).map(|x| pool.submit(number, x)).collect();
    assert!(matches!(poison.wait(), Err(JobError::Lost { attempts: 4 })));
    for (x, job) in (0..).zip(others) {
        assert_eq!(job.wait().unwrap(), x);
    }
}

/// A pool whose workers do not come up: what its jobs say, how many workers were started.
fn hopeless(
    configure: impl FnOnce(processes::Builder) -> processes::Builder,
) -> (Vec<JobError>, usize) {
    let started = Arc::new(AtomicUsize::new(0));
    let count = started.clone();
    let builder = runner::builder().workers(2).on_worker(move |event| {
        if matches!(event, WorkerEvent::Started { .. }) {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let pool = configure(builder)
        .restart_intensity(3, Duration::from_secs(30))
        .build()
        .unwrap();
    let jobs: Vec<_> = (0..5).map(|x| pool.submit(number, x)).collect();
    let mut errors: Vec<_> = jobs
        .into_iter()
        .map(|job| job.wait().unwrap_err())
        .collect();
    let late = pool.submit(number, 1);
    assert!(late.is_finished(), "it fails fast");
    errors.push(late.wait().unwrap_err());
    drop(pool);
    (errors, started.load(Ordering::SeqCst))
}

fn c40() {
    let (errors, started) = hopeless(|b| b.initializer(init_dies, ()));
    for error in errors {
        assert!(matches!(error, JobError::InitFailed { .. }), "{error}");
    }
    assert!((4..=6).contains(&started), "{started} starts");
}

fn c41() {
    let (errors, _) = hopeless(|b| b.initializer(init_panics, "my reason".to_owned()));
    for error in errors {
        assert!(error.to_string().contains("my reason"), "{error}");
    }
    let (errors, _) = hopeless(|b| b.initializer(init_refuses, "no disk".to_owned()));
    assert!(errors[0].to_string().contains("no disk"), "{}", errors[0]);
}

fn c42() {
    // Long enough for a fork server to start on a loaded machine: it is not what is killed here.
    let limit = Duration::from_millis(300);
    let (errors, started) = hopeless(|b| b.initializer(init_hangs, ()).start_timeout(limit));
    for error in errors {
        assert!(matches!(error, JobError::InitFailed { .. }), "{error}");
    }
    assert!(started <= 6, "{started} starts");
}

fn c43() {
    let pool = pool(2);
    let jobs: Vec<_> = (0..4).map(|_| pool.submit(die, Death::Exit(1))).collect();
    let pids: std::collections::HashSet<i32> = jobs
        .into_iter()
        .map(|job| match job.wait().unwrap_err() {
            JobError::Crashed { pid, .. } => pid,
            error => panic!("{error}"),
        })
        .collect();
    assert_eq!(pids.len(), 4, "four deaths of four workers");
}

fn c44() {
    let pool = pool(1);
    let worker = || pool.submit(pid, ()).wait().unwrap();
    let mut before = worker();
    for way in [Way::Error, Way::Panic, Way::Exit] {
        // The argument, decoded in the worker.
        let argument = |at_encode, at_decode| Nasty {
            at_encode,
            at_decode,
        };
        let error = pool
            .submit(take_nasty, argument(Way::Good, way))
            .wait()
            .unwrap_err();
        match way {
            Way::Exit => assert!(error.is_crash(), "{error}"),
            _ => assert!(matches!(error, JobError::Decode(_)), "{error}"),
        }
        // The result, encoded in the worker.
        if way == Way::Exit {
            before = worker();
        }
        let result = pool.submit(give_nasty, (way, Way::Good)).wait();
        let error = result.err().unwrap();
        match way {
            Way::Exit => assert!(error.is_crash(), "{error}"),
            _ => assert!(matches!(error, JobError::Encode(_)), "{error}"),
        }
        if way == Way::Exit {
            // Encoding and decoding in this process would end it; that is how it is meant.
            continue;
        }
        assert_eq!(worker(), before, "the worker is alive after {way:?}");
        // The argument, encoded here; the result, decoded here.
        let error = pool
            .submit(take_nasty, argument(way, Way::Good))
            .wait()
            .unwrap_err();
        assert!(matches!(error, JobError::Encode(_)), "{error}");
        let error = pool
            .submit(give_nasty, (Way::Good, way))
            .wait()
            .err()
            .unwrap();
        assert!(matches!(error, JobError::Decode(_)), "{error}");
        assert_eq!(worker(), before);
    }
}

#[allow(unsafe_code, reason = "signal(2) and waitpid(2)")]
fn c45() {
    // SIGCHLD ignored: the kernel reaps.
    // SAFETY: a disposition, no handler.
    let old = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
    let error = pool(1).submit(die, Death::Exit(3)).wait().unwrap_err();
    // SAFETY: the one from before.
    unsafe { libc::signal(libc::SIGCHLD, old) };
    let JobError::Crashed { status, .. } = error else {
        panic!("{error}")
    };
    println!("  with SIGCHLD ignored: {status:?}");
    assert!(status.is_none_or(|status| status.code() == Some(3)));

    // Somebody waits for everybody.
    let stop = Arc::new(AtomicUsize::new(0));
    let stopped = stop.clone();
    let reaper = std::thread::spawn(move || {
        while stopped.load(Ordering::SeqCst) == 0 {
            // SAFETY: null is allowed for the status.
            unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
        }
    });
    let pool = pool(1);
    for _ in 0..20 {
        assert!(
            pool.submit(die, Death::Exit(3))
                .wait()
                .unwrap_err()
                .is_crash()
        );
    }
    drop(pool);
    stop.store(1, Ordering::SeqCst);
    reaper.join().unwrap();
}

fn f73() {
    let scratch = Scratch::new();
    runtime().block_on(async {
        let pool = pool(1);
        let here = scratch.path("here");
        let job = pool.submit(hold, (here.clone(), scratch.path("never")));
        let start = Instant::now();
        while !std::path::Path::new(&here).exists() {
            assert!(start.elapsed() < Duration::from_secs(30));
            trefoil::time::sleep(Duration::from_millis(1)).await;
        }
        let victim = written_pid(&here);
        assert!(job.cancel());
        assert!(!job.cancel(), "it has its outcome");
        assert!(job.await.unwrap_err().is_cancelled());
        assert_ne!(pool.submit(pid, ()).await.unwrap(), victim);
    });
}
