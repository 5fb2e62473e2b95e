//! Semaphore: counts, order, cancellation at every poll, close, wakers that change or panic.

mod hand;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;

use hand::{Bomb, Count, Hand};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil::sync::futures::{Acquire, AcquireOwned};
use trefoil::sync::{
    AcquireError, OwnedSemaphorePermit, Semaphore, SemaphorePermit, TryAcquireError,
};

assert_impl_all!(Semaphore: Send, Sync, Unpin);
assert_impl_all!(SemaphorePermit<'static>: Send, Sync, Unpin);
assert_impl_all!(OwnedSemaphorePermit: Send, Sync, Unpin);
assert_impl_all!(AcquireError: Send, Sync, Unpin, std::error::Error);
assert_impl_all!(TryAcquireError: Send, Sync, Unpin, std::error::Error);
assert_impl_all!(Acquire<'static>: Send, Sync);
assert_not_impl_any!(Acquire<'static>: Unpin);
assert_impl_all!(AcquireOwned: Send, Sync);
assert_not_impl_any!(AcquireOwned: Unpin);

#[test]
fn permits_come_back_when_dropped() {
    let semaphore = Semaphore::new(3);
    let one = semaphore.try_acquire().unwrap();
    let two = semaphore.try_acquire_many(2).unwrap();
    assert_eq!(semaphore.available_permits(), 0);
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::NoPermits
    );
    drop(two);
    assert_eq!(semaphore.available_permits(), 2);
    drop(one);
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn acquire_does_nothing_before_its_first_poll() {
    let semaphore = Semaphore::new(1);
    let acquire = semaphore.acquire();
    assert_eq!(semaphore.available_permits(), 1);
    drop(acquire);
}

#[test]
fn waiters_are_served_in_order() {
    let semaphore = Semaphore::new(0);
    let mut first = Hand::pending(semaphore.acquire());
    let mut second = Hand::pending(semaphore.acquire());
    semaphore.add_permits(1);
    assert!(first.woken() && !second.woken());
    second.expect_pending();
    let permit = first.expect_ready().unwrap();
    drop(permit);
    assert!(second.woken());
    drop(second.expect_ready().unwrap());
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn a_big_request_is_not_overtaken() {
    let semaphore = Semaphore::new(3);
    let mut big = Hand::pending(semaphore.acquire_many(5));
    assert_eq!(
        semaphore.available_permits(),
        0,
        "it takes along what is there"
    );
    let mut small = Hand::pending(semaphore.acquire());
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::NoPermits
    );
    semaphore.add_permits(1);
    assert!(!big.woken() && !small.woken());
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::NoPermits
    );
    semaphore.add_permits(1);
    assert!(big.woken() && !small.woken());
    let five = big.expect_ready().unwrap();
    assert_eq!(five.num_permits(), 5);
    small.expect_pending();
    drop(five);
    assert!(small.woken());
    drop(small.expect_ready().unwrap());
    assert_eq!(semaphore.available_permits(), 5);
}

#[test]
fn one_release_serves_several() {
    let semaphore = Semaphore::new(0);
    let mut waiters: Vec<_> = (0..100)
        .map(|_| Hand::pending(semaphore.acquire()))
        .collect();
    semaphore.add_permits(101);
    assert!(waiters.iter().all(Hand::woken));
    assert_eq!(semaphore.available_permits(), 1);
    let permits: Vec<_> = waiters
        .iter_mut()
        .map(|w| w.expect_ready().unwrap())
        .collect();
    drop(permits);
    assert_eq!(semaphore.available_permits(), 101);
}

#[test]
fn a_request_for_nothing_waits_for_nobody() {
    let semaphore = Semaphore::new(0);
    let mut waiter = Hand::pending(semaphore.acquire());
    assert_eq!(
        Hand::new(semaphore.acquire_many(0))
            .expect_ready()
            .unwrap()
            .num_permits(),
        0
    );
    semaphore.close();
    assert!(waiter.expect_ready().is_err());
    assert!(Hand::new(semaphore.acquire_many(0)).expect_ready().is_err());
}

/// Drops a request for 2 of 1 at its n-th poll, in every stage of its life.
#[test]
fn a_dropped_request_loses_no_permit() {
    for polls in 0..=3 {
        for added in 0..=2 {
            let semaphore = Semaphore::new(1);
            let mut request = Hand::new(semaphore.acquire_many(2));
            for poll in 0..polls {
                if poll == 1 {
                    semaphore.add_permits(added);
                }
                if request.poll().is_ready() {
                    break;
                }
            }
            if polls < 2 {
                semaphore.add_permits(added);
            }
            let mut behind = Hand::new(semaphore.acquire());
            let early = behind.poll();
            drop(request);
            let permit = match early {
                std::task::Poll::Ready(permit) => permit,
                std::task::Poll::Pending => {
                    assert!(behind.woken(), "polls {polls}, added {added}");
                    behind.expect_ready()
                }
            };
            drop(permit.unwrap());
            assert_eq!(semaphore.available_permits(), 1 + added);
        }
    }
}

#[test]
fn a_dropped_waiter_in_the_middle_lets_the_others_go_on() {
    let semaphore = Semaphore::new(0);
    let mut first = Hand::pending(semaphore.acquire());
    let middle = Hand::pending(semaphore.acquire_many(10));
    let mut last = Hand::pending(semaphore.acquire());
    drop(middle);
    semaphore.add_permits(2);
    assert!(first.woken() && last.woken());
    let both = (first.expect_ready().unwrap(), last.expect_ready().unwrap());
    drop(both);
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn a_part_collected_goes_on_to_those_behind() {
    let semaphore = Semaphore::new(2);
    let big = Hand::pending(semaphore.acquire_many(3));
    let mut behind = Hand::pending(semaphore.acquire_many(2));
    drop(big);
    assert!(behind.woken());
    drop(behind.expect_ready().unwrap());
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn a_granted_permit_dropped_unpolled_goes_to_the_next() {
    let semaphore = Semaphore::new(0);
    let first = Hand::pending(semaphore.acquire());
    let mut second = Hand::pending(semaphore.acquire());
    semaphore.add_permits(1);
    assert!(first.woken());
    drop(first);
    assert!(second.woken());
    drop(second.expect_ready().unwrap());
}

#[test]
fn close_wakes_everybody_with_an_error() {
    let semaphore = Semaphore::new(1);
    let held = semaphore.try_acquire().unwrap();
    let mut waiters: Vec<_> = (0..70)
        .map(|_| Hand::pending(semaphore.acquire()))
        .collect();
    semaphore.close();
    assert!(semaphore.is_closed());
    for waiter in &mut waiters {
        assert!(waiter.woken());
        assert!(waiter.expect_ready().is_err());
    }
    assert_eq!(
        semaphore.try_acquire().unwrap_err(),
        TryAcquireError::Closed
    );
    assert!(Hand::new(semaphore.acquire()).expect_ready().is_err());
    drop(held);
    assert_eq!(
        semaphore.available_permits(),
        1,
        "permits go back all the same"
    );
    semaphore.close();
}

#[test]
fn close_gives_back_what_waiters_had_collected() {
    let semaphore = Semaphore::new(2);
    let mut polled = Hand::pending(semaphore.acquire_many(3));
    let dropped = Hand::pending(semaphore.acquire_many(3));
    semaphore.add_permits(2);
    semaphore.close();
    assert!(
        polled.expect_ready().is_err(),
        "granted, but closed before it looked"
    );
    drop(dropped);
    assert_eq!(semaphore.available_permits(), 4);
}

#[test]
fn forget_and_add_change_the_total() {
    let semaphore = Semaphore::new(5);
    assert_eq!(semaphore.forget_permits(2), 2);
    assert_eq!(semaphore.available_permits(), 3);
    assert_eq!(semaphore.forget_permits(10), 3);
    assert_eq!(semaphore.forget_permits(1), 0);
    semaphore.add_permits(1);
    semaphore.try_acquire().unwrap().forget();
    assert_eq!(semaphore.available_permits(), 0);
}

#[test]
fn permits_merge_and_split() {
    let semaphore = Arc::new(Semaphore::new(4));
    let mut permit = semaphore.try_acquire().unwrap();
    permit.merge(semaphore.try_acquire_many(2).unwrap());
    assert_eq!(permit.num_permits(), 3);
    let part = permit.split(2).unwrap();
    assert!(permit.split(2).is_none() && permit.split(usize::MAX).is_none());
    assert_eq!(permit.split(0).unwrap().num_permits(), 0);
    assert!(std::ptr::eq(permit.semaphore(), &*semaphore));
    drop(part);
    assert_eq!(semaphore.available_permits(), 3);
    drop(permit);

    let mut owned = semaphore.clone().try_acquire_owned().unwrap();
    owned.merge(semaphore.clone().try_acquire_many_owned(3).unwrap());
    let part = owned.split(1).unwrap();
    assert_eq!((owned.num_permits(), part.num_permits()), (3, 1));
    assert!(Arc::ptr_eq(owned.semaphore(), &semaphore));
    owned.forget();
    drop(part);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
#[should_panic(expected = "merge: the permits are of two semaphores")]
fn permits_of_two_semaphores_do_not_merge() {
    let (a, b) = (Semaphore::new(1), Semaphore::new(1));
    a.try_acquire().unwrap().merge(b.try_acquire().unwrap());
}

#[test]
#[should_panic(expected = "merge: the permits are of two semaphores")]
fn owned_permits_of_two_semaphores_do_not_merge() {
    let (a, b) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
    a.try_acquire_owned()
        .unwrap()
        .merge(b.try_acquire_owned().unwrap());
}

#[test]
fn max_permits_is_the_limit() {
    const MAX: usize = Semaphore::MAX_PERMITS;
    assert_eq!(MAX, usize::MAX >> 3);
    assert_eq!(Semaphore::new(MAX).available_permits(), MAX);
    for make in [Semaphore::new as fn(usize) -> _, Semaphore::const_new] {
        let panic = catch_unwind(|| make(MAX + 1)).unwrap_err();
        let text = panic.downcast_ref::<&str>().map(|s| s.to_string());
        let text = text.or(panic.downcast_ref::<String>().cloned()).unwrap();
        let expected = format!("a semaphore may not have more than MAX_PERMITS permits ({MAX})");
        assert!(text.contains(&expected), "{text}");
    }
    let semaphore = Semaphore::new(MAX - 1);
    semaphore.add_permits(1);
    assert!(catch_unwind(AssertUnwindSafe(|| semaphore.add_permits(1))).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| semaphore.add_permits(usize::MAX))).is_err());
    assert_eq!(semaphore.available_permits(), MAX);
}

#[test]
fn owned_permits_outlive_their_borrow() {
    let semaphore = Arc::new(Semaphore::new(0));
    let mut request = Hand::pending(semaphore.clone().acquire_many_owned(2));
    semaphore.add_permits(2);
    assert!(request.woken());
    let permit = request.expect_ready().unwrap();
    drop(request);
    let weak = Arc::downgrade(&semaphore);
    drop(semaphore);
    assert_eq!(weak.upgrade().unwrap().available_permits(), 0);
    drop(permit);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_dropped_owned_request_passes_its_permits_on() {
    let semaphore = Arc::new(Semaphore::new(0));
    let first = Hand::pending(semaphore.clone().acquire_owned());
    let mut second = Hand::pending(semaphore.clone().acquire_owned());
    semaphore.add_permits(1);
    drop(first);
    assert!(second.woken());
    drop(second.expect_ready().unwrap());
}

#[test]
fn the_latest_waker_is_woken() {
    let semaphore = Semaphore::new(0);
    let (old, new) = (Count::new(), Count::new());
    let mut request = Hand::new(semaphore.acquire());
    for count in [&old, &new, &new] {
        assert!(request.poll_with(&Waker::from(count.clone())).is_pending());
    }
    assert_eq!(Arc::strong_count(&old), 1, "the old waker is dropped");
    semaphore.add_permits(1);
    assert_eq!((old.take(), new.take()), (0, 1));
}

#[test]
fn two_requests_of_one_task_both_wake_it() {
    let semaphore = Semaphore::new(0);
    let count = Count::new();
    let waker = Waker::from(count.clone());
    let (mut a, mut b) = (
        Hand::new(semaphore.acquire()),
        Hand::new(semaphore.acquire()),
    );
    assert!(a.poll_with(&waker).is_pending() && b.poll_with(&waker).is_pending());
    semaphore.add_permits(2);
    assert_eq!(count.take(), 2);
    assert!(a.poll_with(&waker).is_ready() && b.poll_with(&waker).is_ready());
}

#[test]
fn panicking_wakers_reach_the_releaser_and_harm_nobody_else() {
    let bomb = Waker::from(Arc::new(Bomb));
    for close in [false, true] {
        let semaphore = Semaphore::new(0);
        let mut bombs: Vec<_> = (0..80).map(|_| Hand::new(semaphore.acquire())).collect();
        bombs
            .iter_mut()
            .for_each(|request| assert!(request.poll_with(&bomb).is_pending()));
        let mut last = Hand::pending(semaphore.acquire());
        let panic = catch_unwind(AssertUnwindSafe(|| {
            if close {
                semaphore.close()
            } else {
                semaphore.add_permits(82)
            }
        }));
        assert!(panic.is_err());
        assert!(last.woken());
        if close {
            assert!(bombs.pop().unwrap().expect_ready().is_err());
            continue;
        }
        drop(last.expect_ready().unwrap());
        for request in &mut bombs {
            drop(request.expect_ready().unwrap());
        }
        assert_eq!(semaphore.available_permits(), 82);
    }
}

#[test]
fn blocking_acquire_waits_for_another_thread() {
    let semaphore = Arc::new(Semaphore::new(0));
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| semaphore.blocking_acquire().unwrap().forget());
        let many = scope.spawn(|| semaphore.blocking_acquire_many(2).unwrap().forget());
        let owned = scope.spawn(|| semaphore.clone().blocking_acquire_owned().unwrap().forget());
        let owned_many = scope.spawn(|| {
            semaphore
                .clone()
                .blocking_acquire_many_owned(2)
                .unwrap()
                .forget()
        });
        semaphore.add_permits(6);
        for thread in [waiter, many, owned, owned_many] {
            thread.join().unwrap();
        }
    });
    semaphore.close();
    assert!(semaphore.blocking_acquire().is_err());
}

#[test]
fn threads_never_hold_more_than_there_are() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    let semaphore = Semaphore::new(3);
    let held = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let (semaphore, held) = (&semaphore, &held);
            scope.spawn(move || {
                for round in 0..2000_u32 {
                    let n = 1 + (thread + round) % 3;
                    let permit = semaphore.blocking_acquire_many(n).unwrap();
                    assert!(held.fetch_add(n as usize, SeqCst) + n as usize <= 3);
                    held.fetch_sub(n as usize, SeqCst);
                    drop(permit);
                }
            });
        }
    });
    assert_eq!(semaphore.available_permits(), 3);
}

