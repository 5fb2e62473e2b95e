//! `AsyncFd`: guards clear what they saw and no more; errors give the object back.

use std::future::Future;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rt::io::unix::AsyncFd;
use rt::io::{Interest, Ready};
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

/// Two connected sockets, non-blocking.
fn pair() -> (UnixStream, UnixStream) {
    let (a, b) = UnixStream::pair().unwrap();
    a.set_nonblocking(true).unwrap();
    b.set_nonblocking(true).unwrap();
    (a, b)
}

/// True when `fd` is not readable, as far as is known.
fn waits<T: std::os::fd::AsRawFd>(fd: &AsyncFd<T>) -> bool {
    let mut readable = pin!(fd.readable());
    readable
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
        .is_pending()
}

#[test]
fn readiness_stays_until_it_is_cleared() {
    both(|| async {
        let (a, b) = pair();
        let a = AsyncFd::new(a).unwrap();
        assert!(waits(&a));
        (&b).write_all(b"0").unwrap();
        let mut guard = a.readable().await.unwrap();
        assert_eq!(guard.ready(), Ready::READABLE);
        guard.retain_ready();
        drop(guard);
        assert!(!waits(&a), "a guard that is dropped clears nothing");
        let mut guard = a.readable().await.unwrap();
        guard.clear_ready();
        assert!(guard.ready().is_empty());
        assert!(waits(&a), "the next edge is awaited");
        (&b).write_all(b"1").unwrap();
        let mut guard = a.readable().await.unwrap();
        guard.clear_ready_matching(Ready::WRITABLE);
        assert_eq!(guard.ready(), Ready::READABLE);
        guard.clear_ready_matching(Ready::READABLE);
        assert!(waits(&a));
    });
}

#[test]
fn a_guard_never_clears_what_came_after_it() {
    both(|| async {
        let (a, b) = pair();
        let a = AsyncFd::new(a).unwrap();
        (&b).write_all(b"0").unwrap();
        let mut old = a.readable().await.unwrap();
        a.readable().await.unwrap().clear_ready();
        (&b).write_all(b"1").unwrap();
        a.readable().await.unwrap().retain_ready();
        old.clear_ready();
        assert!(!waits(&a));
    });
}

#[test]
fn try_io_clears_after_would_block_only() {
    both(|| async {
        let (a, b) = pair();
        let a = AsyncFd::new(a).unwrap();
        let untried = a.try_io(Interest::READABLE, |_| -> std::io::Result<()> {
            panic!("tried")
        });
        assert_eq!(untried.unwrap_err().kind(), ErrorKind::WouldBlock);
        (&b).write_all(b"01").unwrap();
        let mut buf = [0; 1];
        let mut guard = a.readable().await.unwrap();
        for expected in *b"01" {
            let n = guard
                .try_io(|fd| fd.get_ref().read(&mut buf))
                .unwrap()
                .unwrap();
            assert_eq!((n, buf[0]), (1, expected));
        }
        let other = guard.try_io(|_| Err::<(), _>(std::io::Error::other("mine")));
        assert_eq!(other.unwrap().unwrap_err().to_string(), "mine");
        assert!(guard.try_io(|fd| fd.get_ref().read(&mut buf)).is_err());
        assert!(waits(&a));
        assert!(guard.get_ref().readable().now_or_pending().is_pending());
    });
}

/// Polls once.
trait NowOrPending: Future + Sized {
    fn now_or_pending(self) -> Poll<Self::Output> {
        let mut future = pin!(self);
        future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
    }
}
impl<F: Future> NowOrPending for F {}

#[test]
fn the_mut_methods_reach_the_object() {
    both(|| async {
        let (a, b) = pair();
        let mut a = AsyncFd::new(a).unwrap();
        {
            let mut readable = pin!(a.readable_mut());
            assert!(readable.as_mut().now_or_pending().is_pending());
        }
        (&b).write_all(b"0123").unwrap();
        let mut buf = [0; 1];
        let mut guard = a.readable_mut().await.unwrap();
        guard
            .try_io(|fd| fd.get_mut().read(&mut buf))
            .unwrap()
            .unwrap();
        guard.get_inner_mut().read_exact(&mut buf).unwrap();
        guard.retain_ready();
        assert_eq!(buf, *b"1");
        a.ready_mut(Interest::READABLE)
            .await
            .unwrap()
            .retain_ready();
        a.writable_mut().await.unwrap().retain_ready();
        a.try_io_mut(Interest::READABLE, |fd| fd.read(&mut buf))
            .unwrap();
        let n = a
            .async_io_mut(Interest::READABLE, |fd| fd.read(&mut buf))
            .await
            .unwrap();
        assert_eq!((n, buf), (1, *b"3"));
        {
            let mut polled = pin!(a.async_io_mut(Interest::READABLE, |fd| fd.read(&mut buf)));
            assert!(polled.as_mut().now_or_pending().is_pending());
            (&b).write_all(b"4").unwrap();
            assert_eq!(polled.await.unwrap(), 1);
        }
        std::future::poll_fn(|cx| a.poll_write_ready_mut(cx).map_ok(|mut g| g.retain_ready()))
            .await
            .unwrap();
    });
}

