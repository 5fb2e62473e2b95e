//! What `timeout` and `timeout_at` promise.

use std::future::{Future, IntoFuture, pending, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use rt::time::{self, Duration, Instant, sleep, timeout, timeout_at};
use trefoil as rt;

/// Runs `future` on a runtime whose clock stands still.
fn paused<F: Future>(future: F) -> F::Output {
    let mut builder = rt::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Counts its drops.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_future_that_is_ready_wins_even_without_time() {
    paused(async {
        assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
        time::advance(ms(10)).await;
        assert_eq!(timeout_at(Instant::now() - ms(5), ready(2)).await, Ok(2));
    });
}

#[test]
fn at_the_deadline_it_gives_elapsed() {
    paused(async {
        let start = Instant::now();
        let late = timeout(ms(250), pending::<()>()).await.unwrap_err();
        assert_eq!(start.elapsed(), ms(250));
        assert!(!late.to_string().is_empty());
        let error = std::io::Error::from(late);
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
        assert!(
            timeout_at(start, pending::<()>()).await.is_err(),
            "it has passed"
        );
        assert_eq!(start.elapsed(), ms(250));
    });
}

#[test]
fn a_future_that_ends_with_the_deadline_wins() {
    paused(async {
        for limit in [9, 10, 11] {
            let outcome = timeout(ms(limit), sleep(ms(10))).await;
            // Both are woken in one turn at 10; the future is polled first.
            assert_eq!(outcome.is_ok(), limit >= 10);
        }
    });
}

#[test]
fn the_time_counts_from_the_call() {
    paused(async {
        let start = Instant::now();
        let limited = timeout(ms(100), pending::<()>());
        time::advance(ms(60)).await;
        assert!(limited.await.is_err());
        assert_eq!(start.elapsed(), ms(100));
    });
}

#[test]
fn a_future_that_spends_the_whole_budget_is_ended_all_the_same() {
    paused(async {
        let (tx, mut rx) = rt::sync::mpsc::unbounded_channel();
        for n in 0..100_000 {
            tx.send(n).unwrap();
        }
        let start = Instant::now();
        // Never pending by itself: each poll ends only because the budget is spent.
        let greedy = async {
            while let Some(n) = rx.recv().await {
                tx.send(n).unwrap();
            }
        };
        let outcome = timeout(ms(5), async {
            let mut greedy = pin!(greedy);
            // Time passes by hand: a runtime that is never idle does not move the clock.
            let mut turns = 0;
            poll_fn(|cx| {
                turns += 1;
                assert!(turns < 1000, "the time-out never got a look");
                let _ = pin!(time::advance(ms(1))).poll(cx);
                greedy.as_mut().poll(cx)
            })
            .await;
        })
        .await;
        assert!(outcome.is_err());
        assert!(start.elapsed() >= ms(5));
    });
}

#[test]
fn the_future_is_dropped_with_the_timeout() {
    paused(async {
        let drops = Arc::new(AtomicUsize::new(0));
        let held = || {
            let held = Dropped(Arc::clone(&drops));
            async move {
                let _held = held;
                pending::<()>().await;
            }
        };
        assert!(timeout(ms(1), held()).await.is_err());
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        for polls in 0..4 {
            let before = drops.load(Ordering::Relaxed);
            let mut limited = Box::pin(timeout(ms(100), held()));
            for _ in 0..polls {
                let mut cx = Context::from_waker(Waker::noop());
                assert!(limited.as_mut().poll(&mut cx).is_pending());
            }
            drop(limited);
            assert_eq!(drops.load(Ordering::Relaxed), before + 1);
        }
    });
}

#[test]
fn a_timeout_that_was_not_needed_leaves_the_wheel() {
    /// Counts nothing: its `Arc` count says who holds the waker.
    struct Held;
    impl Wake for Held {
        fn wake(self: Arc<Self>) {}
    }
    paused(async {
        let held = Arc::new(Held);
        let waker = Waker::from(Arc::clone(&held));
        let mut cx = Context::from_waker(&waker);
        let mut polls = 0;
        let mut limited = Box::pin(timeout(
            ms(100),
            poll_fn(move |_| {
                polls += 1;
                if polls == 3 {
                    Poll::Ready(polls)
                } else {
                    Poll::Pending
                }
            }),
        ));
        assert!(limited.as_mut().poll(&mut cx).is_pending());
        assert!(limited.as_mut().poll(&mut cx).is_pending());
        assert_eq!(
            Arc::strong_count(&held),
            3,
            "here, in the waker, in the wheel"
        );
        assert_eq!(limited.as_mut().poll(&mut cx), Poll::Ready(Ok(3)));
        drop(limited);
        assert_eq!(Arc::strong_count(&held), 2);
    });
}

#[test]
fn it_takes_what_turns_into_a_future_and_gives_the_future_back() {
    struct Question(u32);
    impl IntoFuture for Question {
        type Output = u32;
        type IntoFuture = std::future::Ready<u32>;
        fn into_future(self) -> Self::IntoFuture {
            ready(self.0)
        }
    }
    paused(async {
        assert_eq!(timeout(ms(1), Question(42)).await, Ok(42));
        let mut limited = timeout(ms(1), Question(1));
        let _: &std::future::Ready<u32> = limited.get_ref();
        *limited.get_mut() = ready(2);
        assert_eq!(limited.into_inner().await, 2);
    });
}

#[test]
fn a_timeout_of_a_timeout_ends_at_the_nearer_one() {
    paused(async {
        let start = Instant::now();
        assert_eq!(
            timeout(ms(20), timeout(ms(10), pending::<()>()))
                .await
                .map(|r| r.is_err()),
            Ok(true)
        );
        assert_eq!(start.elapsed(), ms(10));
        assert!(
            timeout(ms(10), timeout(ms(20), pending::<()>()))
                .await
                .is_err()
        );
        assert_eq!(start.elapsed(), ms(20));
    });
}

#[test]
fn the_errors_say_what_they_are() {
    use rt::time::error::Error;
    assert!(Error::shutdown().is_shutdown());
    assert!(Error::at_capacity().is_at_capacity());
    assert!(Error::invalid().is_invalid() && !Error::invalid().is_shutdown());
    let texts = [Error::shutdown(), Error::at_capacity(), Error::invalid()].map(|e| e.to_string());
    assert!(texts.iter().all(|text| !text.is_empty()));
}
