//! What `computing.rs` proves, and its lines in the map.

#![forbid(unsafe_code)]

use crate::computing::{INLINE, locked, pool};
use crate::map::{LOOP, POOL};
use crate::report::{MapRow, Sign};
use crate::row::{Row, time};
use crate::verdict::{self, Verdict};
use crate::work::{Kind, Work};

/// A pool keeps at least this share of the cores busy that are really there (hard). The rest is
/// for the pool's start, the last job's tail, and a neighbour.
const BUSY: f64 = 0.7;

/// Under a global lock no more than one core is busy (hard), and a little for handing it over.
const LOCKED: f64 = 1.15;

/// Inline, the heart stands still for at least this share of the work (hard).
const FROZEN: f64 = 0.8;

/// The row of one tool on one work.
fn of<'a>(rows: &'a [Row], work: Work, tool: &str) -> &'a Row {
    Row::find(rows, &format!("{}: {tool}", work.name()))
}

/// The verdicts.
pub fn judge(
    works: &[Work],
    rows: &[Row],
    same: bool,
    most: usize,
    available: f64,
) -> Vec<Verdict> {
    // Over all works together: one alone may be over in some milliseconds.
    let sum = |tool: &str, figure: fn(&Row) -> f64| -> f64 {
        works.iter().map(|work| figure(of(rows, *work, tool))).sum()
    };
    let wall = |row: &Row| row.wall.median;
    let cpu = |row: &Row| row.cpu.median;
    let busy = |tool: &str| sum(tool, cpu) / sum(tool, wall);
    let (in_pool, in_lock) = (busy(&pool(most)), busy(&locked(most)));
    let want = BUSY * available.min(most as f64);
    let gap = |row: &Row| row.gap.map_or(0.0, |gap| gap.max as f64);
    let frozen = sum(INLINE, gap) / sum(INLINE, wall);
    let faster = sum(INLINE, wall) / sum(&pool(most), wall);
    let mut verdicts = vec![
        Verdict::hard(
            "all tools computed the same",
            same,
            format!("{} works", works.len()),
        ),
        Verdict::hard(
            format!("the pool keeps {BUSY} of the cores busy that are there"),
            in_pool >= want,
            format!("{in_pool:.2} of {most} workers, {available:.1} cores available"),
        ),
        Verdict::hard(
            "under a global lock one core is busy, however many threads there are",
            in_lock <= LOCKED,
            format!("{in_lock:.2}"),
        ),
        Verdict::hard(
            "inline, the loop is frozen while the job runs",
            frozen >= FROZEN,
            format!("for {:.0} % of it", frozen * 100.0),
        ),
    ];
    let text = "the pool is faster than one thread";
    verdicts.push(if available < 1.5 || most < 2 {
        let why = format!("{available:.1} cores available");
        Verdict::skipped(text, verdict::Kind::Soft, why)
    } else {
        Verdict::soft(text, faster > 1.0, format!("{faster:.2} times"))
    });
    verdicts
}

/// A work's line in the map; the first work also has one for the global lock.
pub fn map(work: Work, rows: &[Row], most: usize) -> Vec<MapRow> {
    let gap = |row: &Row| row.gap.map_or(0.0, |gap| gap.max as f64);
    let (inline, pool) = (of(rows, work, INLINE), of(rows, work, &pool(most)));
    let mut lines = vec![MapRow {
        work: work.text(),
        cells: vec![
            (LOOP, inline.wall_text(), Sign::Works),
            (POOL, pool.wall_text(), Sign::Fits),
        ],
        verdict: "threads".into(),
        note: format!(
            "on the loop everybody else waits {}; beside it {}",
            time(gap(inline)),
            time(gap(pool))
        ),
    }];
    if work.kind == Kind::Sha256 {
        let locked = of(rows, work, &locked(most));
        lines.push(MapRow {
            work: "… under one global lock (a GIL)".into(),
            cells: vec![
                (LOOP, inline.wall_text(), Sign::Works),
                (POOL, locked.wall_text(), Sign::Fails),
            ],
            verdict: "processes".into(),
            note: format!(
                "{} threads, {:.2} cores busy: why Python needs processes",
                locked.workers,
                locked.cpu.median / locked.wall.median
            ),
        });
    }
    lines
}
