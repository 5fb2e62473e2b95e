//! The third side of the network rows: plain epoll, one thread, no runtime.
//!
//! The floor a runtime is compared with. A server reads once per event and answers at once,
//! three system calls a message; short writes cannot happen with one small message in flight.
//! Read next: `rounds.rs`, which runs the sides against each other.

#![forbid(unsafe_code)]

use crate::clients::{self, end_of_head};
use crate::job::{Job, Meter, Metrics};
use crate::kernel::Epoll;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;

/// What a server does with a readable connection; `false` once it is over.
type Serve = fn(&mut Connection) -> bool;

/// Runs the row, if it has a counterpart without a runtime.
pub fn run(job: Job) -> Option<Metrics> {
    if job.workload == "tcp_pp" {
        return Some(tcp_pp(job));
    }
    let client = clients::of(job.workload)?;
    let server = if job.workload == "udp_pp" {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let addr = socket.local_addr().unwrap();
        std::thread::spawn(move || udp_server(job, &socket));
        addr
    } else {
        let serve: Serve = match job.workload {
            "bulk" => sink,
            "http_hello" => hello,
            _ => echo,
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        std::thread::spawn(move || tcp_server(job, &listener, serve));
        addr
    };
    job.pin_client();
    // The server threads end with the process.
    Some(client(job, server))
}

/// One accepted connection.
struct Connection {
    /// Its socket.
    stream: TcpStream,
    /// What has been read and not yet answered.
    buf: Vec<u8>,
    /// How many bytes of `buf` that is.
    filled: usize,
}

/// Accepts and serves on this thread, level-triggered, for ever.
fn tcp_server(job: Job, listener: &TcpListener, serve: Serve) {
    job.pin_server();
    let buf_bytes = if job.workload == "bulk" {
        64 * 1024
    } else {
        1024
    };
    let mut epoll = Epoll::new(1024);
    epoll.add(listener.as_raw_fd(), usize::MAX, false);
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut free = Vec::new();
    loop {
        let mut incoming = false;
        for key in epoll.wait() {
            if key == usize::MAX {
                incoming = true;
            } else if connections[key]
                .as_mut()
                .is_some_and(|connection| !serve(connection))
            {
                connections[key] = None;
                free.push(key);
            }
        }
        if incoming {
            let (stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let key = free.pop().unwrap_or_else(|| {
                connections.push(None);
                connections.len() - 1
            });
            epoll.add(stream.as_raw_fd(), key, false);
            connections[key] = Some(Connection {
                stream,
                buf: vec![0; buf_bytes],
                filled: 0,
            });
        }
    }
}

/// Sends back what came.
fn echo(connection: &mut Connection) -> bool {
    let Ok(read @ 1..) = connection.stream.read(&mut connection.buf) else {
        return false;
    };
    connection.stream.write_all(&connection.buf[..read]).is_ok()
}

/// Throws away what came.
fn sink(connection: &mut Connection) -> bool {
    matches!(connection.stream.read(&mut connection.buf), Ok(1..))
}

/// Answers each complete request.
fn hello(connection: &mut Connection) -> bool {
    let Connection {
        stream,
        buf,
        filled,
    } = connection;
    let Ok(read @ 1..) = stream.read(&mut buf[*filled..]) else {
        return false;
    };
    *filled += read;
    while let Some(end) = end_of_head(&buf[..*filled]) {
        buf.copy_within(end..*filled, 0);
        *filled -= end;
        if stream.write_all(clients::HELLO).is_err() {
            return false;
        }
    }
    true
}

/// Answers each datagram, with an epoll in front as a server of many sockets has it.
fn udp_server(job: Job, socket: &UdpSocket) {
    job.pin_server();
    let mut epoll = Epoll::new(16);
    epoll.add(socket.as_raw_fd(), 0, false);
    let mut buf = [0; 1024];
    loop {
        for _ in epoll.wait() {
            let (read, from) = socket.recv_from(&mut buf).unwrap();
            socket.send_to(&buf[..read], from).unwrap();
        }
    }
}

/// Both ends on this thread, edge-triggered; the counterpart of a runtime that holds both.
fn tcp_pp(job: Job) -> Metrics {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (server, _) = listener.accept().unwrap();
    let mut ends = [client, server];
    let mut epoll = Epoll::new(16);
    for (key, end) in ends.iter().enumerate() {
        end.set_nodelay(true).unwrap();
        end.set_nonblocking(true).unwrap();
        epoll.add(end.as_raw_fd(), key, true);
    }
    round_trips(&mut epoll, &mut ends, 200);
    let mut meter: Meter = job.fixed(job.count(6000), 2);
    while let Some(n) = meter.run() {
        round_trips(&mut epoll, &mut ends, n);
    }
    meter.metrics()
}

/// `times` messages there and back between the two ends.
fn round_trips(epoll: &mut Epoll, ends: &mut [TcpStream; 2], times: u64) {
    let mut message = [7; 64];
    let mut back = 0;
    ends[0].write_all(&message).unwrap();
    while back < times {
        for key in epoll.wait() {
            // The whole message is there: it was written at once, on loopback.
            ends[key].read_exact(&mut message).unwrap();
            back += u64::from(key == 0);
            if back < times {
                ends[key].write_all(&message).unwrap();
            }
        }
    }
}
