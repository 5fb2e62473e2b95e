//! Pipes, with a name and without.

#[path = "support/unix.rs"]
mod unix;

use std::fs::File;
use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::pin;
use std::process::Stdio;
use std::task::Poll;

use rt::io::{AsyncReadExt, AsyncWriteExt, Interest};
use rt::net::unix::pipe::{self, OpenOptions, Receiver, Sender};
use trefoil as rt;
use unix::{TempPath, both, poll};

#[test]
fn a_pipe_carries_bytes_and_its_end() {
    both(|| async {
        let (mut tx, mut rx) = pipe::pipe().unwrap();
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| (n % 251) as u8).collect();
        let expected = bytes.clone();
        let writer = rt::spawn(async move {
            tx.write_all(&bytes).await.unwrap();
            tx.flush().await.unwrap();
            // A pipe has no shutdown: the end is the drop.
            tx.shutdown().await.unwrap();
            tx.write_all(b"!").await.unwrap();
        });
        let mut all = Vec::new();
        rx.read_to_end(&mut all).await.unwrap();
        writer.await.unwrap();
        assert_eq!(all.pop(), Some(b'!'));
        assert!(all == expected);
        assert_eq!(rx.read(&mut [0; 1]).await.unwrap(), 0, "and it stays");
    });
}

#[test]
fn a_pipe_without_readers_breaks() {
    both(|| async {
        let (mut tx, rx) = pipe::pipe().unwrap();
        // Fill it, so that the writer waits.
        while tx.try_write(&[0; 4096]).is_ok() {}
        let waits = rt::spawn(async move { (tx.write_all(b"x").await, tx) });
        rt::task::yield_now().await;
        drop(rx);
        let (result, tx) = waits.await.unwrap();
        assert_eq!(result.unwrap_err().kind(), ErrorKind::BrokenPipe);
        let ready = tx.ready(Interest::WRITABLE).await.unwrap();
        assert!(ready.is_write_closed());
        assert_eq!(
            tx.try_write(b"x").unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
    });
}

#[test]
fn a_waiting_reader_sees_the_end() {
    both(|| async {
        let (tx, mut rx) = pipe::pipe().unwrap();
        let waits = rt::spawn(async move { (rx.read(&mut [0; 1]).await, rx) });
        rt::task::yield_now().await;
        drop(tx);
        let (result, rx) = waits.await.unwrap();
        assert_eq!(result.unwrap(), 0);
        assert!(rx.ready(Interest::READABLE).await.unwrap().is_read_closed());
    });
}

#[test]
fn nothing_is_tried_before_it_is_ready() {
    both(|| async {
        let (tx, rx) = pipe::pipe().unwrap();
        let mut buf = [0; 4];
        let none = |error: rt::io::Error| assert_eq!(error.kind(), ErrorKind::WouldBlock);
        none(rx.try_read(&mut buf).unwrap_err());
        none(
            rx.try_read_vectored(&mut [IoSliceMut::new(&mut buf)])
                .unwrap_err(),
        );
        none(rx.try_read_buf(&mut Vec::new()).unwrap_err());
        none(rx.try_io(|| Ok(1)).unwrap_err());
        assert!(poll(pin!(rx.readable())).is_pending());
        tx.writable().await.unwrap();
        std::future::poll_fn(|cx| tx.poll_write_ready(cx))
            .await
            .unwrap();
        assert_eq!(tx.try_write(b"abc").unwrap(), 3);
        let slices = [IoSlice::new(b"de"), IoSlice::new(b"fgh")];
        assert_eq!(tx.try_write_vectored(&slices).unwrap(), 5);
        rx.readable().await.unwrap();
        std::future::poll_fn(|cx| rx.poll_read_ready(cx))
            .await
            .unwrap();
        assert!(rx.ready(Interest::READABLE).await.unwrap().is_readable());
        assert_eq!(rx.try_read(&mut buf[..1]).unwrap(), 1);
        let (mut one, mut two) = ([0; 1], [0; 2]);
        let mut slices = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(rx.try_read_vectored(&mut slices).unwrap(), 3);
        let mut spare = Vec::with_capacity(16);
        assert_eq!(rx.try_read_buf(&mut spare).unwrap(), 4);
        assert_eq!(
            (buf[0], one, two, &*spare),
            (b'a', *b"b", *b"cd", &b"efgh"[..])
        );
        none(rx.try_read(&mut buf).unwrap_err());
        assert_eq!(tx.try_io(|| Ok(1)).unwrap(), 1);
        none(
            tx.try_io(|| -> rt::io::Result<()> { Err(ErrorKind::WouldBlock.into()) })
                .unwrap_err(),
        );
        none(tx.try_io(|| Ok(1)).unwrap_err());
    });
}

#[test]
fn a_full_pipe_is_writable_again_once_it_is_read() {
    both(|| async {
        let (mut tx, mut rx) = pipe::pipe().unwrap();
        let mut sent = 0;
        while let Ok(n) = tx.try_write(&[7; 5000]) {
            sent += n;
        }
        assert!(poll(pin!(tx.writable())).is_pending());
        assert!(poll(pin!(tx.write(b"dropped"))).is_pending());
        let mut all = vec![0; sent];
        rx.read_exact(&mut all).await.unwrap();
        assert!(all.iter().all(|byte| *byte == 7));
        tx.write_all(b"after").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(rx.read(&mut buf).await.unwrap(), 5);
    });
}

#[test]
fn a_write_of_many_slices_is_done_in_several_calls() {
    both(|| async {
        let (mut tx, mut rx) = pipe::pipe().unwrap();
        let slices = vec![IoSlice::new(b"x"); 3000];
        assert!(rt::io::AsyncWrite::is_write_vectored(&tx));
        let mut left = 3000;
        while left > 0 {
            let n = tx.write_vectored(&slices[..left]).await.unwrap();
            assert!(n > 0);
            left -= n;
        }
        let mut all = vec![0; 3000];
        rx.read_exact(&mut all).await.unwrap();
    });
}

#[test]
fn a_dropped_read_takes_nothing() {
    both(|| async {
        let (mut tx, mut rx) = pipe::pipe().unwrap();
        let mut buf = [0; 4];
        for _ in 0..3 {
            assert!(poll(pin!(rx.read(&mut buf))).is_pending());
            assert!(poll(pin!(rx.ready(Interest::READABLE))).is_pending());
        }
        tx.write_all(b"abcd").await.unwrap();
        rx.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"abcd");
    });
}

