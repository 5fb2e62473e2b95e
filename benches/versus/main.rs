//! trefoil against tokio, row by row: `cargo bench --bench versus -- --help`.
//!
//! Every workload is written once, against `rt::...`, and compiled for both sides below. The
//! program starts itself again for each measurement and prints how many times better than tokio
//! each row is, beside what is demanded of it.
//!
//! ```text
//! main ── rounds ──► child: --child ROW --side SIDE
//!   │       │          └─ executor, time, net, sync, rest   the workloads (rt = side)
//!   │       │             job, start, kernel                clocks, runtime, system calls
//!   │       │             clients, raw                      the other end, and the third side
//!   │       └─ judges by rows.rs
//!   └─ report
//! ```
//!
//! The criterion benches beside this folder are for a closer look at one operation.
//! Read next: `rows.rs`.

#[path = "../driver/mod.rs"]
mod driver;

mod clients;
mod job;
mod kernel;
mod raw;
mod report;
mod rounds;
mod rows;

use clap::Parser;
use job::{Job, Metrics};
use rounds::{Plan, Side};
use rows::{ROWS, Row};
use std::path::PathBuf;
use std::time::Duration;

/// The workloads on tokio.
mod a {
    use tokio as rt;
    #[rustfmt::skip]
    mod start { use super::rt; include!("start.rs"); }
    #[rustfmt::skip]
    mod executor { use super::{rt, start}; include!("executor.rs"); }
    #[rustfmt::skip]
    mod time { use super::{rt, start}; include!("time.rs"); }
    #[rustfmt::skip]
    mod net { use super::{rt, start}; include!("net.rs"); }
    #[rustfmt::skip]
    mod sync { use super::{rt, start}; include!("sync.rs"); }
    #[rustfmt::skip]
    mod rest { use super::{rt, start}; include!("rest.rs"); }
    /// The chapters, each asked for its rows.
    pub const CHAPTERS: super::Chapters =
        [executor::run, time::run, net::run, sync::run, rest::run];
}

/// The same workloads on trefoil.
mod b {
    /// trefoil, with tokio's `unconstrained` in its place until it has one; its row is not run.
    mod rt {
        pub use trefoil::*;
        pub mod task {
            pub use tokio::task::unconstrained;
            pub use trefoil::task::*;
        }
    }
    #[rustfmt::skip]
    mod start { use super::rt; include!("start.rs"); }
    #[rustfmt::skip]
    mod executor { use super::{rt, start}; include!("executor.rs"); }
    #[rustfmt::skip]
    mod time { use super::{rt, start}; include!("time.rs"); }
    #[rustfmt::skip]
    mod net { use super::{rt, start}; include!("net.rs"); }
    #[rustfmt::skip]
    mod sync { use super::{rt, start}; include!("sync.rs"); }
    #[rustfmt::skip]
    mod rest { use super::{rt, start}; include!("rest.rs"); }
    /// The chapters, each asked for its rows.
    pub const CHAPTERS: super::Chapters =
        [executor::run, time::run, net::run, sync::run, rest::run];
}

/// Workloads whose names trefoil does not have yet: only the other sides run them.
const NOT_YET: &[&str] = &["mutex_unc_nobudget"];

/// Fewer rounds say nothing: a median of less than seven is moved by two disturbed ones.
const MIN_ROUNDS: usize = 7;

/// A side's chapters: each runs the rows it knows.
type Chapters = [fn(Job) -> Option<Metrics>; 5];

/// Compares trefoil with tokio.
#[derive(Parser)]
#[command(name = "versus")]
struct Args {
    /// Only rows whose name contains one of these words.
    filters: Vec<String>,
    /// Rounds of each row; a figure to quote needs at least 7.
    #[arg(long, default_value_t = MIN_ROUNDS)]
    rounds: usize,
    /// Length of one timed run; without it 60 ms, and 100 ms for network and OS threads.
    #[arg(long, value_name = "MS")]
    target_ms: Option<u64>,
    /// Only these sides.
    #[arg(long, value_enum)]
    side: Vec<Side>,
    /// Only see that the rows work: one round, 3 ms, fixed counts cut to a twentieth.
    #[arg(long)]
    quick: bool,
    /// Prints the rows' names.
    #[arg(long)]
    list: bool,
    /// Also writes the table to this file.
    #[arg(long, value_name = "PATH")]
    markdown: Option<PathBuf>,
    /// Also writes every sample to this file.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
    /// What cargo passes; nothing depends on it but a guard in debug builds.
    #[arg(long, hide = true)]
    bench: bool,
    /// Measures this row here and now: what the children are started with.
    #[arg(long, hide = true, value_name = "ROW")]
    child: Option<String>,
}

