//! Parents that end in whatever way: no worker outlives them. And what a terminal sends reaches
//! the parent only.
//!
//! The parent that ends is this program with an argument; this process is the third one, which
//! watches the workers by pidfds of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use trefoil::processes::{self, Blob, ProcessPool};
use trefoil::signal::unix::{SignalKind, signal};

#[path = "processes/runner.rs"]
#[allow(dead_code, reason = "other files use the rest")]
mod runner;

use runner::{Scratch, kill, pool, until};

fn spin(_: ()) {
    loop {
        std::hint::spin_loop();
    }
}

fn echo(bytes: Blob) -> Blob {
    bytes
}

fn publish(path: &str, text: &str) {
    std::fs::write(format!("{path}.new"), text).unwrap();
    std::fs::rename(format!("{path}.new"), path).unwrap();
}

fn spin_here(here: String) {
    publish(&here, &std::process::id().to_string());
    spin(());
}

/// Starts a child that sleeps, says its pid, and waits for ever.
#[allow(clippy::zombie_processes, reason = "it is to be killed, with us")]
fn with_child(here: String) {
    let child = Command::new("sleep").arg("1000").spawn().unwrap();
    publish(&here, &child.id().to_string());
    spin(());
}

fn stopped(here: String) {
    publish(&here, &std::process::id().to_string());
    kill(std::process::id() as i32, libc::SIGSTOP);
}

/// Says its pid, then waits for a file.
fn hold((here, gate): (String, String)) -> i32 {
    publish(&here, &std::process::id().to_string());
    until(|| std::path::Path::new(&gate).exists());
    std::process::id() as i32
}

fn init_slow(_: ()) {
    spin(());
}

fn main() {
    processes::init(|r| {
        r.job(echo)
            .job(spin_here)
            .job(with_child)
            .job(stopped)
            .job(hold)
            .initializer(init_slow)
    });
    match std::env::args().nth(1).as_deref() {
        Some("be-the-victim") => victim(),
        Some("be-on-a-terminal") => on_a_terminal(),
        _ => {}
    }
    runner::run(&[
        ("g80_no_worker_outlives_a_killed_parent", g80_kill),
        (
            "g80_no_worker_outlives_a_stopped_and_killed_parent",
            g80_stop,
        ),
        ("g80_no_worker_outlives_a_parent_that_exits", g80_exit),
        ("g80_no_worker_outlives_a_parent_that_execs", g80_exec),
        ("g81_ctrl_c_reaches_the_parent_only", g81),
        ("g81_workers_have_groups_of_their_own", g81_groups),
    ]);
}

/// The state letter of a process, if it exists: stat of proc(5).
fn state(pid: i32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// The pid that a job wrote.
fn written_pid(path: &str) -> i32 {
    until(|| std::path::Path::new(path).exists());
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

// ---- the parent that ends ----------------------------------------------------------------------

/// Says the pids of its workers and of what they started, one in each state that there is.
fn victim() -> ! {
    let scratch = Scratch::new();
    let pools = ["idle", "busy", "stopped", "family", "transfer"].map(|_| pool(1));
    let [idle, busy, halted, family, transfer] = &pools;
    let here = |name| scratch.path(name);
    until(|| idle.ready_workers() == 1);
    busy.submit(spin_here, here("busy")).detach();
    halted.submit(stopped, here("stopped")).detach();
    family.submit(with_child, here("family")).detach();
    written_pid(&here("busy"));
    let grandchild = written_pid(&here("family"));
    let halted_pid = written_pid(&here("stopped"));
    until(|| state(halted_pid) == Some('T'));
    // One that is in its initializer.
    let starting = ProcessPool::builder().workers(1).initializer(init_slow, ());
    let starting = starting.build().unwrap();
    until(|| starting.worker_pids().len() == 1);
    // 64 MiB there and back, without end: whenever it is looked at, it is in a transfer.
    transfer
        .submit(echo, Blob(vec![1; 64 << 20]))
        .wait()
        .unwrap();
    let mut pids: Vec<i32> = pools.iter().flat_map(ProcessPool::worker_pids).collect();
    pids.push(grandchild);
    pids.extend(starting.worker_pids());
    let text: Vec<String> = pids.iter().map(ToString::to_string).collect();
    println!("{}", text.join(" "));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            loop {
                let back = transfer.submit(echo, Blob(vec![1; 64 << 20])).wait();
                assert_eq!(back.unwrap().0.len(), 64 << 20);
            }
        });
        let mut line = String::new();
        _ = std::io::stdin().read_line(&mut line);
        _ = std::fs::remove_dir_all(here("."));
        if line.trim() == "exec" {
            panic!("{}", Command::new("sleep").arg("100").exec());
        }
        // A normal end, without a drop.
        std::process::exit(0);
    })
}

/// A pidfd of a process that is not ours: pidfd_open(2).
#[allow(unsafe_code, reason = "pidfd_open(2)")]
fn pidfd(pid: i32) -> OwnedFd {
    // SAFETY: it has no precondition.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    assert!(fd >= 0, "{pid}: {}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor that nobody else owns.
    unsafe { OwnedFd::from_raw_fd(fd as i32) }
}

