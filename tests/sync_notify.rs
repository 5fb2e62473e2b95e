//! Notify: one permit, order, generations, notes that are passed on, wakers that change or panic.

mod hand;

use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Wake, Waker};

use hand::{Bomb, Count, Hand};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil::sync::Notify;
use trefoil::sync::futures::{Notified, OwnedNotified};

assert_impl_all!(Notify: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
assert_impl_all!(Notified<'static>: Send, Sync);
assert_not_impl_any!(Notified<'static>: Unpin);
assert_impl_all!(OwnedNotified: Send, Sync);
assert_not_impl_any!(OwnedNotified: Unpin);

/// Is a permit there? Takes it.
fn permit(notify: &Notify) -> bool {
    Hand::new(notify.notified()).poll().is_ready()
}

#[test]
fn a_permit_is_kept_for_who_comes_later_and_it_is_one() {
    let notify = Notify::new();
    assert!(!permit(&notify));
    notify.notify_one();
    notify.notify_one();
    notify.notify_last();
    assert!(permit(&notify));
    assert!(!permit(&notify));
}

#[test]
fn notify_one_wakes_who_has_waited_longest() {
    let notify = Notify::new();
    let mut waiters: Vec<_> = (0..3).map(|_| Hand::pending(notify.notified())).collect();
    for next in 0..3 {
        notify.notify_one();
        for (number, waiter) in waiters.iter_mut().enumerate() {
            assert_eq!(waiter.woken(), number == next);
        }
        waiters[next].expect_ready();
    }
    assert!(!permit(&notify));
}

#[test]
fn notify_last_wakes_who_came_last() {
    let notify = Notify::new();
    let mut waiters: Vec<_> = (0..3).map(|_| Hand::pending(notify.notified())).collect();
    for next in [2, 1, 0] {
        notify.notify_last();
        waiters[next].expect_ready();
        assert!(
            waiters[..next]
                .iter_mut()
                .all(|waiter| waiter.poll().is_pending())
        );
    }
    notify.notify_last();
    assert!(permit(&notify));
}

#[test]
fn notify_waiters_wakes_all_and_leaves_no_permit() {
    let notify = Notify::new();
    notify.notify_waiters();
    assert!(!permit(&notify));
    let mut polled: Vec<_> = (0..100).map(|_| Hand::pending(notify.notified())).collect();
    let mut born = Hand::new(notify.notified());
    notify.notify_waiters();
    let mut late = Hand::new(notify.notified());
    for waiter in &mut polled {
        assert!(waiter.woken());
        waiter.expect_ready();
    }
    born.expect_ready();
    late.expect_pending();
    assert!(!permit(&notify));
    notify.notify_one();
    late.expect_ready();
}

#[test]
fn notify_waiters_leaves_a_permit_that_is_there() {
    let notify = Notify::new();
    notify.notify_one();
    notify.notify_waiters();
    assert!(permit(&notify));
}

#[test]
fn a_finished_future_stays_finished() {
    let notify = Notify::new();
    let mut waiter = Hand::pending(notify.notified());
    notify.notify_one();
    waiter.expect_ready();
    waiter.expect_ready();
    notify.notify_one();
    waiter.expect_ready();
    drop(waiter);
    assert!(permit(&notify), "it takes no second permit");
}

#[test]
fn enable_takes_the_place_without_a_poll() {
    let notify = Notify::new();
    let mut first = Hand::new(notify.notified());
    let mut second = Hand::new(notify.notified());
    assert!(!first.pin().enable());
    assert!(!first.pin().enable(), "twice is once");
    second.expect_pending();
    notify.notify_one();
    assert!(!second.woken());
    assert!(first.pin().enable());
    first.expect_ready();
    second.expect_pending();

    let mut third = Hand::new(notify.notified());
    assert!(!third.pin().enable());
    third.expect_pending();
    notify.notify_waiters();
    assert!(
        second.woken() && third.woken(),
        "a poll gives an enabled future its waker"
    );
    assert!(third.pin().enable());

    notify.notify_one();
    let mut fourth = Hand::new(notify.notified());
    assert!(fourth.pin().enable());
    fourth.expect_ready();
    assert!(!permit(&notify));
}

#[test]
fn a_future_that_is_not_polled_is_not_in_line() {
    let notify = Notify::new();
    let unpolled = Hand::new(notify.notified());
    let mut polled = Hand::pending(notify.notified());
    notify.notify_one();
    polled.expect_ready();
    drop(unpolled);
    assert!(!permit(&notify));
}

#[test]
fn a_waiter_dropped_at_any_poll_passes_its_note_on() {
    type Call = fn(&Notify);
    let calls: [Call; 2] = [Notify::notify_one, Notify::notify_last];
    for polls in 0..=3 {
        for (back, call) in calls.into_iter().enumerate() {
            let notify = Notify::new();
            let mut dropped = Hand::new(notify.notified());
            let mut before = Hand::new(notify.notified());
            if back == 1 {
                before.expect_pending();
            }
            for _ in 0..polls {
                dropped.expect_pending();
            }
            if back == 0 {
                before.expect_pending();
            }
            call(&notify);
            assert_eq!(dropped.woken(), polls > 0);
            drop(dropped);
            assert!(before.woken());
            before.expect_ready();
            assert!(!permit(&notify));
        }
    }
}

#[test]
fn the_last_waiter_dropped_leaves_its_note_as_the_permit() {
    let notify = Notify::new();
    let waiter = Hand::pending(notify.notified());
    notify.notify_one();
    drop(waiter);
    assert!(permit(&notify));
    assert!(!permit(&notify));
}

#[test]
fn a_waiter_of_notify_waiters_dropped_passes_nothing_on() {
    let notify = Notify::new();
    let waiter = Hand::pending(notify.notified());
    notify.notify_waiters();
    drop(waiter);
    assert!(!permit(&notify));
}

#[test]
fn a_dropped_waiter_leaves_the_line() {
    let notify = Notify::new();
    let first = Hand::pending(notify.notified());
    let mut second = Hand::pending(notify.notified());
    drop(first);
    notify.notify_one();
    second.expect_ready();
    let only = Hand::pending(notify.notified());
    drop(only);
    notify.notify_one();
    assert!(permit(&notify));
}

#[test]
fn an_owned_future_keeps_the_notify_alive() {
    let notify = Arc::new(Notify::new());
    let mut waiter = Hand::new(notify.clone().notified_owned());
    assert!(!waiter.pin().enable());
    waiter.expect_pending();
    let weak = Arc::downgrade(&notify);
    drop(notify);
    weak.upgrade().unwrap().notify_one();
    assert!(waiter.woken());
    waiter.expect_ready();
    drop(waiter);
    assert!(weak.upgrade().is_none());

    let notify = Arc::new(Notify::new());
    let dropped = Hand::pending(notify.clone().notified_owned());
    notify.notify_one();
    drop(dropped);
    assert!(permit(&notify));
}

#[test]
fn the_latest_waker_is_woken() {
    let notify = Notify::new();
    let (old, new) = (Count::new(), Count::new());
    let mut waiter = Hand::new(notify.notified());
    for count in [&old, &new, &new] {
        assert!(waiter.poll_with(&Waker::from(count.clone())).is_pending());
    }
    assert_eq!(Arc::strong_count(&old), 1);
    notify.notify_one();
    assert_eq!((old.take(), new.take()), (0, 1));
    waiter.expect_ready();
    assert_eq!(Arc::strong_count(&new), 1);
}

#[test]
fn two_waiters_of_one_task_take_two_notes() {
    let notify = Notify::new();
    let count = Count::new();
    let waker = Waker::from(count.clone());
    let (mut a, mut b) = (Hand::new(notify.notified()), Hand::new(notify.notified()));
    assert!(a.poll_with(&waker).is_pending() && b.poll_with(&waker).is_pending());
    notify.notify_one();
    assert!(a.poll_with(&waker).is_ready() && b.poll_with(&waker).is_pending());
    notify.notify_one();
    assert_eq!(count.take(), 2);
    assert!(b.poll_with(&waker).is_ready());
}

#[test]
fn panicking_wakers_reach_the_notifier_and_harm_nobody_else() {
    let bomb = Waker::from(Arc::new(Bomb));
    let notify = Notify::new();
    let mut bombs: Vec<_> = (0..80).map(|_| Hand::new(notify.notified())).collect();
    bombs
        .iter_mut()
        .for_each(|waiter| assert!(waiter.poll_with(&bomb).is_pending()));
    let mut last = Hand::pending(notify.notified());
    assert!(catch_unwind(AssertUnwindSafe(|| notify.notify_one())).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| notify.notify_waiters())).is_err());
    assert!(last.woken());
    last.expect_ready();
    bombs.iter_mut().for_each(|waiter| waiter.expect_ready());
    notify.notify_one();
    assert!(permit(&notify));
}

/// Comes back to the notify from inside its own waker.
struct Again {
    notify: Arc<Notify>,
    count: Arc<Count>,
}

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        self.notify.notify_one();
        let mut waiter = Hand::new(self.notify.notified());
        let _ = waiter.poll_with(&Waker::from(self.count.clone()));
        drop(waiter);
        self.count.clone().wake();
    }
}