#[test]
fn the_end_of_the_stream_stays() {
    both(|| async {
        let (a, b) = pair();
        let a = AsyncFd::new(a).unwrap();
        drop(b);
        for _ in 0..3 {
            let mut guard = a.readable().await.unwrap();
            assert!(guard.ready().is_read_closed());
            guard.clear_ready();
        }
        let ready = a
            .ready(Interest::READABLE | Interest::WRITABLE)
            .await
            .unwrap()
            .ready();
        assert!(ready.is_read_closed() && ready.is_write_closed());
    });
}

#[test]
fn interests_are_kept_apart() {
    both(|| async {
        let (a, b) = pair();
        let read = AsyncFd::with_interest(a, Interest::READABLE).unwrap();
        assert!(read.writable().now_or_pending().is_pending());
        (&b).write_all(b"0").unwrap();
        read.readable().await.unwrap().retain_ready();
        assert!(read.writable().now_or_pending().is_pending());
        let write = AsyncFd::with_interest(b, Interest::WRITABLE).unwrap();
        write.writable().await.unwrap().clear_ready();
        assert!(write.writable().now_or_pending().is_pending());
    });
}

#[test]
fn what_cannot_be_registered_comes_back() {
    both(|| async {
        let file = std::fs::File::open("/proc/self/cmdline").unwrap();
        let file = std::fs::File::open("/etc/passwd").unwrap_or(file);
        let error = AsyncFd::try_new(file).unwrap_err();
        assert!(!error.to_string().is_empty());
        let (mut file, cause) = error.into_parts();
        assert_eq!(cause.kind(), ErrorKind::PermissionDenied);
        file.read_exact(&mut [0; 1]).unwrap();
        assert!(AsyncFd::new(file).is_err());
        let (a, _b) = pair();
        let a = AsyncFd::new(Arc::new(a)).unwrap();
        let twice = AsyncFd::try_new(Arc::clone(a.get_ref())).unwrap_err();
        assert_eq!(twice.into_parts().1.kind(), ErrorKind::AlreadyExists);
        let a = a.into_inner();
        assert!(
            AsyncFd::new(a).is_ok(),
            "into_inner takes it out of the runtime"
        );
    });
}

#[test]
fn an_event_wakes_all_who_wait() {
    both(|| async {
        let (a, b) = pair();
        let a = Arc::new(AsyncFd::new(a).unwrap());
        let waiters: Vec<_> = (0..100)
            .map(|_| {
                let a = Arc::clone(&a);
                rt::spawn(async move { a.readable().await.unwrap().retain_ready() })
            })
            .collect();
        rt::task::yield_now().await;
        (&b).write_all(b"0").unwrap();
        for waiter in waiters {
            waiter.await.unwrap();
        }
    });
}

#[test]
fn the_end_of_the_runtime_ends_each_wait() {
    let rt = Builder::new_current_thread().enable_all().build().unwrap();
    let (a, _b) = pair();
    let a = {
        let _entered = rt.enter();
        AsyncFd::new(a).unwrap()
    };
    let mut readable = pin!(a.readable());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(readable.as_mut().poll(&mut cx).is_pending());
    drop(rt);
    let Poll::Ready(Err(error)) = readable.as_mut().poll(&mut cx) else {
        panic!("still waits")
    };
    assert!(rt::runtime::is_rt_shutdown_err(&error));
    let Poll::Ready(Err(error)) = a.poll_read_ready(&mut cx) else {
        panic!("still waits")
    };
    assert!(rt::runtime::is_rt_shutdown_err(&error));
    let rt = Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = rt.enter();
    assert!(AsyncFd::new(pair().0).is_ok());
}
