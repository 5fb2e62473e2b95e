//! 15 hyper: a web server that others wrote, on a runtime that it does not know.
//!
//! Teaches what a library asks of a runtime when it names none: hyper has traits for bytes (`Read`,
//! `Write`) and for time (`Timer`), and this file implements them, in 60 lines. Its HTTP/2 asks for
//! one more, `Executor`, whose only method is `spawn`. For libraries that name tokio: `compat/`.
//!
//! Run: `cargo run --release --example 15-hyper` (argument: the port, 7015 if none)
//!
//! In a second terminal: `curl http://127.0.0.1:7015/here http://127.0.0.1:7015/there`, then
//! `nc 127.0.0.1 7015`, half a line, and patience; for speed, `wrk http://127.0.0.1:7015/`.
//!
//! Expected output, for these two visitors, and then Ctrl-C:
//!
//! ```text
//! listening on 127.0.0.1:7015
//! visitor 1: GET /here
//! visitor 1: GET /there
//! visitor 1: gone
//! visitor 2: sent away, too slow
//! Ctrl-C: no more visitors
//! next: 16-mini-redis speaks another protocol, whose visitors talk to each other
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use rt::io::{AsyncRead, AsyncWrite, ReadBuf};
use rt::net::{TcpListener, TcpStream};

/// How long a request's head may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// A stream as hyper wants it.
struct Bytes(TcpStream);

impl hyper::rt::Read for Bytes {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut room: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // By way of an array: to read straight into hyper's room takes one line of unsafe.
        let mut array = [0; 4096];
        let most = room.remaining().min(array.len());
        let mut bytes = ReadBuf::new(&mut array[..most]);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut bytes))?;
        room.put_slice(bytes.filled());
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for Bytes {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// The runtime's timers as hyper wants them.
#[derive(Clone)]
struct Clock;

/// A sleep in a box, so that whoever holds it may move it.
struct Sleep(Pin<Box<rt::time::Sleep>>);

impl hyper::rt::Timer for Clock {
    fn sleep(&self, time: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep(Box::pin(rt::time::sleep(time))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep(Box::pin(rt::time::sleep_until(deadline.into()))))
    }
}

impl hyper::rt::Sleep for Sleep {}
impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

/// What this server is for. It sees requests and answers, and no bytes.
async fn answer(number: u32, request: Request<Incoming>) -> hyper::Result<Response<String>> {
    println!("visitor {number}: {} {}", request.method(), request.uri());
    Ok(Response::new(format!(
        "hello from {}\n",
        request.uri().path()
    )))
}

/// One connection: a future of hyper's, which owns the stream and calls us for each request.
async fn visit(number: u32, stream: TcpStream) {
    let service = service_fn(|request| answer(number, request));
    let mut http = http1::Builder::new();
    http.timer(Clock).header_read_timeout(PATIENCE);
    match http.serve_connection(Bytes(stream), service).await {
        Ok(()) => println!("visitor {number}: gone"),
        Err(error) if error.is_timeout() => println!("visitor {number}: sent away, too slow"),
        Err(error) => println!("visitor {number}: gone, {error}"),
    }
}

#[rt::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let port = std::env::args().nth(1).unwrap_or("7015".into());
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("listening on {}", listener.local_addr()?);
    rt::select! {
        result = accept(&listener) => result?,
        result = rt::signal::ctrl_c() => result?,
    }
    // 14 waits for the last answers; hyper's connections have `graceful_shutdown` for that.
    println!("Ctrl-C: no more visitors");
    println!("next: 16-mini-redis speaks another protocol, whose visitors talk to each other");
    Ok(())
}

/// Accepts for ever, a task for each connection.
async fn accept(listener: &TcpListener) -> io::Result<()> {
    for number in 1.. {
        let (stream, _) = listener.accept().await?;
        rt::spawn(visit(number, stream));
    }
    Ok(())
}
