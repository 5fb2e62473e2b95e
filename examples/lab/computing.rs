//! Question: 64 jobs compute. Who gets them done, and who else suffers meanwhile?
//!
//! Work: SHA-256 of some hundred MiB, the primes below some million, a Mandelbrot image; each cut
//! into 64 jobs.
//!
//! Tools: one job after the other; all of them in one task of a loop ("inline"); a task each, on
//! one thread and on workers; the thread pool, its jobs awaited by a loop; and the pool with a
//! global lock that is handed over every 5 ms, as CPython's is. Beside all that run on a loop
//! beats a heart: how late it is shows what everybody else on that loop would suffer.
//!
//! Expected: the pool uses every core, and the heart beats on. Inline, the loop is frozen for as
//! long as the whole work takes. Under the global lock many threads are as slow as one.
//!
//! What would prove it wrong: a pool that keeps fewer cores busy than there are; a heart that
//! beats while a job runs on its loop; threads under the lock that get faster by being more.

#![forbid(unsafe_code)]

use std::sync::Arc;

use trefoil::threads::ThreadPoolBuilder;

use crate::child;
use crate::computing_verdict::{judge, map};
use crate::global_lock::GlobalLock;
use crate::machine;
use crate::measure::{Meter, Sample};
use crate::report::{Chart, Experiment, Outcome};
use crate::row::Row;
use crate::work::{JOBS, Kind, Work};
use crate::{Lab, on_trefoil};

/// This file, as `main.rs` sees it.
pub const EXPERIMENT: Experiment = Experiment {
    id: "computing",
    question: "64 jobs compute: who gets them done, and who suffers meanwhile?",
    explained_by: "examples/19-fork-join",
    run,
    serve,
};

/// The tools: a name, how the child is told, and the number of workers.
fn tools(lab: &Lab) -> Vec<(String, &'static str, usize)> {
    let most = lab.most_workers();
    let mut tools = vec![
        ("sequential".to_owned(), "sequential", 1),
        (INLINE.to_owned(), "inline", 0),
        (TASKS.to_owned(), "tasks", 0),
    ];
    if most > 1 {
        tools.push((format!("tasks, loop of {most} workers"), "tasks", most));
    }
    for &workers in &lab.args.workers {
        tools.push((pool(workers), "pool", workers));
    }
    tools.push((locked(most), "locked", most));
    tools
}

/// All jobs in one task.
pub const INLINE: &str = "inline on the loop";
/// A task each.
pub const TASKS: &str = "tasks, loop of 1 thread";
/// The jobs in a pool.
pub fn pool(workers: usize) -> String {
    format!("thread pool of {workers}")
}
/// The same under the lock.
pub fn locked(workers: usize) -> String {
    format!("pool of {workers}, one global lock")
}

/// As a child: one work by one tool. Arguments: tool, workers, work, size.
fn serve(arguments: &[&str]) {
    let &[tool, workers, kind, size] = arguments else {
        panic!("tool, workers, work and size, from the parent")
    };
    let workers: usize = workers.parse().expect("a number from the parent");
    let work = Work::parse(kind, size);
    let all = move || {
        (0..JOBS)
            .map(|job| work.run(job, &|| ()))
            .fold(0, u64::wrapping_add)
    };
    let sample = match tool {
        "sequential" => {
            let meter = Meter::start();
            let digest = all();
            Sample {
                digest,
                ..meter.stop()
            }
        }
        "inline" => on_trefoil::beside_a_heart(workers, async move { all() }),
        "tasks" => on_trefoil::beside_a_heart(
            workers,
            on_trefoil::tasks(
                (0..JOBS)
                    .map(move |job| move || work.run(job, &|| ()))
                    .collect(),
            ),
        ),
        _ => on_trefoil::beside_a_heart(0, in_pool(workers, work, tool == "locked")),
    };
    child::answer(&Sample {
        saved: JOBS as u64,
        ..sample
    });
}

/// All jobs in a thread pool, awaited.
async fn in_pool(workers: usize, work: Work, locked: bool) -> u64 {
    let pool = ThreadPoolBuilder::new().num_threads(workers).build();
    let pool = pool.expect("a pool can be made");
    let lock = Arc::new(GlobalLock::default());
    let jobs: Vec<_> = (0..JOBS)
        .map(|job| {
            let lock = lock.clone();
            pool.submit(move || match locked {
                true => lock.with(|pause| work.run(job, pause)),
                false => work.run(job, &|| ()),
            })
        })
        .collect();
    let mut sum = 0_u64;
    for job in jobs {
        sum = sum.wrapping_add(job.await.expect("no job panics"));
    }
    sum
}

/// Measures all tools on all works, side by side.
fn run(lab: &Lab) -> Outcome {
    let works = [
        (Kind::Sha256, lab.size(512, 48)),
        (Kind::Primes, lab.size(20_000, 6_000)),
        (Kind::Mandelbrot, lab.size(1_000, 320)),
    ]
    .map(|(kind, size)| Work { kind, size });
    let before = machine::cores_available();
    let tools = tools(lab);
    let both: Vec<_> = works
        .iter()
        .flat_map(|work| tools.iter().map(move |tool| (*work, tool)))
        .collect();
    let name = |(work, tool): &(Work, &(String, _, _))| format!("{}: {}", work.name(), tool.0);
    let measure = |(work, (_, kind, workers)): &(Work, &(String, &str, usize))| {
        let arguments = [
            *kind,
            &workers.to_string(),
            work.name(),
            &work.size.to_string(),
        ];
        child::measure(EXPERIMENT.id, &arguments.map(str::to_owned))
    };
    let samples = lab.alternate(3, &both, name, measure);
    // A neighbour may have come meanwhile.
    let available = machine::cores_available().min(before);
    let digests = std::iter::zip(&both, &samples)
        .map(|((work, _), samples)| (work.name(), samples[0].digest));
    let same = digests.collect::<std::collections::BTreeSet<_>>().len() == works.len();
    let rows: Vec<Row> = std::iter::zip(&both, &samples)
        .map(|(one, samples)| Row::of(name(one), one.1.2, samples, 1.0))
        .collect();
    let most = lab.most_workers();
    Outcome {
        sizes: works.map(|work| (work.name(), work.size)).into(),
        verdicts: judge(&works, &rows, same, most, available),
        map: works
            .iter()
            .flat_map(|work| map(*work, &rows, most))
            .collect(),
        chart: Chart::Wall,
        rows,
    }
}
