//! As much HTTP/1.1 as the lab needs, and the client that blocks its thread.
//!
//! A connection carries one request of a fixed length, so neither side has anything to parse.
//! `on_loop.rs` has the same client and the server for the event loop.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

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

/// `requests` requests by `threads` threads, each taking the next one when it has done one.
/// Returns how many were answered.
pub fn wait(threads: usize, requests: usize, port: u16) -> u64 {
    let (next, saved) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while next.fetch_add(1, Relaxed) < requests {
            if matches!(get(port), Ok(true)) {
                saved.fetch_add(1, Relaxed);
            }
        }
    };
    if threads == 1 {
        work();
    } else {
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
    }
    saved.into_inner() as u64
}
