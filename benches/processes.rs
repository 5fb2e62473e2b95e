//! What does a job in another process cost?
//!
//! - Units: as each row says; medians of rounds in which the sides take turns.
//! - Baseline: a bare socket pair between two processes; Python's `multiprocessing.Pool` and
//!   `concurrent.futures.ProcessPoolExecutor` (fork), where python3 is.
//! - What would change our mind: a round trip far above the bare socket pair's, or a start that
//!   grows with the parent's memory.
//!
//! `cargo bench --bench processes -- --rounds 3`

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use trefoil::processes::{self, Blob, ProcessPool};

fn same(x: u64) -> u64 {
    x
}

fn echo(bytes: Blob) -> Blob {
    bytes
}

fn crash(_: ()) {
    std::process::abort();
}

/// Rows, in the order in which they were first measured: unit, and values by side.
#[derive(Default)]
struct Table(Vec<(String, BTreeMap<String, Vec<f64>>)>);

impl Table {
    fn add(&mut self, row: &str, side: &str, value: f64) {
        let place = self.0.iter().position(|(name, _)| name == row);
        let place = place.unwrap_or_else(|| {
            self.0.push((row.to_owned(), BTreeMap::new()));
            self.0.len() - 1
        });
        self.0[place]
            .1
            .entry(side.to_owned())
            .or_default()
            .push(value);
    }

    fn print(mut self) {
        for (row, sides) in &mut self.0 {
            print!("| {row} |");
            for (side, values) in sides {
                values.sort_by(f64::total_cmp);
                let (low, high) = (values[0], values[values.len() - 1]);
                print!(
                    " {side} {:.4} ({low:.4}–{high:.4}) |",
                    values[values.len() / 2]
                );
            }
            println!();
        }
    }
}

/// The median time of one call.
fn median(rounds: usize, mut run: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[rounds / 2]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The other end of the bare socket pair: echoes 64 bytes.
fn floor_child() {
    let mut bytes = [0; 64];
    let mut stdin = std::io::stdin().lock();
    let mut stdout = std::io::stdout().lock();
    while stdin.read_exact(&mut bytes).is_ok() {
        stdout.write_all(&bytes).unwrap();
        stdout.flush().unwrap();
    }
}

/// A round trip over a bare socket pair.
fn floor() -> Duration {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("floor")
        .stdin(Stdio::from(OwnedFd::from(theirs.try_clone().unwrap())))
        .stdout(Stdio::from(OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    let mut bytes = [0; 64];
    let time = median(3000, || {
        ours.write_all(&bytes).unwrap();
        ours.read_exact(&mut bytes).unwrap();
    });
    drop(ours);
    child.wait().unwrap();
    time
}

/// Memory of a process that is its own, and its part of what is shared. Unit: KiB.
fn pss(pid: i32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = text.lines().find(|line| line.starts_with("Pss:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Until all of so many workers have come up.
fn start(workers: usize) -> Duration {
    let begin = Instant::now();
    let pool = ProcessPool::builder().workers(workers).build().unwrap();
    while pool.ready_workers() < workers {
        std::thread::yield_now();
    }
    begin.elapsed()
}

fn ours(table: &mut Table) {
    let side = "trefoil";
    table.add("start of 2 workers, ms", side, start(2).as_secs_f64() * 1e3);
    table.add("start of 8 workers, ms", side, start(8).as_secs_f64() * 1e3);
    let ballast = vec![1_u8; 1 << 30];
    table.add(
        "start of 8 workers, 1 GiB parent, ms",
        side,
        start(8).as_secs_f64() * 1e3,
    );
    drop(ballast);
    let begin = Instant::now();
    let rt = trefoil::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    rt.block_on(async {
        let pool = ProcessPool::builder().workers(2).build().unwrap();
        pool.submit(same, 1).await.unwrap();
        table.add(
            "first result of 2, ms",
            side,
            begin.elapsed().as_secs_f64() * 1e3,
        );
        let mut times = Vec::new();
        for x in 0..5000 {
            let begin = Instant::now();
            pool.submit(same, x).await.unwrap();
            times.push(begin.elapsed());
        }
        times.sort_unstable();
        table.add("round trip, µs", side, micros(times[2500]));

        let jobs = 100_000;
        let begin = Instant::now();
        let handles: Vec<_> = (0..jobs).map(|x| pool.submit(same, x)).collect();
        for handle in handles {
            handle.await.unwrap();
        }
        table.add(
            "submit, jobs/s",
            side,
            jobs as f64 / begin.elapsed().as_secs_f64(),
        );

        let items = 4_000_000;
        let begin = Instant::now();
        let mut map = pool.map(same, 0..items);
        let mut count = 0;
        while map.next().await.is_some() {
            count += 1;
        }
        assert_eq!(count, items);
        table.add(
            "map, items/s",
            side,
            items as f64 / begin.elapsed().as_secs_f64(),
        );
        drop(map);

        for (row, size, rounds) in [
            ("echo 1 MiB, µs", 1 << 20, 50),
            ("echo 64 MiB, µs", 64 << 20, 5),
        ] {
            let mut times = Vec::new();
            for _ in 0..rounds {
                let bytes = Blob(vec![7; size]);
                let begin = Instant::now();
                let back = pool.submit(echo, bytes).await.unwrap();
                times.push(begin.elapsed());
                assert_eq!(back.0.len(), size);
            }
            times.sort_unstable();
            table.add(row, side, micros(times[rounds / 2]));
        }
        let fresh = ProcessPool::builder().workers(1).build().unwrap();
        fresh.submit(same, 1).await.unwrap();
        table.add("idle worker, PSS KiB", side, pss(fresh.worker_pids()[0]));
        let (mut known, mut again) = (Vec::new(), Vec::new());
        for _ in 0..50 {
            let begin = Instant::now();
            fresh.submit(crash, ()).await.unwrap_err();
            known.push(begin.elapsed());
            fresh.submit(same, 1).await.unwrap();
            again.push(begin.elapsed());
        }
        known.sort_unstable();
        again.sort_unstable();
        table.add("crash known, µs", side, micros(known[25]));
        table.add("crash to next result, µs", side, micros(again[25]));
    });
}

fn python(table: &mut Table, kind: &str) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/processes.py");
    let Ok(output) = Command::new("python3").args([script, kind]).output() else {
        return;
    };
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let (name, value) = line.split_once(' ').unwrap();
        let row = match name {
            "first" => "first result of 2, ms",
            "noop" => "round trip, µs",
            "submit" => "submit, jobs/s",
            "map" => "map, items/s",
            "echo1" => "echo 1 MiB, µs",
            _ => "echo 64 MiB, µs",
        };
        table.add(row, kind, value.parse().unwrap());
    }
}

fn main() {
    if std::env::args().any(|arg| arg == "floor") {
        return floor_child();
    }
    processes::init(|r| r.job(same).job(echo).job(crash));
    let args: Vec<String> = std::env::args().collect();
    let rounds = args.iter().position(|arg| arg == "--rounds");
    let rounds = rounds.map_or(3, |place| args[place + 1].parse().unwrap());
    let mut table = Table::default();
    for _ in 0..rounds {
        table.add("round trip, µs", "socket pair", micros(floor()));
        ours(&mut table);
        python(&mut table, "Pool");
        python(&mut table, "Executor");
    }
    table.print();
}
