//! For tests that need a process of their own (an abort, an environment, a global pool): the test
//! starts its own program again, and runs once more in there. And for tests that might hang.

use std::process::{Command, Output};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Set in a child.
const MARK: &str = "TREFOIL_TEST_CHILD";

/// Does this run in the child?
pub fn in_child() -> bool {
    std::env::var_os(MARK).is_some()
}

/// Runs the test of this full name in a child, with these variables.
pub fn again(test: &str, variables: &[(&str, &str)]) -> Output {
    // libtest's names begin below the crate.
    let (_, test) = test.split_once("::").expect("a module path");
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child
        .args([test, "--exact", "--nocapture"])
        .env(MARK, "1")
        .envs(variables.iter().copied());
    for name in [
        "TREFOIL_NUM_THREADS",
        "RAYON_NUM_THREADS",
        "RAYON_RS_NUM_CPUS",
    ] {
        if variables.iter().all(|(set, _)| *set != name) {
            child.env_remove(name);
        }
    }
    child.output().expect("start the test again")
}

/// Runs it in a child, where it must pass.
pub fn passes_again(test: &str, variables: &[(&str, &str)]) {
    let output = again(test, variables);
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(output.status.success(), "{}: {text}", output.status);
    assert!(text.contains("1 passed"), "not the one test: {text}");
}

/// Kills the whole test program if it is not dropped in time: a test that hangs is worse than one
/// that fails.
pub struct Limit(Option<(Sender<()>, JoinHandle<()>)>);

/// Far above what any test needs.
const PATIENCE: Duration = Duration::from_secs(100);

impl Limit {
    /// Starts to count.
    pub fn new() -> Self {
        let (over, wait) = channel::<()>();
        let test = std::thread::current().name().unwrap_or("?").to_owned();
        let guard = std::thread::spawn(move || {
            if wait.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{test} hangs: nothing for {PATIENCE:?}");
                std::process::abort();
            }
        });
        Self(Some((over, guard)))
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let (over, guard) = self.0.take().expect("only dropped once");
        drop(over);
        let _ = guard.join();
    }
}
