//! 04 hello: what 03 did by hand, with a runtime.
//!
//! Teaches `spawn` and `join`: futures that are awaited one after the other wait one after the
//! other, tasks wait at the same time; and a task's panic is its joiner's error, not the end.
//! In the lab's map this is the row `an empty job, there and back`.
//!
//! Run: `cargo run --release --example 04-hello` (argument: the port, 7004 if none)
//!
//! In a second terminal: `curl http://127.0.0.1:7004/`, or `nc 127.0.0.1 7004` and type a line
//!
//! Expected output:
//!
//! ```text
//! listening on 127.0.0.1:7004
//! -- 1. wrong: two awaits, one after the other
//! slow: sleeps 200 ms
//! slow: done
//! quick: sleeps 100 ms
//! quick: done
//! 3 after 300 ms
//! -- 2. cured: two tasks, and then join
//! slow: sleeps 200 ms
//! quick: sleeps 100 ms
//! quick: done
//! slow: done
//! 3 after 200 ms
//! -- 3. a panic stays in its task
//! joined: is_panic() is true, and the loop runs on
//! -- 4. now visit us: waiting for one visitor
//! visitor: sent 78 bytes
//! visitor: has its answer
//! next: 05-sleepers spawns 100000 of them
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::io;
use std::time::{Duration, Instant};

use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};
use rt::time::sleep;

/// Sleeps and says so; gives a number back.
async fn nap(name: &str, time: Duration, number: i32) -> i32 {
    println!("{name}: sleeps {} ms", time.as_millis());
    // 03's `sleep_until`: the waker goes to the timers, the loop runs somebody else.
    sleep(time).await;
    println!("{name}: done");
    number
}

/// Reads once, and answers so that a browser understands it.
async fn visitor(mut stream: TcpStream) -> io::Result<()> {
    let mut request = [0; 1024];
    let n = stream.read(&mut request).await?;
    println!("visitor: sent {n} bytes");
    let body = "hello from a task\n";
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes()).await?;
    println!("visitor: has its answer");
    Ok(())
}

/// The attribute makes a runtime and calls `block_on`, as 02 did. One thread is enough here.
#[rt::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("7004".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    let (long, short) = (Duration::from_millis(200), Duration::from_millis(100));

    println!("-- 1. wrong: two awaits, one after the other");
    let start = Instant::now();
    let sum = nap("slow", long, 1).await + nap("quick", short, 2).await;
    println!("{sum} after {} ms", start.elapsed().as_millis());

    println!("-- 2. cured: two tasks, and then join");
    let start = Instant::now();
    let slow = rt::spawn(nap("slow", long, 1));
    let quick = rt::spawn(nap("quick", short, 2));
    // A handle is a future too: it is ready when its task has ended.
    let sum = slow.await? + quick.await?;
    println!("{sum} after {} ms", start.elapsed().as_millis());

    println!("-- 3. a panic stays in its task");
    let panics = rt::spawn(async { panic!("on purpose, this line is part of the example") });
    let error = panics.await.map(|()| "no error").unwrap_err();
    let is_panic = error.is_panic();
    println!("joined: is_panic() is {is_panic}, and the loop runs on");

    println!("-- 4. now visit us: waiting for one visitor");
    let (stream, _) = listener.accept().await?;
    // Joined: a runtime that ends drops the tasks that have not.
    rt::spawn(visitor(stream)).await??;
    println!("next: 05-sleepers spawns 100000 of them");
    Ok(())
}
