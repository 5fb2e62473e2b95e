//! Runs the sides of a row against each other, a fresh child process for each measurement.
//!
//! ```text
//! round 1:  tokio    trefoil  (raw)
//! round 2: (raw)     trefoil   tokio      forward, backward, forward, ...
//! ...
//! ratio = median of the rounds' ratios, never a quotient of two medians
//! ```
//!
//! A child per measurement, because allocator state, thread placement and page tables of an
//! earlier row must not leak into the next. A row whose tokio rounds spread by more than 1.3
//! says nothing about trefoil: it is repeated, and "undecided" after the third time.
//! Read next: `report.rs`.

#![forbid(unsafe_code)]

use crate::driver::{extent, median, run_child};
use crate::job::Clock;
use crate::rows::Row;

/// Who runs the workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Side {
    /// The reference.
    Tokio,
    /// This crate.
    Trefoil,
    /// Plain epoll, for some network rows.
    Raw,
}

impl Side {
    /// The word for it on a command line.
    pub fn word(self) -> &'static str {
        match self {
            Side::Tokio => "tokio",
            Side::Trefoil => "trefoil",
            Side::Raw => "raw",
        }
    }
}

/// How a comparison is run.
pub struct Plan {
    /// The sides, in the order of odd rounds.
    pub sides: Vec<Side>,
    /// Rounds of each row.
    pub rounds: usize,
    /// Arguments every child gets.
    pub child_args: Vec<String>,
    /// How often a row is run until it is decided.
    pub attempts: usize,
}

/// More than this between tokio's best and worst round, and a row says nothing.
const SPREAD: f64 = 1.3;

/// One metric of a row, over all rounds.
pub struct Line {
    /// Its name, with the unit.
    pub metric: String,
    /// Values by side and round; empty for a side that was not run.
    pub samples: [Vec<f64>; 3],
    /// How many times better than tokio, by round.
    pub ratios: Vec<f64>,
    /// Whether tokio's own rounds agree.
    pub decided: bool,
    /// What is to be said about it.
    pub verdict: Verdict,
}

/// What became of a demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The demand is met, and trefoil is ahead.
    Won,
    /// The demand is "not worse", and it is met.
    AtPar,
    /// The demand is not met.
    Missed,
    /// Tokio's rounds differ too much, three times over.
    Undecided,
    /// Nothing is demanded, or a side is missing.
    None,
}

impl Verdict {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Won => "won",
            Verdict::AtPar => "at par",
            Verdict::Missed => "missed",
            Verdict::Undecided => "undecided",
            Verdict::None => "–",
        }
    }
}

/// All that is known about a row.
pub struct Outcome {
    /// The row.
    pub row: &'static Row,
    /// Its metrics, the headline first.
    pub lines: Vec<Line>,
    /// Sides that did not finish, and why.
    pub failures: Vec<(Side, String)>,
}

/// Runs a row until each demanded metric is decided, or the attempts are used up.
pub fn compare(row: &'static Row, plan: &Plan) -> Outcome {
    let mut outcome = attempt(row, plan);
    for _ in 1..plan.attempts {
        if outcome
            .lines
            .iter()
            .all(|line| line.verdict != Verdict::Undecided)
        {
            break;
        }
        let again = attempt(row, plan);
        outcome.failures.extend(again.failures);
        for (line, fresh) in outcome.lines.iter_mut().zip(again.lines) {
            // The first decided attempt stands, whatever later ones would say.
            if !line.decided {
                *line = fresh;
            }
        }
    }
    outcome
}

/// All rounds of a row, once.
fn attempt(row: &'static Row, plan: &Plan) -> Outcome {
    let mut outcome = Outcome {
        row,
        lines: Vec::new(),
        failures: Vec::new(),
    };
    let mut sides = plan.sides.clone();
    sides.retain(|&side| side != Side::Raw || row.raw);
    for _ in 0..plan.rounds {
        for &side in &sides {
            match child(row, side, &plan.child_args) {
                Ok(metrics) => take_down(&mut outcome.lines, side, metrics),
                Err(why) => outcome.failures.push((side, why)),
            }
        }
        sides.retain(|side| outcome.failures.iter().all(|(failed, _)| failed != side));
        sides.reverse();
    }
    for line in &mut outcome.lines {
        judge(line, row);
    }
    outcome
}

/// Files what one child reported.
fn take_down(lines: &mut Vec<Line>, side: Side, metrics: Vec<(String, f64)>) {
    for (metric, value) in metrics {
        let at = lines
            .iter()
            .position(|line| line.metric == metric)
            .unwrap_or_else(|| {
                lines.push(Line {
                    metric,
                    samples: Default::default(),
                    ratios: Vec::new(),
                    decided: true,
                    verdict: Verdict::None,
                });
                lines.len() - 1
            });
        lines[at].samples[side as usize].push(value);
    }
}

/// Computes ratios and verdict of a metric.
fn judge(line: &mut Line, row: &Row) {
    let [tokio, trefoil, raw] = &line.samples;
    // A rate is better when it is higher, everything else when it is lower.
    let higher_is_better = line.metric.ends_with("/s");
    let better = |ours: f64, theirs: f64| {
        if higher_is_better {
            ours / theirs
        } else {
            theirs / ours
        }
    };
    line.ratios = trefoil
        .iter()
        .zip(tokio)
        .map(|(&ours, &theirs)| better(ours, theirs))
        .collect();
    let (best, worst) = extent(tokio);
    line.decided = row.clock == Clock::Count || worst <= SPREAD * best;
    let Some(must) = row.must(&line.metric).filter(|_| !line.ratios.is_empty()) else {
        return;
    };
    let ratio = median(&line.ratios);
    // 1.0 means "not worse"; a demand below that already says how much worse it may be.
    let least = if must.ratio == 1.0 {
        row.at_par()
    } else {
        must.ratio
    };
    let of_raw: Vec<f64> = trefoil
        .iter()
        .zip(raw)
        .map(|(&ours, &raw)| ours / raw)
        .collect();
    let within_bound = must.at_most.is_none_or(|bound| median(trefoil) <= bound);
    let near_raw = of_raw.is_empty() || must.of_raw.is_none_or(|times| median(&of_raw) <= times);
    line.verdict = if !line.decided {
        Verdict::Undecided
    } else if ratio < least || !within_bound || !near_raw {
        Verdict::Missed
    } else if must.ratio > 1.0 || ratio > 1.0 / row.at_par() {
        Verdict::Won
    } else {
        Verdict::AtPar
    };
}

/// Measures `row` for `side` in a process of its own.
fn child(row: &Row, side: Side, args: &[String]) -> Result<Vec<(String, f64)>, String> {
    let mut all = ["--child", row.name, "--side", side.word()]
        .map(str::to_owned)
        .to_vec();
    all.extend_from_slice(args);
    let said = run_child(&all)?;
    said.lines()
        .map(|line| {
            let (metric, value) = line.split_once('\t')?;
            Some((metric.to_owned(), value.parse().ok()?))
        })
        .collect::<Option<Vec<_>>>()
        .filter(|metrics| !metrics.is_empty())
        .ok_or_else(|| format!("no report in {said:?}"))
}
