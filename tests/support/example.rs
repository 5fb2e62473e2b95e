//! An example of the course as a test sees it: its head, its program, its output.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A test that hangs is worse than one that fails. Far above what any example needs.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The package.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An example's text.
pub fn source(name: &str) -> String {
    std::fs::read_to_string(root().join("examples").join(format!("{name}.rs"))).unwrap()
}

/// The output that an example's head promises: the first ```text block after "Expected output".
pub fn expected(name: &str) -> String {
    let source = source(name);
    let head = source
        .split_once("//! Expected output")
        .expect("a head with its output")
        .1;
    let block = head.split_once("//! ```text\n").expect("a text block").1;
    let block = block.split_once("//! ```").expect("the block's end").0;
    let line = |line: &str| {
        line.trim_start_matches("//!")
            .trim_start_matches(' ')
            .to_owned()
            + "\n"
    };
    block.lines().map(line).collect()
}

/// An example's program. `cargo test` has built it; `cargo test --test examples` has not.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let folder = test.ancestors().nth(2).unwrap();
    let program = folder.join("examples").join(name);
    let changed = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let source = root().join("examples").join(format!("{name}.rs"));
    let source = if source.exists() {
        source
    } else {
        root().join("examples/lab/main.rs")
    };
    if changed(&program) < changed(&source) {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
        cargo
            .current_dir(root())
            .args(["build", "--quiet", "--example", name]);
        if folder.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(cargo.status().unwrap().success(), "{name} does not build");
    }
    program
}

/// An example that runs.
pub struct Running {
    /// The process.
    child: Child,
    /// Its lines, as they come.
    lines: Receiver<String>,
    /// Those that were received so far.
    seen: Vec<String>,
}

impl Running {
    /// Starts it on a free port.
    pub fn start(name: &str) -> Self {
        let mut command = Command::new(program(name));
        command
            .arg("0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            stdout
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| send.send(line))
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line that begins so.
    pub fn wait_for(&mut self, beginning: &str) {
        while self.next().is_some_and(|line| !line.starts_with(beginning)) {}
        let found = self
            .seen
            .last()
            .is_some_and(|line| line.starts_with(beginning));
        assert!(found, "it ended without {beginning:?}: {:#?}", self.seen);
    }

    /// Its next line; `None` at its end.
    fn next(&mut self) -> Option<&str> {
        use std::sync::mpsc::RecvTimeoutError::{Disconnected, Timeout};
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => self.seen.push(line),
            Err(Disconnected) => return None,
            Err(Timeout) => panic!("no line for {PATIENCE:?}: {:#?}", self.seen),
        }
        self.seen.last().map(String::as_str)
    }

    /// The address that it printed.
    pub fn address(&mut self) -> String {
        let listening = |line: &String| Some(line.strip_prefix("listening on ")?.to_owned());
        if !self.seen.iter().any(|line| listening(line).is_some()) {
            self.wait_for("listening on ");
        }
        let address = self.seen.iter().find_map(listening).unwrap();
        address.split(' ').next().unwrap().to_owned()
    }

    /// Connects to that address.
    pub fn connect(&mut self) -> TcpStream {
        let stream = TcpStream::connect(self.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends SIGINT.
    pub fn press_ctrl_c(&self) {
        self.send_signal("INT");
    }

    /// Sends a signal. By the shell's own `kill`, which every system has.
    pub fn send_signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end, and gives back all that it printed.
    pub fn finish(mut self) -> String {
        while self.next().is_some() {}
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {:#?}", self.seen);
        self.seen.join("\n")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Words after a number that make it a time, a ratio of two times, or a number of bytes.
const UNITS: &[&str] = &[
    "ns", "µs", "ms", "s", "min", "h", "days", "times", "bytes", "B", "KiB", "MiB", "GiB",
];

/// Words before a number that make it a process or a task.
const NAMES: &[&str] = &["pid", "task"];

/// Hides times, numbers of bytes, addresses, process and task numbers: what a second run changes.
pub fn mask(line: &str) -> String {
    let words: Vec<_> = line.split(' ').collect();
    let bare = |word: &str| {
        let word = word.trim_start_matches('(');
        word.trim_end_matches([',', ';', ':', '.', ')']).to_owned()
    };
    let is_number = |word: &str| !word.is_empty() && word.parse::<f64>().is_ok();
    let masked = |index: usize| {
        let word = bare(words[index]);
        let after = words
            .get(index + 1)
            .map(|word| bare(word))
            .unwrap_or_default();
        let before = index
            .checked_sub(1)
            .map(|index| bare(words[index]))
            .unwrap_or_default();
        let varies = word.starts_with("127.0.0.1:")
            || word.starts_with("0x")
            || (is_number(&word) && UNITS.contains(&after.as_str()))
            || (is_number(&word) && NAMES.contains(&before.as_str()));
        if varies {
            words[index].replace(&word, "_")
        } else {
            words[index].to_owned()
        }
    };
    (0..words.len()).map(masked).collect::<Vec<_>>().join(" ")
}
