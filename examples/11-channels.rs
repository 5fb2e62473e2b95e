//! 11 channels: four ways to hand something to another task.
//!
//! Teaches which is for what: `mpsc` a queue of work, and what happens when the work comes faster
//! than it is done; `oneshot` one answer; `watch` the latest value only; `broadcast` everything
//! to everybody, and who is slow is told so.
//!
//! Run: `cargo run --release --example 11-channels`
//!
//! Expected output:
//!
//! ```text
//! -- 1. wrong: a queue without a limit, and a producer that is faster
//! 1000 jobs made, 10 done, 990 wait in memory, and tomorrow a million
//! -- 2. cured: room for 8; the producer waits for the consumer
//! 18 jobs made, 10 done, 8 wait: that is backpressure
//! -- 3. oneshot: a question, and one answer
//! 6 times 7 is 42
//! nobody will answer: is_err() is true
//! -- 4. watch: the latest value, for whoever looks
//! display: 1 degrees
//! display: 100 degrees, the 98 between were nobody's business
//! -- 5. broadcast: everything for everybody, the last 4 kept for the slow
//! quick: 1 2 3 4 5 6
//! slow: missed 2, then 3 4 5 6
//! next: 12-chat connects people with one of the four
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rt::sync::broadcast::error::RecvError::{Closed, Lagged};
use rt::sync::{broadcast, mpsc, oneshot, watch};
use rt::task::yield_now;

#[rt::main(flavor = "current_thread")]
async fn main() {
    println!("-- 1. wrong: a queue without a limit, and a producer that is faster");
    let (jobs, mut work) = mpsc::unbounded_channel();
    // `send` has no await here: nothing ever holds the producer back.
    let producer = rt::spawn(async move { (1..=1000).for_each(|job| jobs.send(job).unwrap()) });
    producer.await.unwrap();
    for _ in 0..10 {
        work.recv().await.unwrap();
    }
    let wait = work.len();
    println!("1000 jobs made, 10 done, {wait} wait in memory, and tomorrow a million");

    println!("-- 2. cured: room for 8; the producer waits for the consumer");
    static MADE: AtomicU32 = AtomicU32::new(0);
    let (jobs, mut work) = mpsc::channel(8);
    rt::spawn(async move {
        // Waits while 8 are in the channel; ends when there is no receiver any more.
        while jobs.send(MADE.load(Relaxed) + 1).await.is_ok() {
            MADE.fetch_add(1, Relaxed);
        }
    });
    for _ in 0..10 {
        work.recv().await.unwrap();
    }
    settle().await;
    let (made, wait) = (MADE.load(Relaxed), work.len());
    println!("{made} jobs made, 10 done, {wait} wait: that is backpressure");
    drop(work);

    println!("-- 3. oneshot: a question, and one answer");
    // The question carries the way back with it, so any number may ask the same task.
    let (ask, mut asked) = mpsc::channel::<(u32, u32, oneshot::Sender<u32>)>(8);
    rt::spawn(async move {
        while let Some((a, b, reply)) = asked.recv().await {
            // An error means that who asked has left: then there is nobody to tell.
            let _ = reply.send(a * b);
        }
    });
    let (reply, answer) = oneshot::channel();
    ask.send((6, 7, reply)).await.unwrap();
    println!("6 times 7 is {}", answer.await.unwrap());
    // One that is dropped is an answer too: nobody waits for ever.
    let (reply, answer) = oneshot::channel::<u32>();
    drop(reply);
    println!("nobody will answer: is_err() is {}", answer.await.is_err());

    println!("-- 4. watch: the latest value, for whoever looks");
    let (thermometer, mut display) = watch::channel(0);
    let reader = rt::spawn(async move {
        display.changed().await.unwrap();
        println!("display: {} degrees", *display.borrow_and_update());
        settle().await;
        display.changed().await.unwrap();
        let degrees = *display.borrow_and_update();
        println!("display: {degrees} degrees, the 98 between were nobody's business");
    });
    yield_now().await;
    thermometer.send(1).unwrap();
    yield_now().await;
    for degrees in 2..=100 {
        thermometer.send(degrees).unwrap();
    }
    reader.await.unwrap();

    println!("-- 5. broadcast: everything for everybody, the last 4 kept for the slow");
    let (news, quick) = broadcast::channel(4);
    let slow = news.subscribe();
    let quick = rt::spawn(listen("quick", quick));
    for number in 1..=6 {
        // Never waits: a channel that did would be as slow as its slowest listener.
        news.send(number).unwrap();
        settle().await;
    }
    drop(news);
    quick.await.unwrap();
    // This one begins to listen only now.
    listen("slow", slow).await;
    println!("next: 12-chat connects people with one of the four");
}

/// Takes until the channel has been closed and is empty; then says what came.
async fn listen(name: &str, mut news: broadcast::Receiver<u32>) {
    let mut heard = String::new();
    loop {
        match news.recv().await {
            Ok(number) => heard += &format!(" {number}"),
            Err(Lagged(missed)) => heard += &format!(" missed {missed}, then"),
            Err(Closed) => break,
        }
    }
    println!("{name}:{heard}");
}

/// Lets the other tasks run until all of them wait.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}
