//! What `signal` promises. All in one process, one test at a time: signals belong to the process.

#![allow(
    unsafe_code,
    reason = "raise, kill and fork are the subject, and std has none of them"
)]

use std::ffi::c_int;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use rt::runtime::{Builder, Runtime};
use rt::signal::unix::{Signal, SignalKind, signal};
use trefoil as rt;

/// Each test takes its turn: another one's runtime would serve the signals too.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A runtime of this thread only.
fn current() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime with two workers.
fn workers() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Sends a signal to this thread; its handler has run when this returns.
fn raise(kind: SignalKind) {
    // SAFETY: raise(3) has no precondition; every test has a handler for what it raises.
    let result = unsafe { libc::raise(kind.as_raw_value()) };
    assert_eq!(result, 0);
}

/// Sends a signal to this process; the kernel chooses the thread.
fn kill(kind: SignalKind) {
    let process = std::process::id().cast_signed();
    // SAFETY: as for `raise`; the process is this one.
    let result = unsafe { libc::kill(process, kind.as_raw_value()) };
    assert_eq!(result, 0);
}

/// Waits for the signal, and no longer than a lost one would be noticed.
async fn comes(signal: &mut Signal) {
    let waited = rt::time::timeout(Duration::from_secs(20), signal.recv()).await;
    assert_eq!(waited, Ok(Some(())), "the signal was lost");
}

/// One look, by nobody in particular.
fn look(signal: &mut Signal) -> Poll<Option<()>> {
    signal.poll_recv(&mut Context::from_waker(Waker::noop()))
}

/// True when this process catches the signal: /proc/PID/status, see proc(5).
fn is_caught(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    caught & (1 << (kind.as_raw_value() - 1)) != 0
}

#[test]
fn a_listener_sees_what_comes_after_its_creation() {
    let _alone = alone();
    let kind = SignalKind::user_defined1();
    current().block_on(async {
        let mut first = signal(kind).unwrap();
        raise(kind);
        let mut second = signal(kind).unwrap();
        comes(&mut first).await;
        assert!(look(&mut second).is_pending(), "it came before this one");
        raise(kind);
        comes(&mut second).await;
        comes(&mut first).await;
    });
}

#[test]
fn signals_that_nobody_looked_at_count_as_one() {
    let _alone = alone();
    let kind = SignalKind::user_defined1();
    current().block_on(async {
        let mut signal = signal(kind).unwrap();
        for _ in 0..10 {
            raise(kind);
        }
        comes(&mut signal).await;
        rt::time::sleep(Duration::from_millis(5)).await;
        assert!(look(&mut signal).is_pending());
        raise(kind);
        comes(&mut signal).await;
    });
}

#[test]
fn kinds_do_not_mix() {
    let _alone = alone();
    current().block_on(async {
        let mut one = signal(SignalKind::user_defined1()).unwrap();
        let mut two = signal(SignalKind::user_defined2()).unwrap();
        raise(SignalKind::user_defined2());
        comes(&mut two).await;
        assert!(look(&mut one).is_pending());
    });
}

