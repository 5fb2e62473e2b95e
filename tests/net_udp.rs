//! UDP over loopback: one datagram at a time, errors that come back, many waiters.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rt::io::{Interest, ReadBuf};
use rt::net::UdpSocket;
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

/// Two sockets that know each other.
async fn pair() -> (UdpSocket, UdpSocket) {
    let a = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let b = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    a.connect(b.local_addr().unwrap()).await.unwrap();
    b.connect(a.local_addr().unwrap()).await.unwrap();
    (a, b)
}

#[test]
fn datagrams_arrive_whole_and_in_pieces_of_their_own() {
    both(|| async {
        let (a, b) = pair().await;
        assert_eq!(a.peer_addr().unwrap(), b.local_addr().unwrap());
        a.send(b"first").await.unwrap();
        a.send(b"").await.unwrap();
        a.send(b"third").await.unwrap();
        let mut buf = [0; 16];
        assert_eq!(b.recv(&mut buf).await.unwrap(), 5);
        assert_eq!(b.recv(&mut buf).await.unwrap(), 0);
        assert_eq!(b.recv(&mut buf[..2]).await.unwrap(), 2);
        assert_eq!(&buf[..2], b"th");
        let mut vec = Vec::with_capacity(32);
        a.send(b"buffer").await.unwrap();
        assert_eq!(b.recv_buf(&mut vec).await.unwrap(), 6);
        a.send(b"!").await.unwrap();
        let (n, from) = b.recv_buf_from(&mut vec).await.unwrap();
        assert_eq!(
            (n, from, &vec[..]),
            (1, a.local_addr().unwrap(), &b"buffer!"[..])
        );
    });
}

#[test]
fn the_sender_is_told() {
    both(|| async {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let client = UdpSocket::bind("localhost:0").await.unwrap();
        let (to, me) = (server.local_addr().unwrap(), client.local_addr().unwrap());
        assert_eq!(client.send_to(b"ping", to).await.unwrap(), 4);
        let mut buf = [0; 8];
        assert_eq!(server.peek_sender().await.unwrap(), me);
        assert_eq!(server.peek_from(&mut buf).await.unwrap(), (4, me));
        assert_eq!(server.peek(&mut buf).await.unwrap(), 4);
        assert_eq!(server.recv_from(&mut buf).await.unwrap(), (4, me));
        let name = format!("localhost:{}", me.port());
        assert_eq!(server.send_to(b"pong", name).await.unwrap(), 4);
        assert_eq!(client.recv_from(&mut buf).await.unwrap(), (4, to));
    });
}

