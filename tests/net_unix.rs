//! Unix sockets: paths, abstract names, pairs, halves.

use std::future::Future;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Waker};

use rt::io::{AsyncReadExt, AsyncWriteExt, Interest};
use rt::net::{UnixListener, UnixStream};
use rt::runtime::Builder;
use trefoil as rt;

/// Runs a test on both kinds of runtime.
fn both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test());
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test());
}

/// A path that nobody else uses; the file is removed on drop.
struct TempPath(PathBuf);

impl TempPath {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("trefoil-unix-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_listener_at_a_path_accepts() {
    both(|| async {
        let path = TempPath::new();
        let error = UnixStream::connect(&path.0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let listener = UnixListener::bind(&path.0).unwrap();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path.0));
        let error = UnixListener::bind(&path.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let mut client = UnixStream::connect(&path.0).await.unwrap();
        assert_eq!(client.peer_addr().unwrap().as_pathname(), Some(&*path.0));
        let (mut server, peer) = listener.accept().await.unwrap();
        assert!(peer.is_unnamed());
        client.write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        server.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
        assert!(listener.take_error().unwrap().is_none());
        let again = UnixStream::connect_addr(&listener.local_addr().unwrap())
            .await
            .unwrap();
        drop((again, listener.accept().await.unwrap()));
    });
}

#[test]
fn an_abstract_name_needs_no_file() {
    both(|| async {
        use std::os::linux::net::SocketAddrExt;
        let name = format!(
            "trefoil-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        );
        let addr = std::os::unix::net::SocketAddr::from_abstract_name(name.as_bytes()).unwrap();
        let listener = UnixListener::bind_addr(&addr.clone().into()).unwrap();
        let local = listener.local_addr().unwrap();
        assert_eq!(local.as_abstract_name(), Some(name.as_bytes()));
        let client = UnixStream::connect_addr(&addr.into()).await.unwrap();
        let (_server, _) = listener.accept().await.unwrap();
        assert_eq!(
            client.peer_addr().unwrap().as_abstract_name(),
            Some(name.as_bytes())
        );
    });
}

#[test]
fn a_pair_carries_bytes_both_ways_and_a_half_close() {
    both(|| async {
        let (mut a, b) = UnixStream::pair().unwrap();
        let echo = rt::spawn(async move {
            let (mut read, mut write) = b.into_split();
            let mut all = Vec::new();
            read.read_to_end(&mut all).await.unwrap();
            write.write_all(&all).await.unwrap();
            read.reunite(write).unwrap()
        });
        let sent = vec![9; 300_000];
        a.write_all(&sent).await.unwrap();
        a.shutdown().await.unwrap();
        let mut got = Vec::new();
        let (mut read, _write) = a.split();
        let reading = async {
            let mut buf = vec![0; 10_000];
            while got.len() < sent.len() {
                let n = read.read(&mut buf).await.unwrap();
                got.extend_from_slice(&buf[..n]);
            }
        };
        let (b, ()) = futures_util::future::join(echo, reading).await;
        assert!(got == sent);
        drop(b.unwrap());
        assert_eq!(a.read(&mut [0; 8]).await.unwrap(), 0);
        let error = a.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn nothing_is_tried_before_it_is_ready() {
    both(|| async {
        let (a, b) = UnixStream::pair().unwrap();
        let mut buf = [0; 8];
        assert_eq!(
            b.try_read(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert_eq!(a.try_write(b"now").unwrap(), 3);
        assert!(b.ready(Interest::READABLE).await.unwrap().is_readable());
        assert_eq!(b.try_read(&mut buf).unwrap(), 3);
        assert_eq!(
            b.try_read(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        {
            let mut readable = pin!(b.readable());
            let mut cx = Context::from_waker(Waker::noop());
            assert!(readable.as_mut().poll(&mut cx).is_pending());
        }
        a.writable().await.unwrap();
        let std = a.into_std().unwrap();
        let a = UnixStream::from_std(std).unwrap();
        a.writable().await.unwrap();
        a.try_write(b"x").unwrap();
        b.readable().await.unwrap();
        let mut vec = Vec::new();
        assert_eq!(b.try_read_buf(&mut vec).unwrap(), 1);
        assert!(b.try_read(&mut buf).is_err());
        drop(a);
        assert!(b.ready(Interest::READABLE).await.unwrap().is_read_closed());
    });
}

#[test]
fn a_dropped_accept_takes_no_connection() {
    both(|| async {
        let path = TempPath::new();
        let listener = UnixListener::bind(&path.0).unwrap();
        for polls in 0..3 {
            {
                let mut accept = pin!(listener.accept());
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..polls {
                    assert!(accept.as_mut().poll(&mut cx).is_pending());
                }
            }
            let _client = UnixStream::connect(&path.0).await.unwrap();
            listener.accept().await.unwrap();
        }
    });
}
