//! As much HTTP/1.1 as the lab needs, and the client that blocks its thread.
//!
//! A connection carries one request of a fixed length, so neither side has anything to parse.
//! `on_loop.rs` has the same client and the server for the event loop.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;

use trefoil::threads::ThreadPoolBuilder;

/// The request, always the same.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";

/// The answer, always the same.
pub const RESPONSE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n";

/// Did the server answer as it must?
pub fn is_answer(response: &[u8]) -> bool {
    response == RESPONSE
}

/// One request; the thread waits in the kernel.
fn get(port: u16) -> io::Result<bool> {
    let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))?;
    stream.write_all(REQUEST)?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    Ok(is_answer(&response))
}

/// Requests one after the other, on this thread. Returns how many were answered.
pub fn one_by_one(requests: usize, port: u16) -> u64 {
    (0..requests)
        .map(|_| u64::from(matches!(get(port), Ok(true))))
        .sum()
}

/// A thread for each request.
pub fn a_thread_each(requests: usize, port: u16) -> u64 {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..requests)
            .map(|_| scope.spawn(|| one_by_one(1, port)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("only asks"))
            .sum()
    })
}

/// A job of a thread pool for each request; the job blocks its worker.
pub fn in_pool(workers: usize, requests: usize, port: u16) -> u64 {
    let pool = ThreadPoolBuilder::new().num_threads(workers).build();
    let saved = AtomicU64::new(0);
    pool.expect("a pool can be made").scope(|scope| {
        for _ in 0..requests {
            scope.spawn(|_| {
                saved.fetch_add(one_by_one(1, port), Relaxed);
            });
        }
    });
    saved.into_inner()
}
