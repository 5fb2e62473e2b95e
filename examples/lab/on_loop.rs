//! The event loop's side of every experiment: one text for two runtimes.
//!
//! `on_trefoil.rs` and `on_tokio.rs` include this file, and `rt` is another crate each time. So a
//! column of `--with tokio` differs in the runtime and in nothing else.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::rt;
use crate::http::{REQUEST, RESPONSE, is_answer};
use crate::measure::{Gap, Meter, Sample, status};

use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};
use rt::runtime::{Builder, Runtime};

/// A loop on this thread (0), or on so many worker threads.
pub fn runtime(workers: usize) -> Runtime {
    let mut builder = match workers {
        0 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    if workers > 0 {
        builder.worker_threads(workers);
    }
    builder.enable_all().build().expect("a runtime can be made")
}

// ---- heartbeat ----

/// How often the heart beats. 10 ms: far above a timer's grain of 1 ms, far below what a person
/// notices.
const BEAT: Duration = Duration::from_millis(10);

/// A task that wakes every 10 ms and writes down how late it is. While something else occupies
/// the loop it cannot run, and that is exactly what it shows.
async fn heartbeat(late: Arc<Mutex<Vec<u64>>>) {
    loop {
        let due = Instant::now() + BEAT;
        rt::time::sleep(BEAT).await;
        let late_by = Instant::now().saturating_duration_since(due).as_nanos() as u64;
        late.lock().expect("only pushes").push(late_by);
    }
}

/// Runs `work` with a heartbeat beside it.
async fn with_heartbeat<T>(work: impl Future<Output = T>) -> (T, Option<Gap>) {
    let late = Arc::new(Mutex::new(Vec::new()));
    let heart = rt::spawn(heartbeat(late.clone()));
    let output = work.await;
    heart.abort();
    let _ = heart.await;
    let late = std::mem::take(&mut *late.lock().expect("only pushes"));
    (output, Gap::of(late))
}

/// How late the heart beats on a loop that does nothing else.
pub fn heartbeat_at_rest(time: Duration) -> Option<Gap> {
    // The sleep is made inside: it takes its timer from the runtime it is made in.
    let rest = async { rt::time::sleep(time).await };
    runtime(0).block_on(with_heartbeat(rest)).1
}

// ---- computing ----

/// Runs `work` on a loop, or on so many workers, with a heartbeat beside it; measures only `work`.
pub fn beside_a_heart(workers: usize, work: impl Future<Output = u64>) -> Sample {
    let work = async {
        // So that the heart beats before the work begins, and after it: a beat that the work held
        // up is written down when it comes at last.
        rt::time::sleep(2 * BEAT).await;
        let meter = Meter::start();
        let digest = work.await;
        let sample = meter.stop();
        rt::time::sleep(2 * BEAT).await;
        Sample { digest, ..sample }
    };
    let (sample, gap) = runtime(workers).block_on(with_heartbeat(work));
    Sample { gap, ..sample }
}

/// Every job in a task of its own; the sum of what they give.
pub async fn tasks<F: FnOnce() -> u64 + Send + 'static>(jobs: Vec<F>) -> u64 {
    let tasks: Vec<_> = jobs
        .into_iter()
        .map(|job| rt::spawn(async move { job() }))
        .collect();
    let mut sum = 0_u64;
    for task in tasks {
        sum = sum.wrapping_add(task.await.expect("no job panics"));
    }
    sum
}

// ---- waiting ----

/// Answers every request after `delay`, for ever. Prints its port first.
pub fn serve_slowly(delay: Duration) -> io::Result<()> {
    runtime(0).block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{}", listener.local_addr()?.port());
        io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            rt::spawn(answer(stream, delay));
        }
    })
}

/// Answers one connection's one request. A client that went away is no concern of the server.
async fn answer(mut stream: TcpStream, delay: Duration) -> io::Result<()> {
    let mut request = vec![0; REQUEST.len()];
    stream.read_exact(&mut request).await?;
    rt::time::sleep(delay).await;
    stream.write_all(RESPONSE).await
}

/// One request: connect, ask, read to the end.
async fn get(port: u16) -> io::Result<bool> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(REQUEST).await?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await?;
    Ok(is_answer(&response))
}

/// All requests at once, a task each.
pub fn wait(workers: usize, requests: usize, port: u16) -> Sample {
    let meter = Meter::start();
    let work = async {
        let tasks: Vec<_> = (0..requests).map(|_| rt::spawn(get(port))).collect();
        let mut saved = 0;
        for task in tasks {
            saved += u64::from(matches!(task.await, Ok(Ok(true))));
        }
        saved
    };
    let (saved, gap) = runtime(workers).block_on(with_heartbeat(work));
    let lost = requests as u64 - saved;
    Sample {
        saved,
        lost,
        gap,
        ..meter.stop()
    }
}

// ---- memory ----

/// An hour: longer than any run of the lab.
const LONG: Duration = Duration::from_secs(3600);

/// So many tasks asleep. `rss` is what they added.
pub fn sleepers(tasks: usize) -> Sample {
    let runtime = runtime(0);
    let meter = Meter::start();
    let before = status("VmRSS:");
    runtime.block_on(async {
        for _ in 0..tasks {
            rt::spawn(rt::time::sleep(LONG));
        }
        // Queued last, so polled last: by then all the others are asleep.
        rt::spawn(async {}).await.expect("an empty task ends");
    });
    let rss = status("VmRSS:").saturating_sub(before) * 1024;
    Sample {
        saved: tasks as u64,
        rss,
        ..meter.stop()
    }
}

// ---- price ----

/// Spawns an empty task and awaits it, again and again.
pub fn spawn_and_await(runtime: &Runtime, times: usize) {
    // In a task, not in `block_on`: with workers the usual place to spawn from is a worker.
    let tasks = runtime.spawn(async move {
        for _ in 0..times {
            rt::spawn(async {}).await.expect("an empty task ends");
        }
    });
    runtime.block_on(tasks).expect("it only spawns");
}

/// The same with `spawn_blocking`: an empty job on another thread, there and back.
pub fn spawn_blocking_and_await(runtime: &Runtime, times: usize) {
    runtime.block_on(async {
        for _ in 0..times {
            rt::task::spawn_blocking(|| ())
                .await
                .expect("an empty job ends");
        }
    });
}
