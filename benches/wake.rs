//! How long is it from a wake to the poll it asks for?
//!
//! - Unit: ns; from the same thread (the task wakes itself), and from an OS thread.
//! - Baseline: `std::thread::unpark` of a thread that sleeps in `park`.
//! - What would change our mind: from the same thread this is two locked operations (≈ 11 ns)
//!   and the queue; more means that the queue or the counting is wrong. From another thread the
//!   kernel takes nearly all of it, so a trick that saves user-space time there is not worth it.

#![forbid(unsafe_code)]

mod common;

use std::future::poll_fn;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};
use trefoil as rt;

/// The task wakes itself `n` times.
async fn wake_self(n: u64) {
    let mut left = n;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Time to let the other side fall asleep before it is woken.
///
/// Unit: wall time. Source: longer than a park takes on a busy machine (≈ 20 µs); not tuned.
const ASLEEP: Duration = Duration::from_micros(200);

/// Sum of `n` times from a wake on an OS thread to the poll; not the time in between.
fn from_outside(runtime: &rt::runtime::Runtime, n: u64) -> Duration {
    let (wakers, to_wake) = mpsc::channel::<Waker>();
    let sent = Arc::new(Mutex::new(None::<Instant>));
    let note = sent.clone();
    let outside = thread::spawn(move || {
        for waker in to_wake {
            thread::sleep(ASLEEP);
            *note.lock().unwrap() = Some(Instant::now());
            waker.wake();
        }
    });
    let total = runtime.block_on(async {
        let task = rt::spawn(async move {
            let mut total = Duration::ZERO;
            for _ in 0..n {
                let mut asked = false;
                total += poll_fn(|cx| match sent.lock().unwrap().take() {
                    Some(sent) => Poll::Ready(sent.elapsed()),
                    None => {
                        if !std::mem::replace(&mut asked, true) {
                            wakers.send(cx.waker().clone()).unwrap();
                        }
                        Poll::Pending
                    }
                })
                .await;
            }
            total
        });
        task.await.unwrap()
    });
    outside.join().unwrap();
    total
}

/// The same with `park` and `unpark`.
fn unpark(n: u64) -> Duration {
    let (sent, at) = mpsc::channel::<Instant>();
    let sleeper = thread::current();
    let (go, turns) = mpsc::channel::<()>();
    let outside = thread::spawn(move || {
        for () in turns {
            thread::sleep(ASLEEP);
            sent.send(Instant::now()).unwrap();
            sleeper.unpark();
        }
    });
    let mut total = Duration::ZERO;
    for _ in 0..n {
        go.send(()).unwrap();
        total += loop {
            thread::park();
            if let Ok(sent) = at.try_recv() {
                break sent.elapsed();
            }
        };
    }
    drop(go);
    outside.join().unwrap();
    total
}

fn main() {
    let mut criterion = common::criterion();
    let mut group = criterion.benchmark_group("wake");
    group.bench_function("baseline/unpark", |bencher| bencher.iter_custom(unpark));
    for (name, runtime) in common::runtimes() {
        group.bench_function(format!("{name}/same_thread"), |bencher| {
            bencher.iter_custom(|n| common::timed(&runtime, wake_self(n)));
        });
        group.bench_function(format!("{name}/other_thread"), |bencher| {
            bencher.iter_custom(|n| from_outside(&runtime, n));
        });
    }
    group.finish();
    criterion.final_summary();
}
