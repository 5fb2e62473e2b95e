//! 07 udp: questions and answers without a connection.
//!
//! Teaches what a datagram is: it comes whole or not at all, and nobody says which. So the one
//! who asks needs a time limit, and asks again. There is no accept and no task for each visitor:
//! one socket talks to everybody.
//!
//! Run: `cargo run --release --example 07-udp` (argument: the port, 7007 if none)
//!
//! In a second terminal, when phase 3 has begun: `nc -u 127.0.0.1 7007` and type.
//!
//! Expected output, when somebody sends `hello` in phase 3; then Ctrl-C:
//!
//! ```text
//! listening on 127.0.0.1:7007
//! -- 1. wrong: to ask once, and wait
//! client: asks "one"
//! server: "one" is lost on its way, on purpose
//! client: waits, and would wait for ever
//! -- 2. cured: a time limit, and the same question again
//! client: asks "two"
//! server: "two" is lost on its way, on purpose
//! client: no answer after 500 ms
//! client: asks "two"
//! server: "two" from 127.0.0.1:40001, sent back
//! client: answered, and it is the answer to "two"
//! -- 3. now you, until Ctrl-C
//! server: "hello" from 127.0.0.1:40002, sent back
//! Ctrl-C: nobody needs to be told, as nobody was connected
//! next: 08-blocking-the-loop shows how one task stops all others
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use rt::net::UdpSocket;
use rt::time::timeout;

/// How long the client waits for an answer. On loopback one takes 50 µs; a net is slower.
const PATIENCE: Duration = Duration::from_millis(500);
/// The most that a datagram of ours holds. Of a longer one the kernel throws the rest away.
const LARGEST: usize = 1500;

/// Sends back what comes, and to whom it came from: each datagram has its sender on it.
async fn serve(socket: UdpSocket) -> io::Result<()> {
    let mut seen = HashSet::new();
    let mut buffer = [0; LARGEST];
    loop {
        // One call, one datagram: unlike a stream, it never gives half of one, nor two.
        let (n, from) = socket.recv_from(&mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..n]);
        let text = text.trim_end();
        // A bad net, played here: the first "one" and "two" get lost.
        if ["one", "two"].contains(&text) && seen.insert(text.to_owned()) {
            println!("server: {text:?} is lost on its way, on purpose");
            continue;
        }
        println!("server: {text:?} from {from}, sent back");
        socket.send_to(&buffer[..n], from).await?;
    }
}

/// Asks, and waits for the answer.
async fn ask(socket: &UdpSocket, question: &str) -> io::Result<()> {
    println!("client: asks {question:?}");
    socket.send(question.as_bytes()).await?;
    let mut buffer = [0; LARGEST];
    loop {
        let n = socket.recv(&mut buffer).await?;
        // It may be a late answer to a question before. So an answer says to what it belongs.
        if buffer[..n] == *question.as_bytes() {
            println!("client: answered, and it is the answer to {question:?}");
            return Ok(());
        }
    }
}

#[rt::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("7007".into());
    let server = UdpSocket::bind(format!("127.0.0.1:{port}")).await?;
    let address = server.local_addr()?;
    println!("listening on {address}");
    let server = rt::spawn(serve(server));

    let client = UdpSocket::bind("127.0.0.1:0").await?;
    // Nothing is sent for this: it only sets where `send` goes, and from whom `recv` takes.
    client.connect(address).await?;

    println!("-- 1. wrong: to ask once, and wait");
    let waiting = timeout(PATIENCE, ask(&client, "one")).await;
    assert!(waiting.is_err(), "it has been lost");
    println!("client: waits, and would wait for ever");

    println!("-- 2. cured: a time limit, and the same question again");
    while timeout(PATIENCE, ask(&client, "two")).await.is_err() {
        println!("client: no answer after {} ms", PATIENCE.as_millis());
    }

    println!("-- 3. now you, until Ctrl-C");
    rt::select! {
        result = server => result??,
        result = rt::signal::ctrl_c() => result?,
    }
    println!("Ctrl-C: nobody needs to be told, as nobody was connected");
    println!("next: 08-blocking-the-loop shows how one task stops all others");
    Ok(())
}