#[test]
fn nothing_is_tried_before_it_is_ready() {
    both(|| async {
        let (a, b) = pair().await;
        let mut buf = [0; 8];
        assert_eq!(
            b.try_recv(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert_eq!(
            b.try_peek_sender().unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert_eq!(a.try_send(b"now").unwrap(), 3);
        b.readable().await.unwrap();
        assert_eq!(b.try_peek(&mut buf).unwrap(), 3);
        assert_eq!(
            b.try_peek_from(&mut buf).unwrap(),
            (3, a.local_addr().unwrap())
        );
        assert_eq!(b.try_peek_sender().unwrap(), a.local_addr().unwrap());
        assert_eq!(
            b.try_recv_from(&mut buf).unwrap(),
            (3, a.local_addr().unwrap())
        );
        assert_eq!(
            b.try_recv(&mut buf).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        a.writable().await.unwrap();
        assert!(a.ready(Interest::WRITABLE).await.unwrap().is_writable());
        a.send(b"vec").await.unwrap();
        b.readable().await.unwrap();
        let mut vec = Vec::new();
        assert_eq!(b.try_recv_buf(&mut vec).unwrap(), 3);
        a.send(b"!").await.unwrap();
        b.readable().await.unwrap();
        assert_eq!(
            b.try_recv_buf_from(&mut vec).unwrap(),
            (1, a.local_addr().unwrap())
        );
        assert_eq!(vec, b"vec!");
    });
}

#[test]
fn poll_methods_wait_for_the_last_caller() {
    both(|| async {
        let (a, b) = pair().await;
        let to = b.local_addr().unwrap();
        std::future::poll_fn(|cx| a.poll_send_ready(cx))
            .await
            .unwrap();
        std::future::poll_fn(|cx| a.poll_send(cx, b"1"))
            .await
            .unwrap();
        let mut memory = [0; 8];
        let mut buf = ReadBuf::new(&mut memory);
        std::future::poll_fn(|cx| b.poll_recv_ready(cx))
            .await
            .unwrap();
        std::future::poll_fn(|cx| b.poll_peek(cx, &mut buf))
            .await
            .unwrap();
        std::future::poll_fn(|cx| b.poll_recv(cx, &mut buf))
            .await
            .unwrap();
        assert_eq!(buf.filled(), b"11");
        let other = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let here = other.local_addr().unwrap();
        std::future::poll_fn(|cx| other.poll_send_to(cx, b"2", here))
            .await
            .unwrap();
        let from = std::future::poll_fn(|cx| other.poll_peek_sender(cx))
            .await
            .unwrap();
        assert_eq!(from, here);
        let from = std::future::poll_fn(|cx| other.poll_peek_from(cx, &mut buf))
            .await
            .unwrap();
        assert_eq!(from, here);
        let from = std::future::poll_fn(|cx| other.poll_recv_from(cx, &mut buf))
            .await
            .unwrap();
        assert_eq!((from, buf.filled()), (here, &b"1122"[..]));
        assert_ne!(to, here);
    });
}

#[test]
fn nobody_there_reaches_a_waiting_receiver_and_the_socket_goes_on() {
    both(|| async {
        let (a, b) = pair().await;
        let to = b.local_addr().unwrap();
        drop(b);
        let mut buf = [0; 8];
        {
            let mut recv = pin!(a.recv(&mut buf));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(recv.as_mut().poll(&mut cx).is_pending());
            a.try_send(b"anybody?").unwrap();
            let error = recv.await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
        // The error is gone: the next receive waits, and does not spin.
        {
            let mut recv = pin!(a.recv(&mut buf));
            let mut cx = Context::from_waker(Waker::noop());
            assert!(recv.as_mut().poll(&mut cx).is_pending());
        }
        let b = UdpSocket::bind(to).await.unwrap();
        b.send_to(b"here", a.local_addr().unwrap()).await.unwrap();
        assert_eq!(a.recv(&mut buf).await.unwrap(), 4);
    });
}

#[test]
fn each_datagram_goes_to_one_of_many_receivers() {
    both(|| async {
        let (a, b) = pair().await;
        let b = Arc::new(b);
        let receivers: Vec<_> = (0..100)
            .map(|_| {
                let b = Arc::clone(&b);
                rt::spawn(async move {
                    let mut buf = [0; 8];
                    assert_eq!(b.recv(&mut buf).await.unwrap(), 1);
                    u32::from(buf[0])
                })
            })
            .collect();
        rt::task::yield_now().await;
        for i in 0..100 {
            a.send(&[i]).await.unwrap();
        }
        let mut sum = 0;
        for receiver in receivers {
            sum += receiver.await.unwrap();
        }
        assert_eq!(sum, (0..100).sum());
    });
}

#[test]
fn a_dropped_receive_takes_nothing() {
    both(|| async {
        let (a, b) = pair().await;
        for polls in 0..3 {
            let mut buf = [0; 8];
            {
                let mut recv = pin!(b.recv(&mut buf));
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..polls {
                    assert!(recv.as_mut().poll(&mut cx).is_pending());
                }
            }
            a.send(b"kept").await.unwrap();
            assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
        }
    });
}

#[test]
fn async_io_runs_a_call_until_it_does_not_block() {
    both(|| async {
        let (a, b) = pair().await;
        let b = Arc::new(b);
        let other = Arc::clone(&b);
        let receiver = rt::spawn(async move {
            let mut calls = 0;
            let n = other
                .async_io(Interest::READABLE, || {
                    calls += 1;
                    socket2::SockRef::from(&*other).peek_sender().map(|_| 7)
                })
                .await
                .unwrap();
            (n, calls)
        });
        rt::task::yield_now().await;
        a.send(b"x").await.unwrap();
        let (n, calls) = receiver.await.unwrap();
        assert_eq!(n, 7);
        assert!(calls >= 1);
        let refused = b.try_io(Interest::READABLE, || {
            Err::<(), _>(std::io::Error::from(ErrorKind::WouldBlock))
        });
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::WouldBlock);
        // The false WouldBlock has cleared the readiness: nothing is tried.
        assert_eq!(
            b.try_recv(&mut [0; 8]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

#[test]
fn options_hold() {
    both(|| async {
        let (a, _b) = pair().await;
        a.set_broadcast(true).unwrap();
        a.set_ttl(33).unwrap();
        a.set_tos_v4(0x10).unwrap();
        a.set_multicast_loop_v4(false).unwrap();
        a.set_multicast_ttl_v4(3).unwrap();
        assert!(a.broadcast().unwrap() && !a.multicast_loop_v4().unwrap());
        assert_eq!(
            (
                a.ttl().unwrap(),
                a.tos_v4().unwrap(),
                a.multicast_ttl_v4().unwrap()
            ),
            (33, 0x10, 3)
        );
        assert!(a.take_error().unwrap().is_none());
        let std = a.into_std().unwrap();
        let a = UdpSocket::from_std(std).unwrap();
        assert!(matches!(
            std::future::poll_fn(|cx| Poll::Ready(a.poll_recv_ready(cx))).await,
            Poll::Pending
        ));
    });
}
