//! What depends on the numbers of file descriptors: reuse, and running out of them.
//!
//! Each test runs in a process of its own: the test binary calls itself, for this one test.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};
use rt::runtime::{Builder, Runtime};
use trefoil as rt;

/// Set in the process that runs one test.
const CHILD: &str = "TREFOIL_TEST_CHILD";

/// This binary again, for the test `name`, with at most `files` file descriptors.
fn again(name: &str, files: u32) -> Command {
    let exe = std::env::current_exe().unwrap();
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "ulimit -n $1; exec \"$2\" --exact \"$3\" --nocapture --test-threads=1",
            "sh",
        ])
        .args([&files.to_string(), exe.to_str().unwrap(), name])
        .env(CHILD, "1");
    command
}

/// True in the process that runs one test.
fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

/// Both kinds of runtime.
fn runtimes() -> [Runtime; 2] {
    let mut workers = Builder::new_multi_thread();
    [
        Builder::new_current_thread().enable_all().build().unwrap(),
        workers.worker_threads(2).enable_all().build().unwrap(),
    ]
}

#[test]
fn an_old_sockets_event_never_reaches_the_next_one_with_its_number() {
    const NAME: &str = "an_old_sockets_event_never_reaches_the_next_one_with_its_number";
    if !is_child() {
        assert!(
            again(NAME, 256)
                .stdout(Stdio::null())
                .status()
                .unwrap()
                .success()
        );
        return;
    }
    for rt in runtimes() {
        rt.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let addr = listener.local_addr().unwrap();
            for round in 0..1000u32 {
                // Data is in flight to a socket that somebody waits on when it goes.
                let old = TcpStream::connect(addr).await.unwrap();
                let (old_peer, _) = listener.accept().await.unwrap();
                {
                    let mut readable = pin!(old.readable());
                    let mut cx = Context::from_waker(Waker::noop());
                    assert!(readable.as_mut().poll(&mut cx).is_pending());
                }
                old_peer.try_write(b"late").unwrap();
                let number = old.as_raw_fd();
                drop(old);
                let mut new = TcpStream::connect(addr).await.unwrap();
                assert_eq!(new.as_raw_fd(), number, "the number was not reused");
                let (new_peer, _) = listener.accept().await.unwrap();
                let early = new.try_read(&mut [0; 8]).unwrap_err();
                assert_eq!(early.kind(), ErrorKind::WouldBlock);
                new_peer.try_write(&round.to_be_bytes()).unwrap();
                let mut got = [0; 4];
                new.read_exact(&mut got).await.unwrap();
                assert_eq!(u32::from_be_bytes(got), round);
            }
        });
    }
}

#[test]
fn without_free_descriptors_accept_fails_and_serves_again_later() {
    const NAME: &str = "without_free_descriptors_accept_fails_and_serves_again_later";
    const CLIENTS: usize = 100;
    if is_child() {
        return serve_with_few_descriptors(CLIENTS);
    }
    let mut child = again(NAME, 40).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let addr = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| line.split_once("addr ").map(|(_, addr)| addr.to_owned()))
            .expect("the server died");
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| std::net::TcpStream::connect(&addr).unwrap())
            .collect();
        // Nobody speaks until the server is out of descriptors.
        let full = lines
            .by_ref()
            .map(Result::unwrap)
            .any(|line| line.contains("full"));
        assert!(full, "the server never ran out of descriptors");
        for mut client in clients {
            client.write_all(b"?").unwrap();
            client.read_exact(&mut [0; 1]).unwrap();
        }
    }
    assert!(child.wait().unwrap().success());
}

/// Serves `clients` connections with 40 descriptors, twice.
fn serve_with_few_descriptors(clients: usize) {
    for rt in runtimes() {
        rt.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            println!("addr {}", listener.local_addr().unwrap());
            let ticks = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&ticks);
            let ticker = rt::spawn(async move {
                loop {
                    rt::time::sleep(Duration::from_millis(1)).await;
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
            let (mut served, mut errors) = (0, 0u32);
            let mut tasks = Vec::new();
            while served < clients {
                match listener.accept().await {
                    Ok((mut stream, _)) => {
                        served += 1;
                        tasks.push(rt::spawn(async move {
                            let mut byte = [0; 1];
                            stream.read_exact(&mut byte).await.unwrap();
                            stream.write_all(&byte).await.unwrap();
                        }));
                    }
                    Err(error) => {
                        // EMFILE; std has no stable name for it.
                        assert_eq!(error.raw_os_error(), Some(24), "{error}");
                        errors += 1;
                        if errors == 1 {
                            // Without a pause between the tries the others still run.
                            let before = ticks.load(Ordering::Relaxed);
                            while ticks.load(Ordering::Relaxed) < before + 15 {
                                assert!(listener.accept().await.is_err());
                            }
                            println!("full");
                        }
                        rt::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            }
            for task in tasks {
                task.await.unwrap();
            }
            ticker.abort();
            assert!(errors > 0);
        });
    }
}
