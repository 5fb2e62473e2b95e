//! What one measured run leaves behind, and how several runs become one figure.
//!
//! Wall time is what a reader feels, and what a busy neighbour spoils; so CPU time always stands
//! beside it, and a figure is a median with its minimum and maximum, never an average.

#![allow(
    unsafe_code,
    reason = "CPU time of the whole process, ended threads included, is a libc call"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Median, smallest and largest of several runs. Times are in nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Figure {
    /// The middle one; of an even number the upper of the two middle ones.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Figure {
    /// Of these values, each multiplied by `scale`.
    pub fn of(values: impl Iterator<Item = u64>, scale: f64) -> Self {
        let mut values: Vec<f64> = values.map(|value| value as f64 * scale).collect();
        values.sort_by(f64::total_cmp);
        match values[..] {
            [] => Self::default(),
            [min, .., max] => Self {
                median: values[values.len() / 2],
                min,
                max,
            },
            [one] => Self {
                median: one,
                min: one,
                max: one,
            },
        }
    }
}

/// How late a heartbeat was: see `on_loop.rs`. Nanoseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Gap {
    /// Half of the beats were at most this late.
    pub p50: u64,
    /// 99 of 100 beats were at most this late.
    pub p99: u64,
    /// The latest beat.
    pub max: u64,
}

impl Gap {
    /// Of the lateness of each beat.
    pub fn of(mut late: Vec<u64>) -> Option<Self> {
        late.sort_unstable();
        let last = late.len().checked_sub(1)?;
        let at = |percent: usize| late[last * percent / 100];
        Some(Self {
            p50: at(50),
            p99: at(99),
            max: late[last],
        })
    }
}

/// One job: its worker, its start and its end. Nanoseconds since the work began.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Lane {
    /// The worker's number.
    pub worker: usize,
    /// When it took the job.
    pub start: u64,
    /// When the job was done.
    pub end: u64,
}

/// One measured run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    /// Nanoseconds by the clock on the wall.
    pub wall: u64,
    /// Nanoseconds of CPU, of all threads of the process.
    pub cpu: u64,
    /// The most threads that lived at the same time.
    pub threads: u64,
    /// Peak resident memory of the process, bytes; or what an experiment puts here.
    pub rss: u64,
    /// Context switches of all threads.
    pub switches: u64,
    /// Jobs that were done.
    pub saved: u64,
    /// Jobs that were not.
    pub lost: u64,
    /// What was computed, where that must be the same for all tools.
    pub digest: u64,
    /// Who ran what and when, where jobs note it themselves.
    #[serde(default)]
    pub lanes: Vec<Lane>,
    /// The heartbeat beside the work, where there was one.
    pub gap: Option<Gap>,
}

/// Measures from [`Meter::start`] to [`Meter::stop`].
pub struct Meter {
    /// When it began.
    start: Instant,
    /// CPU and switches until then.
    before: Usage,
    /// Looks at the number of threads again and again.
    watcher: JoinHandle<()>,
    /// The largest number seen, and whether the watcher may end.
    seen: Arc<(AtomicU64, AtomicBool)>,
}

/// How often the watcher looks. A look costs some 20 µs, so this is below 1 % of a CPU; a thread
/// that lives shorter than this is not seen, but the lab's jobs all wait longer.
const WATCH_EVERY: Duration = Duration::from_millis(5);

impl Meter {
    /// Begins to measure.
    pub fn start() -> Self {
        let seen = Arc::new((AtomicU64::new(0), AtomicBool::new(false)));
        let watcher = thread::spawn({
            let seen = seen.clone();
            move || {
                while !seen.1.load(Relaxed) {
                    // Less one: the watcher itself.
                    seen.0.fetch_max(status("Threads:") - 1, Relaxed);
                    thread::park_timeout(WATCH_EVERY);
                }
            }
        });
        Self {
            start: Instant::now(),
            before: Usage::now(),
            watcher,
            seen,
        }
    }

    /// Ends, and says what happened since.
    pub fn stop(self) -> Sample {
        let wall = self.start.elapsed().as_nanos() as u64;
        let usage = Usage::now();
        self.seen.1.store(true, Relaxed);
        self.watcher.thread().unpark();
        self.watcher.join().expect("the watcher only reads");
        Sample {
            wall,
            cpu: (usage.cpu - self.before.cpu).as_nanos() as u64,
            threads: self.seen.0.load(Relaxed),
            rss: status("VmHWM:") * 1024,
            switches: usage.switches - self.before.switches,
            ..Sample::default()
        }
    }
}

/// What the process has used since it began.
#[derive(Clone, Copy)]
pub struct Usage {
    /// User and system time of all threads, also those that have ended.
    pub cpu: Duration,
    /// Times that a thread left its CPU, willingly or not.
    switches: u64,
}

impl Usage {
    /// As of now.
    pub fn now() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
        // SAFETY: getrusage(2) writes one `rusage` to a valid pointer, which this is.
        let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
        assert_eq!(result, 0, "getrusage fails only for a wrong argument");
        // SAFETY: zeroed, and `rusage` holds only numbers; the call above filled it.
        let usage = unsafe { usage.assume_init() };
        let time = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
        Self {
            cpu: time(usage.ru_utime) + time(usage.ru_stime),
            switches: (usage.ru_nvcsw + usage.ru_nivcsw) as u64,
        }
    }
}

/// A number of /proc/self/status (proc_pid_status(5)); memory is in KiB there. 0 if it is absent.
pub fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