#[test]
fn it_prints_what_it_has() {
    let semaphore = Semaphore::new(7);
    assert_eq!(
        format!("{semaphore:?}"),
        "Semaphore { permits: 7, closed: false }"
    );
    assert_eq!(
        TryAcquireError::NoPermits.to_string(),
        "no permits available"
    );
    assert_eq!(TryAcquireError::Closed.to_string(), "semaphore closed");
}

#[test]
fn permits_merge_beyond_what_one_call_takes() {
    const HALF: u32 = 3_000_000_000;
    let slots = Arc::new(Semaphore::new(2 * HALF as usize));
    let mut both = slots.try_acquire_many(HALF).unwrap();
    both.merge(slots.try_acquire_many(HALF).unwrap());
    assert_eq!(both.num_permits(), 2 * HALF as usize);
    assert_eq!(
        both.split(HALF as usize + 1).unwrap().num_permits(),
        HALF as usize + 1
    );
    drop(both);
    let mut both = slots.clone().try_acquire_many_owned(HALF).unwrap();
    both.merge(slots.clone().try_acquire_many_owned(HALF).unwrap());
    assert_eq!(both.num_permits(), 2 * HALF as usize);
    drop(both);
    assert_eq!(slots.available_permits(), 2 * HALF as usize);
}

#[test]
fn who_has_no_budget_left_keeps_its_place_in_line() {
    let slots = Semaphore::new(1);
    let held = slots.try_acquire().unwrap();
    let mut first = Hand::new(slots.acquire());
    let runtime = trefoil::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        while trefoil::task::coop::has_budget_remaining() {
            trefoil::task::consume_budget().await;
        }
        first.expect_pending();
        assert!(!first.woken(), "the line wakes it, not the budget");
    });
    let mut second = Hand::pending(slots.acquire());
    drop(held);
    assert!(first.woken() && !second.woken());
    drop(first.expect_ready());
    drop(second.expect_ready());
}

#[test]
fn without_budget_free_permits_are_not_taken() {
    let slots = Semaphore::new(1);
    let mut first = Hand::new(slots.acquire());
    let runtime = trefoil::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        while trefoil::task::coop::has_budget_remaining() {
            trefoil::task::consume_budget().await;
        }
        first.expect_pending();
        assert!(first.woken());
        assert_eq!(slots.available_permits(), 1);
    });
    drop(first.expect_ready());
}
