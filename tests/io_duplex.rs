//! What `duplex` promises.

#[path = "support/script.rs"]
mod script;

use std::io::{ErrorKind, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use script::{Bell, drop_after, poll, run};
use trefoil as rt;
use trefoil::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};

#[test]
fn what_is_written_to_one_end_is_read_from_the_other() {
    let (mut a, mut b) = duplex(64);
    run(a.write_all(b"ping")).unwrap();
    run(b.write_all(b"pong!")).unwrap();
    let mut buf = [0; 8];
    assert_eq!(run(b.read(&mut buf)).unwrap(), 4);
    assert_eq!(&buf[..4], b"ping");
    assert_eq!(run(a.read(&mut buf)).unwrap(), 5);
    assert_eq!(&buf[..5], b"pong!");
}

#[test]
fn a_full_pipe_takes_no_more_until_it_is_read() {
    let (mut a, mut b) = duplex(4);
    assert_eq!(run(a.write(b"abcdef")).unwrap(), 4);
    let (bell, waker) = Bell::new();
    let mut cx = Context::from_waker(&waker);
    let mut write = Box::pin(a.write(b"ef"));
    assert!(write.as_mut().poll(&mut cx).is_pending());
    assert_eq!(bell.rings(), 0);
    assert_eq!(run(b.read_u8()).unwrap(), b'a');
    assert_eq!(bell.rings(), 1, "room wakes the writer");
    assert!(matches!(write.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
    drop(write);
    drop(a);
    let mut rest = Vec::new();
    run(b.read_to_end(&mut rest)).unwrap();
    assert_eq!(rest, b"bcde");
}

#[test]
fn bytes_wake_the_reader() {
    let (mut a, mut b) = duplex(4);
    let (bell, waker) = Bell::new();
    let mut cx = Context::from_waker(&waker);
    let mut buf = [0; 4];
    let mut read = Box::pin(b.read(&mut buf));
    assert!(read.as_mut().poll(&mut cx).is_pending());
    assert!(read.as_mut().poll(&mut cx).is_pending());
    run(a.write_all(b"x")).unwrap();
    assert_eq!(bell.rings(), 1);
    assert!(matches!(read.as_mut().poll(&mut cx), Poll::Ready(Ok(1))));
}

#[test]
fn the_last_waker_counts() {
    let (mut a, mut b) = duplex(4);
    let (first, waker) = Bell::new();
    let mut buf = [0; 4];
    let mut read = Box::pin(b.read(&mut buf));
    assert!(
        read.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    let (second, waker) = Bell::new();
    assert!(
        read.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    run(a.write_all(b"x")).unwrap();
    assert_eq!((first.rings(), second.rings()), (0, 1));
}

#[test]
fn a_dropped_end_is_the_end_after_what_is_left() {
    let (mut a, mut b) = duplex(8);
    run(a.write_all(b"last")).unwrap();
    drop(a);
    let mut bytes = Vec::new();
    assert_eq!(run(b.read_to_end(&mut bytes)).unwrap(), 4);
    assert_eq!(run(b.read(&mut [0; 4])).unwrap(), 0);
    assert_eq!(
        run(b.write(b"x")).unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    assert_eq!(run(b.write(b"")).unwrap_err().kind(), ErrorKind::BrokenPipe);
    run(b.flush()).unwrap();
    run(b.shutdown()).unwrap();
}

#[test]
fn a_drop_wakes_who_waits_at_the_other_end() {
    let (a, mut b) = duplex(1);
    let (bell, waker) = Bell::new();
    let mut cx = Context::from_waker(&waker);
    run(b.write_all(b"x")).unwrap();
    let mut reads = Box::pin(async {
        let (mut reader, mut writer) = rt::io::split(b);
        let mut buf = [0; 1];
        let write = writer.write(b"y");
        let read = reader.read(&mut buf);
        futures_util::future::join(read, write).await
    });
    assert!(reads.as_mut().poll(&mut cx).is_pending());
    drop(a);
    assert_eq!(bell.rings(), 2);
    let Poll::Ready((read, write)) = reads.as_mut().poll(&mut cx) else {
        panic!("still waits")
    };
    assert_eq!(read.unwrap(), 0);
    assert_eq!(write.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

#[test]
fn shutdown_ends_one_direction_only() {
    let (mut a, mut b) = duplex(8);
    run(a.write_all(b"x")).unwrap();
    run(a.shutdown()).unwrap();
    run(a.shutdown()).unwrap();
    assert_eq!(
        run(a.write(b"y")).unwrap_err().kind(),
        ErrorKind::BrokenPipe
    );
    let mut bytes = Vec::new();
    run(b.read_to_end(&mut bytes)).unwrap();
    assert_eq!(bytes, b"x");
    run(b.write_all(b"answer")).unwrap();
    assert_eq!(run(a.read(&mut [0; 8])).unwrap(), 6);
}

#[test]
fn a_vectored_write_fills_the_pipe_from_several_slices() {
    let (mut a, mut b) = duplex(5);
    let slices = [
        IoSlice::new(b"ab"),
        IoSlice::new(b""),
        IoSlice::new(b"cdef"),
    ];
    assert!(a.is_write_vectored());
    assert_eq!(run(a.write_vectored(&slices)).unwrap(), 5);
    let mut write = Box::pin(a.write_vectored(&slices));
    assert!(poll(write.as_mut()).is_pending());
    drop(write);
    assert_eq!(run(a.write_vectored(&[])).unwrap(), 0);
    drop(a);
    let mut bytes = Vec::new();
    run(b.read_to_end(&mut bytes)).unwrap();
    assert_eq!(bytes, b"abcde");
}

#[test]
fn bytes_come_in_order_around_the_end_of_the_ring() {
    let (mut a, mut b) = duplex(7);
    let (mut sent, mut received) = (0, 0);
    for round in 0..100 {
        // The n-th byte has the value n.
        let bytes: Vec<u8> = (sent..=sent + round % 7).map(|i| i as u8).collect();
        if let Poll::Ready(n) = poll(pin!(a.write(&bytes))) {
            sent += n.unwrap();
        }
        let mut buf = [0; 5];
        if let Poll::Ready(n) = poll(pin!(b.read(&mut buf[..=round % 5]))) {
            for byte in &buf[..n.unwrap()] {
                assert_eq!(*byte, received as u8);
                received += 1;
            }
        }
    }
    assert!(received > 50);
}

#[test]
fn empty_reads_and_writes_do_not_wait() {
    let (mut a, mut b) = duplex(1);
    assert_eq!(run(b.read(&mut [])).unwrap(), 0);
    run(a.write_all(b"x")).unwrap();
    assert_eq!(run(a.write(b"")).unwrap(), 0);
    assert_eq!(run(b.read_u8()).unwrap(), b'x');
}

#[test]
#[should_panic(expected = "`max_buf_size` must be greater than 0")]
fn a_pipe_without_room_is_refused() {
    let _ = duplex(0);
}

#[test]
fn a_dropped_read_or_write_moves_no_byte() {
    let (mut a, mut b) = duplex(2);
    drop_after(2, b.read(&mut [0; 4]));
    run(a.write_all(b"ab")).unwrap();
    drop_after(2, a.write(b"cd"));
    drop(a);
    let mut bytes = Vec::new();
    run(b.read_to_end(&mut bytes)).unwrap();
    assert_eq!(bytes, b"ab");
}

/// Rings, and uses the pipe while it does.
struct Nosy(std::sync::Mutex<rt::io::DuplexStream>);

impl std::task::Wake for Nosy {
    fn wake(self: Arc<Self>) {
        let mut end = self.0.lock().unwrap();
        assert!(format!("{end:?}").contains("max_buf_size"));
        let mut buf = [0; 1];
        let mut buf = ReadBuf::new(&mut buf);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let _ = Pin::new(&mut *end).poll_read(&mut cx, &mut buf);
        let _ = Pin::new(&mut *end).poll_write(&mut cx, b"y");
    }
}

#[test]
fn a_waker_may_use_the_pipe_that_wakes_it() {
    let (a, mut b) = duplex(2);
    let nosy = Arc::new(Nosy(std::sync::Mutex::new(a)));
    let waker = nosy.clone().into();
    {
        let mut end = nosy.0.lock().unwrap();
        let mut memory = [0; 1];
        let mut buf = ReadBuf::new(&mut memory);
        let mut cx = Context::from_waker(&waker);
        assert!(
            Pin::new(&mut *end)
                .poll_read(&mut cx, &mut buf)
                .is_pending()
        );
    }
    run(b.write_all(b"x")).unwrap();
    assert_eq!(run(b.read_u8()).unwrap(), b'y');
}

#[test]
fn a_busy_pair_lets_other_tasks_run() {
    let runtime = rt::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let task = rt::spawn(async {
            let (mut a, mut b) = duplex(8);
            loop {
                a.write_all(b"x").await.unwrap();
                b.read_u8().await.unwrap();
            }
        });
        for _ in 0..10 {
            rt::task::yield_now().await;
        }
        task.abort();
        let error: rt::task::JoinError = task.await.unwrap_err();
        assert!(error.is_cancelled());
    });
}

#[test]
fn two_tasks_talk_over_a_small_pipe() {
    let runtime = rt::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (mut a, mut b) = duplex(3);
        let echo = rt::spawn(async move {
            let mut buf = [0; 2];
            loop {
                match b.read(&mut buf).await.unwrap() {
                    0 => return b.shutdown().await.unwrap(),
                    n => b.write_all(&buf[..n]).await.unwrap(),
                }
            }
        });
        for i in 0..200u32 {
            a.write_u32(i).await.unwrap();
            assert_eq!(a.read_u32().await.unwrap(), i);
        }
        a.shutdown().await.unwrap();
        assert_eq!(a.read(&mut [0; 1]).await.unwrap(), 0);
        echo.await.unwrap();
    });
}
