//! Workers that break the protocol, stop, or die at any step: each costs itself, never the pool.
//!
//! The hostile worker is this program with an argument: it speaks the frames by hand.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{FromRawFd, IntoRawFd};
use std::process::Command;
use std::time::Duration;

use trefoil::processes::{
    self, Builder, JobError, Output, Pending, ProcessPool, Shutdown, Violation,
};

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

use runner::{Scratch, kill, until};

// ---- the hostile worker ------------------------------------------------------------------------

/// The kinds of frames.
const HELLO: u8 = 1;
const INIT: u8 = 2;
const READY: u8 = 3;
const JOB: u8 = 4;
const DONE: u8 = 5;
const EVENT: u8 = 6;
const PING: u8 = 11;
const PONG: u8 = 12;
const SHUTDOWN: u8 = 13;
const BYE: u8 = 14;
/// The longest payload of a frame.
const CAP: u32 = 16 << 20;

/// What it does for a job of this name, instead of an answer.
const NAMES: [&str; 22] = [
    "echo",
    "die in the header",
    "die in the payload",
    "die between frames",
    "stop in the header",
    "stop in the payload",
    "stop between frames",
    "garbage",
    "longest length",
    "one above the cap",
    "exactly the cap",
    "single bytes",
    "two frames at once",
    "unknown job",
    "done twice",
    "shut the write side",
    "shut the read side",
    "close the socket",
    "a descriptor",
    "die at",
    "seeded garbage",
    "an announced descriptor",
];

fn frame(kind: u8, job: u64, payload: &[u8]) -> Vec<u8> {
    header(kind, job, payload.len() as u32, payload)
}

