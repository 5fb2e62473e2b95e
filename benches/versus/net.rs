// Sockets on loopback, TCP_NODELAY, 64-byte messages.
//
// Nine tenths of these rows are the kernel's. Two kinds: both ends in one runtime (`tcp_pp`,
// `tcp_64self`), or a server here and a client of `clients.rs` on a thread of its own; the
// servers without a runtime are in `raw.rs`.
// Read next: `sync.rs`.

use crate::clients;
use crate::job::{Job, Metrics};
use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream, UdpSocket};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Runs the row, if it belongs to this chapter.
pub fn run(job: Job) -> Option<Metrics> {
    use start::in_task;
    let client = clients::of(job.workload);
    Some(match job.workload {
        "tcp_pp" => in_task(job, tcp_pp(job)),
        "tcp_pp_yielder" => in_task(job, tcp_pp_yielder(job)),
        "tcp_64self" => in_task(job, tcp_self(job, 64)),
        "tcp_1000self" => in_task(job, tcp_self(job, 1000)),
        "bulk" => served(job, client?, sink),
        "http_hello" => served(job, client?, hello),
        "udp_pp" => udp_pp(job, client?),
        _ => served(job, client?, echo),
    })
}

/// Sends every message back, until the peer closes.
async fn echo(mut stream: TcpStream) {
    let mut buf = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut buf).await {
        if stream.write_all(&buf[..read]).await.is_err() {
            return;
        }
    }
}

/// Reads into 64 KiB until the peer closes.
async fn sink(mut stream: TcpStream) {
    let mut buf = vec![0; 64 * 1024];
    while let Ok(1..) = stream.read(&mut buf).await {}
}

/// A keep-alive HTTP/1.1 server by hand: searches the blank line, answers `hello`.
async fn hello(mut stream: TcpStream) {
    let mut buf = [0; 1024];
    let mut filled = 0;
    while let Ok(read @ 1..) = stream.read(&mut buf[filled..]).await {
        filled += read;
        while let Some(end) = clients::end_of_head(&buf[..filled]) {
            buf.copy_within(end..filled, 0);
            filled -= end;
            if stream.write_all(clients::HELLO).await.is_err() {
                return;
            }
        }
    }
}

/// Serves each connection with a task running `serve`, while `client` measures on its own thread.
fn served<S>(job: Job, client: clients::Client, serve: fn(TcpStream) -> S) -> Metrics
where
    S: Future<Output = ()> + Send + 'static,
{
    start::runtime(job).block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let done = beside(job, client, listener.local_addr().unwrap());
        rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                rt::spawn(serve(stream));
            }
        });
        done.await.expect("the client panicked")
    })
}

/// Starts `client` on a thread of its own; the receiver gets what it measured.
fn beside(
    job: Job,
    client: clients::Client,
    server: SocketAddr,
) -> rt::sync::oneshot::Receiver<Metrics> {
    let (sender, done) = rt::sync::oneshot::channel();
    std::thread::spawn(move || {
        job.pin_client();
        sender
            .send(client(job, server))
            .expect("the server waits for this");
    });
    done
}

/// Answers each datagram.
fn udp_pp(job: Job, client: clients::Client) -> Metrics {
    start::runtime(job).block_on(async {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let done = beside(job, client, socket.local_addr().unwrap());
        rt::spawn(async move {
            let mut buf = [0; 1024];
            while let Ok((read, from)) = socket.recv_from(&mut buf).await {
                socket.send_to(&buf[..read], from).await.unwrap();
            }
        });
        done.await.expect("the client panicked")
    })
}

/// Connections with their echo task running; gives back the client ends.
async fn connected(many: usize) -> Vec<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let mut streams = Vec::with_capacity(many);
    for _ in 0..many {
        let stream = TcpStream::connect(addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        streams.push(stream);
        let (peer, _) = listener.accept().await.unwrap();
        peer.set_nodelay(true).unwrap();
        rt::spawn(echo(peer));
    }
    streams
}

/// `times` round trips of 64 bytes.
async fn round_trips(stream: &mut TcpStream, times: u64) {
    let mut message = [7; 64];
    for _ in 0..times {
        stream.write_all(&message).await.unwrap();
        stream.read_exact(&mut message).await.unwrap();
    }
}

/// Client and echo task in one runtime: 200 round trips to warm up, 6000 timed, best of 2.
async fn tcp_pp(job: Job) -> Metrics {
    let mut stream = connected(1).await.remove(0);
    round_trips(&mut stream, 200).await;
    let mut meter = job.fixed(job.count(6000), 2);
    while let Some(n) = meter.run() {
        round_trips(&mut stream, n).await;
    }
    meter.metrics()
}

/// The same beside a task that only yields.
async fn tcp_pp_yielder(job: Job) -> Metrics {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    rt::spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            rt::task::yield_now().await;
        }
    });
    let metrics = tcp_pp(job).await;
    stop.store(true, Ordering::Relaxed);
    metrics
}

/// 200 000 round trips over `many` connections with both ends here; per second.
async fn tcp_self(job: Job, many: u64) -> Metrics {
    let each = job.count(200_000) / many;
    let streams = connected(many as usize).await;
    let began = Instant::now();
    let clients: Vec<_> = streams
        .into_iter()
        .map(|mut stream| rt::spawn(async move { round_trips(&mut stream, each).await }))
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    vec![("1/s", (each * many) as f64 / began.elapsed().as_secs_f64())]
}
