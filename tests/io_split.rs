//! What `split` and its halves promise.

#[path = "support/script.rs"]
mod script;

use std::pin::Pin;
use std::task::{Context, Poll};

use script::{Call, Script, Step, give, poll, run};
use trefoil as rt;
use trefoil::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, split};

#[test]
fn each_half_reaches_the_stream() {
    let script = Script {
        vectored: true,
        ..Script::reading([give("abc")])
    };
    let (mut reader, mut writer) = split(script);
    assert_eq!(run(reader.read_u8()).unwrap(), b'a');
    run(writer.write_all(b"x")).unwrap();
    run(writer.flush()).unwrap();
    run(writer.shutdown()).unwrap();
    assert!(writer.is_write_vectored());
    assert_eq!(run(reader.read_u16()).unwrap(), u16::from_be_bytes(*b"bc"));
    let script = reader.unsplit(writer);
    assert_eq!(
        script.calls,
        [Call::Write(b"x".to_vec()), Call::Flush, Call::Shutdown]
    );
}

#[test]
fn a_half_that_waits_does_not_hold_up_the_other() {
    let (mut reader, mut writer) = split(Script::reading([Step::Never]));
    let mut buf = [0; 1];
    let mut read = Box::pin(reader.read(&mut buf));
    assert!(poll(read.as_mut()).is_pending());
    run(writer.write_all(b"x")).unwrap();
    assert!(poll(read.as_mut()).is_pending());
}

#[test]
fn halves_know_their_pair() {
    let (reader, writer) = split(Script::default());
    let (other_reader, other_writer) = split(Script::default());
    assert!(reader.is_pair_of(&writer) && writer.is_pair_of(&reader));
    assert!(!reader.is_pair_of(&other_writer) && !writer.is_pair_of(&other_reader));
    reader.unsplit(writer);
    other_reader.unsplit(other_writer);
}

#[test]
#[should_panic(expected = "different streams")]
fn unsplit_refuses_strangers() {
    let (reader, _writer) = split(Script::default());
    let (_reader, writer) = split(Script::default());
    reader.unsplit(writer);
}

#[test]
fn the_stream_is_dropped_with_its_last_half() {
    let (stream, mut other) = rt::io::duplex(8);
    let (reader, mut writer) = split(stream);
    drop(reader);
    run(writer.write_all(b"x")).unwrap();
    drop(writer);
    let mut bytes = Vec::new();
    run(other.read_to_end(&mut bytes)).unwrap();
    assert_eq!(bytes, b"x");
}

#[test]
fn halves_work_in_two_threads() {
    let (a, b) = rt::io::duplex(7);
    let (mut a_reader, mut a_writer) = split(a);
    let (mut b_reader, mut b_writer) = split(b);
    let bytes: Vec<u8> = (0..20_000).map(|i| (i % 251) as u8).collect();
    let executor = futures_executor();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            executor(Box::pin(async {
                a_writer.write_all(&bytes).await.unwrap()
            }))
        });
        scope.spawn(|| {
            executor(Box::pin(async {
                let mut all = vec![0; bytes.len()];
                b_reader.read_exact(&mut all).await.unwrap();
                b_writer.write_all(&all).await.unwrap();
            }));
        });
        executor(Box::pin(async {
            let mut all = vec![0; bytes.len()];
            a_reader.read_exact(&mut all).await.unwrap();
            assert_eq!(all, bytes);
        }));
    });
}

/// Polls on this thread and parks in between.
fn futures_executor() -> impl Fn(Pin<Box<dyn Future<Output = ()> + '_>>) + Sync {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    |mut future| {
        let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
        while future
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            std::thread::park();
        }
    }
}

/// Panics at its first read.
struct Panics(bool);

impl AsyncRead for Panics {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<rt::io::Result<()>> {
        assert!(std::mem::replace(&mut self.0, true), "first read");
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Panics {
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
fn a_poll_that_panics_leaves_both_halves_usable() {
    let (mut reader, mut writer) = split(Panics(false));
    let read = std::panic::AssertUnwindSafe(|| run(reader.read(&mut [0; 1])));
    assert!(std::panic::catch_unwind(read).is_err());
    run(writer.write_all(b"x")).unwrap();
    assert_eq!(run(reader.read(&mut [0; 1])).unwrap(), 0);
    reader.unsplit(writer);
}
