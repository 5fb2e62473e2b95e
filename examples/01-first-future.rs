//! 01 first-future: a future made by hand, polled by hand.
//!
//! Teaches the whole life of a future: nothing happens before the first `poll`; `Pending` means
//! "I kept your waker and will call it"; only the latest waker counts; and what `Pin` is for.
//!
//! Run: `cargo run --release --example 01-first-future`
//!
//! Expected output:
//!
//! ```text
//! -- 1. a future is lazy
//! made a future: nothing in it has happened, because nobody has polled it
//! A polls: [the block starts] the bell is silent, I keep this poll's waker -> Pending
//! somebody rings the bell: it calls the waker that it kept ...
//! ... waker A was called: A knows it is time to poll again
//! A polls: the bell has rung -> Ready("ding")
//! done: ding, and the block's reference into itself still holds: [1, 2, 3]
//! -- 2. wrong: keep the first waker
//! A polls: the bell is silent, I keep this poll's waker -> Pending
//! (the task moves from executor A to executor B)
//! B polls: the bell is silent, I still have a waker -> Pending
//! somebody rings the bell: it calls the waker that it kept ...
//! ... waker A was called: A knows it is time to poll again
//! B was woken: false (it sleeps for ever, with the future in its hands)
//! -- 3. cured: keep the latest waker
//! A polls: the bell is silent, I keep this poll's waker -> Pending
//! (the task moves from executor A to executor B)
//! B polls: the bell is silent, I keep this poll's waker -> Pending
//! somebody rings the bell: it calls the waker that it kept ...
//! ... waker B was called: B knows it is time to poll again
//! B was woken: true
//! next: 02-block-on polls in a loop, and sleeps until the waker is called
//! ```

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

/// A future that is done when somebody has rung. Clones are the same bell.
#[derive(Clone, Default)]
struct Bell {
    /// Has it rung, and whom to wake when it does. A mutex: any thread may ring.
    state: Arc<Mutex<(bool, Option<Waker>)>>,
    /// Wrong on purpose: later wakers are thrown away.
    keeps_first: bool,
}

impl Future for Bell {
    type Output = &'static str;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'static str> {
        let mut state = self.state.lock().unwrap();
        if state.0 {
            println!("the bell has rung -> Ready(\"ding\")");
            return Poll::Ready("ding");
        }
        if self.keeps_first && state.1.is_some() {
            println!("the bell is silent, I still have a waker -> Pending");
        } else {
            println!("the bell is silent, I keep this poll's waker -> Pending");
            state.1 = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Bell {
    /// Notes the ring first and wakes afterwards. The other way round, the woken executor
    /// might poll before the note is there, and sleep again.
    fn ring(&self) {
        println!("somebody rings the bell: it calls the waker that it kept ...");
        let mut state = self.state.lock().unwrap();
        state.0 = true;
        let waker = state.1.take();
        // A waker is foreign code: it may lock the bell again, so ours is unlocked first.
        drop(state);
        waker.expect("polled before it rings").wake();
    }
}

/// Half an executor: it can poll and be woken, but it does not wait. 02 adds that.
/// It has a letter for the output, and a flag that the waker sets: "poll me again".
struct Executor(char, AtomicBool);

impl Wake for Executor {
    fn wake(self: Arc<Self>) {
        let name = self.0;
        println!("... waker {name} was called: {name} knows it is time to poll again");
        self.1.store(true, Ordering::Relaxed);
    }
}

impl Executor {
    /// One poll. The context carries the waker, and (today) nothing else.
    fn poll<F: Future>(self: &Arc<Self>, future: Pin<&mut F>) -> Poll<F::Output> {
        print!("{} polls: ", self.0);
        future.poll(&mut Context::from_waker(&Waker::from(self.clone())))
    }
}

/// The task moves from A to B while it waits. Is B woken?
fn moves_to_another_executor(keeps_first: bool) -> bool {
    let mut bell = Bell {
        keeps_first,
        ..Bell::default()
    };
    let a = Arc::new(Executor('A', false.into()));
    let b = Arc::new(Executor('B', false.into()));
    let _ = a.poll(Pin::new(&mut bell));
    println!("(the task moves from executor A to executor B)");
    let _ = b.poll(Pin::new(&mut bell));
    bell.ring();
    b.1.load(Ordering::Relaxed)
}

fn main() {
    println!("-- 1. a future is lazy");
    let bell = Bell::default();
    // The block keeps an array over its await, and a reference into it: it points into itself.
    // `pin!` promises that it stays where it is from the first poll on. Before that it may
    // move, since nothing in it has happened and no such reference exists.
    let mut future = pin!(async {
        print!("[the block starts] ");
        let array = [1, 2, 3];
        let inside = &array;
        (bell.clone().await, *inside)
    });
    println!("made a future: nothing in it has happened, because nobody has polled it");
    let a = Arc::new(Executor('A', false.into()));
    let _ = a.poll(future.as_mut());
    bell.ring();
    if let Poll::Ready((sound, array)) = a.poll(future) {
        println!("done: {sound}, and the block's reference into itself still holds: {array:?}");
    }
    println!("-- 2. wrong: keep the first waker");
    let woken = moves_to_another_executor(true);
    println!("B was woken: {woken} (it sleeps for ever, with the future in its hands)");
    println!("-- 3. cured: keep the latest waker");
    println!("B was woken: {}", moves_to_another_executor(false));
    println!("next: 02-block-on polls in a loop, and sleeps until the waker is called");
}
