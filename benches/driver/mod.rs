//! What the programs that compare two sides share: a child process for each measurement, and the
//! middle of many.

#![forbid(unsafe_code)]

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A child that takes longer has hung.
///
/// Unit: wall time. Source: the longest row, `sleeps_1m` on a busy machine, takes a tenth of it.
const CHILD_LIMIT: Duration = Duration::from_secs(60);

/// Median of `values`; NaN if there are none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => (sorted[len / 2 - 1] + sorted[len / 2]) / 2.0,
    }
}

/// Smallest and largest of `values`.
pub fn extent(values: &[f64]) -> (f64, f64) {
    let grow = |(low, high): (f64, f64), &value: &f64| (low.min(value), high.max(value));
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), grow)
}

/// Starts this program again with `args`, and gives what it said.
///
/// # Errors
///
/// When it could not be started, hung, or failed: a line that says so.
pub fn run_child(args: &[String]) -> Result<String, String> {
    let this = std::env::current_exe().map_err(|error| format!("find this program: {error}"))?;
    let mut child = Command::new(this)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("start the child: {error}"))?;
    let mut stdout = child.stdout.take().expect("piped above");
    let mut stderr = child.stderr.take().expect("piped above");
    let (sender, read) = mpsc::channel();
    std::thread::spawn(move || {
        // Not UTF-8 or cut off: shows as a missing report at the caller.
        let (mut said, mut complained) = (String::new(), String::new());
        let _ = stdout.read_to_string(&mut said);
        let _ = stderr.read_to_string(&mut complained);
        let _ = sender.send((said, complained));
    });
    let Ok((said, complained)) = read.recv_timeout(CHILD_LIMIT) else {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("hung: no result after {CHILD_LIMIT:?}"));
    };
    let status = child
        .wait()
        .map_err(|error| format!("wait for the child: {error}"))?;
    if !status.success() {
        let lines: Vec<&str> = complained.lines().filter(|line| !line.is_empty()).collect();
        return Err(format!(
            "{status}: {}",
            lines[..lines.len().min(3)].join(" ")
        ));
    }
    Ok(said)
}