/// Waits until all of these are dead; the limit is only for a hang.
#[allow(unsafe_code, reason = "poll(2)")]
fn all_dead(pidfds: &[OwnedFd]) -> bool {
    pidfds.iter().all(|fd| {
        let mut dead = libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one entry, which outlives the call.
        unsafe { libc::poll(&raw mut dead, 1, 30_000) == 1 }
    })
}

fn orphans(name: &str, end: impl FnOnce(&mut Child)) {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .arg("be-the-victim")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let pids: Vec<i32> = line
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect();
    assert_eq!(pids.len(), 7, "{line}");
    let pidfds: Vec<_> = pids.iter().map(|pid| pidfd(*pid)).collect();
    let start = Instant::now();
    end(&mut parent);
    assert!(all_dead(&pidfds), "{name}: {pids:?}");
    println!("  {name}: all dead after {:?}", start.elapsed());
    _ = parent.kill();
    parent.wait().unwrap();
}

fn g80_kill() {
    orphans("SIGKILL", |parent| parent.kill().unwrap());
}

fn g80_stop() {
    orphans("stopped, then SIGKILL", |parent| {
        // Now nobody reads what the worker in the transfer writes: it waits in the middle of it.
        let pid = parent.id() as i32;
        kill(pid, libc::SIGSTOP);
        until(|| state(pid) == Some('T'));
        std::thread::sleep(Duration::from_millis(20));
        parent.kill().unwrap();
    });
}

fn g80_exit() {
    orphans("exit", |parent| {
        writeln!(parent.stdin.take().unwrap(), "exit").unwrap();
    });
}

fn g80_exec() {
    orphans("exec", |parent| {
        writeln!(parent.stdin.take().unwrap(), "exec").unwrap();
    });
}

// ---- the terminal ------------------------------------------------------------------------------

/// The leader of a session, in the foreground of its terminal.
fn on_a_terminal() -> ! {
    let scratch = Scratch::new();
    let (here, gate) = (scratch.path("here"), scratch.path("gate"));
    runner::runtime().block_on(async {
        let pool = ProcessPool::builder().workers(2);
        let pool = pool.stderr(processes::Output::Inherit).build().unwrap();
        let job = pool.submit(hold, (here.clone(), gate.clone()));
        while !std::path::Path::new(&here).exists() {
            trefoil::time::sleep(Duration::from_millis(1)).await;
        }
        let worker = written_pid(&here);
        // It listens from here on.
        let mut interrupt = signal(SignalKind::interrupt()).unwrap();
        println!("ready");
        interrupt.recv().await.unwrap();
        println!("interrupted");
        publish(&gate, "");
        assert_eq!(job.await.unwrap(), worker);
        println!("answered");
    });
    drop(scratch);
    std::process::exit(0);
}

/// A pseudo-terminal: openpty(3).
#[allow(unsafe_code, reason = "openpty(3)")]
fn terminal() -> (File, OwnedFd) {
    let (mut ours, mut theirs) = (-1, -1);
    let (name, modes, size) = (
        std::ptr::null_mut(),
        std::ptr::null_mut(),
        std::ptr::null_mut(),
    );
    // SAFETY: two places for descriptors; null is allowed for the rest.
    let result = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, name, modes, size) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: a new descriptor that nobody else owns.
    let ours = unsafe { File::from_raw_fd(ours) };
    // SAFETY: as above.
    (ours, unsafe { OwnedFd::from_raw_fd(theirs) })
}

#[allow(unsafe_code, reason = "what makes a terminal a process's own")]
fn g81() {
    let (mut ours, theirs) = terminal();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg("be-on-a-terminal")
        .stdin(theirs.try_clone().unwrap())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs);
    let own = || {
        // SAFETY: setsid(2) has no precondition.
        unsafe { libc::setsid() };
        // SAFETY: ioctl_tty(2): descriptor 0 is the terminal.
        unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
        Ok(())
    };
    // SAFETY: the closure makes system calls only.
    unsafe { command.pre_exec(own) };
    let mut child = command.spawn().unwrap();
    drop(command);
    let mut seen = String::new();
    let mut read_until = |ours: &mut File, word: &str| {
        let mut bytes = [0; 256];
        while !seen.contains(word) {
            match ours.read(&mut bytes) {
                Ok(count) => seen.push_str(&String::from_utf8_lossy(&bytes[..count])),
                // The other side is gone.
                Err(_) => break,
            }
        }
        seen.clone()
    };
    read_until(&mut ours, "ready");
    // What a terminal makes SIGINT of, for its whole foreground group.
    ours.write_all(&[3]).unwrap();
    let text = read_until(&mut ours, "nothing more");
    assert!(child.wait().unwrap().success(), "{text}");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    assert_eq!(lines, ["ready", "^Cinterrupted", "answered"]);
}

#[allow(unsafe_code, reason = "getpgid(2)")]
fn g81_groups() {
    let pool = pool(1);
    until(|| pool.ready_workers() == 1);
    let worker = pool.worker_pids()[0];
    // SAFETY: getpgid(2) has no precondition.
    let group = unsafe { libc::getpgid(worker) };
    assert_eq!(group, worker);
    // SAFETY: as above.
    assert_ne!(group, unsafe { libc::getpgid(0) });
}