#[test]
fn a_waker_may_call_back() {
    let notify = Arc::new(Notify::new());
    let count = Count::new();
    let waker = Waker::from(Arc::new(Again {
        notify: notify.clone(),
        count: count.clone(),
    }));
    let mut waiters: Vec<_> = (0..70).map(|_| Hand::new(notify.notified())).collect();
    waiters
        .iter_mut()
        .for_each(|waiter| assert!(waiter.poll_with(&waker).is_pending()));
    notify.notify_waiters();
    assert_eq!(count.take(), 70);
}

/// A note that comes between two batches of `notify_waiters` is for somebody who still waits.
#[test]
fn a_note_is_not_spent_on_who_was_let_go_already() {
    struct Note(Arc<Notify>);
    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            self.0.notify_one();
        }
    }
    let notify = Arc::new(Notify::new());
    let noisy = Waker::from(Arc::new(Note(notify.clone())));
    let mut first = Hand::new(notify.notified());
    assert!(first.poll_with(&noisy).is_pending());
    let mut waiters: Vec<_> = (0..100).map(|_| Hand::pending(notify.notified())).collect();
    notify.notify_waiters();
    first.expect_ready();
    waiters.iter_mut().for_each(|waiter| waiter.expect_ready());
    drop((first, waiters));
    assert!(permit(&notify), "none of them took the note");
    assert!(!permit(&notify));
}

