//! `trefoil::threads` against rayon-core: the same text for both, interleaved, each measurement in
//! a process of its own.
//!
//! ```text
//! cargo bench --bench pools -- [words] [--rounds 7]
//! ```
//!
//! A ratio is rayon-core's time divided by trefoil's in the same round; the median of them counts.

use clap::Parser;
use comfy_table::Table;
use driver::{extent, median, run_child};

#[path = "../driver/mod.rs"]
mod driver;

mod on_trefoil {
    use trefoil::threads as pool;
    include!("rows.rs");
}

mod on_rayon_core {
    use rayon_core as pool;
    include!("rows.rs");
}

/// Rows, each with the ratio it must reach.
const ROWS: [(&str, f64); 15] = [
    ("fib35_1", 3.0),
    ("tree_1", 3.0),
    ("fib35_2", 2.0),
    ("tree_2", 2.0),
    ("queens12_2", 1.33),
    ("leaves_8", 0.97),
    ("scope_spawn_1", 1.25),
    ("scope_spawn_2", 1.25),
    ("spawn_fifo_1", 1.0),
    ("spawn_fifo_2", 1.0),
    ("spawn_outside_1", 1.0),
    ("spawn_outside_2", 1.0),
    ("install_1", 2.0),
    ("install_2", 2.0),
    ("install_rest_2", 1.0),
];

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
        let run = if side == "trefoil" {
            on_trefoil::run
        } else {
            on_rayon_core::run
        };
        return println!("{}", run(row));
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "row",
        "rayon-core, ns",
        "trefoil, ns",
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
    let mut sides = ["rayon-core", "trefoil"];
    let mut samples: [Vec<f64>; 2] = Default::default();
    for _ in 0..rounds {
        for side in sides {
            samples[usize::from(side == "trefoil")].push(child(side, row));
        }
        sides.reverse();
    }
    let [theirs, ours] = &samples;
    let ratios: Vec<f64> = theirs.iter().zip(ours).map(|(a, b)| a / b).collect();
    let (ratio, (low, high)) = (median(&ratios), extent(&ratios));
    vec![
        row.to_owned(),
        format!("{:.1}", median(theirs)),
        format!("{:.1}", median(ours)),
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
