//! What `join!`, `try_join!` and `pin!` promise. No runtime: they work on any executor.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use trefoil as rt;

/// Polls until ready; a future that stays pending for 10,000 polls is stuck.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10_000 {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
    panic!("stuck");
}

/// Ready at its n-th poll; polled again it panics.
fn at_poll<T>(n: usize, value: T) -> impl Future<Output = T> {
    let mut left = n;
    let mut value = Some(value);
    poll_fn(move |_| {
        left -= 1;
        if left == 0 {
            Poll::Ready(value.take().unwrap())
        } else {
            Poll::Pending
        }
    })
}

#[test]
fn outputs_come_in_the_written_order() {
    run(async {
        assert_eq!(
            rt::join!(at_poll(3, 'a'), at_poll(1, 2), at_poll(2, "c")),
            ('a', 2, "c")
        );
        assert_eq!(rt::join!(biased; at_poll(2, 1), at_poll(1, 2),), (1, 2));
    });
}

#[test]
fn zero_and_one_futures_give_small_tuples() {
    run(async {
        let () = rt::join!();
        let () = rt::join!(biased;);
        assert_eq!(rt::join!(ready(1)), (1,));
        assert_eq!(rt::join!(ready(1),), (1,));
        assert_eq!(rt::try_join!(), Ok::<(), ()>(()));
        assert_eq!(rt::try_join!(ready(Ok::<_, ()>(1))), Ok((1,)));
        assert_eq!(rt::try_join!(biased; ready(Err::<u8, _>(1))), Err(1));
    });
}

#[test]
fn the_first_error_ends_try_join_and_drops_the_rest() {
    let alive = Rc::new(());
    let held = Rc::clone(&alive);
    let got = run(async move {
        rt::try_join!(
            async move {
                let _held = held;
                pending::<Result<(), &str>>().await
            },
            at_poll(2, Err::<u8, _>("no")),
            ready(Ok('c')),
        )
    });
    assert_eq!(got, Err("no"));
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn try_join_collects_the_values() {
    let got = run(async { rt::try_join!(at_poll(2, Ok::<_, ()>(1)), at_poll(3, Ok("b"))) });
    assert_eq!(got, Ok((1, "b")));
}

#[test]
fn a_question_mark_may_follow() {
    async fn both() -> Result<u32, String> {
        let (a, b) = rt::try_join!(ready(Ok::<u32, String>(1)), at_poll(2, Ok(2)))?;
        Ok(a + b)
    }
    assert_eq!(run(both()), Ok(3));
}

/// The order in which three futures are polled in four polls.
fn polled(biased: bool) -> String {
    let log = RefCell::new(String::new());
    let branch = |name: char| {
        let log = &log;
        let mut left = 4;
        poll_fn(move |_| {
            log.borrow_mut().push(name);
            left -= 1;
            if left == 0 {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    };
    run(async {
        if biased {
            rt::join!(biased; branch('a'), branch('b'), branch('c'));
        } else {
            rt::join!(branch('a'), branch('b'), branch('c'));
        }
    });
    log.into_inner()
}

#[test]
fn the_first_one_rotates_unless_biased() {
    assert_eq!(polled(false), "abcbcacababc");
    assert_eq!(polled(true), "abcabcabcabc");
}

#[test]
fn a_finished_future_is_dropped_and_not_polled_again() {
    let alive = Rc::new(());
    let held = Rc::clone(&alive);
    let probe = Rc::clone(&alive);
    run(async move {
        rt::join!(
            biased;
            async move { drop(held) },
            async move {
                at_poll(2, ()).await;
                assert_eq!(Rc::strong_count(&probe), 2, "the first future is gone by now");
            },
        );
    });
    assert_eq!(Rc::strong_count(&alive), 1);
}

#[test]
fn futures_may_borrow_and_need_not_be_send() {
    let text = Rc::new(String::from("shared"));
    let (a, b) = run(async {
        rt::join!(async { text.len() }, async {
            at_poll(2, ()).await;
            &text[..2]
        })
    });
    assert_eq!((a, b), (6, "sh"));
}

#[test]
fn temporaries_of_the_expressions_live_as_long_as_the_futures() {
    async fn length(text: &str) -> usize {
        at_poll(2, ()).await;
        text.len()
    }
    let both = run(async { rt::join!(length(&String::from("ab")), length(&"ab".repeat(2))) });
    assert_eq!(both, (2, 4));
}

#[test]
fn many_futures_stay_below_the_default_recursion_limit() {
    let sum = run(async {
        let (a, .., z) = rt::join! {
            ready(1), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()),
            ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(()), ready(2),
        };
        a + z
    });
    assert_eq!(sum, 3);
}

#[test]
fn the_future_is_send_when_its_branches_are() {
    fn assert_send<T: Send>(_: &T) {}
    assert_send(&async {
        let _: (String, u8) = rt::join!(pending(), ready(1));
    });
}

#[test]
fn a_join_holds_each_future_once() {
    let big = || async {
        let bytes = [1_u8; 1024];
        at_poll(2, ()).await;
        bytes.len()
    };
    let future = async move { rt::join!(big(), big()) };
    let size = size_of_val(&future);
    assert!(size < 2 * size_of_val(&big()) + 256, "{size} bytes");
    assert_eq!(run(future), (1024, 1024));
}

#[test]
fn pin_shadows_what_it_pins() {
    run(async {
        let a = at_poll(2, 1);
        let b = at_poll(2, 2);
        rt::pin!(a, b);
        assert_eq!(a.as_mut().await + (&mut b).await, 3);
        rt::pin! {
            let c = ready(3);
            let d = ready(4);
        }
        assert_eq!(c.await + d.await, 7);
    });
}
