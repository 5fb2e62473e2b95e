//! Every example prints what its head says, and keeps the rules of the course.
//!
//! The expected output is the one in the comment at the top of each example, so that a reader
//! never sees a comment which is not true. Both sides go through [`mask`], and through nothing
//! else. A server gets its visitors from here; no other program is needed.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[path = "support/example.rs"]
mod example;

use self::example::{PATIENCE, Running, expected, mask, program, root, source};

/// Somebody who visits a running example, from connecting to leaving.
type Visit = fn(&mut Running);

/// The examples, in the order of the course, and who visits each.
const EXAMPLES: &[(&str, Visit)] = &[
    ("01-first-future", |_| {}),
    ("02-block-on", |_| {}),
    ("03-tiny-loop", visit_tiny_loop),
    ("04-hello", visit_hello),
    ("05-sleepers", |_| {}),
    ("06-echo", visit_echo),
    ("07-udp", visit_udp),
    ("08-blocking-the-loop", |_| {}),
    ("09-cancel", |_| {}),
    ("11-channels", |_| {}),
    ("12-chat", visit_chat),
    ("13-proxy", visit_proxy),
    ("14-http", visit_http),
    ("15-hyper", visit_hyper),
    ("16-mini-redis", visit_mini_redis),
    ("17-crawler", |_| {}),
    ("19-fork-join", |_| {}),
    ("20-async-meets-pool", visit_async_meets_pool),
    ("21-process-pool", |_| {}),
];

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
fn udp_prints_what_its_head_says() {
    check("07-udp");
}

#[test]
fn blocking_the_loop_prints_what_its_head_says() {
    check("08-blocking-the-loop");
}

#[test]
fn cancel_prints_what_its_head_says() {
    check("09-cancel");
}

#[test]
fn channels_prints_what_its_head_says() {
    check("11-channels");
}

#[test]
fn chat_prints_what_its_head_says() {
    check("12-chat");
}

#[test]
fn proxy_prints_what_its_head_says() {
    check("13-proxy");
}

#[test]
fn http_prints_what_its_head_says() {
    check("14-http");
}

#[test]
fn hyper_prints_what_its_head_says() {
    check("15-hyper");
}

#[test]
fn mini_redis_prints_what_its_head_says() {
    check("16-mini-redis");
}

#[test]
fn crawler_prints_what_its_head_says() {
    check("17-crawler");
}

#[test]
fn fork_join_prints_what_its_head_says() {
    check("19-fork-join");
}

#[test]
fn async_meets_pool_prints_what_its_head_says() {
    check("20-async-meets-pool");
}