#[test]
fn every_listener_in_every_runtime_sees_each_signal() {
    let _alone = alone();
    let kind = SignalKind::hangup();
    // 100 waiters: more than one batch of wakers.
    let all_wait = Arc::new(std::sync::Barrier::new(3));
    let threads: Vec<_> = [current(), workers()]
        .into_iter()
        .map(|runtime| {
            let all_wait = Arc::clone(&all_wait);
            std::thread::spawn(move || {
                runtime.block_on(async move {
                    let mut tasks = Vec::new();
                    for _ in 0..50 {
                        let mut signal = signal(kind).unwrap();
                        assert!(look(&mut signal).is_pending());
                        tasks.push(rt::spawn(async move { comes(&mut signal).await }));
                    }
                    all_wait.wait();
                    for task in tasks {
                        task.await.unwrap();
                    }
                });
            })
        })
        .collect();
    all_wait.wait();
    kill(kind);
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn another_runtime_serves_one_that_stands_still() {
    let _alone = alone();
    let still = current();
    let kind = SignalKind::from_raw(40);
    let mut signal_of_still = still.block_on(async { signal(kind).unwrap() });
    current().block_on(async {
        let _other = signal(SignalKind::from_raw(41)).unwrap();
        raise(kind);
        comes(&mut signal_of_still).await;
    });
    drop(still);
    workers().block_on(async {
        let _other = signal(SignalKind::from_raw(41)).unwrap();
        raise(kind);
        comes(&mut signal_of_still).await;
    });
}

#[test]
fn what_came_while_no_runtime_ran_is_seen_later() {
    let _alone = alone();
    let runtime = current();
    let kind = SignalKind::from_raw(42);
    let mut signal = runtime.block_on(async { signal(kind).unwrap() });
    raise(kind);
    runtime.block_on(comes(&mut signal));
}

#[test]
fn a_full_pipe_loses_nothing() {
    let _alone = alone();
    let runtime = current();
    let (often, once) = (SignalKind::from_raw(43), SignalKind::from_raw(44));
    let (mut often_seen, mut once_seen) =
        runtime.block_on(async { (signal(often).unwrap(), signal(once).unwrap()) });
    // pipe(7): 65,536 bytes by default; each signal writes one.
    for _ in 0..70_000 {
        raise(often);
    }
    raise(once);
    runtime.block_on(async {
        comes(&mut once_seen).await;
        comes(&mut often_seen).await;
        raise(once);
        comes(&mut once_seen).await;
    });
}

#[test]
fn the_last_signal_of_a_storm_is_not_lost_nor_any_single_one_after_it() {
    let _alone = alone();
    let kind = SignalKind::from_raw(45);
    for runtime in [current(), workers()] {
        runtime.block_on(async {
            let mut signal = signal(kind).unwrap();
            let storm = std::thread::spawn(move || (0..20_000).for_each(|_| kill(kind)));
            while !storm.is_finished() {
                let _seen = rt::time::timeout(Duration::from_millis(5), signal.recv()).await;
            }
            storm.join().unwrap();
            // Whatever of the storm is still on its way.
            let quiet = Duration::from_millis(20);
            while rt::time::timeout(quiet, signal.recv()).await.is_ok() {}
            for _ in 0..200 {
                kill(kind);
                let since = Instant::now();
                comes(&mut signal).await;
                assert!(since.elapsed() < Duration::from_secs(2));
            }
        });
    }
}

#[test]
fn a_storm_shortens_no_sleep() {
    let _alone = alone();
    let kind = SignalKind::from_raw(46);
    current().block_on(async {
        let _signal = signal(kind).unwrap();
        let storm = std::thread::spawn(move || (0..20_000).for_each(|_| kill(kind)));
        while !storm.is_finished() {
            let since = Instant::now();
            rt::time::sleep(Duration::from_millis(2)).await;
            assert!(since.elapsed() >= Duration::from_millis(2));
        }
        storm.join().unwrap();
    });
}

#[test]
fn a_dropped_recv_loses_nothing() {
    let _alone = alone();
    let kind = SignalKind::from_raw(47);
    current().block_on(async {
        let mut signal = signal(kind).unwrap();
        for _ in 0..3 {
            {
                let mut recv = pin!(signal.recv());
                let polled = recv.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                assert!(polled.is_pending());
                raise(kind);
            }
            comes(&mut signal).await;
        }
    });
}

#[test]
fn the_handler_stays_when_the_listeners_are_gone() {
    let _alone = alone();
    let kind = SignalKind::from_raw(48);
    assert!(!is_caught(kind));
    let runtime = current();
    runtime.block_on(async { drop(signal(kind).unwrap()) });
    assert!(is_caught(kind));
    raise(kind);
    runtime.block_on(async {
        let mut signal = signal(kind).unwrap();
        assert!(look(&mut signal).is_pending(), "that one was before");
        raise(kind);
        comes(&mut signal).await;
    });
}

/// Counts how often it is woken.
#[derive(Default)]
struct Counts(AtomicUsize);

impl Wake for Counts {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_task_that_polled_last_is_woken_and_a_dropped_listener_keeps_no_waker() {
    let _alone = alone();
    let kind = SignalKind::from_raw(49);
    let (first, last) = (Arc::new(Counts::default()), Arc::new(Counts::default()));
    current().block_on(async {
        let mut signal = signal(kind).unwrap();
        for counts in [&first, &last] {
            let waker = Waker::from(Arc::clone(counts));
            assert!(
                signal
                    .poll_recv(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        assert_eq!(Arc::strong_count(&first), 1);
        raise(kind);
        rt::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(first.0.load(Ordering::Relaxed), 0);
        assert_eq!(last.0.load(Ordering::Relaxed), 1);
        assert!(look(&mut signal).is_ready());

        let waker = Waker::from(Arc::clone(&last));
        assert!(
            signal
                .poll_recv(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(waker);
        drop(signal);
        assert_eq!(Arc::strong_count(&last), 1);
    });
}

#[test]
fn what_must_not_be_caught_is_refused() {
    let _alone = alone();
    current().block_on(async {
        for number in [
            libc::SIGKILL,
            libc::SIGSTOP,
            libc::SIGILL,
            libc::SIGFPE,
            libc::SIGSEGV,
        ] {
            let error = signal(SignalKind::from_raw(number)).unwrap_err();
            assert!(
                error.to_string().contains("cannot be listened to"),
                "{error}"
            );
        }
        // 32 and 33 are glibc's own.
        for number in [0, -1, 65, c_int::MAX, c_int::MIN, 32, 33] {
            assert!(signal(SignalKind::from_raw(number)).is_err(), "{number}");
        }
    });
}

#[test]
fn kinds_are_numbers_with_names() {
    let named = [
        (SignalKind::alarm(), libc::SIGALRM),
        (SignalKind::child(), libc::SIGCHLD),
        (SignalKind::hangup(), libc::SIGHUP),
        (SignalKind::interrupt(), libc::SIGINT),
        (SignalKind::io(), libc::SIGIO),
        (SignalKind::pipe(), libc::SIGPIPE),
        (SignalKind::quit(), libc::SIGQUIT),
        (SignalKind::terminate(), libc::SIGTERM),
        (SignalKind::user_defined1(), libc::SIGUSR1),
        (SignalKind::user_defined2(), libc::SIGUSR2),
        (SignalKind::window_change(), libc::SIGWINCH),
    ];
    for (kind, number) in named {
        assert_eq!(kind.as_raw_value(), number);
        assert_eq!(c_int::from(kind), number);
        assert_eq!(SignalKind::from(number), kind);
    }
}

#[test]
fn the_types_go_where_a_task_goes() {
    use rt::signal::{CtrlC, unix::Recv};
    use static_assertions::{assert_impl_all, assert_not_impl_any};
    assert_impl_all!(Signal: Send, Sync, Unpin);
    assert_impl_all!(SignalKind: Send, Sync, Unpin, Copy);
    assert_impl_all!(Recv<'_>: Send, Sync);
    assert_impl_all!(CtrlC: Send, Sync);
    assert_not_impl_any!(Recv<'_>: Unpin);
    assert_not_impl_any!(CtrlC: Unpin);
}

#[test]
fn ctrl_c_listens_from_its_first_poll_on() {
    let _alone = alone();
    current().block_on(async {
        let mut ctrl_c = pin!(rt::signal::ctrl_c());
        assert!(!is_caught(SignalKind::interrupt()), "it is lazy");
        let polled = ctrl_c
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        assert!(is_caught(SignalKind::interrupt()));
        raise(SignalKind::interrupt());
        ctrl_c.await.unwrap();
    });
}

#[test]
fn misuse_names_the_remedy() {
    let message = |f: fn()| {
        let payload = std::panic::catch_unwind(f).unwrap_err();
        payload
            .downcast_ref::<String>()
            .expect("a formatted text")
            .clone()
    };
    let outside = message(|| drop(signal(SignalKind::hangup())));
    assert!(outside.contains("Runtime::block_on"), "{outside}");
    let without_io = message(|| {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { drop(signal(SignalKind::hangup())) });
    });
    assert!(without_io.contains("enable_io"), "{without_io}");
}

#[test]
fn a_forked_child_leaves_the_parents_signals_alone() {
    let _alone = alone();
    let kind = SignalKind::from_raw(50);
    current().block_on(async {
        let mut signal_of_parent = signal(kind).unwrap();
        // Not drained yet: the child could take it away.
        raise(kind);
        // SAFETY: no other test runs, so no lock that the child needs is held by another thread;
        // glibc sees to its own. The child leaves by _exit(2).
        let child = unsafe { libc::fork() };
        if child == 0 {
            raise(kind);
            let refused = signal(kind).is_err() && look(&mut signal_of_parent).is_pending();
            // SAFETY: _exit(2) has no precondition.
            unsafe { libc::_exit(if refused { 7 } else { 8 }) };
        }
        let mut status = 0;
        // SAFETY: `status` is a local, `child` is our child.
        let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
        assert_eq!(waited, child);
        assert!(libc::WIFEXITED(status), "{status:#x}");
        assert_eq!(libc::WEXITSTATUS(status), 7);
        comes(&mut signal_of_parent).await;
        rt::time::sleep(Duration::from_millis(5)).await;
        assert!(
            look(&mut signal_of_parent).is_pending(),
            "the child's own signal stays there"
        );
        raise(kind);
        comes(&mut signal_of_parent).await;
    });
}
