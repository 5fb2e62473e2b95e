//! What becomes of a worker's standard output and error.
//!
//! A captured stream is a pipe that the driver empties whenever something is there, so a worker
//! that prints much never waits for long, and what is kept is bounded.
//! Read next: `processes/launch.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, PipeReader, Read};
use std::sync::Arc;

/// What becomes of a worker's standard output or error.
///
/// ```
/// use trefoil::processes::Output;
///
/// let logged = Output::lines(|pid, line| eprintln!("[{pid}] {line}"));
/// assert!(format!("{logged:?}").starts_with("Lines"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Output {
    /// It goes where this process's goes.
    Inherit,
    /// It goes nowhere.
    Null,
    /// The last so many bytes are kept, and stand in the error when the worker dies.
    Tail(usize),
    /// Each line is given to a function, with the worker's pid; the last 16 KiB are kept as well.
    Lines(LineFn),
}

/// The function of [`Output::Lines`].
pub type LineFn = Arc<dyn Fn(i32, &str) + Send + Sync>;

/// What is kept beside lines. Unit: bytes.
pub(crate) const DEFAULT_TAIL: usize = 16 << 10;

/// The longest line that is given to a function in one piece. Unit: bytes.
const LONGEST_LINE: usize = 64 << 10;

impl Output {
    /// Gives each line to `f`, with the pid of the worker that wrote it.
    ///
    /// It is called by the pool's driver: it should be quick.
    pub fn lines(f: impl Fn(i32, &str) + Send + Sync + 'static) -> Self {
        Self::Lines(Arc::new(f))
    }
}

impl fmt::Debug for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inherit => f.write_str("Inherit"),
            Self::Null => f.write_str("Null"),
            Self::Tail(bytes) => f.debug_tuple("Tail").field(bytes).finish(),
            Self::Lines(_) => f.write_str("Lines(..)"),
        }
    }
}

/// One captured stream of one worker.
#[derive(Debug)]
pub(crate) struct Capture {
    output: Output,
    pid: i32,
    /// The last bytes.
    tail: VecDeque<u8>,
    /// The line that has no end yet.
    line: Vec<u8>,
}

impl Capture {
    /// Nothing has come yet.
    pub(crate) fn new(output: Output, pid: i32) -> Self {
        Self {
            output,
            pid,
            tail: VecDeque::new(),
            line: Vec::new(),
        }
    }

    /// Reads once. `Ok(0)` is the end.
    ///
    /// # Errors
    ///
    /// `WouldBlock` when nothing is there.
    pub(crate) fn read(&mut self, mut pipe: &PipeReader, buffer: &mut [u8]) -> io::Result<usize> {
        let count = pipe.read(buffer)?;
        self.take(&buffer[..count]);
        Ok(count)
    }

    /// Keeps what has come.
    fn take(&mut self, bytes: &[u8]) {
        let keep = match &self.output {
            Output::Tail(keep) => *keep,
            _ => DEFAULT_TAIL,
        };
        self.tail.extend(&bytes[bytes.len().saturating_sub(keep)..]);
        let surplus = self.tail.len().saturating_sub(keep);
        self.tail.drain(..surplus);
        if let Output::Lines(f) = &self.output {
            for byte in bytes {
                if *byte != b'\n' {
                    self.line.push(*byte);
                }
                if *byte == b'\n' || self.line.len() >= LONGEST_LINE {
                    f(self.pid, &String::from_utf8_lossy(&self.line));
                    self.line.clear();
                }
            }
        }
    }

    /// The end of the stream: an unfinished line is one, too.
    pub(crate) fn finish(&mut self) {
        if let Output::Lines(f) = &self.output
            && !self.line.is_empty()
        {
            f(self.pid, &String::from_utf8_lossy(&self.line));
            self.line.clear();
        }
    }

    /// The last bytes, as text.
    pub(crate) fn tail(&mut self) -> String {
        String::from_utf8_lossy(self.tail.make_contiguous()).into_owned()
    }
}
