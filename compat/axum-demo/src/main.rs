//! axum itself, unmodified, at real work: answers, streams, many at once, and a polite end.
//!
//! Not a line here names trefoil; the two lines `[patch.crates-io]` in Cargo.toml choose the
//! runtime. Arguments: the port (7100), and the worker threads (0: the loop on one thread).
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | a line |
//! | `GET /slow/50` | the same after 50 ms |
//! | `GET /numbers/1000` | so many lines, streamed as the client takes them |
//! | `POST /echo` | what was sent |
//! | `GET /meet/200` | nothing until so many ask at once, then all are answered |
//! | `GET /hold` | nothing until the server is told to stop |

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Barrier, mpsc, watch};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    /// Where requests meet, by how many they are to be.
    meetings: Arc<Mutex<HashMap<usize, Arc<Barrier>>>>,
    /// True once the server is to stop.
    stopping: watch::Receiver<bool>,
}

fn main() -> std::io::Result<()> {
    let argument = |at: usize, default: usize| {
        let given = std::env::args().nth(at).and_then(|text| text.parse().ok());
        given.unwrap_or(default)
    };
    let (port, workers) = (argument(1, 7100) as u16, argument(2, 0));
    let runtime = match workers {
        0 => Builder::new_current_thread().enable_all().build()?,
        n => Builder::new_multi_thread()
            .worker_threads(n)
            .enable_all()
            .build()?,
    };
    runtime.block_on(serve(port))
}

/// Answers until a signal comes, then what has been asked already, and no more.
async fn serve(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);

    let (stop, stopping) = watch::channel(false);
    let shared = Shared {
        meetings: Arc::default(),
        stopping,
    };
    let app = Router::new()
        .route("/", get(async || "hello from axum\n"))
        .route("/slow/{ms}", get(slow))
        .route("/numbers/{count}", get(numbers))
        .route("/echo", post(async |body: Bytes| body))
        .route("/meet/{count}", get(meet))
        .route("/hold", get(hold))
        .with_state(shared);

    let told = async move {
        asked_to_stop().await;
        stop.send_replace(true);
    };
    axum::serve(listener, app)
        .with_graceful_shutdown(told)
        .await?;
    println!("stopped: every request has been answered");
    Ok(())
}

/// Waits for Ctrl-C, or for what `kill` sends.
async fn asked_to_stop() {
    let mut terminate = signal(SignalKind::terminate()).expect("a signal may be watched");
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.expect("a signal may be watched"),
        _ = terminate.recv() => {}
    }
}

async fn slow(Path(ms): Path<u64>) -> &'static str {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    "hello from axum\n"
}

/// Lines from a task of their own, through a channel: it is full while the client does not read.
async fn numbers(Path(count): Path<u32>) -> Body {
    let (lines, taken) = mpsc::channel(4);
    tokio::spawn(async move {
        for number in 0..count {
            // An error means that the client has left.
            if lines.send(format!("{number}\n")).await.is_err() {
                break;
            }
        }
    });
    Body::from_stream(ReceiverStream::new(taken).map(Ok::<_, Infallible>))
}

async fn meet(Path(count): Path<usize>, State(shared): State<Shared>) -> &'static str {
    let meeting = {
        let mut meetings = shared.meetings.lock().expect("nobody panics with it");
        let meeting = meetings.entry(count);
        meeting
            .or_insert_with(|| Arc::new(Barrier::new(count)))
            .clone()
    };
    meeting.wait().await;
    "met\n"
}

async fn hold(State(mut shared): State<Shared>) -> &'static str {
    println!("holding a request");
    let told = shared.stopping.wait_for(|stopping| *stopping).await;
    told.expect("the sender lives until it has sent");
    "held until the end\n"
}
