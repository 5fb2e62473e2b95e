//! `trefoil::threads` against rayon-core: the same text for both, interleaved, each measurement in
//! a process of its own.
//!
//! ```text
//! cargo bench --bench pools -- [words] [--rounds 7]
//! ```
//!
//! A ratio is rayon-core's time divided by trefoil's in the same round; the median of them counts.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::{Duration, Instant};

use clap::Parser;
use comfy_table::Table;
use driver::{extent, median, run_child};

#[path = "../driver/mod.rs"]
mod driver;

mod on_chili;

mod on_trefoil {
    use std::future::Future;
    use trefoil::threads as pool;

    /// A job's answer.
    fn answer(pool: &ThreadPool) -> impl Future<Output = u64> + use<> {
        let job = pool.submit(|| 7);
        async { job.await.unwrap() }
    }

    include!("rows.rs");
}

mod on_rayon_core {
    use rayon_core as pool;
    use std::future::Future;

    /// A job's answer, through a channel of the same event loop.
    fn answer(pool: &ThreadPool) -> impl Future<Output = u64> + use<> {
        let (sender, receiver) = trefoil::sync::oneshot::channel();
        pool.spawn(move || sender.send(7).unwrap());
        async { receiver.await.unwrap() }
    }

    include!("rows.rs");
}

/// Rows, each with the ratio it must reach. Those that end in `over` are what is above the
/// sequential program.
const ROWS: [(&str, f64); 28] = [
    ("fib35_1_over", 3.0),
    ("tree_1_over", 3.0),
    ("tree1023_1_over", 3.0),
    ("fib35_1", 1.0),
    ("tree_1", 1.0),
    ("fib35_2", 2.0),
    ("tree_2", 2.0),
    ("tree1023_2", 1.0),
    ("queens12_2", 1.33),
    ("quicksort_2", 0.97),
    ("leaves_8", 0.97),
    ("scope_spawn_1", 1.25),
    ("scope_spawn_2", 1.25),
    ("spawn_fifo_1", 1.0),
    ("spawn_fifo_2", 1.0),
    ("spawn_outside_1", 1.0),
    ("spawn_outside_2", 1.0),
    ("install_1", 2.0),
    ("install_2", 2.0),
    ("install_rest_1", 1.0),
    ("install_rest_2", 1.0),
    ("install_cpu_2", 2.0),
    ("install_cpu_8", 2.0),
    ("submit_await", 1.0),
    ("submit_await_rest", 1.0),
    ("submit_1000", 1.0),
    ("idle_8", 1.0),
    ("idle_switches_8", 1.0),
];

/// Nodes of fib(35) and of the large tree.
const FIBS: u64 = 14_930_351;
const TREES: u64 = 4_194_303;

/// The best of three, per operation: disturbances only add.
fn best(operations: u64, mut run: impl FnMut()) -> f64 {
    (0..3)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_nanos() as f64 / operations as f64
        })
        .fold(f64::INFINITY, f64::min)
}

/// The sequential program: what a join cannot be faster than on one thread.
fn sequential_fib() {
    fn fib(n: u64) -> u64 {
        if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
    }
    black_box(fib(black_box(35)));
}

/// The same for the tree.
fn sequential_tree() {
    black_box(sequential_sum(black_box(21), 1));
}

/// The same for a tree of 1023 nodes.
fn small_tree() {
    black_box(sequential_sum(black_box(9), 1));
}

/// The sum of a binary tree, whose nodes are numbered: with two equal calls the compiler would
/// make one.
fn sequential_sum(depth: u32, node: u64) -> u64 {
    if depth == 0 {
        return 1 + (node >> 63);
    }
    sequential_sum(depth - 1, 2 * node) + sequential_sum(depth - 1, 2 * node + 1) + 1
}

/// Numbers without an order, the same each time.
fn random_numbers(count: usize) -> Vec<u32> {
    let mut state = 7_u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 32) as u32
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// The middle of many latencies, with a rest before each; in nanoseconds.
fn middle_latency(times: usize, rest: Duration, mut run: impl FnMut()) -> f64 {
    let all: Vec<f64> = (0..times)
        .map(|_| {
            if !rest.is_zero() {
                std::thread::sleep(rest);
            }
            let start = Instant::now();
            run();
            start.elapsed().as_nanos() as f64
        })
        .collect();
    median(&all)
}

