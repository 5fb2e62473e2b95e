//! 20 async-meets-pool: a web server computes, and its loop goes on beating.
//!
//! Teaches the border between the two strands: the event loop waits, the thread pool computes,
//! and `submit` is the way across. The handler awaits the job as it awaits a socket; no thread of
//! the loop is held meanwhile. 08 has shown what happens without.
//!
//! Run: `cargo run --release --example 20-async-meets-pool` (argument: the port, 7020 if none)
//!
//! In a second terminal, four times: `curl --data-binary @Cargo.toml http://127.0.0.1:7020/`
//!
//! Expected output, when two visitors come one after the other, and then two at the same time:
//!
//! ```text
//! listening on 127.0.0.1:7020
//! -- 1. wrong: the handler computes on the loop, for the first two visitors
//! the latest beat was 395 ms late: the loop was frozen
//! the latest beat was 394 ms late: the loop was frozen
//! -- 2. cured: the handler submits a job, and awaits it
//! the latest beat was 1 ms late: the loop kept beating
//! 4 visitors, and each has got the digest of what was sent
//! next: 21-process-pool runs what may crash, or must be stopped
//! ```

use trefoil as rt; // tokio has no pool for computations: there it would be rayon and a oneshot

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};

/// How often the heart wants to beat.
const BEAT: Duration = Duration::from_millis(10);
/// How long a digest takes: it is one that makes guessing expensive, as for a password.
const DIGEST: Duration = Duration::from_millis(400);
/// Later than this is called frozen: half of the job. A busy machine alone is not so late.
const FROZEN: Duration = Duration::from_millis(200);

/// Beats for ever, and keeps the largest lateness in `latest`.
async fn heartbeat(latest: Rc<Cell<Duration>>) {
    loop {
        let due = Instant::now() + BEAT;
        rt::time::sleep(BEAT).await;
        latest.set(latest.get().max(due.elapsed()));
    }
}

/// Says how late the heart was at most, and begins again.
async fn report(latest: &Cell<Duration>) {
    // A beat that is late must get its chance to notice it.
    rt::time::sleep(2 * BEAT).await;
    let late = latest.take();
    let word = if late > FROZEN {
        "was frozen"
    } else {
        "kept beating"
    };
    println!(
        "the latest beat was {} ms late: the loop {word}",
        late.as_millis()
    );
}

/// A digest that takes its time: it goes over the bytes again and again.
fn digest(bytes: &[u8]) -> u64 {
    let start = Instant::now();
    let mut once = 0;
    while start.elapsed() < DIGEST {
        let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        once = bytes.iter().fold(0xcbf2_9ce4_8422_2325, step);
    }
    once
}

/// Reads a request, and gives its body.
async fn body_of(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.split("content-length:").nth(1).unwrap_or("0");
            let length = length.lines().next().and_then(|n| n.trim().parse().ok());
            let mut body = bytes.split_off(end + 4);
            while body.len() < length.unwrap_or(0) && stream.read_buf(&mut body).await? > 0 {}
            return Ok(body);
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Answers a request with a digest.
async fn answer(mut stream: TcpStream, digest: u64) -> io::Result<()> {
    let text = format!("{digest:016x}\n");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
    stream.write_all((head + &text).as_bytes()).await
}

/// A visit: the digest is computed beside the loop.
async fn visit(mut stream: TcpStream) -> io::Result<()> {
    let body = body_of(&mut stream).await?;
    // The body moves into the job, since nobody knows which of the two lives longer. The loop
    // runs other tasks until the pool wakes this one.
    let job = rt::threads::submit(move || digest(&body));
    // Two errors are possible, and both come out of the await: a panic, or somebody cancelled it.
    let digest = job.await.map_err(io::Error::other)?;
    answer(stream, digest).await
}

#[rt::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("7020".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    let latest = Rc::new(Cell::new(Duration::ZERO));
    rt::select! {
        () = heartbeat(latest.clone()) => unreachable!("it beats for ever"),
        result = serve(&listener, &latest) => result?,
    }
    println!("4 visitors, and each has got the digest of what was sent");
    println!("next: 21-process-pool runs what may crash, or must be stopped");
    Ok(())
}

/// The wrong way for two visitors, then the right one for two.
async fn serve(listener: &TcpListener, latest: &Cell<Duration>) -> io::Result<()> {
    println!("-- 1. wrong: the handler computes on the loop, for the first two visitors");
    for _ in 0..2 {
        let (mut stream, _) = listener.accept().await?;
        let body = body_of(&mut stream).await?;
        let digest = digest(&body);
        answer(stream, digest).await?;
        report(latest).await;
    }
    println!("-- 2. cured: the handler submits a job, and awaits it");
    let (first, _) = listener.accept().await?;
    let first = rt::spawn(visit(first));
    let (second, _) = listener.accept().await?;
    let second = rt::spawn(visit(second));
    first.await??;
    second.await??;
    report(latest).await;
    Ok(())
}
