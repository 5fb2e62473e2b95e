//! 02 block-on: an executor of 40 lines, with park and unpark.
//!
//! Teaches what runs between two polls: a thread that sleeps. Between "nothing to do" and
//! "asleep" is a gap, and a wake-up that falls into it is lost unless it leaves a token behind.
//!
//! Run: `cargo run --release --example 02-block-on`
//!
//! Expected output:
//!
//! ```text
//! -- 1. wrong: the wake-up only rings, and leaves no trace
//! poll 1: Pending
//! (gap: not asleep yet, and just now the helper thread calls wake)
//! asleep ... for 200 ms, nobody came: the wake-up was lost
//! -- 2. cured: the wake-up leaves a token, and the sleeper looks for it first
//! poll 1: Pending
//! (gap: not asleep yet, and just now the helper thread calls wake)
//! the token is there: no sleep
//! poll 2: Ready
//! -- 3. the same with std's park and unpark, which carry such a token
//! one
//! two, 100 ms later
//! block_on gave back 3
//! next: 03-tiny-loop waits for sockets and timers instead of threads
//! ```

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

// ---- the executor: 40 lines, and complete ----

/// The waker of [`block_on`]: unparks the thread that sleeps there.
struct Unpark {
    /// Whom to unpark.
    thread: Thread,
    /// Woken since the last poll? The thread may be unparked for other reasons too.
    woken: AtomicBool,
}

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        // Release: what the waking side wrote is seen by the next poll; pairs with `swap` below.
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// Polls `future` on this thread until it is done, and sleeps in between.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let (thread, woken) = (thread::current(), AtomicBool::new(false));
    let unpark = Arc::new(Unpark { thread, woken });
    let waker = Waker::from(unpark.clone());
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        // Acquire: pairs with the Release of `wake`.
        while !unpark.woken.swap(false, Ordering::Acquire) {
            thread::park();
        }
    }
}

// ---- a future to wait for ----

/// Done at this instant, when a helper thread has slept for so long. (03 needs no thread.)
struct Nap(Instant);

impl Future for Nap {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let left = self.0.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        thread::spawn(move || {
            thread::sleep(left);
            waker.wake();
        });
        Poll::Pending
    }
}

// ---- the gap, held open on purpose ----

/// One thread sleeps here, another wakes it: once with a token, once without.
#[derive(Default)]
struct Bed {
    /// "Somebody woke you." Unused by the wrong version.
    token: Mutex<bool>,
    /// Where the sleeper sleeps.
    bell: Condvar,
}

/// Polls once, is woken in the gap, and then goes to sleep.
fn gap(with_token: bool) {
    let bed = Arc::new(Bed::default());
    println!("poll 1: Pending");
    println!("(gap: not asleep yet, and just now the helper thread calls wake)");
    let helper = thread::spawn({
        let bed = bed.clone();
        move || {
            *bed.token.lock().unwrap() = with_token;
            bed.bell.notify_one();
        }
    });
    helper.join().unwrap();

    let (token, limit) = (bed.token.lock().unwrap(), Duration::from_millis(200));
    let nobody_came = if with_token {
        // Looks at the token under its lock, so no wake-up fits between the look and the sleep.
        let wait = bed.bell.wait_timeout_while(token, limit, |token| !*token);
        wait.unwrap().1.timed_out()
    } else {
        bed.bell.wait_timeout(token, limit).unwrap().1.timed_out()
    };
    if nobody_came {
        println!("asleep ... for 200 ms, nobody came: the wake-up was lost");
    } else {
        println!("the token is there: no sleep\npoll 2: Ready");
    }
}

fn main() {
    println!("-- 1. wrong: the wake-up only rings, and leaves no trace");
    gap(false);
    println!("-- 2. cured: the wake-up leaves a token, and the sleeper looks for it first");
    gap(true);
    println!("-- 3. the same with std's park and unpark, which carry such a token");
    let output = block_on(async {
        println!("one");
        Nap(Instant::now() + Duration::from_millis(100)).await;
        println!("two, 100 ms later");
        1 + 2
    });
    println!("block_on gave back {output}");
    println!("next: 03-tiny-loop waits for sockets and timers instead of threads");
}
