//! Is the map true on this machine?
//!
//! A hard verdict rests on what a busy neighbour cannot spoil: counts, then heartbeat gaps, then
//! CPU time. A soft one rests on wall time, and only as a ratio of two tools that were measured
//! in the same run, side by side. A missed hard verdict ends the lab with exit code 1; a missed
//! soft one is printed, and counts only under `--strict`.

use serde::Serialize;

use crate::report::Report;

/// What a verdict rests on.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Counts, gaps, CPU time.
    Hard,
    /// Wall time.
    Soft,
}

/// One sentence about an experiment, and whether it was true.
#[derive(Clone, Serialize)]
pub struct Verdict {
    /// The sentence.
    pub text: String,
    /// What it rests on.
    pub kind: Kind,
    /// Was it true? `None`: it could not be judged, which is neither good nor bad.
    pub held: Option<bool>,
    /// The figures that decided, or why it could not be judged.
    pub why: String,
}

impl Verdict {
    /// One that rests on counts, gaps or CPU time.
    pub fn hard(text: impl Into<String>, held: bool, why: String) -> Self {
        Self {
            text: text.into(),
            kind: Kind::Hard,
            held: Some(held),
            why,
        }
    }

    /// One that rests on wall time.
    pub fn soft(text: impl Into<String>, held: bool, why: String) -> Self {
        Self {
            text: text.into(),
            kind: Kind::Soft,
            held: Some(held),
            why,
        }
    }

    /// One that cannot be judged here.
    pub fn skipped(text: impl Into<String>, kind: Kind, why: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            kind,
            held: None,
            why: why.into(),
        }
    }

    /// Does it fail the lab?
    fn fails(&self, strict: bool) -> bool {
        self.held == Some(false) && (strict || self.kind == Kind::Hard)
    }
}

/// 0 if the map is true, 1 if not.
pub fn exit_code(report: &Report, strict: bool) -> i32 {
    let mut verdicts = report.experiments.iter().flat_map(|one| &one.verdicts);
    i32::from(verdicts.any(|verdict| verdict.fails(strict)))
}