impl Args {
    /// The rows asked for.
    fn rows(&self) -> impl Iterator<Item = &'static Row> {
        ROWS.iter().filter(|row| {
            self.filters.is_empty() || self.filters.iter().any(|word| row.name.contains(word))
        })
    }
}

fn main() {
    if cfg!(debug_assertions) && std::env::args().len() == 1 {
        // `cargo test --all-targets` starts benches like this: a comparison is no test.
        println!("versus: run me with cargo bench");
        return;
    }
    let args = Args::parse();
    if let Some(name) = &args.child {
        child(&args, name);
    } else if args.list {
        args.rows().for_each(|row| println!("{}", row.name));
    } else {
        compare(&args);
    }
}

/// Measures one row for one side and prints what it found.
fn child(args: &Args, name: &str) {
    let row = ROWS
        .iter()
        .find(|row| row.name == name)
        .expect("a row of the table");
    let side = *args.side.first().expect("a child has a side");
    let mut job = row.job();
    job.quick = args.quick;
    if let Some(ms) = args.target_ms {
        job.target = Duration::from_millis(ms);
    }
    kernel::raise_fd_limit();
    job.pin_server();
    let metrics = match side {
        Side::Tokio => a::CHAPTERS.iter().find_map(|run| run(job)),
        Side::Trefoil => b::CHAPTERS.iter().find_map(|run| run(job)),
        Side::Raw => raw::run(job),
    };
    for (metric, value) in metrics.expect("a chapter knows this row") {
        println!("{metric}\t{value}");
    }
    // Not all threads of a row end by themselves, and nothing here needs tidying up.
    std::process::exit(0);
}

/// Runs all rows asked for and reports them.
fn compare(args: &Args) {
    let mut child_args = Vec::new();
    if args.quick {
        child_args.push("--quick".to_owned());
    }
    if let Some(ms) = args.target_ms.or(args.quick.then_some(3)) {
        child_args.extend(["--target-ms".to_owned(), ms.to_string()]);
    }
    let all = vec![Side::Tokio, Side::Trefoil, Side::Raw];
    let sides = if args.side.is_empty() {
        all
    } else {
        args.side.clone()
    };
    let mut plan = Plan {
        sides: sides.clone(),
        rounds: if args.quick { 1 } else { args.rounds.max(1) },
        child_args,
        attempts: if args.quick { 1 } else { 3 },
    };
    let mut text = format!("{}; {} rounds\n\n", report::machine(), plan.rounds);
    if cfg!(debug_assertions) {
        text.push_str("**A debug build: these numbers are worthless.**\n\n");
    }
    if plan.rounds < MIN_ROUNDS {
        text.push_str("Too few rounds: shows that the rows work, the verdicts mean nothing.\n\n");
    }
    text.push_str(report::HEAD);
    println!("{text}");
    let mut outcomes = Vec::new();
    for row in args.rows() {
        let missing = NOT_YET.contains(&row.job().workload);
        plan.sides = sides.clone();
        plan.sides.retain(|&side| side != Side::Trefoil || !missing);
        let outcome = rounds::compare(row, &plan);
        for line in report::table_lines(&outcome) {
            println!("{line}");
            text.push('\n');
            text.push_str(&line);
        }
        outcomes.push(outcome);
    }
    let summary = report::summary(&outcomes);
    println!("\n{summary}");
    text.push_str(&format!("\n\n{summary}\n"));
    if let Some(path) = &args.markdown {
        std::fs::write(path, text).expect("write the table");
    }
    if let Some(path) = &args.json {
        let json = report::json(&outcomes, plan.rounds);
        std::fs::write(path, format!("{json:#}\n")).expect("write the samples");
    }
}
