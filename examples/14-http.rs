//! 14 http: HTTP/1.1 by hand, and a server that ends politely.
//!
//! Teaches what a web server does: take requests apart, answer many on one connection, refuse what
//! is too long. And how to stop: no new visitors, everybody is told, and what has been asked is
//! answered. (`/news` waits for news that never come, so a visitor can be in the middle of it.)
//!
//! Run: `cargo run --release --example 14-http` (argument: the port, 7014 if none)
//!
//! In a second terminal: `curl http://127.0.0.1:7014/ http://127.0.0.1:7014/`, and then, twice:
//! `curl http://127.0.0.1:7014/news`, with Ctrl-C here while it waits. For speed: `wrk`, `ab -k`.
//!
//! Expected output (the second time, SIGTERM does the same as Ctrl-C):
//!
//! ```text
//! listening on 127.0.0.1:7014
//! -- 1. wrong: to stop at once
//! visitor 1: GET /
//! visitor 1: GET /
//! visitor 2: GET /news
//! told to stop: visitors are cut off
//! -- 2. cured: to stop politely
//! visitor 3: GET /news
//! told to stop: no new visitors, and those who are here are told
//! visitor 3: answered, and gone
//! everybody is gone
//! next: 15-hyper leaves the bytes to a library
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::io::{self, ErrorKind};

use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};
use rt::signal::unix::{SignalKind, signal};
use rt::sync::watch;
use rt::task::JoinSet;

/// The most that a request's head may have, in bytes; a visitor could send one without an end.
const LONGEST: usize = 8 * 1024;

/// True once the server is to stop; whoever has one can wait for that.
type Stopping = watch::Receiver<bool>;
/// Tasks with one owner: dropped, it drops them where they wait, and their sockets with them.
type Visitors = JoinSet<io::Result<()>>;

/// Reads until the empty line that ends a request's head; `None` if the visitor has left.
async fn head(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        // A read gives what has come: half a head, or three. What is left is for the next call.
        if let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = input.drain(..end + 4).collect();
            return Ok(Some(String::from_utf8(head).unwrap_or_default()));
        }
        if input.len() > LONGEST {
            return Err(ErrorKind::FileTooLarge.into());
        }
        if stream.read_buf(input).await? == 0 {
            return Ok(None);
        }
    }
}

/// What an answer consists of.
async fn answer(path: &str, stopping: &mut Stopping) -> (&'static str, &'static str) {
    match path {
        "/" => ("200 OK", "hello\n"),
        "/news" => {
            let _ = stopping.wait_for(|stopping| *stopping).await;
            ("200 OK", "no news, and the server stops\n")
        }
        _ => ("404 Not Found", "there is only / and /news\n"),
    }
}

/// One connection: request after request, until one of the two sides has enough.
async fn visit(number: u32, mut stream: TcpStream, mut stopping: Stopping) -> io::Result<()> {
    let mut input = Vec::with_capacity(LONGEST);
    loop {
        let request = rt::select! {
            request = head(&mut stream, &mut input) => request?,
            // Between two requests nobody waits for an answer: this connection just ends.
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        let Some(request) = request else { break };
        let mut words = request.split_whitespace();
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        println!("visitor {number}: {method} {path}");
        let (status, body) = match method {
            "GET" => answer(path, &mut stopping).await,
            // Then a body may follow, which would be taken for the next request.
            _ => ("405 Method Not Allowed", "only GET\n"),
        };
        let told = request.to_lowercase().contains("connection: close");
        let close = told || method != "GET" || *stopping.borrow();
        let connection = if close { "close" } else { "keep-alive" };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).await?;
        if close {
            println!("visitor {number}: answered, and gone");
            break;
        }
    }
    Ok(())
}

/// A task for each connection, until the server is told to stop; gives those that are left.
async fn accept(first: u32, listener: &TcpListener, stopping: &Stopping) -> io::Result<Visitors> {
    let mut visitors = JoinSet::new();
    let mut ctrl_c = signal(SignalKind::interrupt())?;
    // What `kill` sends, and systemd, and containers.
    let mut terminate = signal(SignalKind::terminate())?;
    for number in first.. {
        let (stream, _) = rt::select! {
            accepted = listener.accept() => accepted?,
            _ = ctrl_c.recv() => break,
            _ = terminate.recv() => break,
        };
        visitors.spawn(visit(number, stream, stopping.clone()));
        // A set keeps the results of those who have gone, until somebody takes them.
        while visitors.try_join_next().is_some() {}
    }
    Ok(visitors)
}

#[rt::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("7014".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    let (stop, stopping) = watch::channel(false);

    println!("-- 1. wrong: to stop at once");
    let visitors = accept(1, &listener, &stopping).await?;
    println!("told to stop: visitors are cut off");
    drop(visitors);

    println!("-- 2. cured: to stop politely");
    let mut visitors = accept(3, &listener, &stopping).await?;
    println!("told to stop: no new visitors, and those who are here are told");
    drop(listener);
    stop.send_replace(true);
    while visitors.join_next().await.is_some() {}
    println!("everybody is gone");
    println!("next: 15-hyper leaves the bytes to a library");
    Ok(())
}
