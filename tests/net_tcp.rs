//! TCP over loopback: bytes, their end, resets, halves, cancellation, many at once.

use std::future::Future;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rt::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, Interest};
use rt::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use rt::runtime::{Builder, Runtime};
use trefoil as rt;

/// Runs a test on both kinds of runtime.
fn both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    current().block_on(test());
    workers().block_on(test());
}

/// One thread.
fn current() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Two workers.
fn workers() -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

/// A listener and its address.
async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Two connected streams.
async fn pair() -> (TcpStream, TcpStream) {
    let (listener, addr) = listen().await;
    let client = TcpStream::connect(addr).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// Echoes until the end.
async fn echo(mut stream: TcpStream) {
    let mut buf = [0; 1024];
    loop {
        match stream.read(&mut buf).await.unwrap() {
            0 => return,
            n => stream.write_all(&buf[..n]).await.unwrap(),
        }
    }
}

/// Polls once with a waker that does nothing.
fn poll_once<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn an_echo_gives_back_what_it_got() {
    both(|| async {
        let (client, server) = pair().await;
        let echo = rt::spawn(echo(server));
        let (mut read, mut write) = client.into_split();
        let sent: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
        let copy = sent.clone();
        let writer = rt::spawn(async move {
            write.write_all(&copy).await.unwrap();
            write.shutdown().await.unwrap();
        });
        let mut got = Vec::new();
        read.read_to_end(&mut got).await.unwrap();
        assert!(got == sent, "{} of {} bytes", got.len(), sent.len());
        writer.await.unwrap();
        echo.await.unwrap();
    });
}

#[test]
fn closing_one_direction_leaves_the_other_open() {
    both(|| async {
        let (mut client, mut server) = pair().await;
        client.write_all(b"question").await.unwrap();
        client.shutdown().await.unwrap();
        let mut got = Vec::new();
        server.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"question");
        server.write_all(b"answer").await.unwrap();
        drop(server);
        got.clear();
        client.read_to_end(&mut got).await.unwrap();
        assert_eq!(got, b"answer");
    });
}

