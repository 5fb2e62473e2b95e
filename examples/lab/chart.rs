//! Bar charts as SVG, by hand: a bar is the median, the whisker goes from minimum to maximum.
//!
//! Why not a charting crate: they bring a font stack, or a page that loads JavaScript from the
//! network. The text is real text and the colours are the page's own, light and dark.

#![forbid(unsafe_code)]

use crate::measure::Figure;

/// One bar.
pub struct Bar {
    /// Left of it.
    pub label: String,
    /// Its length, and its whisker.
    pub figure: Figure,
    /// Right of it.
    pub text: String,
    /// Drawn in the accent colour.
    pub ours: bool,
}

/// Width of the drawing, of the labels, and of the text at the right. Unit: CSS pixels.
const WIDTH: f64 = 760.0;
/// Where the bars begin.
const LEFT: f64 = 190.0;
/// What the text right of the longest bar needs.
const RIGHT: f64 = 110.0;
/// Height of one bar with the space below it.
const STEP: f64 = 30.0;

/// Above this ratio of the largest to the smallest the axis is logarithmic, or the small bars
/// would be invisible.
const LOGARITHMIC_ABOVE: f64 = 50.0;

/// The axis: from a value to a place between 0 and 1.
struct Axis {
    /// The value at 0 (logarithmic only).
    from: f64,
    /// The value at 1.
    to: f64,
    /// Logarithmic?
    logarithmic: bool,
}

impl Axis {
    /// One on which all bars can be seen.
    fn of(bars: &[Bar]) -> Self {
        let medians = || bars.iter().map(|bar| bar.figure.median.max(1.0));
        let smallest = medians().fold(f64::INFINITY, f64::min);
        let largest = bars
            .iter()
            .map(|bar| bar.figure.max.max(1.0))
            .fold(1.0, f64::max);
        // The smallest bar keeps some length: it begins a factor of 3 below.
        let from = smallest / 3.0;
        Self {
            from,
            to: largest,
            logarithmic: largest / smallest > LOGARITHMIC_ABOVE,
        }
    }

    /// Where a value lies.
    fn place(&self, value: f64) -> f64 {
        let place = if self.logarithmic {
            (value.max(self.from) / self.from).ln() / (self.to / self.from).ln()
        } else {
            value / self.to
        };
        LEFT + place * (WIDTH - LEFT - RIGHT)
    }
}

/// Draws the bars, one below the other.
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let axis = Axis::of(bars);
    let height = STEP * bars.len() as f64 + 24.0;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n",
        escape(title)
    );
    for (index, bar) in bars.iter().enumerate() {
        let top = STEP * index as f64 + 4.0;
        let middle = top + 10.0;
        let (end, low, high) = (
            axis.place(bar.figure.median),
            axis.place(bar.figure.min),
            axis.place(bar.figure.max),
        );
        let class = if bar.ours { "bar ours" } else { "bar" };
        let length = (end - LEFT).max(1.0);
        svg += &format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{top}\" width=\"{length:.1}\" height=\"20\"/>\n\
             <path class=\"whisker\" d=\"M{low:.1} {middle}H{high:.1}\
             M{low:.1} {}v8M{high:.1} {}v8\"/>\n\
             <text x=\"{:.1}\" y=\"{}\">{}</text>\n",
            LEFT - 8.0,
            top + 15.0,
            escape(&bar.label),
            middle - 4.0,
            middle - 4.0,
            end.max(high) + 8.0,
            top + 15.0,
            escape(&bar.text),
        );
    }
    let note = if axis.logarithmic {
        "logarithmic: "
    } else {
        ""
    };
    svg += &format!(
        "<text class=\"note\" x=\"{LEFT}\" y=\"{}\">{note}{}</text>\n</svg>\n",
        height - 6.0,
        escape(title)
    );
    svg
}

/// Text for HTML and SVG.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
