//! 13 proxy: stands between a visitor and a server, and hands on what either says.
//!
//! Teaches two directions at once. Each has an end of its own: who has said all may still listen.
//! `copy_bidirectional` copies both, and hands an end on too (a shutdown for the other side).
//!
//! Run: `cargo run --release --example 13-proxy` (argument: the port, 7013 if none)
//!
//! In a second terminal, twice: `curl http://127.0.0.1:7013/`; the first time you get nothing, so
//! stop it with Ctrl-C after a while.
//!
//! Expected output, and then Ctrl-C for the proxy:
//!
//! ```text
//! server: on 127.0.0.1:42801
//! listening on 127.0.0.1:7013
//! -- 1. wrong: all of one direction, then all of the other
//! server: asked, and answers
//! visitor 1: 78 bytes to the server, and only after the last of them 61 bytes back
//! -- 2. cured: both directions at once
//! server: asked, and answers
//! visitor 2: 78 bytes to the server, 61 bytes back meanwhile
//! Ctrl-C: no more visitors
//! next: 14-http takes the server itself apart
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::io;
use std::net::SocketAddr;

use rt::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use rt::net::{TcpListener, TcpStream};

/// The server behind the proxy: one line for each request, on a connection that stays open.
async fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(4096);
    while stream.read_buf(&mut bytes).await? > 0 {
        // A request of `curl` is a head without a body: it ends with an empty line.
        if bytes.ends_with(b"\r\n\r\n") {
            println!("server: asked, and answers");
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 22\r\n\r\nhello from the server\n";
            stream.write_all(answer).await?;
            bytes.clear();
        }
    }
    Ok(())
}

/// The wrong way. The visitor waits for its answer before it closes; this waits for its close
/// before it looks for the answer. Neither moves, until one of them gives up.
async fn one_after_the_other(mut visitor: TcpStream, mut server: TcpStream) -> io::Result<()> {
    let (mut from_visitor, mut to_visitor) = visitor.split();
    let (mut from_server, mut to_server) = server.split();
    let up = copy(&mut from_visitor, &mut to_server).await?;
    to_server.shutdown().await?;
    let down = copy(&mut from_server, &mut to_visitor).await?;
    println!(
        "visitor 1: {up} bytes to the server, and only after the last of them {down} bytes back"
    );
    Ok(())
}

/// The right way: one task that waits for four things at once, and moves what can be moved.
async fn both_at_once(
    number: u32,
    mut visitor: TcpStream,
    mut server: TcpStream,
) -> io::Result<()> {
    let (up, down) = copy_bidirectional(&mut visitor, &mut server).await?;
    println!("visitor {number}: {up} bytes to the server, {down} bytes back meanwhile");
    Ok(())
}

/// Accepts for ever: the first visitor the wrong way, then a task for each.
async fn proxy(listener: &TcpListener, server: SocketAddr) -> io::Result<()> {
    println!("-- 1. wrong: all of one direction, then all of the other");
    let (visitor, _) = listener.accept().await?;
    one_after_the_other(visitor, TcpStream::connect(server).await?).await?;

    println!("-- 2. cured: both directions at once");
    for number in 2.. {
        let (visitor, _) = listener.accept().await?;
        // In the task: a server that is slow to accept holds up its visitor, not the others.
        rt::spawn(async move {
            let server = TcpStream::connect(server).await?;
            both_at_once(number, visitor, server).await
        });
    }
    Ok(())
}

#[rt::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("7013".into());
    let behind = TcpListener::bind("127.0.0.1:0").await?;
    let server = behind.local_addr()?;
    println!("server: on {server}");
    rt::spawn(async move {
        while let Ok((stream, _)) = behind.accept().await {
            rt::spawn(serve(stream));
        }
    });

    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    rt::select! {
        result = proxy(&listener, server) => result?,
        result = rt::signal::ctrl_c() => result?,
    }
    println!("Ctrl-C: no more visitors");
    println!("next: 14-http takes the server itself apart");
    Ok(())
}
