//! The result as data. The map, the page and `--json` are all drawn from this one object.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::Lab;
use crate::machine::Machine;
use crate::row::Row;
use crate::verdict::Verdict;

/// An experiment: a question and the code that answers it.
pub struct Experiment {
    /// Its name on the command line.
    pub id: &'static str,
    /// The question, in plain words.
    pub question: &'static str,
    /// The example that explains its row of the map.
    pub explained_by: &'static str,
    /// Answers it.
    pub run: fn(&Lab) -> Outcome,
    /// The same program as a child: a server, or one measured process. `child.rs` calls it.
    pub serve: fn(&[&str]),
}

/// What an experiment found out.
#[derive(Default)]
pub struct Outcome {
    /// How much work it was.
    pub sizes: BTreeMap<&'static str, usize>,
    /// One row a tool.
    pub rows: Vec<Row>,
    /// What was expected, and whether it came true.
    pub verdicts: Vec<Verdict>,
    /// Its lines in the map.
    pub map: Vec<MapRow>,
    /// What the chart on the page shows.
    pub chart: Chart,
}

/// What a bar of the chart stands for, and in which unit.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Chart {
    /// `Row::wall`.
    #[default]
    Wall,
    /// `Row::extra["bytes each"]`.
    Bytes,
}

/// How a tool does at a work. Always shown as a sign; a colour may come on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sign {
    /// The tool for it.
    Fits,
    /// Works, at a price.
    Works,
    /// Fails at it.
    Fails,
}

/// A line of the map.
#[derive(Clone, Serialize)]
pub struct MapRow {
    /// The work.
    pub work: String,
    /// By column (`map.rs` knows their order): the figure, and how it does.
    pub cells: Vec<(&'static str, String, Sign)>,
    /// The tool for it, in a word or two.
    pub verdict: String,
    /// What is to be remembered.
    pub note: String,
}

/// An experiment with its outcome.
#[derive(Serialize)]
pub struct Entry {
    /// As [`Experiment::id`].
    pub id: &'static str,
    /// As [`Experiment::question`].
    pub question: &'static str,
    /// As [`Experiment::explained_by`].
    pub explained_by: &'static str,
    /// As [`Outcome::sizes`].
    pub sizes: BTreeMap<&'static str, usize>,
    /// As [`Outcome::rows`].
    pub rows: Vec<Row>,
    /// As [`Outcome::verdicts`].
    pub verdicts: Vec<Verdict>,
    /// As [`Outcome::map`].
    pub map: Vec<MapRow>,
    /// As [`Outcome::chart`].
    pub chart: Chart,
}

/// Everything that a run of the lab found out.
#[derive(Serialize)]
pub struct Report {
    /// Where.
    pub machine: Machine,
    /// How it was called.
    pub args: Vec<String>,
    /// When it began, in seconds since 1970.
    pub began: u64,
    /// What came out.
    pub experiments: Vec<Entry>,
}

impl Report {
    /// Nothing found out yet.
    pub fn new(lab: &Lab) -> Self {
        let began = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let (machine, args) = (lab.machine.clone(), std::env::args().skip(1).collect());
        Self {
            machine,
            args,
            began,
            experiments: Vec::new(),
        }
    }

    /// One more experiment is done.
    pub fn add(&mut self, experiment: &Experiment, outcome: Outcome) {
        let &Experiment {
            id,
            question,
            explained_by,
            ..
        } = experiment;
        let Outcome {
            sizes,
            rows,
            verdicts,
            map,
            chart,
        } = outcome;
        let entry = Entry {
            id,
            question,
            explained_by,
            sizes,
            rows,
            verdicts,
            map,
            chart,
        };
        self.experiments.push(entry);
    }

    /// Writes everything to a file.
    pub fn write_json(&self, path: &Path) -> std::io::Result<()> {
        std::fs::write(path, serde_json::to_string_pretty(self)? + "\n")
    }
}

/// The experiments that were asked for, in the order of the map.
///
/// # Errors
///
/// A text that names those there are, when one is not known.
pub fn chosen(
    all: &[&'static Experiment],
    names: &[String],
) -> Result<Vec<&'static Experiment>, String> {
    let known = |name: &str| all.iter().any(|experiment| experiment.id == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        let known_ones = all.iter().map(|one| one.id).collect::<Vec<_>>().join(", ");
        return Err(format!(
            "no experiment is called \"{unknown}\"; there are: {known_ones}"
        ));
    }
    let wanted = |one: &&&Experiment| names.is_empty() || names.iter().any(|name| name == one.id);
    Ok(all.iter().filter(wanted).copied().collect())
}
