//! 08 blocking-the-loop: the heartbeat stops, and three cures.
//!
//! Teaches the one rule of an event loop: do not keep its thread. Whatever computes or blocks
//! between two awaits stops every other task. A heartbeat task measures it: it wants to beat
//! every 10 ms, and notes how late it was. The lab measures the same way.
//!
//! Run: `cargo run --release --example 08-blocking-the-loop`
//!
//! Expected output:
//!
//! ```text
//! -- 0. nothing to do
//! the latest beat was 1 ms late: the loop kept beating
//! -- 1. wrong: a call that blocks the thread for 300 ms
//! the latest beat was 291 ms late: the loop was frozen
//! -- 2. wrong: 300 ms of computing without an await
//! the latest beat was 290 ms late: the loop was frozen
//! -- 3. first cure: spawn_blocking, a thread beside the loop
//! the latest beat was 1 ms late: the loop kept beating
//! -- 4. second cure: compute in small pieces, and yield between them
//! the latest beat was 3 ms late: the loop kept beating
//! -- 5. third cure: a thread of our own, and a channel back to the loop
//! the latest beat was 1 ms late: the loop kept beating
//! next: 09-cancel stops a task from outside, at an await
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

/// How often the heart wants to beat.
const BEAT: Duration = Duration::from_millis(10);
/// How long each job takes.
const JOB: Duration = Duration::from_millis(300);
/// Later than this is called frozen: half of the job. A busy machine alone is not so late.
const FROZEN: Duration = Duration::from_millis(150);

/// Beats for ever, and keeps the largest lateness in `latest`.
async fn heartbeat(latest: Rc<Cell<Duration>>) {
    loop {
        let due = Instant::now() + BEAT;
        rt::time::sleep(BEAT).await;
        latest.set(latest.get().max(due.elapsed()));
    }
}

/// Runs a job with a heartbeat beside it, on the same loop.
async fn beside_a_heart(title: &str, job: impl Future<Output = ()>) {
    println!("-- {title}");
    let latest = Rc::new(Cell::new(Duration::ZERO));
    let mut heart = std::pin::pin!(heartbeat(latest.clone()));
    let job = async {
        // One beat before, so that the heart is at its await when the job begins.
        rt::time::sleep(2 * BEAT).await;
        job.await;
        // And one after: a beat that is late must get its chance to notice it.
        rt::time::sleep(2 * BEAT).await;
    };
    rt::select! {
        () = &mut heart => unreachable!("it beats for ever"),
        () = job => {}
    }
    let (ms, frozen) = (latest.get().as_millis(), latest.get() > FROZEN);
    let word = if frozen { "was frozen" } else { "kept beating" };
    println!("the latest beat was {ms} ms late: the loop {word}");
}

/// Computes for about `time`: a stand-in for hashing, parsing, compressing.
fn compute(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        black_box((0..100_u64).fold(0, |sum, n| black_box(sum + n * n)));
    }
}

#[rt::main(flavor = "current_thread")]
async fn main() {
    beside_a_heart("0. nothing to do", rt::time::sleep(JOB)).await;

    // A library that waits for a disk or a server does the same as this `sleep`: the kernel
    // puts the thread to bed, and with it the loop and everything that runs on it.
    let blocks = async { thread::sleep(JOB) };
    beside_a_heart("1. wrong: a call that blocks the thread for 300 ms", blocks).await;

    // To compute is no better: the loop cannot take the thread away from a task. Only the task
    // can give it back, and it does so at an await that is Pending.
    let computes = async { compute(JOB) };
    beside_a_heart("2. wrong: 300 ms of computing without an await", computes).await;

    // For calls that block: another thread does the waiting, this task awaits its end.
    let cure = async {
        let job = rt::task::spawn_blocking(|| thread::sleep(JOB));
        job.await.expect("it only sleeps");
    };
    beside_a_heart(
        "3. first cure: spawn_blocking, a thread beside the loop",
        cure,
    )
    .await;

    // For computing that can be cut: the loop runs the others between two pieces. It takes as
    // long as before, and a core is still busy; but nobody waits longer than a piece.
    let cure = async {
        for _ in 0..1000 {
            compute(JOB / 1000);
            rt::task::yield_now().await;
        }
    };
    beside_a_heart(
        "4. second cure: compute in small pieces, and yield between them",
        cure,
    )
    .await;

    // For a library that wants the same thread each time: a thread that lives long, and takes
    // its jobs from a channel. Here it gets only one.
    let cure = async {
        let (done, when_done) = rt::sync::oneshot::channel();
        let thread = thread::spawn(move || {
            compute(JOB);
            done.send(()).expect("somebody awaits it");
        });
        when_done.await.expect("the thread sends before it ends");
        thread.join().expect("it has sent, so it ends at once");
    };
    beside_a_heart(
        "5. third cure: a thread of our own, and a channel back to the loop",
        cure,
    )
    .await;
    println!("next: 09-cancel stops a task from outside, at an await");
}
