//! The lab as its own child: servers, victims, and runs whose memory or threads are counted.
//!
//! A child's CPU does not count for its parent, its death does not hurt the lab, and a process
//! that has done nothing else before has an honest memory figure. The child is this program with
//! `--serve EXPERIMENT ARGUMENTS...`; it answers on its standard output.

#![forbid(unsafe_code)]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::measure::Sample;
use crate::report::Experiment;

/// The child's `main`: `arguments` are the experiment and what it wants.
pub fn serve(experiments: &[&Experiment], arguments: &[String]) {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (id, rest) = arguments.split_first().expect("clap wants one at least");
    let experiment = experiments.iter().find(|one| one.id == *id);
    (experiment.expect("a parent of the same version").serve)(rest);
}

/// The child's last words: its measured run.
pub fn answer(sample: &Sample) {
    println!("{}", serde_json::to_string(sample).expect("numbers only"));
}

/// Runs one measured child to its end.
///
/// # Panics
///
/// If it does not answer: no experiment can go on then.
pub fn measure(id: &str, arguments: &[String]) -> Sample {
    let child = command(id, arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the lab can start");
    let text = String::from_utf8_lossy(&child.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| {
        let errors = String::from_utf8_lossy(&child.stderr);
        panic!(
            "{id} {arguments:?} ended with {} ({error}): {text}{errors}",
            child.status
        )
    })
}

/// A child that serves on loopback until this is dropped.
pub struct Server {
    /// Where it listens.
    pub port: u16,
    /// The process.
    child: Child,
    /// Held open: when it closes, even by our death, the child ends.
    _stdin: ChildStdin,
}

impl Server {
    /// Starts one, and waits until it listens.
    pub fn start(id: &str, arguments: &[String]) -> Self {
        let mut command = command(id, arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .spawn()
            .expect("the lab can start");
        let stdin = child.stdin.take().expect("piped");
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        stdout
            .read_line(&mut line)
            .expect("the server prints its port");
        let port = line.trim().parse().expect("a port");
        Self {
            port,
            child,
            _stdin: stdin,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's half of that promise: ends this process when the parent is gone.
pub fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
}

/// This program again.
fn command(id: &str, arguments: &[String]) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("/proc is there"));
    command.args(["--serve", id]).args(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}