#[test]
fn a_reset_is_an_error_of_both_directions_and_no_signal() {
    both(|| async {
        let (mut client, server) = pair().await;
        server.set_zero_linger().unwrap();
        assert_eq!(server.linger().unwrap(), Some(std::time::Duration::ZERO));
        drop(server);
        let error = client.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let error = client.write_all(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        let parts = [IoSlice::new(b"x"), IoSlice::new(b"y")];
        let error = client.write_vectored(&parts).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_waiting_reader_sees_the_reset() {
    both(|| async {
        let (mut client, server) = pair().await;
        let reader = rt::spawn(async move { client.read(&mut [0; 8]).await });
        rt::task::yield_now().await;
        server.set_zero_linger().unwrap();
        drop(server);
        let error = reader.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn peek_takes_nothing() {
    both(|| async {
        let (mut client, mut server) = pair().await;
        client.write_all(b"abc").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(server.peek(&mut buf).await.unwrap(), 3);
        assert_eq!(server.peek(&mut buf[..2]).await.unwrap(), 2);
        assert_eq!(server.read(&mut buf).await.unwrap(), 3);
        assert_eq!(&buf[..3], b"abc");
        let (mut read, _write) = server.split();
        client.write_all(b"d").await.unwrap();
        assert_eq!(read.peek(&mut buf).await.unwrap(), 1);
    });
}

#[test]
fn nothing_is_tried_before_it_is_ready() {
    both(|| async {
        let (client, server) = pair().await;
        let mut buf = [0; 8];
        let blocked = server.try_read(&mut buf).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        assert!(poll_once(pin!(server.readable())).is_pending());
        assert_eq!(client.try_write(b"abcdef").unwrap(), 6);
        let ready = server.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_readable() && !ready.is_read_closed());
        let (mut a, mut b) = ([0; 2], [0; 8]);
        let mut parts = [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)];
        assert_eq!(server.try_read_vectored(&mut parts).unwrap(), 6);
        assert_eq!((&a[..], &b[..4]), (&b"ab"[..], &b"cdef"[..]));
        let parts = [IoSlice::new(b"gh"), IoSlice::new(b"i")];
        assert_eq!(client.try_write_vectored(&parts).unwrap(), 3);
        server.readable().await.unwrap();
        let mut vec = Vec::with_capacity(16);
        assert_eq!(server.try_read_buf(&mut vec).unwrap(), 3);
        assert_eq!(vec, b"ghi");
        // A try that gets something leaves the readiness; only one that would block clears it.
        server.readable().await.unwrap();
        let blocked = server.try_read(&mut buf).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        drop(client);
        let ready = server.ready(Interest::READABLE).await.unwrap();
        assert!(ready.is_read_closed());
        assert_eq!(server.try_read(&mut buf).unwrap(), 0);
    });
}

#[test]
fn a_full_socket_is_writable_again_once_it_is_read() {
    both(|| async {
        let (client, mut server) = pair().await;
        let chunk = [7; 16 * 1024];
        let mut sent = 0;
        let blocked = loop {
            match client.try_write(&chunk) {
                Ok(n) => sent += n,
                Err(error) => break error,
            }
        };
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        assert!(poll_once(pin!(client.writable())).is_pending());
        let reader = rt::spawn(async move {
            let mut buf = vec![0; 64 * 1024];
            let mut got = 0;
            loop {
                match server.read(&mut buf).await.unwrap() {
                    0 => return got,
                    n => got += n,
                }
            }
        });
        client.writable().await.unwrap();
        drop(client);
        assert!(reader.await.unwrap() >= sent);
    });
}

#[test]
fn many_may_wait_on_one_socket() {
    both(|| async {
        let (client, server) = pair().await;
        let server = Arc::new(server);
        let waiters: Vec<_> = (0..200)
            .map(|i| {
                let server = Arc::clone(&server);
                rt::spawn(async move {
                    match i % 2 {
                        0 => server.readable().await.unwrap(),
                        _ => {
                            let ready = server.ready(Interest::READABLE).await.unwrap();
                            assert!(ready.is_readable());
                        }
                    }
                })
            })
            .collect();
        rt::task::yield_now().await;
        client.try_write(b"!").unwrap();
        for waiter in waiters {
            waiter.await.unwrap();
        }
    });
}

#[test]
fn halves_are_put_together_again_or_given_back() {
    both(|| async {
        let (a, b) = pair().await;
        let (a_read, a_write) = a.into_split();
        let (b_read, b_write) = b.into_split();
        let error = a_read.reunite(b_write).unwrap_err();
        assert!(error.to_string().contains("different"));
        let (a_read, b_write) = (error.0, error.1);
        let mut a = a_write.reunite(a_read).unwrap();
        let mut b = b_read.reunite(b_write).unwrap();
        a.write_all(b"whole").await.unwrap();
        let mut buf = [0; 5];
        b.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"whole");
    });
}

#[test]
fn a_dropped_write_half_closes_its_direction_unless_forgotten() {
    both(|| async {
        let (a, mut b) = pair().await;
        let (_read, write) = a.into_split();
        drop(write);
        assert_eq!(b.read(&mut [0; 8]).await.unwrap(), 0);

        let (a, b) = pair().await;
        let (read, write) = a.into_split();
        write.forget();
        rt::task::yield_now().await;
        assert_eq!(
            b.try_read(&mut [0; 8]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        drop(read);
        b.readable().await.unwrap();
        assert_eq!(b.try_read(&mut [0; 8]).unwrap(), 0);
    });
}

#[test]
fn a_write_to_several_buffers_is_one_call() {
    both(|| async {
        let (mut client, mut server) = pair().await;
        assert!(client.is_write_vectored());
        let parts = [
            IoSlice::new(b"head"),
            IoSlice::new(b""),
            IoSlice::new(b"body"),
        ];
        assert_eq!(client.write_vectored(&parts).await.unwrap(), 8);
        let mut buf = [0; 8];
        server.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"headbody");
    });
}

#[test]
fn nobody_there_is_an_error_and_the_next_address_is_tried() {
    both(|| async {
        let (listener, addr) = listen().await;
        let gone = {
            let (_gone, addr) = listen().await;
            addr
        };
        let error = TcpStream::connect(gone).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let stream = TcpStream::connect(&[gone, addr][..]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addr);
        listener.accept().await.unwrap();
        let error = TcpStream::connect(&[][..]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        for bad in ["127.0.0.1", "127.0.0.1:port", "127.0.0.1:70000"] {
            let error = TcpStream::connect(bad).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{bad}");
        }
    });
}

#[test]
fn names_are_looked_up() {
    both(|| async {
        let (listener, addr) = listen().await;
        let found: Vec<_> = lookup_host(("localhost", addr.port()))
            .await
            .unwrap()
            .collect();
        assert!(found.iter().all(|addr| addr.ip().is_loopback()) && !found.is_empty());
        let name = format!("localhost:{}", addr.port());
        let stream = TcpStream::connect(name).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), addr);
        drop(listener);
        let known: Vec<_> = lookup_host("[::1]:80").await.unwrap().collect();
        assert_eq!(known, ["[::1]:80".parse().unwrap()]);
    });
}

#[test]
fn socket_options_hold() {
    both(|| async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.set_reuseport(true).unwrap();
        socket.set_keepalive(true).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_tos_v4(0x10).unwrap();
        socket.set_recv_buffer_size(8192).unwrap();
        socket.set_send_buffer_size(8192).unwrap();
        assert!(socket.reuseaddr().unwrap() && socket.reuseport().unwrap());
        assert!(socket.keepalive().unwrap() && socket.nodelay().unwrap());
        assert_eq!(socket.tos_v4().unwrap(), 0x10);
        assert!(socket.recv_buffer_size().unwrap() >= 8192);
        assert!(socket.send_buffer_size().unwrap() >= 8192);
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(8).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = TcpSocket::new_v4().unwrap();
        let both = futures_util::future::join(client.connect(addr), listener.accept());
        let (client, server) = both.await;
        let (client, (server, peer)) = (client.unwrap(), server.unwrap());
        assert_eq!(client.local_addr().unwrap(), peer);
        assert!(!client.nodelay().unwrap());
        client.set_nodelay(true).unwrap();
        client.set_ttl(55).unwrap();
        client.set_quickack(true).unwrap();
        assert!(client.nodelay().unwrap() && client.quickack().unwrap());
        assert_eq!((client.ttl().unwrap(), listener.ttl().is_ok()), (55, true));
        assert!(client.take_error().unwrap().is_none());
        let std = server.into_std().unwrap();
        let server = TcpStream::from_std(std).unwrap();
        client.try_write(b"x").unwrap();
        server.readable().await.unwrap();
        assert_eq!(server.try_read(&mut [0; 8]).unwrap(), 1);
    });
}

#[test]
fn one_or_more_thousand_connections_are_served_at_once() {
    both(|| async {
        const CONNECTIONS: usize = 1000;
        let (listener, addr) = listen().await;
        let served = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&served);
        let server = rt::spawn(async move {
            let mut tasks = Vec::new();
            for _ in 0..CONNECTIONS {
                let (stream, _) = listener.accept().await.unwrap();
                let count = Arc::clone(&count);
                tasks.push(rt::spawn(async move {
                    echo(stream).await;
                    count.fetch_add(1, Ordering::Relaxed);
                }));
            }
            for task in tasks {
                task.await.unwrap();
            }
        });
        let mut clients = Vec::new();
        for i in 0..CONNECTIONS as u32 {
            clients.push((i, TcpStream::connect(addr).await.unwrap()));
        }
        let tasks: Vec<_> = clients
            .into_iter()
            .map(|(i, mut client)| {
                rt::spawn(async move {
                    for round in 0..4 {
                        let sent = (i + round).to_be_bytes();
                        client.write_all(&sent).await.unwrap();
                        let mut got = [0; 4];
                        client.read_exact(&mut got).await.unwrap();
                        assert_eq!(got, sent);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        server.await.unwrap();
        assert_eq!(served.load(Ordering::Relaxed), CONNECTIONS);
    });
}

/// Counts its wakes.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_wait_that_is_dropped_takes_nothing_and_leaves_no_waker() {
    both(|| async {
        let (listener, addr) = listen().await;
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        for polls in 0..3 {
            // accept
            {
                let mut accept = pin!(listener.accept());
                for _ in 0..polls {
                    assert!(accept.as_mut().poll(&mut cx).is_pending());
                }
            }
            // connect
            {
                let mut connect = pin!(TcpStream::connect(addr));
                for _ in 0..polls {
                    if connect.as_mut().poll(&mut cx).is_ready() {
                        break;
                    }
                }
            }
            if polls > 0 {
                drop(listener.accept().await.unwrap());
            }
            let mut client = TcpStream::connect(addr).await.unwrap();
            let (mut server, _) = listener.accept().await.unwrap();
            // read, peek, readable
            {
                let mut buf = [0; 8];
                let mut read = pin!(server.read(&mut buf));
                for _ in 0..polls {
                    assert!(read.as_mut().poll(&mut cx).is_pending());
                }
            }
            {
                let (mut readable, mut buf) = (pin!(server.readable()), [0; 8]);
                let mut peek = pin!(server.peek(&mut buf));
                for _ in 0..polls {
                    assert!(readable.as_mut().poll(&mut cx).is_pending());
                    assert!(peek.as_mut().poll(&mut cx).is_pending());
                }
            }
            client.write_all(b"kept").await.unwrap();
            let mut got = [0; 4];
            server.read_exact(&mut got).await.unwrap();
            assert_eq!(&got, b"kept");
        }
        // The runtime forgets what it was given: sockets are gone, lists were left.
        drop(listener);
        rt::task::yield_now().await;
        assert!(
            Arc::strong_count(&count) <= 3,
            "{} wakers are kept",
            Arc::strong_count(&count)
        );
    });
}

#[test]
fn sockets_that_outlive_their_runtime_fail_and_say_so() {
    let (client, server, listener) = {
        let rt = current();
        rt.block_on(async {
            let (listener, addr) = listen().await;
            let client = TcpStream::connect(addr).await.unwrap();
            let server = listener.accept().await.unwrap().0;
            (client, server, listener)
        })
    };
    current().block_on(async {
        let mut client = client;
        let error = client.read(&mut [0; 8]).await.unwrap_err();
        assert!(rt::runtime::is_rt_shutdown_err(&error), "{error}");
        assert_eq!(error.kind(), ErrorKind::Other);
        let error = client.write(b"x").await.unwrap_err();
        assert!(rt::runtime::is_rt_shutdown_err(&error), "{error}");
        let error = server.readable().await.unwrap_err();
        assert!(rt::runtime::is_rt_shutdown_err(&error), "{error}");
        let error = client.try_read(&mut [0; 8]).unwrap_err();
        assert!(rt::runtime::is_rt_shutdown_err(&error), "{error}");
        // What was known before the end may still be tried: an accepted stream has room.
        assert_eq!(server.try_write(b"x").unwrap(), 1);
        let error = listener.accept().await.unwrap_err();
        assert!(rt::runtime::is_rt_shutdown_err(&error), "{error}");
        let plain = std::io::Error::other("something else");
        assert!(!rt::runtime::is_rt_shutdown_err(&plain));
    });
}

#[test]
fn the_end_of_the_runtime_wakes_who_waits_elsewhere() {
    let rt = workers();
    let (client, _server) = rt.block_on(pair());
    let (tell, told) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        futures_block_on(async move {
            let mut readable = pin!(client.readable());
            let mut first = true;
            std::future::poll_fn(|cx| {
                let polled = readable.as_mut().poll(cx);
                if std::mem::take(&mut first) {
                    tell.send(()).unwrap();
                }
                polled
            })
            .await
        })
    });
    told.recv().unwrap();
    drop(rt);
    let error = waiter.join().unwrap().unwrap_err();
    assert!(rt::runtime::is_rt_shutdown_err(&error), "{error}");
}

/// An executor of nobody's: parks the thread.
fn futures_block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

#[test]
fn misuse_panics_and_names_the_remedy() {
    fn panics(f: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let payload = std::panic::catch_unwind(f).unwrap_err();
        let text = payload.downcast_ref::<String>().cloned();
        text.or_else(|| {
            payload
                .downcast_ref::<&str>()
                .map(|text| (*text).to_owned())
        })
        .unwrap()
    }
    let std = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = panics(|| drop(TcpListener::from_std(std)));
    assert!(text.contains("Runtime::block_on"), "{text}");
    let text = panics(|| {
        let rt = Builder::new_current_thread().build().unwrap();
        rt.block_on(async { drop(TcpListener::bind("127.0.0.1:0").await) });
    });
    assert!(text.contains("enable_io"), "{text}");
}

#[test]
fn an_accepted_stream_is_tried_before_any_event() {
    both(|| async {
        let (listener, addr) = listen().await;
        let mut client = std::net::TcpStream::connect(addr).unwrap();
        std::io::Write::write_all(&mut client, b"early").unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut buf = [0; 8];
        // The loopback device delivers before write(2) returns.
        assert_eq!(stream.try_read(&mut buf).unwrap(), 5);
        assert_eq!(stream.try_write(b"answer").unwrap(), 6);
        assert_eq!(
            stream.try_read(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert!(poll_once(pin!(stream.readable())).is_pending());
    });
}

#[test]
fn a_failing_try_sees_what_the_kernel_has() {
    both(|| async {
        let (mut client, server) = pair().await;
        assert!(server.try_read(&mut [0; 8]).is_err());
        client.write_all(b"x").await.unwrap();
        let mut buf = [0; 8];
        // On several workers another one may just be taking the event.
        while server.try_read(&mut buf).is_err() {
            rt::task::yield_now().await;
        }
        assert_eq!(buf[0], b'x');
    });
}

#[test]
fn a_reset_connection_is_shut_down() {
    both(|| async {
        let (mut client, server) = pair().await;
        server.set_zero_linger().unwrap();
        drop(server);
        client.readable().await.unwrap();
        client.shutdown().await.unwrap();
    });
}

#[test]
fn more_slices_than_one_call_takes_are_sent_and_received() {
    both(|| async {
        let (mut a, mut b) = pair().await;
        let slices = vec![std::io::IoSlice::new(b"x"); 3000];
        let mut left = 3000;
        while left > 0 {
            let n = a.write_vectored(&slices[..left]).await.unwrap();
            assert!(n > 0);
            left -= n;
        }
        let mut bytes = vec![[0; 1]; 2000];
        let mut got = 0;
        while got < 2000 {
            b.readable().await.unwrap();
            let mut slices: Vec<_> = bytes[got..]
                .iter_mut()
                .map(|byte| std::io::IoSliceMut::new(byte))
                .collect();
            match b.try_read_vectored(&mut slices) {
                Ok(n) => got += n,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        // What is left in the socket is there without a new event.
        let mut rest = [0; 1000];
        b.read_exact(&mut rest).await.unwrap();
        assert!(bytes.iter().all(|byte| byte == b"x") && rest == [b'x'; 1000]);
    });
}
