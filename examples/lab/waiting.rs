//! Question: 1,000 answers take 100 ms each. Who waits for them best?
//!
//! Work: HTTP requests, a connection each, to a server that answers after 100 ms. The server is
//! a child process, so its CPU is not counted.
//!
//! Tools: one thread that asks one after the other; thread pools of 8 and 64; a thread for each
//! request; tasks on an event loop of 1 thread; the same loop on several workers. A run that
//! would take seconds is done on a sample and extrapolated.
//!
//! Expected: the loop needs little more than 100 ms, and one thread. A pool of 8 needs
//! 1,000 / 8 × 100 ms. A thread each is quick too, but pays for 1,000 stacks.
//!
//! What would prove it wrong: a loop with two threads, or with more CPU than a thread each.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::child::{self, Server};
use crate::map::{LOOP, POOL, THREADS, TOKIO};
use crate::measure::{Meter, Sample};
use crate::report::{Chart, Experiment, MapRow, Outcome, Sign};
use crate::row::{Row, time};
use crate::verdict::Verdict;
use crate::{Lab, Peer, http, on_tokio, on_trefoil};

/// This file, as `main.rs` sees it.
pub const EXPERIMENT: Experiment = Experiment {
    id: "waiting",
    question: "1,000 answers take 100 ms each: who waits best?",
    explained_by: "examples/05-sleepers",
    run,
    serve,
};

/// How long the server takes to answer.
const DELAY: Duration = Duration::from_millis(100);

/// The pool of 8 is slower at least by this factor (soft). In theory 125 times for 1,000 requests
/// and 25 times for the 200 of `--quick`; 5 leaves room for a loop on a busy machine.
const POOL_SLOWER: f64 = 5.0;

/// One tool: how it is called, how the child is told, and how much of the work it gets.
struct Tool {
    /// As in the report.
    name: String,
    /// `sequential`, `pool`, `threads`, `trefoil` or `tokio`.
    kind: &'static str,
    /// Threads of the tool; 0 is a loop on the main thread.
    workers: usize,
    /// Requests that it makes; the rest is extrapolated.
    sample: usize,
}

/// All tools; the pools get as many requests as they do in half a second or one.
fn tools(lab: &Lab, requests: usize) -> Vec<Tool> {
    let tool = |name: &str, kind, workers, sample| Tool {
        name: name.to_owned(),
        kind,
        workers,
        sample,
    };
    let mut tools = vec![
        tool("sequential", "sequential", 1, lab.size(10, 3)),
        tool("pool of 8", "pool", 8, lab.size(80, 24)),
        tool("pool of 64", "pool", 64, lab.size(320, 128)),
        tool("a thread each", "threads", requests, requests),
        tool("loop, 1 thread", "trefoil", 0, requests),
    ];
    for &workers in lab.args.workers.iter().filter(|workers| **workers > 1) {
        let name = format!("loop, {workers} workers");
        tools.push(tool(&name, "trefoil", workers, requests));
    }
    if lab.with(Peer::Tokio) {
        tools.push(tool("tokio, 1 thread", "tokio", 0, requests));
    }
    tools
}

/// As a child: the server, or one tool. Arguments: kind, workers, requests, port.
fn serve(arguments: &[&str]) {
    let &[kind, workers, requests, port] = arguments else {
        child::end_with_parent();
        return on_trefoil::serve_slowly(DELAY).expect("loopback works");
    };
    let number = |text: &str| text.parse().expect("a number from the parent");
    let (workers, requests, port) = (number(workers), number(requests), number(port) as u16);
    child::answer(&match kind {
        "trefoil" => on_trefoil::wait(workers, requests, port),
        "tokio" => on_tokio::wait(workers, requests, port),
        _ => {
            let meter = Meter::start();
            let saved = match kind {
                "pool" => http::in_pool(workers, requests, port),
                "threads" => http::a_thread_each(requests, port),
                _ => http::one_by_one(requests, port),
            };
            let lost = requests as u64 - saved;
            Sample {
                saved,
                lost,
                ..meter.stop()
            }
        }
    });
}

/// Measures all tools, side by side.
fn run(lab: &Lab) -> Outcome {
    let requests = lab.size(1000, 200);
    let tools = tools(lab, requests);
    let server = Server::start(EXPERIMENT.id, &[]);
    let measure = |tool: &Tool| {
        let numbers = [tool.workers, tool.sample, server.port.into()].map(|n| n.to_string());
        child::measure(
            EXPERIMENT.id,
            &[&[tool.kind.to_owned()], &numbers[..]].concat(),
        )
    };
    let samples = lab.alternate(3, &tools, |tool| tool.name.clone(), measure);
    let delay_ms = DELAY.as_millis() as usize;
    let mut rows = Vec::new();
    for (tool, samples) in std::iter::zip(&tools, &samples) {
        let scale = requests as f64 / tool.sample as f64;
        let mut row = Row::of(&tool.name, tool.workers.max(1), samples, scale);
        row.sample = (scale > 1.0).then(|| format!("{} of {requests}", tool.sample));
        rows.push(row);
    }
    Outcome {
        sizes: [("requests", requests), ("delay_ms", delay_ms)].into(),
        verdicts: judge(&rows),
        map: vec![map(requests, &rows)],
        chart: Chart::Wall,
        rows,
    }
}

/// The verdicts of this experiment.
fn judge(rows: &[Row]) -> Vec<Verdict> {
    let (on_loop, pool) = (
        Row::find(rows, "loop, 1 thread"),
        Row::find(rows, "pool of 8"),
    );
    let each = Row::find(rows, "a thread each");
    let lost: u64 = rows.iter().map(|row| row.lost).sum();
    let ratio = pool.wall.median / on_loop.wall.median;
    let threads = on_loop.peak_threads;
    vec![
        Verdict::hard(
            "every request was answered",
            lost == 0,
            format!("{lost} lost"),
        ),
        Verdict::hard(
            "the loop needs one thread",
            threads == 1,
            format!("{threads} seen"),
        ),
        Verdict::hard(
            "the loop needs less CPU than a thread each",
            on_loop.cpu.median < each.cpu.median,
            format!("{} and {}", time(on_loop.cpu.median), time(each.cpu.median)),
        ),
        Verdict::soft(
            format!("the loop is {POOL_SLOWER} times faster than a pool of 8"),
            ratio >= POOL_SLOWER,
            format!("{ratio:.1} times"),
        ),
    ]
}

/// The line in the map.
fn map(requests: usize, rows: &[Row]) -> MapRow {
    let tools = [
        (LOOP, "loop, 1 thread", Sign::Fits),
        (THREADS, "a thread each", Sign::Works),
        (POOL, "pool of 8", Sign::Works),
        (TOKIO, "tokio, 1 thread", Sign::Fits),
    ];
    let cell = |(column, tool, sign)| {
        let row = rows.iter().find(|row| row.tool == tool)?;
        let sign = if row.lost > 0 { Sign::Fails } else { sign };
        Some((column, row.wall_text(), sign))
    };
    let (on_loop, each) = (
        Row::find(rows, "loop, 1 thread"),
        Row::find(rows, "a thread each"),
    );
    let needs = |row: &Row| {
        let mib = row.rss as f64 / 1024.0 / 1024.0;
        format!("{} × thread, {mib:.0} MiB", row.peak_threads)
    };
    MapRow {
        work: format!("{requests} × wait {} ms", DELAY.as_millis()),
        cells: tools.into_iter().filter_map(cell).collect(),
        verdict: "event loop".into(),
        note: format!("{}; a thread each: {}", needs(on_loop), needs(each)),
    }
}
