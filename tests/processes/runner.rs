//! Runs the checks of a test file whose workers execute that file again: so it has a `main` of its
//! own, which calls `init` first, and no harness.
//!
//! After each check nothing may be left: no child, no descriptor, no thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use trefoil::processes::{Builder, ProcessPool, StartMethod};

/// A check and its name: the number of the behaviour, and the promise.
pub type Check = (&'static str, fn());

/// Far above what any check needs.
const PATIENCE: Duration = Duration::from_secs(200);

/// True while pools of [`builder`] have a fork server.
static FORK: AtomicBool = AtomicBool::new(false);

/// Runs the checks that the arguments name (all without arguments); ends the process.
pub fn run(checks: &[Check]) -> ! {
    run_both(checks, &[]);
}

/// The same; those of `forked` (by the beginning of their names) once more with a fork server.
pub fn run_both(checks: &[Check], forked: &[&str]) -> ! {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--list") {
        for (name, _) in checks {
            println!("{name}: test");
        }
        std::process::exit(0);
    }
    let names: Vec<&String> = args.iter().filter(|arg| !arg.starts_with('-')).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|arg| name.contains(&***arg));
    let mut failed = Vec::new();
    let mut passed = 0;
    let once = checks.iter().map(|check| (check, ""));
    let again = checks
        .iter()
        .filter(|(name, _)| forked.iter().any(|start| name.starts_with(start)))
        .map(|check| (check, ", forked"));
    for ((name, check), how) in once.chain(again).filter(|((name, _), _)| wanted(name)) {
        FORK.store(!how.is_empty(), Ordering::SeqCst);
        let start = Instant::now();
        if one(name, *check) {
            passed += 1;
            let took = start.elapsed().as_millis();
            println!("test {name}{how} ... ok ({took} ms)");
        } else {
            println!("test {name}{how} ... FAILED");
            failed.push(*name);
        }
    }
    println!(
        "test result: {passed} passed; {} failed {failed:?}",
        failed.len()
    );
    std::process::exit(i32::from(!failed.is_empty()));
}

/// Runs one check, and looks what it left.
fn one(name: &'static str, check: fn()) -> bool {
    let before = (descriptors(), threads());
    let (over, wait) = channel::<()>();
    let watchdog = std::thread::spawn(move || {
        if wait.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
            eprintln!("{name}: still not over\n{}", trefoil::dump());
            std::process::exit(3);
        }
    });
    let mut good = catch_unwind(AssertUnwindSafe(check)).is_ok();
    drop(over);
    watchdog.join().unwrap();
    good &= cleaned(name, before);
    good
}

/// True when there is no child, and as many descriptors and threads as before. A thread that has
/// ended may be seen for a moment longer.
fn cleaned(name: &str, before: (usize, usize)) -> bool {
    let start = Instant::now();
    loop {
        let now = (descriptors(), threads());
        let children = has_children();
        if !children && now == before {
            return true;
        }
        if start.elapsed() > Duration::from_secs(100) {
            println!(
                "{name} left: children {children}, (descriptors, threads) {now:?} after {before:?}"
            );
            return false;
        }
        std::thread::yield_now();
    }
}

/// How many entries a directory has.
fn entries(path: &str) -> usize {
    std::fs::read_dir(path).unwrap().count()
}

/// Open descriptors of this process.
pub fn descriptors() -> usize {
    entries("/proc/self/fd")
}

/// Threads of this process.
pub fn threads() -> usize {
    entries("/proc/self/task")
}

/// waitid(2) finds a child, dead or alive.
#[allow(unsafe_code, reason = "std asks of one child only")]
pub fn has_children() -> bool {
    // SAFETY: integers and padding: zeros are valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: `info` outlives the call.
    unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, flags) == 0 }
}

/// What checks tell each other through files: a directory that goes away.
pub struct Scratch(std::path::PathBuf);

impl Scratch {
    /// A fresh one.
    pub fn new() -> Self {
        static COUNT: Mutex<u32> = Mutex::new(0);
        let mut count = COUNT.lock().unwrap();
        *count += 1;
        let name = format!("trefoil-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Waits until `done`; only the watchdog limits it.
pub fn until(mut done: impl FnMut() -> bool) {
    while !done() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A runtime for a check.
pub fn runtime() -> trefoil::runtime::Runtime {
    trefoil::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// `ProcessPool::builder()`, with the start method of this run.
pub fn builder() -> Builder {
    let method = if FORK.load(Ordering::SeqCst) {
        StartMethod::ForkServer
    } else {
        StartMethod::Exec
    };
    ProcessPool::builder().start_method(method)
}

/// A pool of this program.
pub fn pool(workers: usize) -> ProcessPool {
    builder().workers(workers).build().unwrap()
}

/// kill(2) for one process.
#[allow(unsafe_code, reason = "std kills its own children only")]
pub fn kill(pid: i32, signal: i32) {
    assert!(pid > 1);
    // SAFETY: kill(2) has no precondition.
    unsafe { libc::kill(pid, signal) };
}