#[test]
fn process_pool_prints_what_its_head_says() {
    check("21-process-pool");
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

/// Sends a datagram as `nc -u` would, and then Ctrl-C.
fn visit_udp(example: &mut Running) {
    example.wait_for("-- 3.");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(example.address()).unwrap();
    // Loopback loses nothing while its buffers have room, so no answer is an error here.
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.send(b"hello\n").unwrap();
    let mut answer = [0; 16];
    let n = socket.recv(&mut answer).unwrap();
    assert_eq!(&answer[..n], b"hello\n");
    example.press_ctrl_c();
}

/// Three people with `nc`.
fn visit_chat(example: &mut Running) {
    let mut people = Vec::new();
    for name in ["anna", "ben", "eve"] {
        let mut stream = example.connect();
        exchange(&mut stream, format!("{name}\n").as_bytes(), b"your name?\n");
        example.wait_for(&format!("{name} is here"));
        people.push(stream);
    }
    let [mut anna, mut ben, mut eve] = people.try_into().unwrap();
    exchange(&mut anna, b"", b"ben is here\neve is here\n");
    exchange(&mut ben, b"", b"eve is here\n");
    exchange(&mut anna, b"hello\n", b"");
    exchange(&mut ben, b"", b"anna: hello\n");
    exchange(&mut eve, b"", b"anna: hello\n");
    drop(ben);
    exchange(&mut anna, b"", b"ben has left\n");
    example.wait_for("ben has left");
    example.press_ctrl_c();
    // Before anna and eve hang up, which the server would see, too.
    example.wait_for("Ctrl-C: the chat is closed");
}

/// Asks as `curl` would, and interrupts the server while it waits for an answer.
fn visit_http(example: &mut Running) {
    let get = |stream: &mut TcpStream, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
    };
    let mut first = example.connect();
    get(&mut first, "/");
    // The second one in two pieces, the first of them together with the one before.
    first.write_all(b"GET / HT").unwrap();
    read_until(&mut first, "\r\n\r\nhello\n");
    first.write_all(b"TP/1.1\r\n\r\n").unwrap();
    let answer = read_until(&mut first, "\r\n\r\nhello\n");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let mut waits = example.connect();
    get(&mut waits, "/news");
    example.wait_for("visitor 2: GET /news");
    example.press_ctrl_c();
    for stream in [&mut first, &mut waits] {
        assert_eq!(stream.read(&mut [0; 100]).unwrap(), 0, "cut off");
    }
    example.wait_for("-- 2.");
    let mut waits = example.connect();
    get(&mut waits, "/news");
    example.wait_for("visitor 3: GET /news");
    example.send_signal("TERM");
    let mut answer = String::new();
    waits.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\r\nConnection: close\r\n"), "{answer}");
    assert!(
        answer.ends_with("\r\n\r\nno news, and the server stops\n"),
        "{answer}"
    );
}

