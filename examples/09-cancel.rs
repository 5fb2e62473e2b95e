//! 09 cancel: to cancel a future is to drop it, at the await where it is.
//!
//! Teaches what that means: the lines after the await never run, destructors do. So a future
//! that has taken something and is dropped before it gave it on loses it (the loser of a
//! `select!`). And how to end a task politely: with a token that it looks at itself.
//!
//! Run: `cargo run --release --example 09-cancel`
//!
//! Expected output:
//!
//! ```text
//! -- 1. abort drops the future at its await
//! task: I hold a guard, and wait for ever
//! guard: dropped
//! joined: is_cancelled() is true, the line after the await never ran
//! -- 2. wrong: the loser of a select! has read half, and is dropped with it
//! reader: nothing complete yet, I do something else and ask again
//! reader: got "cdef": "ab" was in the future that was dropped
//! -- 3. first cure: keep the future, and poll the same one again
//! reader: nothing complete yet, I do something else and ask again
//! reader: got "abcd"
//! -- 4. second cure: a cancel-safe future, which takes nothing before it is ready
//! reader: got "ab" so far
//! reader: nothing complete yet, I do something else and ask again
//! reader: got "abcdef" so far
//! -- 5. politely: a token, and the task chooses where it ends
//! worker: one piece done
//! worker: one piece done
//! main: please end
//! worker: told to end, puts its work away first
//! main: the worker is gone, it had done 2 pieces
//! next: 11-channels has four ways to hand something to another task
//! ```

use trefoil as rt; // tokio too, with its CancellationToken from the crate tokio-util

use std::future::pending;
use std::time::Duration;

use rt::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use rt::sync::CancellationToken;
use rt::time::sleep;

/// Says when it is dropped.
struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        println!("guard: dropped");
    }
}

/// A peer that sends "ab", pauses, and sends "cdef". The reader wants pieces of 4 bytes.
fn peer() -> DuplexStream {
    let (ours, mut theirs) = duplex(64);
    rt::spawn(async move {
        theirs.write_all(b"ab").await?;
        sleep(Duration::from_millis(300)).await;
        theirs.write_all(b"cdef").await
    });
    ours
}

/// The reader's patience: shorter than the peer's pause, so that it runs out exactly once.
async fn patience() {
    sleep(Duration::from_millis(200)).await;
    println!("reader: nothing complete yet, I do something else and ask again");
}

#[rt::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    println!("-- 1. abort drops the future at its await");
    let task = rt::spawn(async {
        let _guard = Guard;
        println!("task: I hold a guard, and wait for ever");
        pending::<()>().await;
        println!("this line never runs");
    });
    rt::task::yield_now().await;
    task.abort();
    let error = task.await.expect_err("it was aborted");
    let cancelled = error.is_cancelled();
    println!("joined: is_cancelled() is {cancelled}, the line after the await never ran");

    println!("-- 2. wrong: the loser of a select! has read half, and is dropped with it");
    let (mut stream, mut four) = (peer(), [0; 4]);
    loop {
        // `read_exact` is made anew in each round, and the bytes it has counted go with it.
        rt::select! {
            result = stream.read_exact(&mut four) => { result?; break }
            () = patience() => {}
        }
    }
    let got = str::from_utf8(&four).unwrap();
    println!("reader: got {got:?}: \"ab\" was in the future that was dropped");

    println!("-- 3. first cure: keep the future, and poll the same one again");
    let (mut stream, mut four) = (peer(), [0; 4]);
    let mut read = Box::pin(stream.read_exact(&mut four));
    loop {
        rt::select! {
            result = &mut read => { result?; break }
            () = patience() => {}
        }
    }
    drop(read);
    println!("reader: got {:?}", str::from_utf8(&four).unwrap());

    println!("-- 4. second cure: a cancel-safe future, which takes nothing before it is ready");
    let (mut stream, mut bytes) = (peer(), Vec::new());
    while bytes.len() < 4 {
        rt::select! {
            // `read_buf` and `read` take what is there, at once, or nothing. What is safe to
            // drop is written under "Cancel safety" in each method's documentation.
            result = stream.read_buf(&mut bytes) => {
                result?;
                println!("reader: got {:?} so far", str::from_utf8(&bytes).unwrap());
            }
            () = patience() => {}
        }
    }

    println!("-- 5. politely: a token, and the task chooses where it ends");
    let token = CancellationToken::new();
    let worker = rt::spawn(work(token.clone()));
    sleep(Duration::from_millis(500)).await;
    println!("main: please end");
    token.cancel();
    let pieces = worker.await?;
    println!("main: the worker is gone, it had done {pieces} pieces");
    println!("next: 11-channels has four ways to hand something to another task");
    Ok(())
}

/// Works until it is told to end, and ends between two pieces, never within one.
async fn work(token: CancellationToken) -> u32 {
    let mut pieces = 0;
    loop {
        rt::select! {
            () = token.cancelled() => break,
            () = sleep(Duration::from_millis(200)) => {}
        }
        pieces += 1;
        println!("worker: one piece done");
    }
    println!("worker: told to end, puts its work away first");
    pieces
}
