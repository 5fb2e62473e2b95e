//! How many messages does an echo server answer, and how late is the slowest?
//!
//! - Unit: round trips of 64 bytes per second, and their p50 and p99 in µs, with 1, 64 and 1000
//!   connections, both ends as tasks of one runtime.
//! - Baseline: the same ends as OS threads with blocking sockets, two for each connection.
//! - What would change our mind: nine tenths of this are the kernel's. A change to the reactor
//!   that does not show here beside 1000 connections is not worth its risk.
//!
//! Not a criterion bench: the tail is half of the answer.

#![forbid(unsafe_code)]

use hdrhistogram::Histogram;
use rt::io::{AsyncReadExt, AsyncWriteExt};
use std::io::{Read, Write};
use std::sync::{Arc, Barrier, mpsc};
use std::time::{Duration, Instant};
use trefoil as rt;

/// How long each line measures.
const WINDOW: Duration = Duration::from_millis(500);

/// Latencies in ns up to a minute, three significant digits.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap()
}

/// Sends back what comes, until the peer closes.
async fn echo(mut stream: rt::net::TcpStream) {
    let mut buf = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut buf).await {
        stream.write_all(&buf[..read]).await.unwrap();
    }
}

/// Round trips on one connection until the window is over.
async fn client(mut stream: rt::net::TcpStream, began: Instant) -> Histogram<u64> {
    let mut latencies = histogram();
    let mut message = [7; 64];
    while began.elapsed() < WINDOW {
        let sent = Instant::now();
        stream.write_all(&message).await.unwrap();
        stream.read_exact(&mut message).await.unwrap();
        latencies.saturating_record(sent.elapsed().as_nanos() as u64);
    }
    latencies
}

/// `many` connections with both ends in one runtime.
async fn tasks(many: usize) -> (Histogram<u64>, Duration) {
    let listener = rt::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut streams = Vec::new();
    for _ in 0..many {
        let stream = rt::net::TcpStream::connect(addr).await.unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        for end in [&stream, &peer] {
            end.set_nodelay(true).unwrap();
        }
        rt::spawn(echo(peer));
        streams.push(stream);
    }
    let began = Instant::now();
    let start = |stream| rt::spawn(client(stream, began));
    let clients: Vec<_> = streams.into_iter().map(start).collect();
    let mut all = histogram();
    for client in clients {
        all.add(client.await.unwrap()).unwrap();
    }
    (all, began.elapsed())
}

/// The same with two OS threads for each connection.
fn threads(many: usize) -> (Histogram<u64>, Duration) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let (report, reports) = mpsc::channel();
    // Nobody starts before the last thread is there: else the first would be done by then.
    let start = Arc::new(Barrier::new(many + 1));
    for _ in 0..many {
        let mut stream = std::net::TcpStream::connect(addr).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        peer.set_nodelay(true).unwrap();
        std::thread::spawn(move || {
            let mut buf = [0; 1024];
            while let Ok(read @ 1..) = peer.read(&mut buf) {
                peer.write_all(&buf[..read]).unwrap();
            }
        });
        let (report, start) = (report.clone(), start.clone());
        std::thread::spawn(move || {
            let mut latencies = histogram();
            let mut message = [7; 64];
            start.wait();
            let began = Instant::now();
            while began.elapsed() < WINDOW {
                let sent = Instant::now();
                stream.write_all(&message).unwrap();
                stream.read_exact(&mut message).unwrap();
                latencies.saturating_record(sent.elapsed().as_nanos() as u64);
            }
            report.send(latencies).unwrap();
        });
    }
    drop(report);
    start.wait();
    let began = Instant::now();
    let mut all = histogram();
    reports
        .iter()
        .for_each(|latencies| all.add(latencies).unwrap());
    (all, began.elapsed())
}

/// One line of the table.
fn print(name: &str, many: usize, (latencies, took): &(Histogram<u64>, Duration)) {
    println!(
        "{name:<16} {many:>5} {:>10.0} {:>9.1} {:>9.1}",
        latencies.len() as f64 / took.as_secs_f64(),
        latencies.value_at_quantile(0.5) as f64 / 1000.0,
        latencies.value_at_quantile(0.99) as f64 / 1000.0,
    );
}

fn main() {
    if !std::env::args().any(|arg| arg == "--bench") {
        return println!("tcp_echo: run me with cargo bench");
    }
    println!(
        "{:<16} {:>5} {:>10} {:>9} {:>9}",
        "ends", "conns", "1/s", "p50 µs", "p99 µs"
    );
    for many in [1, 64, 1000] {
        print("baseline/threads", many, &threads(many));
        let current = rt::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        print("current_thread", many, &current.block_on(tasks(many)));
        let multi = rt::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        print("two_workers", many, &multi.block_on(tasks(many)));
    }
}