fn header(kind: u8, job: u64, len: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x7E, 0x3F, 1, kind, 0, 0, 0, 0];
    bytes.extend_from_slice(&len.to_le_bytes());
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    bytes.extend_from_slice(&job.to_le_bytes());
    bytes.extend_from_slice(&0_u64.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

#[allow(unsafe_code, reason = "raise(3)")]
fn raise(signal: i32) {
    // SAFETY: raise(3) has no precondition.
    unsafe { libc::raise(signal) };
}

#[allow(unsafe_code, reason = "shutdown(2)")]
fn shut(how: i32) {
    // SAFETY: shutdown(2) of our own socket.
    unsafe { libc::shutdown(3, how) };
}

/// Does what `at` says, if this is its step; and only in the first worker, which leaves a mark.
fn step(step: &str) {
    let arg = |n| std::env::args().nth(n).unwrap_or_default();
    let (at, signal, mark) = (arg(2), arg(3), arg(4));
    if at == step && File::create_new(mark).is_ok() {
        raise(signal.parse().unwrap());
    }
}

/// Sleeps for ever.
fn stay() -> ! {
    loop {
        std::thread::park();
    }
}

#[allow(unsafe_code, reason = "the socket is descriptor 3")]
fn hostile() -> ! {
    // SAFETY: the pool put it there, and nobody else uses it.
    let mut socket = unsafe { File::from_raw_fd(3) };
    let mut send = socket.try_clone().unwrap();
    step("before HELLO");
    let hello = frame(
        HELLO,
        u64::from(std::process::id()),
        NAMES.join("\n").as_bytes(),
    );
    send.write_all(&hello[..20]).unwrap();
    step("in HELLO");
    send.write_all(&hello[20..]).unwrap();
    step("after HELLO");
    loop {
        let mut head = [0; 32];
        if socket.read_exact(&mut head).is_err() {
            std::process::exit(0);
        }
        let len = u32::from_le_bytes(head[8..12].try_into().unwrap());
        let kind = u32::from_le_bytes(head[12..16].try_into().unwrap());
        let job = u64::from_le_bytes(head[16..24].try_into().unwrap());
        let mut payload = vec![0; len as usize];
        socket.read_exact(&mut payload).unwrap();
        match head[3] {
            INIT => {
                step("before READY");
                send.write_all(&frame(READY, 0, &[])).unwrap();
            }
            JOB => answer(NAMES[kind as usize], job, &payload, &mut send),
            PING => send.write_all(&frame(PONG, 0, &[])).unwrap(),
            SHUTDOWN => {
                send.write_all(&frame(BYE, 0, &[])[..9]).unwrap();
                step("in BYE");
                send.write_all(&frame(BYE, 0, &[])[9..]).unwrap();
                std::process::exit(0);
            }
            _ => {}
        }
    }
}

fn answer(name: &str, job: u64, payload: &[u8], send: &mut File) {
    let done = frame(DONE, job, payload);
    let mut put = |bytes: &[u8]| _ = send.write_all(bytes);
    match name {
        "echo" => put(&done),
        "die in the header" | "stop in the header" => put(&done[..10]),
        "die in the payload" | "stop in the payload" => put(&done[..40]),
        "garbage" => {
            put(payload);
            stay();
        }
        "longest length" => put(&header(DONE, job, u32::MAX, &[])),
        "one above the cap" => put(&header(DONE, job, CAP + 1, &[])),
        "exactly the cap" => put(&frame(DONE, job, &vec![7; CAP as usize])),
        "single bytes" => {
            for byte in done {
                put(&[byte]);
                std::thread::sleep(Duration::from_millis(1));
            }
            return;
        }
        "two frames at once" => {
            let mut both = frame(EVENT, job, b"on the way");
            both.extend(done);
            put(&both);
        }
        "unknown job" => put(&frame(DONE, job ^ 0x55, payload)),
        "done twice" => {
            put(&done);
            put(&done);
        }
        "shut the write side" => {
            shut(libc::SHUT_WR);
            stay();
        }
        "shut the read side" => {
            shut(libc::SHUT_RD);
            put(&done);
            stay();
        }
        "close the socket" => {
            let raw = send.try_clone().unwrap().into_raw_fd();
            close_from(3);
            _ = raw;
            stay();
        }
        "a descriptor" => {
            pass_descriptor(&done);
            stay();
        }
        "die at" => put(&done[..u32::from_le_bytes(payload[..4].try_into().unwrap()) as usize]),
        "seeded garbage" => {
            put(&garbage(
                u64::from_le_bytes(payload.try_into().unwrap()),
                job,
            ));
            stay();
        }
        _ => put(&done),
    }
    match name.split(' ').next() {
        Some("die") => raise(libc::SIGKILL),
        Some("stop") => raise(libc::SIGSTOP),
        _ => {}
    }
    // What a stopped one had left when it goes on.
    match name {
        "stop in the header" => put(&done_rest(job, payload, 10)),
        "stop in the payload" => put(&done_rest(job, payload, 40)),
        _ => {}
    }
}

fn done_rest(job: u64, payload: &[u8], from: usize) -> Vec<u8> {
    frame(DONE, job, payload).split_off(from)
}

#[allow(unsafe_code, reason = "close_range(2)")]
fn close_from(first: u32) {
    // SAFETY: this worker touches none of them again.
    unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0) };
}

/// 64 KiB of random bytes; every other seed begins with a header that is almost right.
fn garbage(seed: u64, job: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    let mut bytes: Vec<u8> = (0..64 << 10).map(|_| random()).collect();
    if seed % 2 == 1 {
        let good = header(DONE, job, u32::from(random()), &[]);
        let (place, value) = (random() as usize % good.len(), random());
        bytes[..good.len()].copy_from_slice(&good);
        // Not in the length or in what is free: that could be an answer.
        if !(8..16).contains(&place) && place < 24 {
            bytes[place] ^= value | 1;
        }
    }
    bytes
}

