//! The lab: which tool fits which work, measured on this machine.
//!
//! ```text
//! cargo run --release --example lab                      the whole map, then target/lab/index.html
//! cargo run --release --example lab -- --quick           smaller sizes, the same rows
//! cargo run --release --example lab -- waiting --with tokio --json out.json
//! ```
//!
//! Each experiment is a file that opens with its question, the work, the tools, and what would
//! prove it wrong. A new one is a file, its `mod` line and its line in [`EXPERIMENTS`].
//!
//! The lab is a test as well: it ends with 0 only if the map is true on this machine
//! (`verdict.rs` says what that means), with 1 if it is not, with 2 if it was called wrongly.
//!
//! Read next: `waiting.rs`, the first experiment; then `measure.rs`.

#![allow(
    clippy::duplicate_mod,
    reason = "on_loop.rs is compiled for each runtime"
)]

use clap::Parser;

mod chart;
mod child;
mod computing;
mod computing_verdict;
mod global_lock;
mod http;
mod lanes;
mod machine;
mod map;
mod measure;
mod memory;
mod on_tokio;
mod on_trefoil;
mod page;
mod price;
mod progress;
mod report;
mod row;
mod stealing;
mod verdict;
mod waiting;
mod work;

use crate::machine::Machine;
use crate::measure::Sample;
use crate::progress::Progress;
use crate::report::{Experiment, Report};

/// Every experiment, in the order of the map.
const EXPERIMENTS: &[&Experiment] = &[
    &waiting::EXPERIMENT,
    &computing::EXPERIMENT,
    &stealing::EXPERIMENT,
    &memory::EXPERIMENT,
    &price::EXPERIMENT,
];

/// Which tool fits which work, measured on this machine.
#[derive(Parser)]
#[command(name = "lab", after_help = experiments_help())]
pub struct Args {
    /// Only these experiments (all, if none is named)
    experiments: Vec<String>,
    /// Smaller sizes and fewer repetitions; the same rows, the same verdicts
    #[arg(long)]
    quick: bool,
    /// Numbers of workers to try [default: 1 to the cores of this machine]
    #[arg(long, value_delimiter = ',', value_name = "N,N")]
    workers: Vec<usize>,
    /// Adds peers as columns
    #[arg(long, value_delimiter = ',', value_name = "PEER,PEER")]
    with: Vec<Peer>,
    /// Writes the whole result as data
    #[arg(long, value_name = "PATH")]
    json: Option<std::path::PathBuf>,
    /// A missed verdict of any kind ends with exit code 1
    #[arg(long)]
    strict: bool,
    /// Internal: the lab as its own server or as one measured process
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    serve: Option<Vec<String>>,
}

/// Somebody else's tool that can be measured beside ours.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Peer {
    /// The runtime whose names we use.
    Tokio,
}

/// What an experiment gets.
pub struct Lab {
    /// As called.
    pub args: Args,
    /// What was found out about this machine before the first experiment.
    pub machine: Machine,
    /// What the user sees while it runs.
    pub progress: Progress,
}

impl Lab {
    /// The full or the quick size of something.
    pub fn size(&self, full: usize, quick: usize) -> usize {
        if self.args.quick { quick } else { full }
    }

    /// The largest number of workers that was asked for.
    pub fn most_workers(&self) -> usize {
        self.args.workers.iter().copied().max().unwrap_or(1)
    }

    /// Runs every tool once a round, for so many rounds: side by side, so that a neighbour who
    /// gets busy for a while disturbs them all alike. Gives back each tool's runs.
    pub fn alternate<T>(
        &self,
        rounds: usize,
        tools: &[T],
        name: impl Fn(&T) -> String,
        run: impl Fn(&T) -> Sample,
    ) -> Vec<Vec<Sample>> {
        let mut samples = vec![Vec::new(); tools.len()];
        self.progress.expect(rounds * tools.len());
        for _ in 0..rounds {
            for (tool, samples) in tools.iter().zip(&mut samples) {
                self.progress.now(&name(tool));
                samples.push(run(tool));
                self.progress.step();
            }
        }
        samples
    }

    /// Is this peer to be measured too?
    pub fn with(&self, peer: Peer) -> bool {
        self.args.with.contains(&peer)
    }
}

/// The list under `--help`.
fn experiments_help() -> String {
    let mut help = String::from("Experiments:\n");
    for experiment in EXPERIMENTS {
        help += &format!("  {:<10} {}\n", experiment.id, experiment.question);
    }
    help
}

fn main() {
    let mut args = Args::parse();
    if let Some(arguments) = &args.serve {
        return child::serve(EXPERIMENTS, arguments);
    }
    let experiments = report::chosen(EXPERIMENTS, &args.experiments).unwrap_or_else(|error| {
        eprintln!("lab: {error}");
        std::process::exit(2);
    });
    if args.workers.is_empty() {
        args.workers = (1..=machine::cores()).collect();
    }
    if cfg!(debug_assertions) {
        map::red("debug build: numbers are worthless");
    }
    let machine = Machine::look();
    println!("{machine}");

    let lab = Lab {
        progress: Progress::new(experiments.len()),
        args,
        machine,
    };
    let mut report = Report::new(&lab);
    for experiment in experiments {
        lab.progress.start(experiment.id);
        report.add(experiment, (experiment.run)(&lab));
        lab.progress.finish();
    }

    map::print(&report);
    let written = page::write(&report).and_then(|page| {
        println!("\nthe same with charts: {}", page.display());
        lab.args
            .json
            .as_deref()
            .map_or(Ok(()), |path| report.write_json(path))
    });
    if let Err(error) = written {
        eprintln!("lab: the report could not be written: {error}");
        std::process::exit(2);
    }
    std::process::exit(verdict::exit_code(&report, lab.args.strict));
}