/// The event loop of the rows that await.
fn runtime() -> trefoil::runtime::Runtime {
    trefoil::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
}

/// A number from each of this process's threads, added up; of the main one only if it counts.
fn sum_of_threads(file: &str, main_too: bool, number: impl Fn(&str) -> Option<u64>) -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("proc(5)");
    tasks
        .filter_map(|task| {
            let task = task.ok()?;
            let is_main = task.file_name() == *std::process::id().to_string();
            let text = std::fs::read_to_string(task.path().join(file)).ok()?;
            (main_too || !is_main).then(|| number(&text))?
        })
        .sum()
}

/// What the threads of this process have computed, in nanoseconds.
fn cpu_time(main_too: bool) -> u64 {
    let first = |text: &str| text.split(' ').next()?.parse().ok();
    sum_of_threads("schedstat", main_too, first)
}

/// How many times they have been switched out; without the main thread.
fn switches() -> u64 {
    sum_of_threads("status", false, |text| {
        let lines = text.lines().filter(|line| line.contains("ctxt_switches"));
        lines
            .map(|line| line.rsplit('\t').next()?.parse::<u64>().ok())
            .sum()
    })
}

/// Compares the two pools.
#[derive(Parser)]
struct Options {
    /// Rows whose name contains one of these words; all of them without.
    words: Vec<String>,
    /// Rounds; below 7 they say nothing.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    /// Measures one row on one side and prints nanoseconds: what a child does.
    #[arg(long, hide = true, num_args = 2)]
    child: Vec<String>,
}

fn main() {
    let options = Options::parse();
    if let [side, row] = &options.child[..] {
        let run = match &**side {
            "trefoil" => on_trefoil::run,
            "chili" => on_chili::run,
            _ => on_rayon_core::run,
        };
        return println!("{}", run(row));
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "row",
        "rayon-core, ns",
        "trefoil, ns",
        "chili, ns",
        "ratio (min–max)",
        "must",
        "verdict",
    ]);
    for (row, must) in ROWS {
        if options.words.is_empty() || options.words.iter().any(|word| row.contains(&**word)) {
            table.add_row(compare(row, must, options.rounds));
        }
    }
    println!("{} rounds\n\n{table}", options.rounds);
}

/// One row of the table.
fn compare(row: &str, must: f64, rounds: usize) -> Vec<String> {
    let mut sides = vec!["rayon-core", "trefoil"];
    if on_chili::has(row) {
        sides.push("chili");
    }
    let mut samples: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..rounds {
        for side in &sides {
            samples.entry(side).or_default().push(child(side, row));
        }
        sides.reverse();
    }
    let (theirs, ours) = (&samples["rayon-core"], &samples["trefoil"]);
    // An idle pool may well count nothing at all.
    let least = if row.starts_with("idle") { 1.0 } else { 0.0 };
    let pairs = theirs.iter().zip(ours);
    let ratios: Vec<f64> = pairs.map(|(a, b)| a.max(least) / b.max(least)).collect();
    let (ratio, (low, high)) = (median(&ratios), extent(&ratios));
    let chili = samples.get("chili");
    vec![
        row.to_owned(),
        format!("{:.1}", median(theirs)),
        format!("{:.1}", median(ours)),
        chili.map_or("–".to_owned(), |chili| format!("{:.1}", median(chili))),
        format!("{ratio:.2} ({low:.2}–{high:.2})"),
        must.to_string(),
        if ratio >= must { "won" } else { "missed" }.to_owned(),
    ]
}

/// Measures in a fresh process.
fn child(side: &str, row: &str) -> f64 {
    let said = run_child(&["--child", side, row].map(str::to_owned))
        .unwrap_or_else(|why| panic!("{row} on {side}: {why}"));
    said.trim().parse().expect("a child prints a number")
}