/// Sends bytes with a descriptor that no frame announces.
#[allow(unsafe_code, reason = "sendmsg(2)")]
fn pass_descriptor(bytes: &[u8]) {
    let mut control = [0_u64; 3];
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: zeros are valid.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    // SAFETY: arithmetic.
    message.msg_controllen = unsafe { libc::CMSG_SPACE(4) } as usize;
    // SAFETY: there is room for one header.
    let head = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    let cmsg = libc::cmsghdr {
        // SAFETY: arithmetic.
        cmsg_len: unsafe { libc::CMSG_LEN(4) } as usize,
        cmsg_level: libc::SOL_SOCKET,
        cmsg_type: libc::SCM_RIGHTS,
    };
    // SAFETY: as above.
    unsafe { head.write(cmsg) };
    // SAFETY: the header is followed by room for one descriptor.
    let data: *mut i32 = unsafe { libc::CMSG_DATA(head) }.cast();
    // SAFETY: as above.
    unsafe { data.write_unaligned(2) };
    // SAFETY: the message describes buffers that outlive the call.
    unsafe { libc::sendmsg(3, &raw const message, 0) };
}

// ---- jobs of the program's own workers ---------------------------------------------------------

fn number(x: u64) -> u64 {
    x
}

#[allow(
    unsafe_code,
    reason = "the worker's socket, which is none of a job's business"
)]
fn scribble(bytes: Vec<u8>) {
    // SAFETY: never closed: it is leaked below.
    let mut socket = unsafe { File::from_raw_fd(3) };
    socket.write_all(&bytes).unwrap();
    _ = socket.into_raw_fd();
    stay();
}

fn close_all(_: ()) {
    close_from(0);
    stay();
}

fn chatter(bytes: usize) {
    let line = "x".repeat(1023) + "\n";
    let mut stderr = std::io::stderr();
    for _ in 0..bytes / 1024 {
        stderr.write_all(line.as_bytes()).unwrap();
        std::io::stdout().write_all(line.as_bytes()).unwrap();
    }
    stderr.write_all(b"no end of line").unwrap();
    std::process::abort();
}

// ---- the checks --------------------------------------------------------------------------------

fn main() {
    if std::env::args().nth(1).as_deref() == Some("hostile") {
        hostile();
    }
    // Another table, where the variable says so.
    let other = std::env::var_os("OTHER_TABLE").is_some();
    processes::init(|r| {
        let r = r.job(number).job(scribble).job(close_all);
        if other { r } else { r.job(chatter) }
    });
    runner::run(&[
        (
            "d46_a_worker_that_dies_while_it_starts_is_replaced",
            d46_start,
        ),
        ("c35_half_an_answer_is_a_crash", c35),
        ("d46_a_worker_that_dies_in_its_answer_has_crashed", d46_job),
        (
            "d47_a_worker_that_stops_while_it_starts_is_replaced",
            d47_start,
        ),
        ("d47_a_worker_that_stops_in_its_answer_times_out", d47_job),
        (
            "d47_a_heartbeat_finds_an_idle_worker_that_stopped",
            d47_idle,
        ),
        ("d48_a_worker_that_goes_on_in_time_is_good", d48),
        ("d49_random_bytes_cost_one_worker", d49),
        ("d50_another_table_is_a_mismatch", d50),
        ("d51_a_length_above_the_cap_is_refused", d51),
        ("d52_the_cap_itself_is_good", d52),
        ("d53_single_bytes_make_a_frame", d53),
        ("d54_two_frames_may_come_at_once", d54),
        ("d55_an_answer_for_another_job_is_refused", d55),
        ("d56_of_two_answers_the_first_counts", d56),
        ("d57_a_half_closed_socket_is_a_death", d57),
        ("d58_a_closed_socket_is_a_death", d58),
        ("d59_a_job_that_scribbles_on_the_socket", d59),
        ("d60_a_chatterbox_is_kept_short", d60),
        ("d61_an_unannounced_descriptor_is_refused", d61),
    ]);
}

/// A pool of hostile workers; the first of them does `signal` at a step.
fn hostiles(step: &str, signal: i32, scratch: &Scratch) -> Builder {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let mark = scratch.path("mark");
    command.args(["hostile", step, &signal.to_string(), &mark]);
    ProcessPool::external(&command).workers(1)
}

