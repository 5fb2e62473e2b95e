//! One line of a result: a tool and what was measured of it.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;

use serde::Serialize;

use crate::measure::{Figure, Gap, Lane, Sample};

/// One tool's figures.
#[derive(Clone, Serialize)]
pub struct Row {
    /// The tool.
    pub tool: String,
    /// Its number of workers; 0 if that says nothing.
    pub workers: usize,
    /// Runs behind each figure.
    pub runs: usize,
    /// `10 of 1000` if only so much was run and the rest extrapolated.
    pub sample: Option<String>,
    /// Nanoseconds by the clock on the wall.
    pub wall: Figure,
    /// Nanoseconds of CPU.
    pub cpu: Figure,
    /// The most threads at the same time, in any run.
    pub peak_threads: u64,
    /// The most resident memory in any run, bytes.
    pub rss: u64,
    /// Proportional memory, bytes, where processes share pages.
    pub pss: Option<u64>,
    /// Context switches, the median of the runs.
    pub switches: Figure,
    /// The heartbeat beside it, of the run with the largest gap.
    pub gap: Option<Gap>,
    /// Jobs done, the fewest of any run.
    pub saved: u64,
    /// Jobs lost, the most of any run.
    pub lost: u64,
    /// Everything else, by name.
    pub extra: BTreeMap<&'static str, f64>,
    /// The jobs of one run, where they are shown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<Lane>,
}

impl Row {
    /// One tool's runs in one row. `scale` multiplies times, for a sample of the work.
    pub fn of(tool: impl Into<String>, workers: usize, samples: &[Sample], scale: f64) -> Self {
        let most = |field: fn(&Sample) -> u64| samples.iter().map(field).max().unwrap_or(0);
        Self {
            tool: tool.into(),
            workers,
            runs: samples.len(),
            sample: None,
            wall: Figure::of(samples.iter().map(|one| one.wall), scale),
            cpu: Figure::of(samples.iter().map(|one| one.cpu), scale),
            peak_threads: most(|one| one.threads),
            rss: most(|one| one.rss),
            pss: None,
            switches: Figure::of(samples.iter().map(|one| one.switches), scale),
            gap: samples
                .iter()
                .filter_map(|one| one.gap)
                .max_by_key(|gap| gap.max),
            saved: samples.iter().map(|one| one.saved).min().unwrap_or(0),
            lost: most(|one| one.lost),
            extra: BTreeMap::new(),
            lanes: Vec::new(),
        }
    }

    /// The row of a tool that was measured in any case.
    pub fn find<'a>(rows: &'a [Self], tool: &str) -> &'a Self {
        let row = rows.iter().find(|row| row.tool == tool);
        row.expect("a tool of this experiment")
    }

    /// The wall time as text: `~` marks a sample that was extrapolated.
    pub fn wall_text(&self) -> String {
        let mark = if self.sample.is_some() { "~" } else { "" };
        format!("{mark}{}", time(self.wall.median))
    }
}

/// Nanoseconds as a reader wants them.
pub fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e5 => format!("{:.2} µs", ns / 1e3),
        ns if ns < 1e8 => format!("{:.1} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}
