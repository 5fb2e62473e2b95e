//! A process that is forked by foreign code while a runtime lives: the parent does not notice,
//! the child's copy says what it is, and dropping it touches nothing.

#![allow(unsafe_code, reason = "fork is the subject, and std has none")]

#[path = "both/mod.rs"]
mod both;

use std::io::{Read, Write};
use std::net::TcpStream as StdStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use both::{current, text, watchdog, workers};
use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};
use rt::runtime::Runtime;
use rt::sync::oneshot;
use rt::task;
use trefoil as rt;

/// Runs `child` in a forked child and waits for it; panics unless it returned true.
fn in_fork(child: impl FnOnce() -> bool) {
    // SAFETY: fork(2) has no precondition. The child allocates and panics although other threads
    // exist: glibc makes its allocator usable in the child, and std's own locks are free there
    // because the harness's other threads only wait.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        // A hang is a failure, too. SAFETY: alarm(2) has no precondition.
        unsafe { libc::alarm(20) };
        let well = catch_unwind(AssertUnwindSafe(child));
        let code = if matches!(well, Ok(true)) { 0 } else { 1 };
        // SAFETY: _exit(2) has no precondition.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` is a place for an int; the child is ours.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!((waited, status), (pid, 0), "the child says no");
}

/// True when `f` panics and says that this is a fork.
fn says_so<R>(f: impl FnOnce() -> R) -> bool {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => false,
        Err(payload) => text(payload).contains("is a fork of the runtime's"),
    }
}

/// Everything works: tasks, timers, closures, sockets.
fn works(rt: &Runtime) {
    rt.block_on(async {
        let task = rt::spawn(async { 1 });
        let closure = task::spawn_blocking(|| 2);
        rt::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(task.await.unwrap() + closure.await.unwrap(), 3);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (client, server) = rt::join!(TcpStream::connect(addr), listener.accept());
        let (mut client, mut server) = (client.unwrap(), server.unwrap().0);
        client.write_all(b"x").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'x');
    });
}

#[test]
fn forks() {
    let _dog = watchdog();
    // One after the other in one test: a fork beside a test that holds std's locks could hang.
    for kind in 0..2 {
        let make = || if kind == 0 { current() } else { workers(2) };
        calls_say_so(make());
        drops_touch_nothing(make());
        sockets_stay_the_parents(make());
        a_child_builds_its_own(make());
        a_fork_inside_a_task(make());
        a_fork_inside_block_on(make());
    }
}

fn calls_say_so(rt: Runtime) {
    works(&rt);
    in_fork(|| {
        let said = [
            says_so(|| rt.spawn(async {})),
            says_so(|| rt.spawn_blocking(|| ())),
            says_so(|| rt.block_on(async {})),
            says_so(|| rt.handle().block_on(async {})),
            says_so(|| {
                let _guard = rt.enter();
                rt::spawn(async {})
            }),
            says_so(|| {
                let _guard = rt.enter();
                rt::time::sleep(Duration::ZERO)
            }),
            says_so(|| {
                let _guard = rt.enter();
                rt::time::interval(Duration::from_secs(1))
            }),
        ];
        said.iter().all(|said| *said)
    });
    works(&rt);
}

fn drops_touch_nothing(rt: Runtime) {
    let (tx, rx) = oneshot::channel::<()>();
    let task = rt.spawn(async move {
        rt::time::sleep(Duration::from_millis(1)).await;
        rx.await.unwrap();
        7
    });
    let mut set = task::JoinSet::new();
    set.spawn_on(std::future::pending::<()>(), rt.handle());
    works(&rt);
    let mut held = Some((rt, task, set));
    in_fork(|| {
        let (rt, task, set) = held.take().unwrap();
        task.abort();
        drop(task);
        drop(set);
        drop(rt);
        true
    });
    let (rt, task, mut set) = held.take().unwrap();
    in_fork(|| {
        // SAFETY of the parent's copy: the child's memory is its own.
        let (a, b) = (rt.handle().clone(), rt.enter());
        drop(b);
        drop(a);
        true
    });
    works(&rt);
    tx.send(()).unwrap();
    assert_eq!(rt.block_on(task).unwrap(), 7);
    assert!(set.try_join_next().is_none());
    set.abort_all();
    assert!(rt.block_on(set.join_next()).unwrap().is_err());
    let mut rt = Some(rt);
    in_fork(|| {
        rt.take().unwrap().shutdown_timeout(Duration::from_secs(10));
        true
    });
    in_fork(|| {
        rt.take().unwrap().shutdown_background();
        true
    });
    works(rt.as_ref().unwrap());
}

fn sockets_stay_the_parents(rt: Runtime) {
    let (mut peer, stream) = rt.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        (peer, listener.accept().await.unwrap().0)
    });
    let mut stream = Some(stream);
    in_fork(|| {
        // Closes the child's descriptor; the parent's stays in epoll.
        drop(stream.take());
        true
    });
    in_fork(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let _guard = rt.enter();
        says_so(|| TcpListener::from_std(listener))
    });
    peer.write_all(b"hello").unwrap();
    let mut stream = stream.take().unwrap();
    rt.block_on(async {
        let mut buf = [0; 5];
        stream.read_exact(&mut buf).await.unwrap();
        stream.write_all(&buf).await.unwrap();
    });
    let mut buf = [0; 5];
    peer.read_exact(&mut buf).unwrap();
    assert_eq!(&buf, b"hello");
}

fn a_child_builds_its_own(rt: Runtime) {
    in_fork(|| {
        works(&current());
        let own = workers(1);
        works(&own);
        drop(own);
        true
    });
    works(&rt);
}

fn a_fork_inside_a_task(rt: Runtime) {
    let task = rt.spawn(async {
        in_fork(|| {
            says_so(|| rt::spawn(async {})) && says_so(|| rt::time::sleep(Duration::from_secs(1)))
        });
        rt::time::sleep(Duration::from_millis(1)).await;
        1
    });
    assert_eq!(rt.block_on(task).unwrap(), 1);
    works(&rt);
}

fn a_fork_inside_block_on(rt: Runtime) {
    rt.block_on(async {
        let sleep = rt::time::sleep(Duration::from_millis(2));
        let mut sleep = Some(Box::pin(sleep));
        rt::select! {
            biased;
            () = sleep.as_mut().unwrap() => {}
            () = task::yield_now() => {}
        }
        // Armed in the wheel: the child's drop leaves it alone.
        in_fork(|| {
            drop(sleep.take());
            true
        });
        sleep.unwrap().await;
    });
    works(&rt);
}
