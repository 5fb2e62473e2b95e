//! 06 echo: a TCP server that sends back what it gets.
//!
//! Teaches the shape of nearly every server: accept in a loop, and a task for each connection.
//! Without the task the second visitor would wait until the first has gone.
//!
//! Run: `cargo run --release --example 06-echo` (argument: the port, 7006 if none)
//!
//! In a second and a third terminal: `nc 127.0.0.1 7006` and type; Ctrl-D or Ctrl-C there ends
//! the visit. (`echo hello | socat - TCP:127.0.0.1:7006` does it in one line.)
//!
//! Expected output, when two visitors say `hello` during phase 1, one before the other goes, and
//! two more in phase 2; then Ctrl-C:
//!
//! ```text
//! listening on 127.0.0.1:7006
//! -- 1. wrong: one after the other, for the first two visitors
//! visitor 1: here
//! visitor 1: gone, 6 bytes echoed
//! visitor 2: here
//! visitor 2: gone, 6 bytes echoed
//! -- 2. cured: a task for each visitor, until Ctrl-C
//! visitor 3: here
//! visitor 4: here
//! visitor 4: gone, 6 bytes echoed
//! visitor 3: gone, 6 bytes echoed
//! Ctrl-C: no more visitors
//! next: 07-udp does it without connections
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::io;

use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};

/// One visit: echoes until the visitor closes its side.
async fn visit(number: u32, mut stream: TcpStream) {
    println!("visitor {number}: here");
    match echo(&mut stream).await {
        Ok(bytes) => println!("visitor {number}: gone, {bytes} bytes echoed"),
        // A visitor that vanishes is its own trouble, not the server's.
        Err(error) => println!("visitor {number}: gone, {error}"),
    }
}

/// Reads and writes back, until a read of 0 bytes says that no more will come.
async fn echo(stream: &mut TcpStream) -> io::Result<usize> {
    let mut buffer = [0; 4096];
    let mut total = 0;
    loop {
        let n = stream.read(&mut buffer).await?;
        if n == 0 {
            return Ok(total);
        }
        // Waits when the visitor does not read: then nothing more is read from it either.
        // That is backpressure, and it costs one buffer a visitor, not more.
        stream.write_all(&buffer[..n]).await?;
        total += n;
    }
}

/// Accepts for ever, a task for each connection.
async fn serve(listener: &TcpListener) -> io::Result<()> {
    for number in 3.. {
        let (stream, _) = listener.accept().await?;
        // The handle is dropped: the task runs on without anybody who awaits it.
        drop(rt::spawn(visit(number, stream)));
    }
    Ok(())
}

#[rt::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("7006".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);

    // The first branch that is ready wins; the others are dropped where they wait (09).
    rt::select! {
        result = both(&listener) => result?,
        result = rt::signal::ctrl_c() => result?,
    }
    println!("Ctrl-C: no more visitors");
    println!("next: 07-udp does it without connections");
    Ok(())
}

/// The wrong way for two visitors, then the right one.
async fn both(listener: &TcpListener) -> io::Result<()> {
    println!("-- 1. wrong: one after the other, for the first two visitors");
    for number in 1..=2 {
        let (stream, _) = listener.accept().await?;
        visit(number, stream).await;
    }
    println!("-- 2. cured: a task for each visitor, until Ctrl-C");
    serve(listener).await
}
