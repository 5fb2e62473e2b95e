//! TCP over loopback: bytes, their end, resets, halves, cancellation, many at once.

use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::SocketAddr;
use std::time::Duration;

use rt::io::{AsyncReadExt, AsyncWriteExt, Interest};
use rt::net::{TcpListener, TcpSocket, TcpStream};
use rt::runtime::{Builder, Runtime};
use trefoil as rt;

/// Both kinds of runtime.
fn both(test: impl Fn(&Runtime)) {
    test(&Builder::new_current_thread().enable_all().build().unwrap());
    test(
        &Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap(),
    );
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

#[test]
fn an_echo_gives_back_what_it_got() {
    both(|rt| {
        rt.block_on(async {
            let (client, mut server) = pair().await;
            let echo = rt::spawn(async move {
                let mut buf = [0; 1024];
                loop {
                    match server.read(&mut buf).await.unwrap() {
                        0 => return,
                        n => server.write_all(&buf[..n]).await.unwrap(),
                    }
                }
            });
            let (mut read, mut write) = client.into_split();
            let sent: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
            let copy = sent.clone();
            let writer = rt::spawn(async move {
                write.write_all(&copy).await.unwrap();
                write.shutdown().await.unwrap();
            });
            let mut got = Vec::new();
            read.read_to_end(&mut got).await.unwrap();
            assert_eq!(got.len(), sent.len());
            assert!(got == sent);
            writer.await.unwrap();
            echo.await.unwrap();
        });
    });
}
