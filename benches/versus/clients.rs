//! The clients of the network rows: OS threads with blocking sockets or an epoll of their own.
//!
//! No runtime here, so that the client costs the same whatever serves it.
//! Read next: `raw.rs`, the servers without a runtime.

#![forbid(unsafe_code)]

use crate::job::{Job, Metrics, Tail};
use crate::kernel::{self, Epoll};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

/// Measures a server at this address.
pub type Client = fn(Job, SocketAddr) -> Metrics;

/// What the HTTP servers answer.
pub const HELLO: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

/// What the HTTP client asks: what `wrk` sends, and nothing else.
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/// One message of the echo rows.
const MESSAGE: [u8; 64] = [7; 64];

/// The client of a workload, if it has one outside the runtime.
pub fn of(workload: &str) -> Option<Client> {
    Some(match workload {
        "tcp_pp_vs_raw" => ping,
        "tcp_64c" => |job, server| many(job, server, &load(job, 64, 400)),
        "tcp_1000c" => |job, server| many(job, server, &load(job, 1000, 600)),
        "http_hello" => |job, server| {
            let load = Load {
                request: GET,
                answer_len: HELLO.len(),
                ..load(job, 64, 2000)
            };
            many(job, server, &load)
        },
        "bulk" => bulk,
        "accept" => accept,
        "udp_pp" => udp_ping,
        _ => return None,
    })
}

/// Where the head of an HTTP request ends, if it is complete.
pub fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .map(|at| at + 4)
}

/// One connection, blocking: per round trip.
fn ping(job: Job, server: SocketAddr) -> Metrics {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut answer = MESSAGE;
    let mut meter = job.meter(1);
    while let Some(n) = meter.run() {
        for _ in 0..n {
            stream.write_all(&MESSAGE).unwrap();
            stream.read_exact(&mut answer).unwrap();
        }
    }
    meter.metrics()
}

/// One datagram there and back, blocking.
fn udp_ping(job: Job, server: SocketAddr) -> Metrics {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server).unwrap();
    let mut answer = MESSAGE;
    let mut meter = job.meter(1);
    while let Some(n) = meter.run() {
        for _ in 0..n {
            socket.send(&MESSAGE).unwrap();
            socket.recv(&mut answer).unwrap();
        }
    }
    meter.metrics()
}

/// 1 GiB in writes of 64 KiB, until the server has read all of it and closes.
fn bulk(job: Job, server: SocketAddr) -> Metrics {
    let block = vec![7; 64 * 1024];
    let blocks = job.count(16 * 1024);
    let mut stream = TcpStream::connect(server).unwrap();
    let began = Instant::now();
    for _ in 0..blocks {
        stream.write_all(&block).unwrap();
    }
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
    let bytes = (blocks as usize * block.len()) as f64;
    vec![("GB/s", bytes / began.elapsed().as_nanos() as f64)]
}

/// Connect, one byte there and back, close with a reset (no TIME_WAIT); for 300 ms.
fn accept(job: Job, server: SocketAddr) -> Metrics {
    let began = Instant::now();
    let window = job.window(Duration::from_millis(300));
    let mut connections = 0;
    while began.elapsed() < window {
        let mut stream = TcpStream::connect(server).unwrap();
        SockRef::from(&stream)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        stream.write_all(&[7]).unwrap();
        stream.read_exact(&mut [0]).unwrap();
        connections += 1;
    }
    vec![(
        "1/s",
        f64::from(connections) / began.elapsed().as_secs_f64(),
    )]
}

/// Many connections with one request in flight on each.
struct Load {
    /// How many connections.
    connections: usize,
    /// What is sent on each.
    request: &'static [u8],
    /// So many bytes are the answer.
    answer_len: usize,
    /// Measured after the warm-up.
    window: Duration,
}

/// Messages of 64 bytes echoed over `connections`, measured for `window_ms`.
fn load(job: Job, connections: usize, window_ms: u64) -> Load {
    Load {
        connections,
        request: &MESSAGE,
        answer_len: MESSAGE.len(),
        window: job.window(Duration::from_millis(window_ms)),
    }
}

/// A connection of [`many`].
struct Connection {
    /// Its socket.
    stream: TcpStream,
    /// When the request in flight was sent.
    sent: Instant,
    /// Bytes of the answer still to come.
    missing: usize,
}

/// One level-triggered epoll over all connections; 50 ms of warm-up, then the window.
///
/// The server's CPU is the process's minus this thread's, over the window alone.
fn many(job: Job, server: SocketAddr, load: &Load) -> Metrics {
    let mut epoll = Epoll::new(256);
    let mut connections: Vec<Connection> = (0..load.connections)
        .map(|key| {
            let stream = TcpStream::connect(server).unwrap();
            stream.set_nodelay(true).unwrap();
            epoll.add(stream.as_raw_fd(), key, false);
            Connection {
                stream,
                sent: Instant::now(),
                missing: 0,
            }
        })
        .collect();
    let mut buf = [0; 1024];
    for connection in &mut connections {
        send(connection, load);
    }
    run_for(job.window(Duration::from_millis(50)), &mut epoll, |key| {
        receive(&mut connections[key], load, &mut buf);
    });
    let mut tail = Tail::new();
    let mut answers = 0;
    let (process, thread, began) = (kernel::process_cpu(), kernel::thread_cpu(), Instant::now());
    run_for(load.window, &mut epoll, |key| {
        if let Some(took) = receive(&mut connections[key], load, &mut buf) {
            tail.record(took);
            answers += 1;
        }
    });
    let took = began.elapsed();
    let cpu = kernel::process_cpu() - process - (kernel::thread_cpu() - thread);
    let answers = f64::from(answers);
    let mut metrics = vec![
        ("server CPU ns", cpu.as_nanos() as f64 / answers),
        ("1/s", answers / took.as_secs_f64()),
    ];
    tail.report(&mut metrics);
    metrics
}

/// Calls `on_readable` with the keys that become readable, for about `window`.
fn run_for(window: Duration, epoll: &mut Epoll, mut on_readable: impl FnMut(usize)) {
    let began = Instant::now();
    while began.elapsed() < window {
        epoll.wait().for_each(&mut on_readable);
    }
}

/// Puts one request in flight.
fn send(connection: &mut Connection, load: &Load) {
    connection.sent = Instant::now();
    connection.missing = load.answer_len;
    connection.stream.write_all(load.request).unwrap();
}

/// Reads once; after a whole answer sends the next request and says how long this one took.
fn receive(connection: &mut Connection, load: &Load, buf: &mut [u8]) -> Option<Duration> {
    let read = connection.stream.read(buf).unwrap();
    assert!(read > 0, "the server closed a connection");
    connection.missing -= read;
    if connection.missing > 0 {
        return None;
    }
    let took = connection.sent.elapsed();
    send(connection, load);
    Some(took)
}
