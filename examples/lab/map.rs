//! The map: the one thing a newcomer must read. Works down, tools across.

#![forbid(unsafe_code)]

use std::io::{IsTerminal, stdout};

use comfy_table::{Cell, Color, ContentArrangement, Table, presets};

use crate::report::{Report, Sign};
use crate::verdict::{Kind, Verdict};

/// The columns that a map may have, in order. Only those that some row fills are shown.
pub const COLUMNS: &[&str] = &[LOOP, THREADS, POOL, TOKIO];
/// Our event loop.
pub const LOOP: &str = "event loop";
/// A thread for each.
pub const THREADS: &str = "a thread each";
/// A few threads for all.
pub const POOL: &str = "thread pool";
/// The peer of `--with tokio`.
pub const TOKIO: &str = "tokio";

impl Sign {
    /// The sign itself: colour alone is never the only difference.
    pub fn mark(self) -> &'static str {
        match self {
            Sign::Fits => "✔",
            Sign::Works => "!",
            Sign::Fails => "✖",
        }
    }

    /// The colour on top of it.
    fn color(self) -> Color {
        match self {
            Sign::Fits => Color::Green,
            Sign::Works => Color::Yellow,
            Sign::Fails => Color::Red,
        }
    }
}

/// The columns that this report fills.
pub fn columns(report: &Report) -> Vec<&'static str> {
    let cells = || {
        report
            .experiments
            .iter()
            .flat_map(|one| &one.map)
            .flat_map(|row| &row.cells)
    };
    let filled = |column: &&str| cells().any(|(name, ..)| name == column);
    COLUMNS
        .iter()
        .copied()
        .filter(|column| filled(column))
        .collect()
}

/// Prints the map, and then every verdict.
pub fn print(report: &Report) {
    let columns = columns(report);
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    table.set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([&[""], &columns[..], &["verdict"]].concat());
    for one in &report.experiments {
        for (index, row) in one.map.iter().enumerate() {
            let last = index + 1 == one.map.len();
            let more = if last {
                format!("\n→ {} explains this", one.explained_by)
            } else {
                "".into()
            };
            let mut cells = vec![Cell::new(format!("{}{more}", row.work))];
            for column in &columns {
                let cell = row.cells.iter().find(|(name, ..)| name == column);
                cells.push(cell.map_or(Cell::new(""), |(_, text, sign)| {
                    Cell::new(format!("{text} {}", sign.mark())).fg(sign.color())
                }));
            }
            cells.push(Cell::new(format!("{}\n{}", row.verdict, row.note)));
            table.add_row(cells);
        }
    }
    println!("\n{table}\n✔ fits   ! works, at a price   ✖ fails   ~ extrapolated from a sample\n");
    for one in &report.experiments {
        for verdict in &one.verdicts {
            println!("{}", line(report, one.id, verdict));
        }
    }
}

/// One verdict as a line.
fn line(report: &Report, id: &str, verdict: &Verdict) -> String {
    let Verdict {
        text,
        kind,
        held,
        why,
    } = verdict;
    let (available, cores) = (report.machine.cores_available, report.machine.cores);
    match (held, kind) {
        (Some(true), _) => format!("✔ {id}: {text} ({why})"),
        (Some(false), Kind::Hard) => format!("✖ {id}: not true here: {text} ({why})"),
        (Some(false), Kind::Soft) => format!(
            "? {id}: wall time disagrees, cores available {available:.1} of {cores}: {text} ({why})"
        ),
        (None, _) => format!("- {id}: skipped: {why}: {text}"),
    }
}

/// A line that must not be missed.
pub fn red(text: &str) {
    if stdout().is_terminal() {
        println!("\x1b[1;31m{text}\x1b[0m");
    } else {
        println!("{text}");
    }
}
