//! watch: what is seen and what is not, waiting, both ends, closures that panic, wakers that call
//! back.

mod hand;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use hand::{Bomb, Count, Hand};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil::sync::watch::error::{RecvError, SendError};
use trefoil::sync::watch::futures::{Changed, Closed, WaitFor};
use trefoil::sync::watch::{Receiver, Ref, Sender, channel};

type Both = u32;
type SendOnly = Cell<u32>;
type Neither = Rc<u32>;

assert_impl_all!(Sender<Both>: Send, Sync, Unpin, Clone, Default, std::fmt::Debug);
assert_impl_all!(Receiver<Both>: Send, Sync, Unpin, Clone, std::fmt::Debug);
assert_not_impl_any!(Sender<SendOnly>: Send, Sync);
assert_not_impl_any!(Receiver<SendOnly>: Send, Sync);
assert_not_impl_any!(Sender<Neither>: Send, Sync);
assert_not_impl_any!(Receiver<Neither>: Send, Sync);
assert_impl_all!(Sender<std::marker::PhantomPinned>: Unpin);
assert_impl_all!(Receiver<Neither>: Unpin);
assert_impl_all!(Ref<'static, Both>: Sync, Unpin, std::fmt::Debug);
assert_not_impl_any!(Ref<'static, Both>: Send);
assert_not_impl_any!(Ref<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(Ref<'static, Neither>: Send, Sync);
assert_impl_all!(Ref<'static, Neither>: Unpin);
assert_impl_all!(Changed<'static, Both>: Send, Sync);
assert_not_impl_any!(Changed<'static, Both>: Unpin);
assert_not_impl_any!(Changed<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(Changed<'static, Neither>: Send, Sync);
assert_impl_all!(Closed<'static, Both>: Send, Sync);
assert_not_impl_any!(Closed<'static, Both>: Unpin);
assert_not_impl_any!(Closed<'static, SendOnly>: Send, Sync);
assert_impl_all!(WaitFor<'static, Both, fn(&Both) -> bool>: Send, Sync);
assert_not_impl_any!(WaitFor<'static, Both, fn(&Both) -> bool>: Unpin);
assert_not_impl_any!(WaitFor<'static, SendOnly, fn(&SendOnly) -> bool>: Send, Sync);
assert_impl_all!(RecvError: Send, Sync, Unpin, Clone, std::error::Error);
assert_impl_all!(SendError<Neither>: std::error::Error, Clone, PartialEq, Eq);
assert_impl_all!(SendError<Both>: Copy);

#[test]
fn the_first_value_is_seen_and_each_other_is_reported_once() {
    let (sender, mut receiver) = channel(1);
    assert!(!receiver.has_changed().unwrap());
    Hand::new(receiver.changed()).expect_pending();
    sender.send(2).unwrap();
    sender.send(3).unwrap();
    assert!(receiver.has_changed().unwrap());
    assert!(Hand::new(receiver.changed()).expect_ready().is_ok());
    assert_eq!(*receiver.borrow(), 3);
    Hand::new(receiver.changed()).expect_pending();
}

#[test]
fn borrow_leaves_a_value_unseen_and_borrow_and_update_does_not() {
    let (sender, mut receiver) = channel(1);
    assert!(!receiver.borrow().has_changed());
    sender.send(2).unwrap();
    assert!(receiver.borrow().has_changed());
    assert!(receiver.borrow().has_changed());
    assert!(receiver.borrow_and_update().has_changed());
    assert!(!receiver.borrow_and_update().has_changed());
    Hand::new(receiver.changed()).expect_pending();
    assert!(!sender.borrow().has_changed());
    assert_eq!(*sender.borrow(), 2);
}

#[test]
fn an_equal_value_is_another_value() {
    let (sender, receiver) = channel(1);
    sender.send(1).unwrap();
    assert!(receiver.has_changed().unwrap());
}

#[test]
fn a_change_wakes_all_who_wait_in_order() {
    let (sender, receiver) = channel(0);
    let mut receivers: Vec<_> = (0..100).map(|_| receiver.clone()).collect();
    let order = Arc::new(Mutex::new(Vec::new()));
    struct Note(usize, Arc<Mutex<Vec<usize>>>);
    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let mut waits: Vec<_> = receivers
        .iter_mut()
        .map(|receiver| Hand::new(receiver.changed()))
        .collect();
    for (number, wait) in waits.iter_mut().enumerate() {
        let waker = Waker::from(Arc::new(Note(number, order.clone())));
        assert!(wait.poll_with(&waker).is_pending());
    }
    sender.send(1).unwrap();
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    for wait in &mut waits {
        assert!(wait.expect_ready().is_ok());
    }
}

#[test]
fn the_last_value_is_reported_before_the_close() {
    let (sender, mut receiver) = channel(1);
    sender.send(2).unwrap();
    drop(sender);
    assert!(receiver.is_closed());
    assert!(receiver.has_changed().is_err(), "closed comes first here");
    assert!(Hand::new(receiver.changed()).expect_ready().is_ok());
    assert!(Hand::new(receiver.changed()).expect_ready().is_err());
    assert_eq!(*receiver.borrow_and_update(), 2);
}

#[test]
fn the_last_sender_wakes_who_waits() {
    let (sender, mut receiver) = channel(1);
    let other = sender.clone();
    let mut wait = Hand::pending(receiver.changed());
    drop(sender);
    assert!(!wait.woken());
    drop(other);
    assert!(wait.woken());
    assert!(wait.expect_ready().is_err());
}

#[test]
fn a_wait_dropped_at_any_poll_has_seen_nothing() {
    for polls in 0..=2 {
        for sent in [false, true] {
            let (sender, mut receiver) = channel(1);
            let mut other = receiver.clone();
            let mut other_wait = Hand::pending(other.changed());
            let mut wait = Hand::new(receiver.changed());
            for _ in 0..polls {
                wait.expect_pending();
            }
            if sent {
                sender.send(2).unwrap();
                assert_eq!(wait.woken(), polls > 0);
            }
            drop(wait);
            assert_eq!(receiver.has_changed().unwrap(), sent);
            if !sent {
                other_wait.expect_pending();
                sender.send(2).unwrap();
            }
            assert!(other_wait.woken());
            assert!(other_wait.expect_ready().is_ok());
            assert!(Hand::new(receiver.changed()).expect_ready().is_ok());
        }
    }
}

#[test]
fn a_wait_begins_at_its_first_poll() {
    let (sender, mut receiver) = channel(1);
    let mut wait = Hand::new(receiver.changed());
    sender.send(2).unwrap();
    assert!(wait.expect_ready().is_ok());
}

#[test]
fn the_latest_waker_is_woken_and_old_ones_are_dropped() {
    let (sender, mut receiver) = channel(1);
    let (old, new) = (Count::new(), Count::new());
    let mut wait = Hand::new(receiver.changed());
    for count in [&old, &new, &new] {
        assert!(wait.poll_with(&Waker::from(count.clone())).is_pending());
    }
    assert_eq!(Arc::strong_count(&old), 1);
    sender.send(2).unwrap();
    assert_eq!((old.take(), new.take()), (0, 1));
    assert!(wait.expect_ready().is_ok());
    assert_eq!(Arc::strong_count(&new), 1);
}

#[test]
fn marks_can_be_set_by_hand() {
    let (sender, mut receiver) = channel(1);
    receiver.mark_changed();
    assert!(receiver.has_changed().unwrap());
    assert!(receiver.clone().has_changed().unwrap());
    assert!(Hand::new(receiver.changed()).expect_ready().is_ok());
    Hand::new(receiver.changed()).expect_pending();
    sender.send(2).unwrap();
    receiver.mark_unchanged();
    assert!(!receiver.has_changed().unwrap());
    Hand::new(receiver.changed()).expect_pending();
    receiver.mark_changed();
    receiver.mark_changed();
    drop(sender);
    assert!(Hand::new(receiver.changed()).expect_ready().is_ok());
    assert!(Hand::new(receiver.changed()).expect_ready().is_err());
}

#[test]
fn a_clone_has_seen_what_the_original_has_and_a_subscriber_the_current_value() {
    let (sender, mut receiver) = channel(1);
    sender.send(2).unwrap();
    let behind = receiver.clone();
    receiver.mark_unchanged();
    assert!(behind.has_changed().unwrap());
    assert!(!receiver.clone().has_changed().unwrap());
    let late = sender.subscribe();
    assert!(!late.has_changed().unwrap());
    assert_eq!(*late.borrow(), 2);
}

#[test]
fn a_value_nobody_can_see_comes_back() {
    let (sender, receiver) = channel(1);
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send(2), Err(SendError(2)));
    assert_eq!(*sender.borrow(), 1);
    assert_eq!(sender.send_replace(3), 1);
    sender.send_modify(|value| *value += 1);
    assert!(sender.send_if_modified(|value| {
        *value += 1;
        true
    }));
    let receiver = sender.subscribe();
    assert_eq!(*receiver.borrow(), 5);
    assert!(!receiver.has_changed().unwrap());
    sender.send(6).unwrap();
    assert!(receiver.has_changed().unwrap());
}

#[test]
fn a_silent_change_is_visible_and_not_reported() {
    let (sender, mut receiver) = channel(1);
    let mut wait = Hand::pending(receiver.changed());
    assert!(!sender.send_if_modified(|value| {
        *value = 2;
        false
    }));
    assert!(!wait.woken());
    wait.expect_pending();
    drop(wait);
    assert_eq!(*receiver.borrow(), 2);
    assert!(!receiver.has_changed().unwrap());
}

#[test]
fn a_panic_in_a_change_reports_nothing_and_breaks_nothing() {
    let (sender, mut receiver) = channel(1);
    let mut wait = Hand::pending(receiver.changed());
    let result = catch_unwind(AssertUnwindSafe(|| {
        sender.send_modify(|value| {
            *value = 2;
            panic!("in the change");
        })
    }));
    assert!(result.is_err());
    let result = catch_unwind(AssertUnwindSafe(|| {
        sender.send_if_modified(|_| panic!("in the change"))
    }));
    assert!(result.is_err());
    assert!(!wait.woken());
    wait.expect_pending();
    assert_eq!(*sender.borrow(), 2);
    sender.send(3).unwrap();
    assert!(wait.expect_ready().is_ok());
    drop(wait);
    assert_eq!(*receiver.borrow(), 3);
}

#[test]
fn wait_for_asks_about_each_value_once() {
    let (sender, mut receiver) = channel(0);
    let mut asked = Vec::new();
    let mut wait = Hand::new(receiver.wait_for(|value| {
        asked.push(*value);
        *value == 4
    }));
    wait.expect_pending();
    wait.expect_pending();
    sender.send(1).unwrap();
    assert!(wait.woken());
    wait.expect_pending();
    sender.send(2).unwrap();
    sender.send(3).unwrap();
    wait.expect_pending();
    sender.send(4).unwrap();
    let found = wait.expect_ready().unwrap();
    assert!(found.has_changed());
    assert_eq!(*found, 4);
    drop((found, wait));
    assert_eq!(asked, [0, 1, 3, 4]);
    assert!(!receiver.has_changed().unwrap());
}

#[test]
fn wait_for_takes_a_value_that_was_seen() {
    let (_sender, mut receiver) = channel(7);
    let mut wait = Hand::new(receiver.wait_for(|value| *value == 7));
    let found = wait.expect_ready().unwrap();
    assert!(!found.has_changed());
}

#[test]
fn wait_for_asks_about_the_last_value_before_the_close() {
    for last in [1, 2] {
        let (sender, mut receiver) = channel(0);
        let mut asked = Vec::new();
        let mut wait = Hand::new(receiver.wait_for(|value| {
            asked.push(*value);
            *value == 2
        }));
        wait.expect_pending();
        sender.send(last).unwrap();
        drop(sender);
        assert!(wait.woken());
        let found = wait.expect_ready();
        assert_eq!(found.is_ok(), last == 2);
        drop((found, wait));
        assert_eq!(asked, [0, last]);
    }
}

#[test]
fn wait_for_dropped_has_seen_only_what_does_not_fit() {
    let (sender, mut receiver) = channel(0);
    let mut wait = Hand::pending(receiver.wait_for(|value| *value == 2));
    sender.send(1).unwrap();
    wait.expect_pending();
    sender.send(2).unwrap();
    drop(wait);
    assert!(receiver.borrow_and_update().has_changed());

    let mut wait = Hand::pending(receiver.wait_for(|value| *value == 9));
    sender.send(3).unwrap();
    wait.expect_pending();
    drop(wait);
    assert!(!receiver.has_changed().unwrap());
}

#[test]
fn a_panic_in_wait_for_breaks_nothing() {
    let (sender, mut receiver) = channel(0);
    let mut wait = Hand::new(receiver.wait_for(|_| panic!("in the question")));
    assert!(catch_unwind(AssertUnwindSafe(|| wait.poll().is_ready())).is_err());
    drop(wait);
    sender.send(1).unwrap();
    assert_eq!(*receiver.borrow_and_update(), 1);
}

#[test]
fn closed_waits_for_the_last_receiver() {
    let (sender, receiver) = channel(1);
    let other = receiver.clone();
    let mut one = Hand::pending(sender.closed());
    let mut two = Hand::pending(sender.closed());
    let dropped = Hand::pending(sender.closed());
    drop(receiver);
    assert!(!one.woken());
    drop(dropped);
    drop(other);
    assert!(one.woken() && two.woken());
    one.expect_ready();
    let again = sender.subscribe();
    two.expect_pending();
    drop(again);
    assert!(two.woken());
    two.expect_ready();
    Hand::new(sender.closed()).expect_ready();
}

#[test]
fn counts_and_sameness() {
    let (sender, receiver) = channel(1);
    assert_eq!((sender.sender_count(), sender.receiver_count()), (1, 1));
    let (sender2, receiver2) = (sender.clone(), receiver.clone());
    assert_eq!((sender.sender_count(), sender.receiver_count()), (2, 2));
    assert!(sender.same_channel(&sender2) && receiver.same_channel(&receiver2));
    drop((sender2, receiver2));
    assert_eq!((sender.sender_count(), sender.receiver_count()), (1, 1));
    let (sender3, receiver3) = channel(1);
    assert!(!sender.same_channel(&sender3) && !receiver.same_channel(&receiver3));
    assert_eq!(*Sender::<u32>::default().borrow(), 0);
}

#[test]
fn panicking_wakers_reach_the_sender_and_harm_nobody_else() {
    let (sender, receiver) = channel(0);
    let bomb = Waker::from(Arc::new(Bomb));
    let mut receivers: Vec<_> = (0..80).map(|_| receiver.clone()).collect();
    let mut bombs: Vec<_> = receivers
        .iter_mut()
        .map(|receiver| Hand::new(receiver.changed()))
        .collect();
    bombs
        .iter_mut()
        .for_each(|wait| assert!(wait.poll_with(&bomb).is_pending()));
    let mut last = sender.subscribe();
    let mut last = Hand::pending(last.changed());
    assert!(catch_unwind(AssertUnwindSafe(|| sender.send(1))).is_err());
    assert!(last.woken());
    assert!(last.expect_ready().is_ok());
    for wait in &mut bombs {
        assert!(wait.expect_ready().is_ok());
    }
    assert_eq!(*receiver.borrow(), 1);
}

/// Sends, subscribes and drops a sender of the same channel from inside its own waker.
struct Again {
    sender: Mutex<Option<Sender<u32>>>,
    done: AtomicBool,
}

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        if let Some(sender) = self.sender.lock().unwrap().take() {
            sender.send_modify(|value| *value += 1);
            let mut receiver = sender.subscribe();
            Hand::new(receiver.changed()).expect_pending();
            drop(sender);
            self.done.store(true, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_waker_may_call_back_and_drop_the_last_sender() {
    let (sender, mut receiver) = channel(0);
    let again = Arc::new(Again {
        sender: Mutex::new(Some(sender.clone())),
        done: AtomicBool::new(false),
    });
    let mut wait = Hand::new(receiver.changed());
    assert!(
        wait.poll_with(&Waker::from(again.clone())).is_pending(),
        "nothing sent yet"
    );
    sender.send(5).unwrap();
    assert!(again.done.load(Ordering::SeqCst));
    drop(sender);
    assert!(wait.expect_ready().is_ok());
    drop(wait);
    assert_eq!(*receiver.borrow(), 6);
    assert!(receiver.is_closed());
}

/// A value that looks at its channel when it is dropped: it is not dropped under a lock.
#[test]
fn an_old_value_is_dropped_after_unlocking() {
    struct Nosy(Option<Receiver<Nosy>>, Arc<AtomicBool>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            if let Some(receiver) = &self.0 {
                assert!(receiver.borrow().0.is_none());
                self.1.store(true, Ordering::SeqCst);
            }
        }
    }
    let looked = Arc::new(AtomicBool::new(false));
    let (sender, receiver) = channel(Nosy(None, looked.clone()));
    sender.send_modify(|value| value.0 = Some(receiver.clone()));
    sender.send(Nosy(None, looked.clone())).ok().unwrap();
    assert!(looked.load(Ordering::SeqCst));
}

#[test]
fn tasks_see_a_growing_number_and_the_end() {
    let runtime = trefoil::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (sender, receiver) = channel(0);
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let mut receiver = receiver.clone();
                trefoil::spawn(async move {
                    let mut last = 0;
                    while receiver.changed().await.is_ok() {
                        let now = *receiver.borrow_and_update();
                        assert!(now > last, "{now} after {last}");
                        last = now;
                    }
                    last
                })
            })
            .collect();
        drop(receiver);
        for n in 1..=2000 {
            sender.send(n).unwrap();
            if n % 64 == 0 {
                trefoil::task::yield_now().await;
            }
        }
        drop(sender);
        for task in tasks {
            assert_eq!(task.await.unwrap(), 2000);
        }
    });
}

#[test]
fn a_loop_of_changes_gives_way() {
    let runtime = trefoil::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (sender, mut receiver) = channel(0);
        let over = Arc::new(AtomicBool::new(false));
        let other = over.clone();
        let hog = trefoil::spawn(async move {
            let mut turns = 0_u32;
            while !other.load(Ordering::SeqCst) {
                receiver.mark_changed();
                receiver.changed().await.unwrap();
                turns += 1;
            }
            turns
        });
        trefoil::task::yield_now().await;
        over.store(true, Ordering::SeqCst);
        assert!(hog.await.unwrap() >= 128);
        drop(sender);
    });
}

#[test]
fn it_can_be_printed() {
    let (sender, receiver) = channel(5);
    assert!(format!("{sender:?}").starts_with("Sender"));
    assert!(format!("{receiver:?}").starts_with("Receiver"));
    assert!(format!("{:?}", receiver.borrow()).contains('5'));
    assert_eq!(SendError(Rc::new(1)).to_string(), "channel closed");
    assert_eq!(
        format!("{:?}", SendError(Rc::new(1))),
        "SendError { .. }",
        "needs nothing of the value"
    );
}
