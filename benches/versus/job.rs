//! One measurement, seen from inside the child process that makes it.
//!
//! A workload asks its [`Meter`] for the next run and does that many operations:
//!
//! ```text
//! let mut meter = job.meter(1);
//! while let Some(n) = meter.run() {      n doubles until a run lasts target / 8,
//!     for _ in 0..n { /* one op */ }     then three runs of n that fill the target
//! }
//! meter.metrics()                        best of the three, ns per operation
//! ```
//!
//! The clock starts when `run` returns and stops when it is called again, so what stands before
//! the loop is not timed. Best of three and not the mean: disturbances only add.
//! Read next: `executor.rs`, the first chapter of workloads.

#![forbid(unsafe_code)]

use crate::kernel;
use hdrhistogram::Histogram;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// The runtime a row runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Everything on the thread in `block_on`.
    CurrentThread,
    /// So many workers.
    MultiThread(usize),
}

/// What a row's time is read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// CPU time of the process: rows with one busy thread that never waits.
    Cpu,
    /// The time of day: rows with several threads, sockets or waiting.
    Wall,
    /// No clock: bytes.
    Count,
}

impl Clock {
    /// Nanoseconds since an arbitrary start.
    fn now_ns(self) -> f64 {
        /// Where the wall clock starts counting.
        static START: OnceLock<Instant> = OnceLock::new();
        match self {
            Clock::Cpu => kernel::process_cpu().as_nanos() as f64,
            _ => START.get_or_init(Instant::now).elapsed().as_nanos() as f64,
        }
    }
}

/// Which cores the threads of a row may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cores {
    /// Unpinned.
    Free,
    /// All threads on core 0.
    One,
    /// Server on core 0, client on core 1. With two workers these may use both cores.
    Two,
}

/// What one child process measures: a row of `rows.rs` and how long.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The workload's name, without flavour and pinning.
    pub workload: &'static str,
    /// The runtime it runs on.
    pub flavour: Flavour,
    /// What its time is read from.
    pub clock: Clock,
    /// Where its threads run.
    pub pin: Cores,
    /// Length of one run.
    pub target: Duration,
    /// Only to see that the row works: fixed counts and windows shrink to a twentieth.
    pub quick: bool,
}

impl Job {
    /// A calibrated meter; each run's `n` counts batches of `batch` operations.
    pub fn meter(self, batch: u64) -> Meter {
        Meter::new(self, batch, 1, 3, true)
    }

    /// A meter whose runs all do `n` operations; the best of `runs` counts.
    pub fn fixed(self, n: u64, runs: u32) -> Meter {
        Meter::new(self, 1, n, runs, false)
    }

    /// `n`, or a twentieth of it in a quick run.
    pub fn count(self, n: u64) -> u64 {
        if self.quick { n.div_ceil(20) } else { n }
    }

    /// `window`, or a twentieth of it in a quick run.
    pub fn window(self, window: Duration) -> Duration {
        if self.quick { window / 20 } else { window }
    }

    /// The cores of workers and servers, `None` if they are free.
    pub fn server_cores(self) -> Option<&'static [usize]> {
        match (self.pin, self.flavour) {
            (Cores::Free, _) => None,
            (Cores::Two, Flavour::MultiThread(2..)) => Some(&[0, 1]),
            _ => Some(&[0]),
        }
    }

    /// Puts the calling thread where the row wants its client, or its thread outside.
    pub fn pin_client(self) {
        match self.pin {
            Cores::Free => {}
            Cores::One => kernel::pin(&[0]),
            Cores::Two => kernel::pin(&[1]),
        }
    }

    /// Puts the calling thread where the row wants its server.
    pub fn pin_server(self) {
        if let Some(cores) = self.server_cores() {
            kernel::pin(cores);
        }
    }
}

/// What a child reports: names with their unit, and values. The first is the row's headline.
pub type Metrics = Vec<(&'static str, f64)>;

/// Times the runs of one workload.
pub struct Meter {
    /// What the time is read from.
    clock: Clock,
    /// Operations in one batch.
    batch: u64,
    /// Batches in the coming run.
    n: u64,
    /// What a run is to last, in ns.
    target_ns: f64,
    /// Whether `n` is still being looked for.
    calibrating: bool,
    /// Timed runs still to do.
    left: u32,
    /// When the present run began.
    began: Option<f64>,
    /// The best run, in ns per operation.
    best_ns: f64,
}

impl Meter {
    /// A meter at rest.
    fn new(job: Job, batch: u64, n: u64, runs: u32, calibrating: bool) -> Meter {
        Meter {
            clock: job.clock,
            batch,
            n,
            target_ns: job.target.as_nanos() as f64,
            calibrating,
            left: runs,
            began: None,
            best_ns: f64::INFINITY,
        }
    }

    /// Ends the present run and begins the next: how many batches it has, or `None` after the last.
    pub fn run(&mut self) -> Option<u64> {
        let now = self.clock.now_ns();
        if let Some(began) = self.began.take() {
            self.take_down((now - began).max(1.0));
        }
        if self.left == 0 {
            return None;
        }
        self.began = Some(self.clock.now_ns());
        Some(self.n)
    }

    /// Learns from a run of `spent_ns`.
    fn take_down(&mut self, spent_ns: f64) {
        if !self.calibrating {
            self.best_ns = self.best_ns.min(spent_ns / (self.n * self.batch) as f64);
            self.left -= 1;
        } else if spent_ns * 8.0 < self.target_ns {
            self.n *= 2;
        } else {
            self.n = ((self.n as f64 * self.target_ns / spent_ns) as u64).max(1);
            self.calibrating = false;
        }
    }

    /// The report of a row that has no other figure: ns per operation in the best run.
    pub fn metrics(&self) -> Metrics {
        vec![("ns", self.best_ns)]
    }
}

/// Times of single events, for the rows whose tail matters.
pub struct Tail(Histogram<u64>);

impl Tail {
    /// No events yet.
    pub fn new() -> Tail {
        // Nanoseconds up to a minute, three significant digits.
        Tail(Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds are valid"))
    }

    /// Counts one event.
    pub fn record(&mut self, took: Duration) {
        self.0.saturating_record(took.as_nanos() as u64);
    }

    /// Adds p50, p99 and p99.9 in µs.
    pub fn report(&self, metrics: &mut Metrics) {
        for (name, quantile) in [("p50 µs", 0.5), ("p99 µs", 0.99), ("p99.9 µs", 0.999)] {
            metrics.push((name, self.0.value_at_quantile(quantile) as f64 / 1000.0));
        }
    }
}

/// A future that wakes its own task and is Pending once.
#[derive(Default)]
pub struct SelfWake {
    /// Whether it has been Pending.
    woken: bool,
}

impl Future for SelfWake {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.woken, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Keeps this core busy for `length` of wall time.
pub fn spin(length: Duration) {
    let began = Instant::now();
    while began.elapsed() < length {
        std::hint::spin_loop();
    }
}

/// Marsaglia's xorshift64 with the shifts (13, 7, 17): the same numbers for every side.
pub struct Rng(u64);

impl Rng {
    /// The seed of Marsaglia, *Xorshift RNGs*, 2003.
    pub fn new() -> Rng {
        Rng(88_172_645_463_325_252)
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
