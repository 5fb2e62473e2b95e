//! Barrier: rounds, leaders, what a dropped waiter leaves behind.

mod hand;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use hand::{Bomb, Hand};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil::sync::futures::Wait;
use trefoil::sync::{Barrier, BarrierWaitResult};

assert_impl_all!(Barrier: Send, Sync, Unpin);
assert_impl_all!(BarrierWaitResult: Send, Sync, Unpin, Clone, std::fmt::Debug);
assert_impl_all!(Wait<'static>: Send, Sync);
assert_not_impl_any!(Wait<'static>: Unpin);

#[test]
fn a_barrier_of_none_or_one_holds_nobody_up() {
    for n in [0, 1] {
        let barrier = Barrier::new(n);
        for _ in 0..3 {
            assert!(Hand::new(barrier.wait()).expect_ready().is_leader());
        }
    }
}

#[test]
fn nobody_goes_on_before_all_have_come_and_the_last_leads() {
    let barrier = Barrier::new(100);
    for _round in 0..3 {
        let mut waiters: Vec<_> = (0..99).map(|_| Hand::pending(barrier.wait())).collect();
        assert!(waiters.iter_mut().all(|waiter| waiter.poll().is_pending()));
        assert!(Hand::new(barrier.wait()).expect_ready().is_leader());
        for waiter in &mut waiters {
            assert!(waiter.woken());
            assert!(!waiter.expect_ready().is_leader());
        }
    }
}

#[test]
fn who_comes_early_for_the_next_round_waits_for_it() {
    let barrier = Barrier::new(2);
    let mut slow = Hand::pending(barrier.wait());
    assert!(Hand::new(barrier.wait()).expect_ready().is_leader());
    let mut next = Hand::pending(barrier.wait());
    assert!(!slow.expect_ready().is_leader());
    next.expect_pending();
    assert!(Hand::new(barrier.wait()).expect_ready().is_leader());
    next.expect_ready();
}

#[test]
fn wait_counts_from_its_first_poll_and_stays_counted() {
    let barrier = Barrier::new(2);
    drop(Hand::new(barrier.wait()));
    let gone = Hand::pending(barrier.wait());
    drop(gone);
    assert!(
        Hand::new(barrier.wait()).expect_ready().is_leader(),
        "the dropped one counts"
    );
    let mut first = Hand::pending(barrier.wait());
    assert!(Hand::new(barrier.wait()).expect_ready().is_leader());
    first.expect_ready();
}

#[test]
fn a_panicking_waker_reaches_the_leader_and_the_round_is_over() {
    let barrier = Barrier::new(3);
    let mut bomb = Hand::new(barrier.wait());
    assert!(bomb.poll_with(&Waker::from(Arc::new(Bomb))).is_pending());
    let mut other = Hand::pending(barrier.wait());
    let mut leader = Hand::new(barrier.wait());
    assert!(catch_unwind(AssertUnwindSafe(|| leader.poll())).is_err());
    assert!(other.woken());
    other.expect_ready();
    bomb.expect_ready();
    let mut next = Hand::pending(barrier.wait());
    drop(Hand::pending(barrier.wait()));
    Hand::new(barrier.wait()).expect_ready();
    next.expect_ready();
}
