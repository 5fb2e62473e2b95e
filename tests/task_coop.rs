//! The cooperative budget as programs see it: `task::coop`, `unconstrained`, `consume_budget`.

#[path = "both/mod.rs"]
mod both;

use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker, ready};

use both::{both, current, watchdog};
use rt::sync::Semaphore;
use rt::task::{self, coop};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil as rt;

/// tokio's documented number.
const UNITS: usize = 128;

/// How often a future of one task is polled until it is ready.
fn polls<F: Future>(future: F) -> usize {
    let mut polls = 0;
    current().block_on(async {
        let mut future = pin!(future);
        poll_fn(|cx| {
            polls += 1;
            future.as_mut().poll(cx).map(drop)
        })
        .await;
    });
    polls
}

#[test]
fn a_poll_has_128_units() {
    let _dog = watchdog();
    for runtime in both() {
        runtime
            .block_on(runtime.spawn(async {
                // The spawned task has a turn of its own, with all its units.
                poll_fn(|cx| {
                    for _ in 0..UNITS {
                        assert!(coop::has_budget_remaining());
                        match coop::poll_proceed(cx) {
                            Poll::Ready(unit) => unit.made_progress(),
                            Poll::Pending => panic!("cut off too early"),
                        }
                    }
                    assert!(!coop::has_budget_remaining());
                    assert!(coop::poll_proceed(cx).is_pending());
                    Poll::Ready(())
                })
                .await;
            }))
            .unwrap();
    }
}

#[test]
fn a_unit_is_given_back_unless_progress_was_made() {
    let _dog = watchdog();
    let steps = |progress: bool| async move {
        for _ in 0..10 * UNITS {
            poll_fn(|cx| {
                let unit = ready!(coop::poll_proceed(cx));
                if progress {
                    unit.made_progress();
                    unit.made_progress(); // twice is once
                }
                Poll::Ready(())
            })
            .await;
        }
    };
    assert_eq!(polls(steps(false)), 1);
    assert_eq!(polls(steps(true)), 10);
}

#[test]
fn consume_budget_steps_back_when_nothing_is_left() {
    let _dog = watchdog();
    let work = async {
        for _ in 0..3 * UNITS {
            task::consume_budget().await;
        }
    };
    assert_eq!(polls(work), 3);
}

#[test]
fn unconstrained_is_never_cut_off_and_costs_the_task_nothing() {
    let _dog = watchdog();
    let work = async {
        let slots = Semaphore::new(1);
        task::unconstrained(async {
            for _ in 0..10 * UNITS {
                drop(slots.acquire().await.unwrap());
            }
        })
        .await;
        for _ in 0..UNITS {
            drop(slots.acquire().await.unwrap());
        }
    };
    assert_eq!(polls(work), 1);
}

#[test]
fn cooperative_spends_a_unit_for_each_output_and_none_for_a_wait() {
    let _dog = watchdog();
    let work = async {
        for _ in 0..2 * UNITS {
            coop::cooperative(ready(())).await;
        }
    };
    assert_eq!(polls(work), 2);
    let mut waits = 10 * UNITS;
    let waiting = poll_fn(|cx| {
        // Polled again and again in one turn: it is not ready, so nothing is spent.
        let mut never = pin!(coop::cooperative(std::future::pending::<()>()));
        while waits > 0 {
            assert!(never.as_mut().poll(cx).is_pending());
            waits -= 1;
        }
        assert!(coop::has_budget_remaining());
        Poll::Ready(())
    });
    assert_eq!(polls(waiting), 1);
}

#[test]
fn a_greedy_task_lets_another_run() {
    let _dog = watchdog();
    current().block_on(async {
        let other = rt::spawn(async {});
        let mut steps = 0;
        while !other.is_finished() {
            task::consume_budget().await;
            steps += 1;
        }
        assert!(steps <= 2 * UNITS, "{steps}");
    });
}

#[test]
fn outside_of_a_task_nothing_is_counted() {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10 * UNITS {
        match coop::poll_proceed(&mut cx) {
            Poll::Ready(unit) => unit.made_progress(),
            Poll::Pending => panic!("counted"),
        }
    }
    assert!(coop::has_budget_remaining());
}

#[test]
fn they_have_tokios_auto_traits() {
    use std::cell::Cell;
    use std::pin::Pin;
    type Bss = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;
    type Bs = Pin<Box<dyn Future<Output = ()> + Send>>;
    assert_impl_all!(task::Unconstrained<Bss>: Send, Sync, Unpin);
    assert_impl_all!(task::Unconstrained<Bs>: Send, Unpin);
    assert_not_impl_any!(task::Unconstrained<Bs>: Sync);
    assert_impl_all!(coop::Coop<Cell<u8>>: Send, Unpin);
    assert_impl_all!(coop::RestoreOnPending: Unpin);
    assert_not_impl_any!(coop::RestoreOnPending: Send, Sync);
    assert_impl_all!(task::futures::ConsumeBudget: Send, Sync);
    assert_not_impl_any!(task::futures::ConsumeBudget: Unpin);
}
