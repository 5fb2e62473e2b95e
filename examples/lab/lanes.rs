//! Who ran what, and when: a lane a worker, a box a job, as SVG by hand like `chart.rs`.

#![forbid(unsafe_code)]

use crate::chart::escape;
use crate::row::{Row, time};

/// Width of the drawing, and where the lanes begin. Unit: CSS pixels.
const WIDTH: f64 = 760.0;
const LEFT: f64 = 190.0;
/// Height of a lane with the space below it, and the space between two tools.
const STEP: f64 = 22.0;
const BETWEEN: f64 = 10.0;

/// Draws the lanes of all rows that have any, one tool below the other, on one scale.
pub fn lanes(rows: &[Row]) -> String {
    let rows = || rows.iter().filter(|row| !row.lanes.is_empty());
    let ends = rows().flat_map(|row| row.lanes.iter().map(|lane| lane.end));
    let Some(last) = ends.max() else {
        return String::new();
    };
    let place = |ns: u64| LEFT + ns as f64 / last.max(1) as f64 * (WIDTH - LEFT - 8.0);
    let mut boxes = String::new();
    let mut top = 4.0;
    for row in rows() {
        let middle = top + STEP * row.workers as f64 / 2.0 + 4.0;
        boxes += &format!(
            "<text x=\"{}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>\n",
            LEFT - 8.0,
            escape(&row.tool)
        );
        for lane in &row.lanes {
            let (start, end) = (place(lane.start), place(lane.end));
            boxes += &format!(
                "<rect class=\"job\" x=\"{start:.2}\" y=\"{:.1}\" width=\"{:.2}\" height=\"{}\"/>\n",
                top + STEP * lane.worker as f64,
                (end - start).max(0.5),
                STEP - 4.0
            );
        }
        top += STEP * row.workers as f64 + BETWEEN;
    }
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"who ran what, and when\">\n{boxes}\
         <text class=\"note\" x=\"{LEFT}\" y=\"{}\">a lane a worker, a box a job; {} from left to \
         right</text>\n</svg>\n",
        top + 18.0,
        top + 10.0,
        time(last as f64)
    )
}