#[test]
fn ends_go_to_a_child_process_and_come_back() {
    both(|| async {
        let (tx, mut rx) = pipe::pipe().unwrap();
        let stdout = Stdio::from(tx.into_blocking_fd().unwrap());
        // A block: the command keeps a copy of the descriptor as long as it lives.
        let mut child = {
            let mut command = std::process::Command::new("echo");
            command.arg("hello").stdout(stdout).spawn().unwrap()
        };
        let mut text = String::new();
        rx.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "hello\n");
        assert!(child.wait().unwrap().success());

        let (tx, rx) = pipe::pipe().unwrap();
        let mut read = File::from(rx.into_nonblocking_fd().unwrap());
        let error = read.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let mut write = File::from(tx.into_nonblocking_fd().unwrap());
        while write.write(&[0; 4096]).is_ok() {}
        let (_tx, rx) = pipe::pipe().unwrap();
        assert!(rx.into_blocking_fd().unwrap().as_raw_fd() >= 0);
    });
}

#[test]
fn files_and_descriptors_are_checked() {
    both(|| async {
        let ends = || {
            let (read, write) = std::io::pipe().unwrap();
            (OwnedFd::from(read), OwnedFd::from(write))
        };
        let (read, write) = ends();
        let mut rx = Receiver::from_owned_fd(read).unwrap();
        let mut tx = Sender::from_owned_fd(write).unwrap();
        tx.write_all(b"x").await.unwrap();
        assert_eq!(rx.read_u8().await.unwrap(), b'x');

        let invalid = |error: rt::io::Error| assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let (read, write) = ends();
        invalid(Sender::from_owned_fd(read).unwrap_err());
        invalid(Receiver::from_owned_fd(write).unwrap_err());
        let (read, write) = ends();
        invalid(Sender::from_file(read.into()).unwrap_err());
        invalid(Receiver::from_file(write.into()).unwrap_err());
        let null = || {
            File::options()
                .read(true)
                .write(true)
                .open("/dev/null")
                .unwrap()
        };
        invalid(Sender::from_file(null()).unwrap_err());
        invalid(Receiver::from_file(null()).unwrap_err());

        // Unchecked ones are taken as they are.
        let (tx, rx) = pipe::pipe().unwrap();
        let (tx, rx) = (
            tx.into_nonblocking_fd().unwrap(),
            rx.into_nonblocking_fd().unwrap(),
        );
        let mut tx = Sender::from_owned_fd_unchecked(tx).unwrap();
        let mut rx = Receiver::from_file_unchecked(rx.into()).unwrap();
        tx.write_all(b"y").await.unwrap();
        assert_eq!(rx.read_u8().await.unwrap(), b'y');
        let tx = Sender::from_file_unchecked(tx.into_nonblocking_fd().unwrap().into()).unwrap();
        let rx = Receiver::from_owned_fd_unchecked(rx.into_nonblocking_fd().unwrap()).unwrap();
        assert_ne!(tx.as_raw_fd(), rx.as_raw_fd());
        assert_ne!(tx.as_fd().as_raw_fd(), rx.as_fd().as_raw_fd());
        assert!(format!("{tx:?}").starts_with("Sender"));
        assert!(format!("{rx:?}").starts_with("Receiver"));
    });
}