/// One whose start is good.
fn friendly() -> ProcessPool {
    let scratch = Scratch::new();
    let pool = hostiles("never", 0, &scratch).restart_intensity(u32::MAX, Duration::from_secs(1));
    pool.build().unwrap()
}

fn echo(pool: &ProcessPool) -> Pending<Vec<u8>> {
    pool.submit_bytes("echo", b"hello".to_vec())
}

/// The pool works.
fn works(pool: &ProcessPool) {
    assert_eq!(echo(pool).wait().unwrap(), b"hello");
}

/// Runs a job that breaks the protocol, between good ones: what it says.
fn violation(pool: &ProcessPool, name: &str, payload: Vec<u8>) -> Violation {
    works(pool);
    let bad = pool.submit_bytes(name, payload);
    let (one, two) = (echo(pool), echo(pool));
    let error = bad.wait().unwrap_err();
    assert_eq!(one.wait().unwrap(), b"hello");
    assert_eq!(two.wait().unwrap(), b"hello");
    match error {
        JobError::Protocol(violation) => violation,
        error => panic!("{name}: {error}"),
    }
}

/// Runs a job whose worker dies, between good ones.
fn crash(pool: &ProcessPool, name: &str) {
    works(pool);
    let error = pool
        .submit_bytes(name, b"x".repeat(100))
        .wait()
        .unwrap_err();
    assert!(error.is_crash(), "{name}: {error}");
    works(pool);
}

/// Waits until a worker is stopped.
fn until_stopped(pid: i32) {
    let path = format!("/proc/{pid}/stat");
    until(|| std::fs::read_to_string(&path).is_ok_and(|stat| stat.contains(") T ")));
}

fn d46_start() {
    for step in ["before HELLO", "in HELLO", "after HELLO", "before READY"] {
        let scratch = Scratch::new();
        works(&hostiles(step, libc::SIGKILL, &scratch).build().unwrap());
        assert!(
            std::path::Path::new(&scratch.path("mark")).exists(),
            "{step}"
        );
    }
    let scratch = Scratch::new();
    let pool = hostiles("in BYE", libc::SIGKILL, &scratch).build().unwrap();
    works(&pool);
    pool.shutdown(Shutdown::cancel_queued).wait();
    assert!(std::path::Path::new(&scratch.path("mark")).exists());
}

fn c35() {
    let pool = friendly();
    let length = 32 + 100;
    for cut in 0..length {
        let mut payload = vec![7; 100];
        payload[..4].copy_from_slice(&u32::to_le_bytes(cut));
        let error = pool.submit_bytes("die at", payload).wait().unwrap_err();
        assert!(error.is_crash(), "cut at {cut}: {error}");
    }
    // In the middle of one that is larger than the socket.
    for cut in [100_u32, 1 << 20, 8 << 20] {
        let mut payload = vec![7; 10 << 20];
        payload[..4].copy_from_slice(&cut.to_le_bytes());
        let error = pool.submit_bytes("die at", payload).wait().unwrap_err();
        assert!(error.is_crash(), "cut at {cut}: {error}");
    }
    works(&pool);
}

fn d46_job() {
    let pool = friendly();
    crash(&pool, "die in the header");
    crash(&pool, "die in the payload");
    assert!(
        pool.submit_bytes("die between frames", Vec::new())
            .wait()
            .is_ok()
    );
    works(&pool);
}

fn d47_start() {
    for step in ["before HELLO", "in HELLO", "after HELLO", "before READY"] {
        let scratch = Scratch::new();
        let pool = hostiles(step, libc::SIGSTOP, &scratch);
        let pool = pool
            .start_timeout(Duration::from_millis(100))
            .build()
            .unwrap();
        works(&pool);
        assert!(
            std::path::Path::new(&scratch.path("mark")).exists(),
            "{step}"
        );
    }
    let scratch = Scratch::new();
    let pool = hostiles("in BYE", libc::SIGSTOP, &scratch);
    let pool = pool
        .stop_timeout(Duration::from_millis(50))
        .build()
        .unwrap();
    works(&pool);
    pool.shutdown(Shutdown::cancel_queued).wait();
}

