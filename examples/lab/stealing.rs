//! Question: 64 jobs are very unequal. How are they shared out so that nobody idles?
//!
//! Work: the strips of a Mandelbrot image; those near the real axis take many times longer than
//! those at its edge.
//!
//! Tools: a fixed split (each thread gets a stretch of the strips beforehand); one queue, from
//! which each thread takes the next; stealing (the work is halved again and again, and who has
//! nothing takes a half from another). Each job notes its worker, its start and its end: that is
//! the picture on the page.
//!
//! Expected: with the fixed split the threads with light stretches wait for the one with the
//! heavy one. One queue and stealing keep all busy; the queue is one place that all must pass, so
//! it pays with more and smaller jobs, stealing does not.
//!
//! What would prove it wrong: workers that idle more under stealing than under a fixed split.

#![forbid(unsafe_code)]

use std::ops::Range;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use trefoil::threads::{self, ThreadPoolBuilder};

use crate::map::{POOL, THREADS};
use crate::measure::{Lane, Meter, Sample};
use crate::report::{Chart, Experiment, MapRow, Outcome, Sign};
use crate::row::Row;
use crate::verdict::Verdict;
use crate::work::{JOBS, Kind, Work};
use crate::{Lab, child};

/// This file, as `main.rs` sees it.
pub const EXPERIMENT: Experiment = Experiment {
    id: "stealing",
    question: "64 unequal jobs: how are they shared out so that nobody idles?",
    explained_by: "examples/19-fork-join",
    run,
    serve,
};

/// The tools, and how the child is told.
const TOOLS: [(&str, &str); 3] = [
    ("fixed split", "fixed"),
    ("one queue", "queue"),
    ("stealing", "stealing"),
];

/// What all jobs need: the work, when it began, and where they note themselves.
struct Run {
    work: Work,
    began: Instant,
    /// Jobs that are over; and the sum of what they gave.
    done: Mutex<(Vec<Lane>, u64)>,
}

impl Run {
    /// Runs one job, on a worker with this number.
    fn job(&self, job: usize, worker: usize) {
        let now = || self.began.elapsed().as_nanos() as u64;
        let start = now();
        let digest = self.work.run(job, &|| ());
        let end = now();
        let mut done = self.done.lock().expect("only pushes");
        done.0.push(Lane { worker, start, end });
        done.1 = done.1.wrapping_add(digest);
    }

    /// Halves the jobs until one is left; the other half can be stolen meanwhile.
    fn halve(&self, jobs: Range<usize>) {
        if jobs.len() == 1 {
            let worker = threads::current_thread_index().expect("runs in the pool");
            return self.job(jobs.start, worker);
        }
        let middle = jobs.start + jobs.len() / 2;
        threads::join(
            || self.halve(jobs.start..middle),
            || self.halve(middle..jobs.end),
        );
    }
}

/// As a child: one tool. Arguments: tool, workers, size.
fn serve(arguments: &[&str]) {
    let &[tool, workers, size] = arguments else {
        panic!("tool, workers and size, from the parent")
    };
    let workers: usize = workers.parse().expect("a number from the parent");
    let pool = ThreadPoolBuilder::new().num_threads(workers).build();
    let pool = pool.expect("a pool can be made");
    let meter = Meter::start();
    let run = Run {
        work: Work {
            kind: Kind::Mandelbrot,
            size: size.parse().expect("a number from the parent"),
        },
        began: Instant::now(),
        done: Mutex::default(),
    };
    let next = Mutex::new(0..JOBS);
    let each = |worker: usize| match tool {
        "fixed" => {
            let jobs = JOBS * worker / workers..JOBS * (worker + 1) / workers;
            jobs.for_each(|job| run.job(job, worker));
        }
        // The lock ends with its line: `while let` would keep it for the whole turn.
        _ => loop {
            let job = next.lock().expect("only counts").next();
            let Some(job) = job else { break };
            run.job(job, worker);
        },
    };
    if tool == "stealing" {
        pool.install(|| run.halve(0..JOBS));
    } else {
        thread::scope(|scope| {
            for worker in 0..workers {
                let each = &each;
                scope.spawn(move || each(worker));
            }
        });
    }
    let (lanes, digest) = run.done.into_inner().expect("only pushes");
    child::answer(&Sample {
        saved: lanes.len() as u64,
        lanes,
        digest,
        ..meter.stop()
    });
}

/// Measures all tools, side by side.
fn run(lab: &Lab) -> Outcome {
    let workers = lab.most_workers().max(2);
    let size = lab.size(1_000, 400);
    let measure = |(_, tool): &(&str, &str)| {
        let arguments = [*tool, &workers.to_string(), &size.to_string()];
        child::measure(EXPERIMENT.id, &arguments.map(str::to_owned))
    };
    let samples = lab.alternate(3, &TOOLS, |tool| tool.0.to_owned(), measure);
    let mut rows = Vec::new();
    for ((name, _), samples) in std::iter::zip(TOOLS, &samples) {
        let mut row = Row::of(name, workers, samples, 1.0);
        // The run in the middle, for the figure and for the picture.
        let mut samples: Vec<_> = samples.iter().collect();
        samples.sort_by_key(|one| one.wall);
        row.lanes = samples[samples.len() / 2].lanes.clone();
        row.extra.insert("idle %", idle(&row.lanes, workers));
        rows.push(row);
    }
    let idle = |row: &Row| row.extra["idle %"];
    let (fixed, stealing) = (idle(&rows[0]), idle(&rows[2]));
    let same = samples
        .iter()
        .flatten()
        .all(|one| one.digest == samples[0][0].digest);
    let cell = |column, row: &Row, sign| {
        (
            column,
            format!("{}, {:.0} % idle", row.wall_text(), idle(row)),
            sign,
        )
    };
    Outcome {
        sizes: [("jobs", JOBS), ("workers", workers)].into(),
        verdicts: vec![
            Verdict::hard("all tools computed the same", same, format!("{JOBS} jobs")),
            Verdict::hard(
                "stealing leaves workers idle no longer than a fixed split",
                stealing <= fixed,
                format!("{stealing:.0} % and {fixed:.0} %"),
            ),
        ],
        map: vec![MapRow {
            work: format!("{JOBS} unequal jobs, {workers} workers"),
            cells: vec![
                cell(THREADS, &rows[0], Sign::Works),
                cell(POOL, &rows[2], Sign::Fits),
            ],
            verdict: "threads that steal".into(),
            note: format!(
                "threads: a fixed split; one queue: {}, {:.0} % idle",
                rows[1].wall_text(),
                idle(&rows[1])
            ),
        }],
        chart: Chart::Wall,
        rows,
    }
}

/// The share of the workers' time, from the first start to the last end, in which they had no job.
/// Unit: percent.
fn idle(lanes: &[Lane], workers: usize) -> f64 {
    let start = lanes.iter().map(|lane| lane.start).min().unwrap_or(0);
    let end = lanes.iter().map(|lane| lane.end).max().unwrap_or(0);
    let busy: u64 = lanes.iter().map(|lane| lane.end - lane.start).sum();
    100.0 * (1.0 - busy as f64 / ((end - start).max(1) * workers as u64) as f64)
}