#[test]
fn threads_play_ping_pong() {
    use futures_util::FutureExt;
    let (ping, pong) = (Notify::new(), Notify::new());
    let wait = |notify: &Notify| {
        struct Thread(std::thread::Thread);
        impl Wake for Thread {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Waker::from(Arc::new(Thread(std::thread::current())));
        let mut waiter = Box::pin(notify.notified());
        while waiter
            .poll_unpin(&mut std::task::Context::from_waker(&waker))
            .is_pending()
        {
            std::thread::park();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..5000 {
                wait(&ping);
                pong.notify_one();
            }
        });
        for _ in 0..5000 {
            ping.notify_one();
            wait(&pong);
        }
    });
}

#[test]
fn it_can_be_static_and_printed() {
    static NOTIFY: Notify = Notify::const_new();
    assert_eq!(format!("{NOTIFY:?}"), "Notify { state: \"empty\" }");
    NOTIFY.notify_one();
    assert_eq!(format!("{NOTIFY:?}"), "Notify { state: \"notified\" }");
    assert!(permit(&NOTIFY));
    let _waiting = Hand::pending(NOTIFY.notified());
    assert_eq!(format!("{:?}", &NOTIFY), "Notify { state: \"waiting\" }");
    assert!(!permit(&Notify::default()));
}

#[test]
fn a_waiter_that_notify_waiters_let_go_leaves_the_permit() {
    let notify = Notify::new();
    let let_go = notify.notified();
    notify.notify_waiters();
    notify.notify_one();
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::pin!(let_go).poll(&mut cx).is_ready());
    assert!(std::pin::pin!(notify.notified()).poll(&mut cx).is_ready());
    assert!(std::pin::pin!(notify.notified()).poll(&mut cx).is_pending());
}