#[test]
fn a_fifo_is_opened_without_waiting() {
    both(|| async {
        let fifo = TempPath::fifo();
        let error = OpenOptions::new().open_sender(&fifo.0).unwrap_err();
        const ENXIO: i32 = 6;
        assert_eq!(error.raw_os_error(), Some(ENXIO), "nobody reads");
        let mut rx = OpenOptions::new().open_receiver(&fifo.0).unwrap();
        assert!(
            poll(pin!(rx.read(&mut [0; 1]))).is_pending(),
            "nobody writes yet"
        );
        let mut tx = OpenOptions::new().open_sender(&fifo.0).unwrap();
        tx.write_all(b"x").await.unwrap();
        assert_eq!(rx.read_u8().await.unwrap(), b'x');
        drop(tx);
        assert_eq!(rx.read(&mut [0; 1]).await.unwrap(), 0);

        // The next writer: the end is over.
        let mut tx = OpenOptions::new().open_sender(&fifo.0).unwrap();
        tx.write_all(b"y").await.unwrap();
        assert_eq!(rx.read_u8().await.unwrap(), b'y');
        assert!(poll(pin!(rx.read(&mut [0; 1]))).is_pending());
        let waits = rt::spawn(async move { rx.read_u8().await });
        rt::task::yield_now().await;
        tx.write_all(b"z").await.unwrap();
        assert_eq!(waits.await.unwrap().unwrap(), b'z');
    });
}

#[test]
fn an_end_opened_for_both_directions_is_its_own_other_end() {
    both(|| async {
        let fifo = TempPath::fifo();
        let mut options = OpenOptions::new();
        options.read_write(true);
        let mut tx = options.open_sender(&fifo.0).unwrap();
        tx.write_all(b"early").await.unwrap();
        let mut rx = options.open_receiver(&fifo.0).unwrap();
        let mut buf = [0; 5];
        rx.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"early");
        drop(tx);
        assert!(poll(pin!(rx.read(&mut buf))).is_pending(), "no end");
        let mut tx = OpenOptions::new().open_sender(&fifo.0).unwrap();
        tx.write_all(b"x").await.unwrap();
        assert_eq!(rx.read_u8().await.unwrap(), b'x');
    });
}

#[test]
fn what_is_no_fifo_is_refused_unless_nobody_looks() {
    both(|| async {
        let path = TempPath::new();
        let error = OpenOptions::new().open_receiver(&path.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        std::fs::write(&path.0, "plain").unwrap();
        for open in [
            OpenOptions::new().open_receiver(&path.0).map(drop),
            OpenOptions::new().open_sender(&path.0).map(drop),
        ] {
            assert_eq!(open.unwrap_err().kind(), ErrorKind::InvalidInput);
        }
        // epoll does not take a plain file: that is the next one who refuses.
        let unchecked = OpenOptions::new().unchecked(true).open_receiver(&path.0);
        assert_eq!(unchecked.unwrap_err().kind(), ErrorKind::PermissionDenied);
        let fifo = TempPath::fifo();
        let _rx = OpenOptions::new()
            .unchecked(true)
            .open_receiver(&fifo.0)
            .unwrap();
        let _tx = OpenOptions::default()
            .unchecked(true)
            .open_sender(&fifo.0)
            .unwrap();
    });
}

#[test]
fn pipes_outside_of_a_runtime_say_what_is_missing() {
    let text = |result: std::thread::Result<()>| {
        let panic = result.unwrap_err();
        *panic.downcast::<String>().unwrap()
    };
    let outside = text(std::panic::catch_unwind(|| drop(pipe::pipe())));
    assert!(outside.contains("runtime"), "{outside}");
    let rt = rt::runtime::Builder::new_current_thread().build().unwrap();
    let without = text(std::panic::catch_unwind(std::panic::AssertUnwindSafe(
        || rt.block_on(async { drop(pipe::pipe()) }),
    )));
    assert!(without.contains("enable_io"), "{without}");
}

#[test]
fn pipes_that_outlive_their_runtime_fail_and_say_so() {
    let rt = rt::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (tx, mut rx) = rt.block_on(async { pipe::pipe().unwrap() });
    let mut buf = [0; 4];
    let mut waits = pin!(rx.read(&mut buf));
    assert!(poll(waits.as_mut()).is_pending());
    drop(rt);
    let Poll::Ready(Err(error)) = poll(waits) else {
        panic!("it still waits")
    };
    assert!(rt::runtime::is_rt_shutdown_err(&error));
    let error = tx.try_write(b"x").unwrap_err();
    assert!(rt::runtime::is_rt_shutdown_err(&error));
}
