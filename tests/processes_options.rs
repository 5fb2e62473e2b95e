//! What the builder offers beside numbers: each option, seen from inside a worker.

use trefoil::processes;

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

fn main() {
    processes::init(|r| r);
    runner::run(&[]);
}
