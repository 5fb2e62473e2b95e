//! Makes load for compare.py where `wrk` is not installed, and prints what `wrk` would.
//!
//! `load --connections N --duration Ns http://HOST:PORT/PATH`: a thread for each connection, each
//! of which asks, waits for the answer, and asks again. Threads, and no runtime: it must not favour
//! one side. An answer needs a `Content-Length`.

use std::io::{Error, Read, Result, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|word| word == name).expect(name);
        arguments[at + 1]
            .trim_end_matches('s')
            .parse::<u64>()
            .expect(name)
    };
    let (connections, seconds) = (after("--connections"), after("--duration"));
    let url = arguments
        .last()
        .unwrap()
        .strip_prefix("http://")
        .expect("an http:// address");
    let (address, path) = url.split_once('/').unwrap_or((url, ""));
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {address}\r\n\r\n");

    let start = Instant::now();
    let end = start + Duration::from_secs(seconds);
    let mut times: Vec<Duration> = std::thread::scope(|scope| {
        let ask =
            || ask_until(end, address, request.as_bytes()).expect("every request is answered");
        let threads: Vec<_> = (0..connections).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let took = start.elapsed();
    times.sort_unstable();
    for percent in [50, 99] {
        let time = times[(times.len() * percent / 100).min(times.len() - 1)];
        println!("{percent}% {:.2}us", time.as_secs_f64() * 1e6);
    }
    println!("{} requests in {:.2}s", times.len(), took.as_secs_f64());
    println!(
        "Requests/sec: {:.2}",
        times.len() as f64 / took.as_secs_f64()
    );
    Ok(())
}

/// One connection; gives how long each answer took.
fn ask_until(end: Instant, address: &str, request: &[u8]) -> Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let (mut times, mut input, mut piece) = (Vec::new(), Vec::new(), [0; 16 * 1024]);
    while Instant::now() < end {
        let asked = Instant::now();
        stream.write_all(request)?;
        input.clear();
        loop {
            let n = stream.read(&mut piece)?;
            if n == 0 {
                return Err(Error::other("closed before the answer"));
            }
            input.extend_from_slice(&piece[..n]);
            if length(&input)?.is_some_and(|length| input.len() >= length) {
                break;
            }
        }
        times.push(asked.elapsed());
    }
    Ok(times)
}

/// How long an answer is, with its head; `None` while the head is not complete.
fn length(input: &[u8]) -> Result<Option<usize>> {
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&input[..end]).to_lowercase();
    if !head.starts_with("http/1.1 2") {
        return Err(Error::other(head));
    }
    let length = head
        .split("content-length:")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    Ok(Some(
        end + 4 + length.ok_or(Error::other("no content-length"))?,
    ))
}
