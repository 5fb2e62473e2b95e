//! Unix datagrams, sockets before they are anything, and who the peer is.

#[path = "support/unix.rs"]
mod unix;

use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use rt::io::{AsyncReadExt, AsyncWriteExt, Interest, ReadBuf};
use rt::net::{UnixDatagram, UnixListener, UnixSocket, UnixStream};
use trefoil as rt;
use unix::{TempPath, both, poll};

#[test]
fn datagrams_arrive_whole_and_in_order() {
    both(|| async {
        let (a, b) = UnixDatagram::pair().unwrap();
        assert_eq!(a.send(b"first").await.unwrap(), 5);
        assert_eq!(a.send(b"").await.unwrap(), 0);
        assert_eq!(a.send(b"second one").await.unwrap(), 10);
        let mut buf = [0; 8];
        assert_eq!(b.recv(&mut buf).await.unwrap(), 5);
        assert_eq!(&buf[..5], b"first");
        assert_eq!(b.recv(&mut buf).await.unwrap(), 0, "an empty one");
        assert_eq!(b.recv(&mut buf).await.unwrap(), 8, "the rest is lost");
        assert_eq!(&buf, b"second o");
        assert!(poll(pin!(b.recv(&mut buf))).is_pending());
        assert!(a.local_addr().unwrap().is_unnamed());
        assert!(a.peer_addr().unwrap().is_unnamed());
        assert!(a.take_error().unwrap().is_none());
    });
}

