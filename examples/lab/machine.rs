//! The machine, and how much of it we really get.
//!
//! On a shared or throttled machine the number of cores says little; without the measured figure
//! a pool that works perfectly looks useless.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::measure::{Gap, Usage};
use crate::on_trefoil;

/// How long each core spins. Long enough for a scheduler's slice of some ms to average out,
/// short enough for nobody to notice.
const SPIN: Duration = Duration::from_millis(150);

/// How long the loop beats without work, to find this machine's own lateness.
const REST: Duration = Duration::from_millis(200);

/// The facts that every figure of a report depends on.
#[derive(Clone, Serialize)]
pub struct Machine {
    /// The release of the kernel.
    pub kernel: String,
    /// The name of the processor.
    pub cpu: String,
    /// The cores in name.
    pub cores: usize,
    /// CPU time divided by wall time of a spin on every core.
    pub cores_available: f64,
    /// Load average of the last minute, before the lab began.
    pub load: f64,
    /// The compiler in the path, if any.
    pub rustc: String,
    /// `release` or `debug`.
    pub profile: &'static str,
    /// How late a heartbeat is here when nothing disturbs it.
    pub gap_floor: Gap,
}

/// The cores in name.
pub fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// CPU time divided by wall time of a spin on every core: the cores really available.
pub fn cores_available() -> f64 {
    let (start, before) = (Instant::now(), Usage::now());
    thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                while start.elapsed() < SPIN {
                    std::hint::spin_loop();
                }
            });
        }
    });
    (Usage::now().cpu - before.cpu).as_secs_f64() / start.elapsed().as_secs_f64()
}

impl Machine {
    /// Looks; takes a third of a second.
    pub fn look() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let cpu = cpu
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let rustc = std::process::Command::new("rustc")
            .arg("--version")
            .output();
        let rustc = rustc
            .ok()
            .and_then(|output| String::from_utf8(output.stdout).ok());
        let load = read("/proc/loadavg");
        let load = load.split(' ').next().and_then(|first| first.parse().ok());
        Self {
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            cpu: cpu.map_or("unknown CPU", |(_, name)| name).to_owned(),
            cores: cores(),
            cores_available: cores_available(),
            load: load.unwrap_or(0.0),
            rustc: rustc.map_or("unknown".to_owned(), |version| version.trim().to_owned()),
            profile: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            },
            gap_floor: on_trefoil::heartbeat_at_rest(REST).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kernel,
            cpu,
            cores,
            cores_available,
            load,
            ..
        } = self;
        let late = self.gap_floor.max as f64 / 1e6;
        write!(
            f,
            "machine: Linux {kernel}, {cpu}, {cores} cores, {cores_available:.1} really "
        )?;
        write!(
            f,
            "available, load {load}, an idle loop beats up to {late:.1} ms late"
        )
    }
}
