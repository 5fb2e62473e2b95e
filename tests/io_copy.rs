//! What `copy` promises.

#[path = "support/script.rs"]
mod script;

use std::io::ErrorKind;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use script::{Call, Script, Step, give, poll, run};
use trefoil as rt;
use trefoil::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, ReadBuf, copy};

#[test]
fn copy_moves_everything_and_flushes() {
    let mut reader = Script::reading([give("ab"), Step::Later, give(vec![b'x'; 20_000])]);
    let mut writer = Script::writing([Step::Later, Step::Take(1), Step::Later]);
    assert_eq!(run(copy(&mut reader, &mut writer)).unwrap(), 20_002);
    assert_eq!(writer.written().len(), 20_002);
    assert_eq!(&writer.written()[..3], b"abx");
    assert_eq!(writer.calls.last(), Some(&Call::Flush));
    assert!(!writer.calls.contains(&Call::Shutdown));
}

#[test]
fn copy_of_nothing_is_nothing() {
    let mut writer = Script::default();
    assert_eq!(run(copy(&mut &b""[..], &mut writer)).unwrap(), 0);
    assert_eq!(writer.written(), b"");
}

#[test]
fn copy_flushes_when_the_reader_has_to_wait() {
    let mut reader = Script::reading([give("ping"), Step::Never]);
    let mut writer = BufWriter::new(Script::default());
    let mut future = Box::pin(copy(&mut reader, &mut writer));
    assert!(poll(future.as_mut()).is_pending());
    assert!(poll(future.as_mut()).is_pending());
    drop(future);
    let calls = &writer.get_ref().calls;
    assert_eq!(
        *calls,
        [Call::Write(b"ping".to_vec()), Call::Flush],
        "and it flushes once"
    );
}

#[test]
fn copy_goes_on_flushing_after_a_wait() {
    let mut reader = Script::reading([give("a"), Step::Never]);
    let mut writer = Script {
        flushes: [Step::Later, Step::Later].into(),
        ..Script::default()
    };
    let mut future = Box::pin(copy(&mut reader, &mut writer));
    for _ in 0..4 {
        assert!(poll(future.as_mut()).is_pending());
    }
    drop(future);
    assert_eq!(writer.calls, [Call::Write(b"a".to_vec()), Call::Flush]);
}

#[test]
fn copy_reads_on_while_the_writer_waits() {
    let mut reader = Script::reading([give("a"), give("b"), give("c"), Step::Never]);
    let mut writer = Script::writing(vec![Step::Later; 4]);
    let mut future = Box::pin(copy(&mut reader, &mut writer));
    for _ in 0..3 {
        assert!(poll(future.as_mut()).is_pending());
    }
    drop(future);
    assert_eq!(writer.write_sizes(), [3], "one write takes all three");
}

#[test]
fn copy_stops_reading_when_the_buffer_is_full() {
    let mut reader = Script::reading([give(vec![1; 100_000])]);
    let mut writer = Script::writing([Step::Never]);
    let mut future = Box::pin(copy(&mut reader, &mut writer));
    for _ in 0..10 {
        assert!(poll(future.as_mut()).is_pending());
    }
    drop(future);
    assert_eq!(reader.offers, [8 * 1024]);
}

#[test]
fn copy_ends_with_the_first_error_of_either_side() {
    let mut reader = Script::reading([give("a"), Step::Fail(ErrorKind::TimedOut)]);
    let error = run(copy(&mut reader, &mut Script::default())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);

    let mut writer = Script::writing([Step::Fail(ErrorKind::BrokenPipe)]);
    let mut reader = Script::reading([give("a"), Step::Never]);
    let error = run(copy(&mut reader, &mut writer)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);

    let mut writer = Script::writing([Step::Take(0)]);
    let error = run(copy(&mut &b"a"[..], &mut writer)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteZero);
}

#[test]
fn a_read_error_is_told_while_the_writer_waits() {
    let mut reader = Script::reading([give("a"), Step::Fail(ErrorKind::TimedOut)]);
    let mut writer = Script::writing([Step::Never]);
    let error = run(copy(&mut reader, &mut writer)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[test]
fn copy_runs_between_two_duplexes() {
    let (mut client, mut proxy_in) = rt::io::duplex(16);
    let (mut proxy_out, mut server) = rt::io::duplex(3);
    let text = "something longer than both of the pipes";
    let sends = async {
        client.write_all(text.as_bytes()).await?;
        client.shutdown().await
    };
    let copies = async {
        let n = copy(&mut proxy_in, &mut proxy_out).await?;
        proxy_out.shutdown().await?;
        rt::io::Result::Ok(n)
    };
    let receives = async {
        let mut received = String::new();
        rt::io::AsyncReadExt::read_to_string(&mut server, &mut received).await?;
        rt::io::Result::Ok(received)
    };
    let (sent, copied, received) = run(futures_util::future::join3(sends, copies, receives));
    sent.unwrap();
    assert_eq!(
        (copied.unwrap() as usize, received.unwrap().as_str()),
        (text.len(), text)
    );
}

/// A reader that always has bytes, and a writer that always takes them.
struct Endless;

impl AsyncRead for Endless {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<rt::io::Result<()>> {
        buf.put_slice(b"x");
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<rt::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<rt::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<rt::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn an_endless_copy_lets_other_tasks_run() {
    let runtime = rt::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let task = rt::spawn(async { copy(&mut Endless, &mut Endless).await });
        for _ in 0..10 {
            rt::task::yield_now().await;
        }
        task.abort();
        assert!(task.await.unwrap_err().is_cancelled());
    });
}

#[test]
fn copy_takes_unsized_streams() {
    let mut reader = &b"abc"[..];
    let reader: &mut (dyn AsyncRead + Unpin) = &mut reader;
    let mut writer = Vec::new();
    let sink: &mut (dyn AsyncWrite + Unpin) = &mut writer;
    assert_eq!(run(copy(reader, sink)).unwrap(), 3);
    assert_eq!(writer, b"abc");
    let mut reader = &b"d"[..];
    let future = pin!(copy(&mut reader, &mut writer));
    assert!(matches!(poll(future), Poll::Ready(Ok(1))));
}