#[test]
fn paths_are_sent_to_and_told() {
    both(|| async {
        let (server_path, client_path) = (TempPath::new(), TempPath::new());
        let server = UnixDatagram::bind(&server_path.0).unwrap();
        let error = UnixDatagram::bind(&server_path.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let client = UnixDatagram::bind(&client_path.0).unwrap();
        assert_eq!(client.send_to(b"ping", &server_path.0).await.unwrap(), 4);
        let mut buf = [0; 8];
        let (n, from) = server.recv_from(&mut buf).await.unwrap();
        assert_eq!(
            (n, &buf[..4], from.as_pathname()),
            (4, &b"ping"[..], Some(&*client_path.0))
        );
        // Answers by path; the client notes its peer and needs no path then.
        server
            .send_to(b"pong", from.as_pathname().unwrap())
            .await
            .unwrap();
        client.connect(&server_path.0).unwrap();
        assert_eq!(
            client.peer_addr().unwrap().as_pathname(),
            Some(&*server_path.0)
        );
        assert_eq!(client.recv(&mut buf).await.unwrap(), 4);
        client.send(b"again").await.unwrap();
        let mut spare = Vec::with_capacity(16);
        let (n, from) = server.recv_buf_from(&mut spare).await.unwrap();
        assert_eq!((n, &*spare), (5, &b"again"[..]));
        assert_eq!(from.as_pathname(), Some(&*client_path.0));

        let nobody = TempPath::new();
        let error = client.send_to(b"x", &nobody.0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let error = client.connect(&nobody.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        let long = "x".repeat(200);
        let error = client.send_to(b"x", &long).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        let unbound = UnixDatagram::unbound().unwrap();
        let error = unbound.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
    });
}

#[test]
fn nothing_is_tried_before_it_is_ready() {
    both(|| async {
        let path = TempPath::new();
        let server = UnixDatagram::bind(&path.0).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        let mut buf = [0; 8];
        let none = |error: rt::io::Error| assert_eq!(error.kind(), ErrorKind::WouldBlock);
        none(server.try_recv(&mut buf).unwrap_err());
        none(server.try_recv_from(&mut buf).unwrap_err());
        none(server.try_recv_buf(&mut Vec::new()).unwrap_err());
        none(server.try_recv_buf_from(&mut Vec::new()).unwrap_err());
        client.writable().await.unwrap();
        assert!(
            client
                .ready(Interest::WRITABLE)
                .await
                .unwrap()
                .is_writable()
        );
        assert_eq!(client.try_send_to(b"one", &path.0).unwrap(), 3);
        client.connect(&path.0).unwrap();
        assert_eq!(client.try_send(b"two").unwrap(), 3);
        client.send(b"three").await.unwrap();
        client.send(b"four").await.unwrap();
        client.send(b"five").await.unwrap();
        server.readable().await.unwrap();
        assert!(
            server
                .ready(Interest::READABLE)
                .await
                .unwrap()
                .is_readable()
        );
        assert_eq!(server.try_recv(&mut buf).unwrap(), 3);
        let (n, from) = server.try_recv_from(&mut buf).unwrap();
        assert_eq!((&buf[..n], from.is_unnamed()), (&b"two"[..], true));
        let mut spare = Vec::with_capacity(16);
        assert_eq!(server.try_recv_buf(&mut spare).unwrap(), 5);
        assert_eq!(server.try_recv_buf_from(&mut spare).unwrap().0, 4);
        assert_eq!(server.recv_buf(&mut spare).await.unwrap(), 4);
        assert_eq!(spare, b"threefourfive");
        none(server.try_recv(&mut buf).unwrap_err());
    });
}

#[test]
fn the_poll_methods_do_what_the_others_do() {
    both(|| async {
        let path = TempPath::new();
        let server = UnixDatagram::bind(&path.0).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        std::future::poll_fn(|cx| {
            let mut memory = [0; 8];
            let mut buf = ReadBuf::new(&mut memory);
            assert!(server.poll_recv_ready(cx).is_pending());
            assert!(server.poll_recv(cx, &mut buf).is_pending());
            assert!(server.poll_recv_from(cx, &mut buf).is_pending());
            Poll::Ready(())
        })
        .await;
        std::future::poll_fn(|cx| client.poll_send_ready(cx))
            .await
            .unwrap();
        let sent = std::future::poll_fn(|cx| client.poll_send_to(cx, b"one", &path.0)).await;
        assert_eq!(sent.unwrap(), 3);
        client.connect(&path.0).unwrap();
        let sent = std::future::poll_fn(|cx| client.poll_send(cx, b"two")).await;
        assert_eq!(sent.unwrap(), 3);
        std::future::poll_fn(|cx| server.poll_recv_ready(cx))
            .await
            .unwrap();
        let mut memory = [0; 8];
        let mut buf = ReadBuf::new(&mut memory);
        std::future::poll_fn(|cx| server.poll_recv(cx, &mut buf))
            .await
            .unwrap();
        let from = std::future::poll_fn(|cx| server.poll_recv_from(cx, &mut buf)).await;
        assert!(from.unwrap().is_unnamed());
        assert_eq!(buf.filled(), b"onetwo");
    });
}

#[test]
fn a_full_receiver_makes_the_sender_wait_and_no_datagram_is_lost() {
    both(|| async {
        let path = TempPath::new();
        let server = UnixDatagram::bind(&path.0).unwrap();
        let connected = UnixDatagram::unbound().unwrap();
        connected.connect(&path.0).unwrap();
        let mut sent = 0_u32;
        loop {
            match connected.try_send(&sent.to_be_bytes()) {
                Ok(_) => sent += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        assert!(sent > 0);
        assert!(poll(pin!(connected.send(b"dropped"))).is_pending());
        let late = rt::spawn(async move {
            connected.send(b"late").await.unwrap();
        });
        let mut buf = [0; 8];
        for n in 0..sent {
            assert_eq!(server.recv(&mut buf).await.unwrap(), 4);
            assert_eq!(buf[..4], n.to_be_bytes());
        }
        assert_eq!(server.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(&buf[..4], b"late");
        late.await.unwrap();
        assert!(poll(pin!(server.recv(&mut buf))).is_pending());
    });
}

#[test]
fn a_sender_without_a_peer_waits_for_its_own_datagrams_to_be_read() {
    both(|| async {
        let path = TempPath::new();
        let server = UnixDatagram::bind(&path.0).unwrap();
        let client = UnixDatagram::unbound().unwrap();
        let mut sent = 0;
        while client.try_send_to(b"x", &path.0).is_ok() {
            sent += 1;
        }
        let at = path.0.clone();
        let late = rt::spawn(async move { client.send_to(b"late", at).await.unwrap() });
        let mut buf = [0; 8];
        for _ in 0..sent {
            assert_eq!(server.recv(&mut buf).await.unwrap(), 1);
        }
        assert_eq!(server.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(late.await.unwrap(), 4);
    });
}

#[test]
fn each_datagram_goes_to_one_of_many_receivers() {
    both(|| async {
        let (a, b) = UnixDatagram::pair().unwrap();
        let b = Arc::new(b);
        let receivers: Vec<_> = (0..4)
            .map(|_| {
                let b = b.clone();
                rt::spawn(async move {
                    let mut got = Vec::new();
                    loop {
                        let mut buf = [0; 8];
                        match b.recv(&mut buf).await.unwrap() {
                            0 => return got,
                            _ => got.push(buf[0]),
                        }
                    }
                })
            })
            .collect();
        for n in 0..100 {
            a.send(&[n]).await.unwrap();
        }
        for _ in 0..4 {
            a.send(&[]).await.unwrap();
        }
        let mut all = Vec::new();
        for receiver in receivers {
            all.extend(receiver.await.unwrap());
        }
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<u8>>());
    });
}

#[test]
fn a_dropped_receive_takes_nothing() {
    both(|| async {
        let (a, b) = UnixDatagram::pair().unwrap();
        let mut buf = [0; 8];
        for _ in 0..3 {
            assert!(poll(pin!(b.recv(&mut buf))).is_pending());
            assert!(poll(pin!(b.recv_from(&mut buf))).is_pending());
            assert!(poll(pin!(b.recv_buf(&mut Vec::new()))).is_pending());
            assert!(poll(pin!(b.recv_buf_from(&mut Vec::new()))).is_pending());
            assert!(poll(pin!(b.readable())).is_pending());
        }
        drop((b.recv(&mut [0; 8]), a.send(b"never")));
        a.send(b"one").await.unwrap();
        assert_eq!(b.recv(&mut buf).await.unwrap(), 3);
        assert_eq!(&buf[..3], b"one");
    });
}

#[test]
fn a_shutdown_ends_a_direction_and_a_gone_peer_is_an_error() {
    both(|| async {
        let (a, b) = UnixDatagram::pair().unwrap();
        a.shutdown(Shutdown::Write).unwrap();
        let error = a.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        // Linux refuses what is sent to a closed reader, and tells a waiting reader nothing.
        assert_eq!(b.send(b"other way").await.unwrap(), 9);
        a.shutdown(Shutdown::Read).unwrap();
        let error = b.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(a.recv(&mut [0; 16]).await.unwrap(), 9);
        assert!(poll(pin!(a.recv(&mut [0; 8]))).is_pending());
        drop(b);

        let (a, b) = UnixDatagram::pair().unwrap();
        drop(b);
        let error = a.send(b"x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn calls_of_the_users_own_are_run_when_ready() {
    both(|| async {
        let (a, b) = StdDatagram::pair().unwrap();
        let a = UnixDatagram::from_std(a).unwrap();
        let b = UnixDatagram::try_from(b).unwrap();
        let raw = StdDatagram::from(std::os::fd::AsFd::as_fd(&b).try_clone_to_owned().unwrap());
        let mut buf = [0; 8];
        let early = b.try_io(Interest::READABLE, || raw.recv(&mut buf));
        assert_eq!(early.unwrap_err().kind(), ErrorKind::WouldBlock);
        {
            let mut receive = pin!(b.async_io(Interest::READABLE, || raw.recv(&mut buf)));
            assert!(poll(receive.as_mut()).is_pending());
            a.send(b"one").await.unwrap();
            assert_eq!(receive.await.unwrap(), 3);
        }
        let std = b.into_std().unwrap();
        let error = std.recv(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock, "still non-blocking");
        assert!(a.as_raw_fd() >= 0 && format!("{a:?}").contains("UnixDatagram"));
    });
}

#[test]
fn a_unix_socket_becomes_what_it_is_made_for() {
    both(|| async {
        let (server, client) = (TempPath::new(), TempPath::new());
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(&server.0).unwrap();
        let again = UnixSocket::new_stream().unwrap();
        let error = again.bind(&server.0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let listener: UnixListener = socket.listen(8).unwrap();
        let socket = UnixSocket::new_stream().unwrap();
        socket.bind(&client.0).unwrap();
        let mut stream = socket.connect(&server.0).await.unwrap();
        let (mut accepted, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.as_pathname(), Some(&*client.0));
        stream.write_all(b"hi").await.unwrap();
        assert_eq!(accepted.read_u16().await.unwrap(), 0x6869);

        let path = TempPath::new();
        let socket = UnixSocket::new_datagram().unwrap();
        socket.bind(&path.0).unwrap();
        let receiver: UnixDatagram = socket.datagram().unwrap();
        let sender = UnixSocket::new_datagram().unwrap().datagram().unwrap();
        sender.send_to(b"x", &path.0).await.unwrap();
        assert_eq!(receiver.recv(&mut [0; 4]).await.unwrap(), 1);

        let nobody = TempPath::new();
        let socket = UnixSocket::new_stream().unwrap();
        let error = socket.connect(&nobody.0).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    });
}

#[test]
fn a_unix_socket_of_the_wrong_kind_is_refused() {
    both(|| async {
        let text = |error: rt::io::Error| error.to_string();
        let dgram = || UnixSocket::new_datagram().unwrap();
        let error = text(dgram().listen(1).unwrap_err());
        assert!(error.contains("listen cannot be called on a datagram socket"));
        let error = text(dgram().connect("/nowhere").await.unwrap_err());
        assert!(error.contains("connect cannot be called on a datagram socket"));
        let stream = UnixSocket::new_stream().unwrap();
        let error = text(stream.datagram().unwrap_err());
        assert!(error.contains("datagram cannot be called on a stream socket"));
    });
}

#[test]
fn a_unix_socket_needs_no_runtime_until_it_is_waited_on() {
    let socket = UnixSocket::new_stream().unwrap();
    assert!(socket.as_raw_fd() >= 0);
    assert!(format!("{socket:?}").contains("UnixSocket"));
    // Gives its number away, so somebody else closes it.
    let number = socket.into_raw_fd();
    assert!(number >= 0);
    let outside = std::panic::catch_unwind(|| UnixDatagram::unbound().map(drop));
    let text = *outside.unwrap_err().downcast::<String>().unwrap();
    assert!(
        text.contains("UnixDatagram::unbound") && text.contains("runtime"),
        "{text}"
    );
}

#[test]
fn the_peer_is_known() {
    both(|| async {
        let path = TempPath::new();
        let listener = UnixListener::bind(&path.0).unwrap();
        let client = UnixStream::connect(&path.0).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let (a, b) = (client.peer_cred().unwrap(), server.peer_cred().unwrap());
        assert_eq!(a, b, "both ends are this process");
        assert_eq!(a.pid(), Some(std::process::id() as i32));
        let own = std::fs::metadata("/proc/self").unwrap();
        use std::os::unix::fs::MetadataExt;
        assert_eq!((a.uid(), a.gid()), (own.uid(), own.gid()));
    });
}

#[test]
fn datagrams_that_outlive_their_runtime_fail_and_say_so() {
    let rt = rt::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_a, b) = rt.block_on(async { UnixDatagram::pair().unwrap() });
    let mut buf = [0; 4];
    let mut waits = pin!(b.recv(&mut buf));
    assert!(poll(waits.as_mut()).is_pending());
    drop(rt);
    let Poll::Ready(Err(error)) = poll(waits) else {
        panic!("it still waits")
    };
    assert!(rt::runtime::is_rt_shutdown_err(&error));
    let error = b.try_recv(&mut [0; 4]).unwrap_err();
    assert!(rt::runtime::is_rt_shutdown_err(&error));
}
