//! How much memory does something take that only waits?
//!
//! - Unit: bytes of resident memory each: a task in `pending()`, a task in `sleep(1000 s)`, and a
//!   connection whose task waits in `read` (one end; what the kernel keeps is not resident here).
//! - Baseline: the task's own future, which any design has to keep: 0 bytes for `pending()`, and
//!   what is printed for the others.
//! - What would change our mind: a task's header is 88 bytes by design. A figure that grows by a
//!   word for each task has to be paid for by a line in `dump()` or a row in `versus/`.
//!
//! Not a criterion bench: bytes are counted once.

#![forbid(unsafe_code)]

use rt::io::AsyncReadExt;
use rt::task::JoinHandle;
use std::time::Duration;
use trefoil as rt;

/// Resident memory of this process in bytes; see `/proc/self/smaps_rollup` in proc(5).
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("Rss:"))
        .expect("a line for Rss");
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// Prints the growth of memory for each of `many` tasks, once each has been polled.
async fn grown(name: &str, future_bytes: usize, many: usize, spawn: impl Fn() -> JoinHandle<()>) {
    // Touched beforehand, so that the handles' own pages do not count.
    let mut handles: Vec<Option<JoinHandle<()>>> = Vec::new();
    handles.resize_with(many, || None);
    let before = resident_bytes();
    handles.iter_mut().for_each(|place| *place = Some(spawn()));
    // Queues are first in, first out: once this one has run, all before it have been polled.
    rt::spawn(async {}).await.unwrap();
    let bytes = (resident_bytes() - before) as f64 / many as f64;
    println!("{name:<12} {bytes:>8.0} {future_bytes:>8}");
    // Kept, tasks and all: freed memory would hide what the next line takes.
    std::mem::forget(handles);
}

/// Waits for a byte that never comes.
async fn wait_for_byte(mut stream: rt::net::TcpStream) {
    let _ = stream.read(&mut [0]).await;
}

/// The same for connections, whose other ends are plain sockets.
async fn connections(many: usize) {
    let listener = rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut handles = Vec::with_capacity(many);
    let mut peers = Vec::with_capacity(many);
    let mut future_bytes = 0;
    let before = resident_bytes();
    for _ in 0..many {
        peers.push(std::net::TcpStream::connect(addr).unwrap());
        let future = wait_for_byte(listener.accept().await.unwrap().0);
        future_bytes = size_of_val(&future);
        handles.push(rt::spawn(future));
    }
    rt::spawn(async {}).await.unwrap();
    let bytes = (resident_bytes() - before) as f64 / many as f64;
    println!("{:<12} {bytes:>8.0} {future_bytes:>8}", "connection");
    // Kept open, like the tasks below.
    std::mem::forget((handles, peers));
}

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return println!("rss: run me with cargo bench");
    }
    println!("{:<12} {:>8} {:>8}", "waits in", "bytes", "future");
    let runtime = rt::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let task = rt::spawn(async {
            connections(2000).await;
            grown(
                "pending",
                0,
                1_000_000,
                || rt::spawn(std::future::pending()),
            )
            .await;
            let sleep = || rt::time::sleep(Duration::from_secs(1000));
            grown("sleep", size_of_val(&sleep()), 1_000_000, || {
                rt::spawn(sleep())
            })
            .await;
        });
        task.await.unwrap();
    });
    // Two million tasks need not be torn down one by one: the process ends here.
    std::process::exit(0);
}