/// Asks twice as `curl` would; the first time it gets its answer only when it has closed.
fn visit_proxy(example: &mut Running) {
    let request = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
    let mut first = example.connect();
    first.write_all(request).unwrap();
    example.wait_for("server: asked");
    // The answer exists, and does not come: nothing is ready to be read.
    first.set_nonblocking(true).unwrap();
    let error = first.read(&mut [0; 100]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    first.set_nonblocking(false).unwrap();
    first.shutdown(Shutdown::Write).unwrap();
    read_until(&mut first, "hello from the server\n");
    example.wait_for("-- 2.");
    let mut second = example.connect();
    second.write_all(request).unwrap();
    read_until(&mut second, "hello from the server\n");
    drop(second);
    example.wait_for("visitor 2: ");
    example.press_ctrl_c();
}

/// Two requests on one connection as `curl` would; then half of one, as `nc` would.
fn visit_hyper(example: &mut Running) {
    let mut stream = example.connect();
    for path in ["/here", "/there"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let answer = read_until(&mut stream, &format!("hello from {path}\n"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
    drop(stream);
    example.wait_for("visitor 1: gone");
    let mut stream = example.connect();
    stream.write_all(b"GET / HT").unwrap();
    assert_eq!(stream.read(&mut [0; 100]).unwrap(), 0);
    example.wait_for("visitor 2: ");
    example.press_ctrl_c();
}

/// Speaks Redis's protocol, with a second visitor that listens.
fn visit_mini_redis(example: &mut Running) {
    let mut listener = example.connect();
    example.wait_for("visitor 1: here");
    let mut stream = example.connect();
    example.wait_for("visitor 2: here");
    let frame = |words: &str| {
        let words = words.split(' ');
        let start = format!("*{}\r\n", words.clone().count());
        words.fold(start, |frame, word| {
            format!("{frame}${}\r\n{word}\r\n", word.len())
        })
    };
    let mut ask = |words: &str, answer: &str| {
        exchange(&mut stream, frame(words).as_bytes(), answer.as_bytes());
    };
    ask("PING", "+PONG\r\n");
    ask("ping words", "$5\r\nwords\r\n");
    ask("GET key", "$-1\r\n");
    ask("SET key value", "+OK\r\n");
    ask("GET key", "$5\r\nvalue\r\n");
    ask("INCR number", ":1\r\n");
    ask("INCR number", ":2\r\n");
    let wrong = "-ERR value is not an integer or out of range\r\n";
    ask("INCR key", wrong);
    ask("SET short x PX 60000", "+OK\r\n");
    ask("GET short", "$1\r\nx\r\n");
    ask("SET key value EX never", "-ERR invalid expire time\r\n");
    let unknown = "-ERR unknown command, or a wrong number of arguments\r\n";
    ask("BREW coffee", unknown);

    // As somebody types it.
    exchange(&mut stream, b"get  key\r\n", b"$5\r\nvalue\r\n");

    // A value of one millisecond: it is there, and then it is not.
    stream
        .write_all(frame("SET short x PX 1").as_bytes())
        .unwrap();
    exchange(&mut stream, b"", b"+OK\r\n");
    loop {
        stream.write_all(frame("GET short").as_bytes()).unwrap();
        let mut first = [0; 5];
        stream.read_exact(&mut first).unwrap();
        if first == *b"$-1\r\n" {
            break;
        }
        assert_eq!(&first, b"$1\r\nx");
        exchange(&mut stream, b"", b"\r\n");
    }

    // A thousand requests ahead of their answers, the last one in two pieces.
    let many = frame("INCR number").repeat(1000);
    let (start, end) = many.as_bytes().split_at(many.len() - 10);
    stream.write_all(start).unwrap();
    let answers: String = (3..1002).map(|number| format!(":{number}\r\n")).collect();
    exchange(&mut stream, b"", answers.as_bytes());
    exchange(&mut stream, end, b":1002\r\n");

    let subscribed = b"*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
    exchange(
        &mut listener,
        frame("SUBSCRIBE news").as_bytes(),
        subscribed,
    );
    exchange(
        &mut stream,
        frame("PUBLISH news hello").as_bytes(),
        b":1\r\n",
    );
    let message = b"*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$5\r\nhello\r\n";
    exchange(&mut listener, b"", message);
    exchange(&mut listener, frame("PING").as_bytes(), b"+PONG\r\n");
    drop(stream);
    example.wait_for("visitor 2: gone");
    drop(listener);
    example.wait_for("visitor 1: gone");
    example.press_ctrl_c();
}

/// Sends four bodies as `curl` would: two alone, two at the same time.
fn visit_async_meets_pool(example: &mut Running) {
    let send = |stream: &mut TcpStream| {
        let request = b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 6\r\n\r\nfoobar";
        stream.write_all(request).unwrap();
    };
    // FNV-1a of "foobar".
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n85944171f73967e8\n";
    for _ in 0..2 {
        let mut stream = example.connect();
        send(&mut stream);
        exchange(&mut stream, b"", answer);
        example.wait_for("the latest beat");
    }
    let mut pair = [example.connect(), example.connect()];
    pair.iter_mut().for_each(send);
    for stream in &mut pair {
        exchange(stream, b"", answer);
    }
}

/// Reads up to something that must come.
fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut bytes = Vec::new();
    while !bytes.ends_with(end.as_bytes()) {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).unwrap()
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
    for (index, (name, _)) in EXAMPLES.iter().enumerate() {
        let source = source(name);
        let lines = source.lines().count();
        let limit = match *name {
            "03-tiny-loop" => 200,
            "16-mini-redis" => 280,
            _ => 150,
        };
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
        let next = last.strip_prefix("next: ").unwrap_or_default();
        assert!(!next.is_empty(), "{name} ends with {last:?}");
        // One that is still to be written may be named, but none may be left out.
        let next = next.split(' ').next().unwrap_or_default();
        let after = EXAMPLES.get(index + 1).map_or("99", |(after, _)| after);
        assert!(
            *name < next && next <= after,
            "{name} leaves out {after}: {last:?}"
        );
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
        "--quick",
        "--json",
        "--strict",
        "--with",
        "waiting",
        "computing",
        "stealing",
        "memory",
        "price",
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
    same("1.71 times faster", "0.9 times faster");
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
