//! Prints a comparison: a markdown table line by line as rows finish, and JSON with every sample.
//!
//! Line by line, because a full run takes most of an hour and what is known should be seen.
//! Read next: `main.rs`.

#![forbid(unsafe_code)]

use crate::driver::{extent, median};
use crate::job::{Clock, Cores, Flavour};
use crate::rounds::{Line, Outcome, Side, Verdict};
use serde_json::{Value, json};

/// The head of the table.
pub const HEAD: &str = "\
| row | clock | pinned | tokio | trefoil | raw | ratio (min–max) | must | verdict |
|---|---|---|---:|---:|---:|---:|---:|---|";

/// What machine this ran on, in one line.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, |cores| cores.get());
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("?");
    let model = model.trim_start_matches(['\t', ' ', ':']);
    format!(
        "{cores} cores, {model}, Linux {}",
        read("/proc/sys/kernel/osrelease").trim()
    )
}

/// Three significant digits, more only for large numbers.
fn short(value: f64) -> String {
    match value {
        value if !value.is_finite() => "–".to_owned(),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// Median with minimum and maximum.
fn spread(values: &[f64]) -> String {
    if values.is_empty() {
        return "–".to_owned();
    }
    let (low, high) = extent(values);
    format!("{} ({}–{})", short(median(values)), short(low), short(high))
}

/// The lines of the table for one row.
pub fn table_lines(outcome: &Outcome) -> Vec<String> {
    let job = outcome.row.job();
    let clock = match outcome.row.clock {
        Clock::Cpu => "CPU",
        Clock::Wall => "wall",
        Clock::Count => "count",
    };
    let pinned = match (job.pin, job.flavour) {
        (Cores::Free, _) => "no",
        (Cores::One, _) => "1 core",
        (Cores::Two, Flavour::MultiThread(2..)) => "client",
        (Cores::Two, _) => "2 cores",
    };
    let mut lines: Vec<String> = outcome
        .lines
        .iter()
        .map(|line| {
            let [tokio, trefoil, raw] = &line.samples;
            format!(
                "| {}: {} | {clock} | {pinned} | {} | {} | {} | {} | {} | {} |",
                outcome.row.name,
                line.metric,
                spread(tokio),
                spread(trefoil),
                spread(raw),
                spread(&line.ratios),
                demanded(outcome, line),
                verdict(outcome, line),
            )
        })
        .collect();
    for (side, why) in &outcome.failures {
        let why = why.replace('|', "/");
        lines.push(format!(
            "| {} | {clock} | {pinned} | | | | | | {} failed: {why} |",
            outcome.row.name,
            side.word()
        ));
    }
    lines
}

/// What is demanded of this metric.
fn demanded(outcome: &Outcome, line: &Line) -> String {
    let Some(must) = outcome.row.must(&line.metric) else {
        return "–".to_owned();
    };
    let bound = must
        .at_most
        .map_or(String::new(), |bound| format!(", ≤ {}", short(bound)));
    let of_raw = must
        .of_raw
        .map_or(String::new(), |times| format!(", ≤ {times} raw"));
    format!("{}{bound}{of_raw}", must.ratio)
}

/// The verdict, with what a reader must know about it.
fn verdict(outcome: &Outcome, line: &Line) -> String {
    let gate = if outcome.row.gate && line.verdict == Verdict::Missed {
        " (gate)"
    } else {
        ""
    };
    format!("{}{gate}", line.verdict.word())
}

/// How many demands were met, in one line.
pub fn summary(outcomes: &[Outcome]) -> String {
    let count = |verdict| {
        let lines = outcomes.iter().flat_map(|outcome| &outcome.lines);
        lines.filter(|line| line.verdict == verdict).count()
    };
    let failed = outcomes
        .iter()
        .filter(|outcome| !outcome.failures.is_empty())
        .count();
    format!(
        "{} won, {} at par, {} missed, {} undecided; {failed} rows failed",
        count(Verdict::Won),
        count(Verdict::AtPar),
        count(Verdict::Missed),
        count(Verdict::Undecided)
    )
}

/// Everything, for programs that want more than the table.
pub fn json(outcomes: &[Outcome], rounds: usize) -> Value {
    let rows: Vec<Value> = outcomes.iter().flat_map(json_lines).collect();
    let failures: Vec<Value> = outcomes
        .iter()
        .flat_map(|outcome| {
            outcome.failures.iter().map(
                |(side, why)| json!({ "row": outcome.row.name, "side": side.word(), "why": why }),
            )
        })
        .collect();
    json!({
        "machine": machine(),
        "rounds": rounds,
        "debug_build": cfg!(debug_assertions),
        "rows": rows,
        "failures": failures,
    })
}

/// A row's metrics with every sample.
fn json_lines(outcome: &Outcome) -> Vec<Value> {
    outcome
        .lines
        .iter()
        .map(|line| {
            let must = outcome.row.must(&line.metric);
            json!({
                "row": outcome.row.name,
                "metric": line.metric,
                "tokio": line.samples[Side::Tokio as usize],
                "trefoil": line.samples[Side::Trefoil as usize],
                "raw": line.samples[Side::Raw as usize],
                "ratios": line.ratios,
                "ratio": (!line.ratios.is_empty()).then(|| median(&line.ratios)),
                "must": must.map(|must| must.ratio),
                "gate": outcome.row.gate,
                "decided": line.decided,
                "verdict": line.verdict.word(),
            })
        })
        .collect()
}
