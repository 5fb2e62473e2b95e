//! Every example prints what its head says, and keeps the rules of the course.
//!
//! The expected output is the one in the comment at the top of each example, so that a reader
//! never sees a comment which is not true. Both sides go through [`mask`], and through nothing
//! else. A server gets its visitors from here; no other program is needed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The examples, in the order of the course, and who visits each.
const EXAMPLES: &[(&str, fn(&mut Running))] = &[
    ("01-first-future", |_| {}),
    ("02-block-on", |_| {}),
    ("03-tiny-loop", visit_tiny_loop),
    ("04-hello", visit_hello),
    ("05-sleepers", |_| {}),
    ("06-echo", visit_echo),
    ("08-blocking-the-loop", |_| {}),
    ("09-cancel", |_| {}),
];

/// A test that hangs is worse than one that fails. Far above what any example needs.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn first_future_prints_what_its_head_says() {
    check("01-first-future");
}

#[test]
fn block_on_prints_what_its_head_says() {
    check("02-block-on");
}

#[test]
fn tiny_loop_prints_what_its_head_says() {
    check("03-tiny-loop");
}

#[test]
fn hello_prints_what_its_head_says() {
    check("04-hello");
}

#[test]
fn sleepers_prints_what_its_head_says() {
    check("05-sleepers");
}

#[test]
fn echo_prints_what_its_head_says() {
    check("06-echo");
}

#[test]
fn blocking_the_loop_prints_what_its_head_says() {
    check("08-blocking-the-loop");
}

#[test]
fn cancel_prints_what_its_head_says() {
    check("09-cancel");
}

/// Types one line, as somebody with `nc` would, once the loop waits for it.
fn visit_tiny_loop(example: &mut Running) {
    example.wait_for("-- 2.");
    example.wait_for("executor: the queue is empty");
    let mut stream = example.connect();
    // Only when the loop waits again: before that, the line could come with the connection.
    example.wait_for("executor: polls `visitor`: (accepted)");
    example.wait_for("executor: the queue is empty");
    exchange(&mut stream, b"hello\n", b"hello\n");
}

/// Asks as `curl` would.
fn visit_hello(example: &mut Running) {
    example.wait_for("-- 4.");
    let mut stream = example.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello from a task\n"), "{answer}");
}

/// Two visitors for the wrong way, two for the right one, and then Ctrl-C.
fn visit_echo(example: &mut Running) {
    let (mut first, mut second) = (example.connect(), example.connect());
    exchange(&mut first, b"hello\n", b"hello\n");
    drop(first);
    example.wait_for("visitor 1: gone");
    exchange(&mut second, b"hello\n", b"hello\n");
    drop(second);
    example.wait_for("-- 2.");
    let mut third = example.connect();
    example.wait_for("visitor 3: here");
    let mut fourth = example.connect();
    exchange(&mut fourth, b"hello\n", b"hello\n");
    drop(fourth);
    example.wait_for("visitor 4: gone");
    exchange(&mut third, b"hello\n", b"hello\n");
    drop(third);
    example.wait_for("visitor 3: gone");
    example.press_ctrl_c();
}

/// Sends, and reads back what must come.
fn exchange(stream: &mut TcpStream, send: &[u8], expect: &[u8]) {
    stream.write_all(send).unwrap();
    let mut bytes = vec![0; expect.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, expect);
}

#[test]
fn every_example_of_the_course_is_checked_here() {
    let mut names: Vec<_> = std::fs::read_dir(root().join("examples"))
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().path().file_stem()?.to_str()?.to_owned()))
        .filter(|name| name.starts_with(|first: char| first.is_ascii_digit()))
        .collect();
    names.sort();
    let checked: Vec<_> = EXAMPLES.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, checked);
}

#[test]
fn every_example_keeps_the_rules_of_the_course() {
    for (name, _) in EXAMPLES {
        let source = source(name);
        let lines = source.lines().count();
        let limit = if *name == "03-tiny-loop" { 200 } else { 150 };
        assert!(lines <= limit, "{name} has {lines} lines");

        let (number, title) = name.split_once('-').unwrap();
        assert!(
            source.starts_with(&format!("//! {number} {title}: ")),
            "{name}: first line"
        );
        let parts = [
            "//! Teaches ",
            "//! Run: ",
            "//! Expected output",
            "//! ```text",
        ];
        let places = parts.map(|part| {
            source
                .find(part)
                .unwrap_or_else(|| panic!("{name}: {part}"))
        });
        assert!(
            places.is_sorted(),
            "{name}: the head's parts are out of order"
        );
        assert!(
            source.contains(&format!("`cargo run --release --example {name}`")),
            "{name}"
        );

        let last = expected(name).lines().last().unwrap_or_default().to_owned();
        assert!(last.starts_with("next: "), "{name} ends with {last:?}");
        if *number >= *"04" {
            let first_use = source
                .lines()
                .find(|line| line.starts_with("use "))
                .unwrap();
            assert!(
                first_use.starts_with("use trefoil as rt; // "),
                "{name}: {first_use}"
            );
        }
    }
}