fn d47_job() {
    let pool = friendly();
    for name in ["stop in the header", "stop in the payload"] {
        let job = pool.job_bytes(name, b"x".repeat(100));
        let error = job
            .deadline(Duration::from_millis(50))
            .submit()
            .wait()
            .unwrap_err();
        assert!(
            matches!(error, JobError::TimedOut { .. }),
            "{name}: {error}"
        );
        works(&pool);
    }
    let stopped = pool.submit_bytes("stop in the header", Vec::new());
    until(|| pool.queued() == 0);
    until_stopped(pool.worker_pids()[0]);
    pool.shutdown(Shutdown::now).wait();
    assert!(matches!(stopped.wait(), Err(JobError::PoolClosed)));
}

fn d47_idle() {
    let scratch = Scratch::new();
    let pool = hostiles("never", 0, &scratch).heartbeat(Duration::from_millis(20));
    let pool = pool.build().unwrap();
    works(&pool);
    let before = pool.worker_pids();
    pool.submit_bytes("stop between frames", Vec::new())
        .wait()
        .unwrap();
    until(|| {
        let now = pool.worker_pids();
        now.len() == 1 && now != before
    });
    works(&pool);
}

fn d48() {
    let pool = friendly();
    for name in ["stop in the header", "stop in the payload"] {
        works(&pool);
        let job = pool.submit_bytes(name, b"y".repeat(100));
        let worker = pool.worker_pids()[0];
        until_stopped(worker);
        kill(worker, libc::SIGCONT);
        assert_eq!(job.wait().unwrap(), b"y".repeat(100));
    }
}

fn d49() {
    let scratch = Scratch::new();
    let pool = hostiles("never", 0, &scratch).workers(2);
    let pool = pool
        .restart_intensity(u32::MAX, Duration::from_secs(1))
        .build()
        .unwrap();
    let seeds: Vec<u64> = (0..10_000).collect();
    let mut answers = 0;
    for some in seeds.chunks(100) {
        let jobs: Vec<_> = some
            .iter()
            .map(|seed| {
                let bytes = seed.to_le_bytes().to_vec();
                (seed, pool.submit_bytes("seeded garbage", bytes))
            })
            .collect();
        for (seed, job) in jobs {
            match job.wait() {
                Err(JobError::Protocol(_)) => {}
                // What was turned over leaves it an answer, good or bad: the garbage that follows
                // costs the worker when it has no job any more.
                _ if seed % 2 == 1 => answers += 1,
                other => panic!("seed {seed}: {other:?}"),
            }
        }
    }
    println!("  {answers} of 10 000 were answers first");
    // A worker that has answered may have garbage on the way, which costs the job it has then: at
    // most one for each worker.
    let worked = |_| echo(&pool).wait().is_ok_and(|bytes| bytes == b"hello");
    assert!((0..3).any(worked));
}

#[allow(
    unsafe_code,
    reason = "the environment of a test that has no other thread"
)]
fn d50() {
    // SAFETY: the pool of the check before is gone, and only the watchdog runs, which asks nothing.
    unsafe { std::env::set_var("OTHER_TABLE", "1") };
    let pool = ProcessPool::builder().workers(1).build().unwrap();
    let error = pool.submit(number, 1).wait().unwrap_err();
    assert!(matches!(error, JobError::BuildMismatch), "{error}");
    drop(pool);
    // SAFETY: as above.
    unsafe { std::env::remove_var("OTHER_TABLE") };
    let pool = friendly();
    let mut magic = frame(DONE, 0, &[]);
    magic[0] = 0;
    assert_eq!(violation(&pool, "garbage", magic), Violation::Magic(0x3F00));
    let mut version = frame(DONE, 0, &[]);
    version[2] = 9;
    assert_eq!(violation(&pool, "garbage", version), Violation::Version(9));
    let kind = frame(99, 0, &[]);
    assert_eq!(violation(&pool, "garbage", kind), Violation::Kind(99));
    // One that only the parent may send.
    assert_eq!(
        violation(&pool, "garbage", frame(JOB, 0, &[])),
        Violation::Kind(JOB)
    );
    assert_eq!(
        violation(&pool, "garbage", frame(HELLO, 0, &[])),
        Violation::OutOfTurn
    );
    assert_eq!(
        violation(&pool, "garbage", frame(READY, 0, &[])),
        Violation::OutOfTurn
    );
}

