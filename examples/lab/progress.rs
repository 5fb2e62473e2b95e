//! What the user sees while the lab measures: one bar an experiment, or plain lines.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::io::{IsTerminal, stderr};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// One bar an experiment on a terminal; elsewhere one line an experiment. On standard error, so
/// that the map can be sent to a file.
pub struct Progress {
    /// The bars, if standard error is a terminal.
    bars: Option<MultiProgress>,
    /// The experiment that runs.
    current: RefCell<Current>,
    /// How many there will be.
    experiments: usize,
}

/// The experiment that runs.
struct Current {
    /// Its name.
    id: &'static str,
    /// Its number, from 1.
    number: usize,
    /// When it began.
    start: Instant,
    /// Its bar, hidden if there are none.
    bar: ProgressBar,
}

impl Progress {
    /// Shows nothing yet.
    pub fn new(experiments: usize) -> Self {
        let bars = stderr().is_terminal().then(MultiProgress::new);
        let (start, bar) = (Instant::now(), ProgressBar::hidden());
        let current = RefCell::new(Current {
            id: "",
            number: 0,
            start,
            bar,
        });
        Self {
            bars,
            current,
            experiments,
        }
    }

    /// An experiment begins.
    pub fn start(&self, id: &'static str) {
        let mut current = self.current.borrow_mut();
        (current.id, current.number, current.start) = (id, current.number + 1, Instant::now());
        if let Some(bars) = &self.bars {
            let style = ProgressStyle::with_template("{prefix:>10} {bar:30} {elapsed:>3} {msg}");
            current.bar = bars.add(ProgressBar::new(1));
            current
                .bar
                .set_style(style.expect("a template that was tried"));
            current.bar.set_prefix(id);
        }
    }

    /// It will take so many steps.
    pub fn expect(&self, steps: usize) {
        self.current.borrow().bar.set_length(steps as u64);
    }

    /// The next step is this one.
    pub fn now(&self, tool: &str) {
        self.current.borrow().bar.set_message(tool.to_owned());
    }

    /// A step is done.
    pub fn step(&self) {
        self.current.borrow().bar.inc(1);
    }

    /// The experiment is done.
    pub fn finish(&self) {
        let current = self.current.borrow();
        let (id, number, of) = (current.id, current.number, self.experiments);
        current.bar.finish_with_message("done");
        if self.bars.is_none() {
            let seconds = current.start.elapsed().as_secs_f64();
            eprintln!("{number} of {of}: {id} done in {seconds:.1} s");
        }
    }
}
