//! Question: what does it cost to hand over a job that does nothing?
//!
//! Work: an empty job, handed over and waited for, one after the other.
//!
//! Tools: a task on a loop of one thread and on workers; `spawn_blocking`; the thread pool, from
//! outside (`submit`) and from inside (`join`: two halves, nobody steals); a thread. A batch of
//! jobs is timed and divided; batches of all tools alternate.
//!
//! Expected: a join some nanoseconds, a task below a microsecond, `submit` and `spawn_blocking`
//! some microseconds (another thread has to wake up and answer), a thread some ten.
//!
//! What would prove it wrong: a task that costs as much as a thread.

#![forbid(unsafe_code)]

use std::thread;
use std::time::Instant;

use trefoil::threads::{self, ThreadPoolBuilder};

use crate::map::{LOOP, POOL, THREADS, TOKIO};
use crate::measure::{Sample, Usage};
use crate::report::{Chart, Experiment, MapRow, Outcome, Sign};
use crate::row::{Row, time};
use crate::verdict::Verdict;
use crate::{Lab, Peer, on_tokio, on_trefoil};

/// This file, as `main.rs` sees it.
pub const EXPERIMENT: Experiment = Experiment {
    id: "price",
    question: "what does an empty job cost, there and back?",
    explained_by: "examples/04-hello",
    run,
    serve: |_| unreachable!("measured in the lab's own process"),
};

/// A tool: its name, the jobs of a batch (a few milliseconds of them), and the batch.
type Tool = (&'static str, usize, Box<dyn Fn(usize)>);

/// All tools. Their runtimes live until the end, so that no batch pays for starting one.
fn tools(lab: &Lab) -> Vec<Tool> {
    let workers = lab.most_workers();
    let (one, many) = (on_trefoil::runtime(0), on_trefoil::runtime(workers));
    let blocking = on_trefoil::runtime(0);
    let new_pool = || ThreadPoolBuilder::new().num_threads(workers).build();
    let pool = new_pool().expect("a pool can be made");
    let joining = new_pool().expect("a pool can be made");
    let mut tools = vec![
        tool("task, 1 thread", 20_000, move |n| {
            on_trefoil::spawn_and_await(&one, n)
        }),
        tool("task, workers", 20_000, move |n| {
            on_trefoil::spawn_and_await(&many, n)
        }),
        tool("spawn_blocking", 1_000, move |n| {
            on_trefoil::spawn_blocking_and_await(&blocking, n)
        }),
        tool("pool, submit and wait", 1_000, move |n| {
            for _ in 0..n {
                pool.submit(|| ()).wait().expect("an empty job ends");
            }
        }),
        tool("pool, one join", 100_000, move |n| {
            joining.install(|| {
                for _ in 0..n {
                    threads::join(|| (), || ());
                }
            });
        }),
        tool("thread", 100, |n| {
            for _ in 0..n {
                thread::spawn(|| ()).join().expect("an empty thread ends");
            }
        }),
    ];
    if lab.with(Peer::Tokio) {
        let (one, many) = (on_tokio::runtime(0), on_tokio::runtime(workers));
        let blocking = on_tokio::runtime(0);
        tools.extend([
            tool("tokio task, 1 thread", 20_000, move |n| {
                on_tokio::spawn_and_await(&one, n)
            }),
            tool("tokio task, workers", 20_000, move |n| {
                on_tokio::spawn_and_await(&many, n)
            }),
            tool("tokio spawn_blocking", 1_000, move |n| {
                on_tokio::spawn_blocking_and_await(&blocking, n)
            }),
        ]);
    }
    tools
}

/// One of them.
fn tool(name: &'static str, jobs: usize, batch: impl Fn(usize) + 'static) -> Tool {
    (name, jobs, Box::new(batch))
}

/// Times one batch, and divides.
fn batch((_, jobs, batch): &Tool) -> Sample {
    let (start, before) = (Instant::now(), Usage::now());
    batch(*jobs);
    let (wall, cpu) = (start.elapsed(), Usage::now().cpu - before.cpu);
    let each = |total: std::time::Duration| total.as_nanos() as u64 / *jobs as u64;
    Sample {
        wall: each(wall),
        cpu: each(cpu),
        saved: *jobs as u64,
        ..Sample::default()
    }
}

/// Measures all tools, side by side.
fn run(lab: &Lab) -> Outcome {
    let tools = tools(lab);
    let batches = lab.size(45, 9);
    let samples = lab.alternate(batches, &tools, |tool| tool.0.to_owned(), batch);
    let rows: Vec<Row> = std::iter::zip(&tools, &samples)
        .map(|(tool, samples)| Row::of(tool.0, 0, samples, 1.0))
        .collect();
    let wall = |name: &str| Row::find(&rows, name).wall.min;
    let (task, blocking, thread) = (
        wall("task, 1 thread"),
        wall("spawn_blocking"),
        wall("thread"),
    );
    let workers = wall("task, workers");
    let (submit, join) = (wall("pool, submit and wait"), wall("pool, one join"));
    let mut cells = vec![
        (LOOP, time(task), Sign::Fits),
        (THREADS, time(thread), Sign::Works),
        (POOL, time(submit), Sign::Works),
    ];
    if lab.with(Peer::Tokio) {
        cells.push((TOKIO, time(wall("tokio task, 1 thread")), Sign::Fits));
    }
    // Smallest of many batches: what the operation costs when nobody disturbs it. So a count of
    // nanoseconds of the same loop, hard although it is wall time; the factor is 10 and more.
    let why = format!(
        "{} and {} against {}",
        time(task),
        time(workers),
        time(thread)
    );
    let order = task < thread && workers < thread;
    Outcome {
        sizes: [("batches", batches)].into(),
        verdicts: vec![
            Verdict::hard("a task costs less than a thread", order, why),
            Verdict::hard(
                "a join that nobody steals costs less than a task",
                join < task,
                format!("{} against {}", time(join), time(task)),
            ),
            Verdict::soft(
                "a job submitted to the pool costs less than a thread",
                submit < thread,
                format!("{} against {}", time(submit), time(thread)),
            ),
            Verdict::soft(
                "spawn_blocking costs less than a thread",
                blocking < thread,
                format!("{} against {}", time(blocking), time(thread)),
            ),
        ],
        map: vec![MapRow {
            work: "an empty job, there and back".into(),
            cells,
            verdict: "event loop".into(),
            note: format!(
                "{:.0} tasks for the price of one thread; a join in the pool: {}",
                thread / task,
                time(join)
            ),
        }],
        chart: Chart::Wall,
        rows,
    }
}
