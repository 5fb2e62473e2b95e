//! Question: what does one thing cost in memory that does nothing but wait?
//!
//! Work: 100,000 tasks that sleep, 10,000 threads that are parked, a thread pool of 1,000 workers
//! without work; each lot in a child process
//! that has done nothing else. Divided is what the lot added to the resident memory.
//!
//! Expected: a task some hundred bytes. A thread about 10 KiB on the user side (the pages of its
//! stack that were touched), and a kernel stack of 16 KiB that no figure of the process shows.
//!
//! What would prove it wrong: a task above 1 KiB, or within a factor of 8 of a thread.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use trefoil::threads::ThreadPoolBuilder;

use crate::child;
use crate::map::{LOOP, POOL, THREADS, TOKIO};
use crate::measure::{Figure, Meter, Sample, status};
use crate::report::{Chart, Experiment, MapRow, Outcome, Sign};
use crate::row::Row;
use crate::verdict::{Kind, Verdict};
use crate::{Lab, Peer, on_tokio, on_trefoil};

/// This file, as `main.rs` sees it.
pub const EXPERIMENT: Experiment = Experiment {
    id: "memory",
    question: "what does one thing cost in memory that only waits?",
    explained_by: "examples/05-sleepers",
    run,
    serve,
};

/// A sleeping task stays below this, in bytes. tokio's takes 466; twice that is a lost battle.
const TASK_BELOW: f64 = 1024.0;

/// A thread takes at least so many times more. Measured before: about 20 times; 8 leaves room for
/// a libc that touches less of a stack.
const THREAD_ABOVE: f64 = 8.0;

/// With fewer threads than this, what a thread adds drowns in what the process has anyway (a
/// malloc arena grows by 132 KiB at a time; 100 threads touch about 1 MiB).
const FEW_THREADS: usize = 100;

/// As a child: so many of a kind. Arguments: kind, number.
fn serve(arguments: &[&str]) {
    let &[kind, number] = arguments else {
        panic!("kind and number, from the parent")
    };
    let number = number.parse().expect("a number from the parent");
    child::answer(&match kind {
        "trefoil" => on_trefoil::sleepers(number),
        "tokio" => on_tokio::sleepers(number),
        "pool" => idle_pool(number),
        _ => parked(number),
    });
    // Without tearing down what stood here only to be counted.
    std::process::exit(0);
}

/// So many threads, parked for ever. As many as the machine allows: a limit is no failure.
fn parked(number: usize) -> Sample {
    let (meter, before) = (Meter::start(), status("VmRSS:"));
    let awake = Arc::new(AtomicUsize::new(0));
    let park = |awake: Arc<AtomicUsize>| {
        awake.fetch_add(1, Relaxed);
        loop {
            thread::park();
        }
    };
    let mut started = 0;
    for _ in 0..number {
        let awake = awake.clone();
        started += usize::from(thread::Builder::new().spawn(move || park(awake)).is_ok());
    }
    while awake.load(Relaxed) < started {
        thread::yield_now();
    }
    let rss = status("VmRSS:").saturating_sub(before) * 1024;
    let (saved, lost) = (started as u64, (number - started) as u64);
    Sample {
        saved,
        lost,
        rss,
        ..meter.stop()
    }
}

/// A thread pool of so many workers that have nothing to do.
fn idle_pool(number: usize) -> Sample {
    let (meter, before) = (Meter::start(), status("VmRSS:"));
    let pool = ThreadPoolBuilder::new().num_threads(number).build();
    let pool = pool.expect("a pool can be made");
    // Each has run something, so each is there.
    pool.broadcast(|_| ());
    let rss = status("VmRSS:").saturating_sub(before) * 1024;
    Sample {
        saved: number as u64,
        rss,
        ..meter.stop()
    }
}

/// Measures each lot three times.
fn run(lab: &Lab) -> Outcome {
    let (tasks, threads) = (lab.size(100_000, 20_000), lab.size(10_000, 1_000));
    let mut tools = vec![
        ("task asleep", "trefoil", tasks),
        ("thread parked", "threads", threads),
        ("pool worker, idle", "pool", lab.size(1_000, 200)),
    ];
    if lab.with(Peer::Tokio) {
        tools.push(("tokio task asleep", "tokio", tasks));
    }
    let measure = |(_, kind, number): &(&str, &str, usize)| {
        child::measure(EXPERIMENT.id, &[(*kind).to_owned(), number.to_string()])
    };
    let samples = lab.alternate(3, &tools, |tool| tool.0.to_owned(), measure);
    let mut rows = Vec::new();
    let mut bytes = Vec::new();
    for ((name, ..), samples) in std::iter::zip(&tools, &samples) {
        let mut row = Row::of(*name, 0, samples, 1.0);
        let each = samples
            .iter()
            .map(|sample| sample.rss / sample.saved.max(1));
        bytes.push(Figure::of(each, 1.0).median);
        row.extra.insert("bytes each", bytes[bytes.len() - 1]);
        rows.push(row);
    }
    let started = rows[1].saved as usize;
    let verdicts = judge(bytes[0], bytes[1], started);
    let columns = [
        (LOOP, Sign::Fits),
        (THREADS, Sign::Works),
        (POOL, Sign::Works),
        (TOKIO, Sign::Fits),
    ];
    let cells = std::iter::zip(columns, &bytes);
    Outcome {
        sizes: [("tasks", tasks), ("threads", started)].into(),
        verdicts,
        map: vec![MapRow {
            work: "memory of one that waits".into(),
            cells: cells
                .map(|((name, sign), bytes)| (name, format!("{bytes:.0} B"), sign))
                .collect(),
            verdict: "event loop".into(),
            note: format!(
                "{:.0} tasks in the memory of one thread",
                bytes[1] / bytes[0]
            ),
        }],
        chart: Chart::Bytes,
        rows,
    }
}

/// The verdicts: bytes of a task, bytes of a thread, and how many threads there were.
fn judge(task: f64, thread: f64, threads: usize) -> Vec<Verdict> {
    let ratio = thread / task;
    let below = format!("a waiting task takes less than {TASK_BELOW} bytes");
    let above = format!("a thread takes at least {THREAD_ABOVE} times more");
    vec![
        Verdict::hard(below, task < TASK_BELOW, format!("{task:.0} bytes")),
        if threads < FEW_THREADS {
            let why = format!("this machine allows only {threads} threads");
            Verdict::skipped(above, Kind::Hard, why)
        } else {
            let why = format!("{ratio:.1} times, {thread:.0} bytes");
            Verdict::hard(above, ratio >= THREAD_ABOVE, why)
        },
    ]
}