#[test]
fn the_lab_explains_itself() {
    let _one = one_at_a_time();
    let output = Command::new(program("lab")).arg("--help").output().unwrap();
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for word in [
        "--quick", "--json", "--strict", "--with", "waiting", "memory", "price",
    ] {
        assert!(help.contains(word), "{word} is missing in {help}");
    }
}

#[test]
fn the_lab_names_its_experiments_when_asked_for_another() {
    let _one = one_at_a_time();
    let output = Command::new(program("lab"))
        .arg("weather")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("\"weather\"") && error.contains("waiting"),
        "{error}"
    );
}

#[test]
fn masking_hides_what_differs_between_runs_and_nothing_else() {
    let same = |a, b| assert_eq!(mask(a), mask(b));
    same("after 300 ms: done", "after 301.5 ms: done");
    same(
        "listening on 127.0.0.1:7003",
        "listening on 127.0.0.1:41233",
    );
    same("(6 bytes, sent back)", "(7 bytes, sent back)");
    same("worker pid 12: gone", "worker pid 4711: gone");
    same("task 3 waits", "task 17 waits");
    assert_ne!(mask("3 after 1 ms"), mask("4 after 1 ms"));
    assert_ne!(mask("level 1: 20 timers"), mask("level 1: 21 timers"));
}

/// Words after a number that make it a time or a number of bytes.
const UNITS: &[&str] = &[
    "ns", "µs", "ms", "s", "min", "h", "days", "bytes", "B", "KiB", "MiB", "GiB",
];

/// Words before a number that make it a process or a task.
const NAMES: &[&str] = &["pid", "task"];

/// Hides times, numbers of bytes, addresses, process and task numbers: what a second run changes.
fn mask(line: &str) -> String {
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

/// Runs an example with its visitor, and compares.
fn check(name: &str) {
    let _one = one_at_a_time();
    let (_, visit) = EXAMPLES.iter().find(|(known, _)| *known == name).unwrap();
    let mut example = Running::start(name);
    visit(&mut example);
    let seen = example.finish();
    let mask_all = |text: &str| text.lines().map(mask).collect::<Vec<_>>().join("\n");
    let (expected, seen_masked) = (mask_all(&expected(name)), mask_all(&seen));
    assert!(
        expected == seen_masked,
        "{name} prints something else than its head says; it printed:\n\n{seen}\n\
         masked, expected:\n\n{expected}\n\nmasked, seen:\n\n{seen_masked}\n"
    );
}

/// Examples measure times, so they do not run beside each other.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The package.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An example's text.
fn source(name: &str) -> String {
    std::fs::read_to_string(root().join("examples").join(format!("{name}.rs"))).unwrap()
}

/// The output that an example's head promises: the first ```text block after "Expected output".
fn expected(name: &str) -> String {
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
fn program(name: &str) -> PathBuf {
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
struct Running {
    /// The process.
    child: Child,
    /// Its lines, as they come.
    lines: Receiver<String>,
    /// Those that were received so far.
    seen: Vec<String>,
}

impl Running {
    /// Starts it on a free port.
    fn start(name: &str) -> Self {
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
    fn wait_for(&mut self, beginning: &str) {
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

    /// Connects to the address that it printed.
    fn connect(&mut self) -> TcpStream {
        let listening = |line: &String| Some(line.strip_prefix("listening on ")?.to_owned());
        if !self.seen.iter().any(|line| listening(line).is_some()) {
            self.wait_for("listening on ");
        }
        let address = self.seen.iter().find_map(listening).unwrap();
        let stream = TcpStream::connect(address.split(' ').next().unwrap()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends SIGINT. By the shell's own `kill`, which every system has.
    fn press_ctrl_c(&self) {
        let kill = format!("kill -INT {}", self.child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end, and gives back all that it printed.
    fn finish(mut self) -> String {
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