fn d51() {
    let pool = friendly();
    let found = violation(&pool, "longest length", Vec::new());
    assert_eq!(found, Violation::TooLong(u32::MAX));
}

fn d52() {
    let pool = friendly();
    let found = violation(&pool, "one above the cap", Vec::new());
    assert_eq!(found, Violation::TooLong(CAP + 1));
    let good = pool
        .submit_bytes("exactly the cap", Vec::new())
        .wait()
        .unwrap();
    assert_eq!(good.len(), CAP as usize);
}

fn d53() {
    let pool = friendly();
    let answer = pool.submit_bytes("single bytes", b"slow".to_vec()).wait();
    assert_eq!(answer.unwrap(), b"slow");
}

fn d54() {
    let pool = friendly();
    let answer = pool
        .submit_bytes("two frames at once", b"two".to_vec())
        .wait();
    assert_eq!(answer.unwrap(), b"two");
    works(&pool);
}

fn d55() {
    let found = violation(&friendly(), "unknown job", Vec::new());
    assert!(matches!(found, Violation::WrongJob(_)), "{found}");
}

fn d56() {
    let pool = friendly();
    works(&pool);
    let before = pool.worker_pids();
    assert!(pool.submit_bytes("done twice", Vec::new()).wait().is_ok());
    until(|| {
        let now = pool.worker_pids();
        now.len() == 1 && now != before
    });
    works(&pool);
}

fn d57() {
    let pool = friendly();
    crash(&pool, "shut the write side");
    // Its answer is heard; that it cannot be told anything is known at the next job, which has
    // not begun then, and runs elsewhere.
    let before = pool.worker_pids();
    assert!(
        pool.submit_bytes("shut the read side", Vec::new())
            .wait()
            .is_ok()
    );
    works(&pool);
    assert_ne!(pool.worker_pids(), before);
}

fn d58() {
    crash(&friendly(), "close the socket");
}

fn d59() {
    let pool = ProcessPool::builder().workers(1).build().unwrap();
    let error = pool.submit(scribble, vec![0xAB; 1000]).wait().unwrap_err();
    assert!(
        matches!(error, JobError::Protocol(Violation::Magic(0xABAB))),
        "{error}"
    );
    assert!(pool.submit(close_all, ()).wait().unwrap_err().is_crash());
    assert_eq!(pool.submit(number, 7).wait().unwrap(), 7);
}

fn d60() {
    let pool = ProcessPool::builder().workers(1).stdout(Output::Null);
    let pool = pool.stderr(Output::Tail(16 << 10)).build().unwrap();
    let error = pool.submit(chatter, 100 << 20).wait().unwrap_err();
    let JobError::Crashed { stderr_tail, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(stderr_tail.len(), 16 << 10);
    assert!(stderr_tail.ends_with("xx\nno end of line"));
    let both = ProcessPool::builder().workers(1).stdout(Output::Tail(100));
    let both = both.stderr(Output::lines(|_, line| assert!(line.len() < 2000)));
    assert!(
        both.build()
            .unwrap()
            .submit(chatter, 1 << 20)
            .wait()
            .unwrap_err()
            .is_crash()
    );
}

fn d61() {
    let found = violation(&friendly(), "a descriptor", Vec::new());
    assert_eq!(found, Violation::Descriptors);
}
