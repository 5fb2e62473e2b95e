//! broadcast: who gets what, lag, both ends, weak senders, clones and drops that panic, wakers that
//! call back.

mod hand;

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use hand::{Bomb, Count, Hand};
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil::sync::broadcast::error::{RecvError, SendError, TryRecvError};
use trefoil::sync::broadcast::futures::{Closed, Recv};
use trefoil::sync::broadcast::{Receiver, Sender, WeakSender, channel};

type Both = u32;
type SendOnly = Cell<u32>;
type Neither = Rc<u32>;

assert_impl_all!(Sender<Both>: Send, Sync, Unpin, Clone, std::fmt::Debug);
assert_impl_all!(Receiver<Both>: Send, Sync, Unpin, std::fmt::Debug);
assert_not_impl_any!(Receiver<Both>: Clone);
assert_impl_all!(WeakSender<Both>: Send, Sync, Unpin, Clone, std::fmt::Debug);
assert_impl_all!(Sender<SendOnly>: Send, Sync, Unpin);
assert_impl_all!(Receiver<SendOnly>: Send, Sync, Unpin);
assert_impl_all!(WeakSender<SendOnly>: Send, Sync, Unpin);
assert_not_impl_any!(Sender<Neither>: Send, Sync);
assert_not_impl_any!(Receiver<Neither>: Send, Sync);
assert_not_impl_any!(WeakSender<Neither>: Send, Sync);
assert_impl_all!(Receiver<std::marker::PhantomPinned>: Unpin);
assert_impl_all!(Recv<'static, Both>: Send, Sync);
assert_impl_all!(Recv<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(Recv<'static, Neither>: Send, Sync);
assert_not_impl_any!(Recv<'static, Both>: Unpin);
assert_impl_all!(Closed<'static, SendOnly>: Send, Sync);
assert_not_impl_any!(Closed<'static, Both>: Unpin);
assert_impl_all!(RecvError: Send, Sync, Clone, PartialEq, Eq, std::error::Error);
assert_impl_all!(TryRecvError: Send, Sync, Clone, PartialEq, Eq, std::error::Error);
assert_impl_all!(SendError<Both>: std::error::Error);

#[test]
fn every_receiver_gets_every_value_in_order() {
    let (sender, mut one) = channel(4);
    let mut two = sender.subscribe();
    for n in 1..=3 {
        assert_eq!(sender.send(n).unwrap(), 2);
    }
    for receiver in [&mut one, &mut two] {
        for n in 1..=3 {
            assert_eq!(receiver.try_recv(), Ok(n));
        }
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn a_receiver_gets_what_is_sent_after_it_was_made() {
    let (sender, mut one) = channel(4);
    sender.send(1).unwrap();
    let mut two = sender.subscribe();
    sender.send(2).unwrap();
    let mut three = one.resubscribe();
    sender.send(3).unwrap();
    assert_eq!(one.len(), 3);
    assert_eq!((two.try_recv(), two.try_recv()), (Ok(2), Ok(3)));
    assert_eq!(three.try_recv(), Ok(3));
    assert_eq!(one.try_recv(), Ok(1));
    assert!(one.same_channel(&two) && two.same_channel(&three));
    let (_, other) = channel::<i32>(4);
    assert!(!one.same_channel(&other));
}

#[test]
fn nobody_there_gives_the_value_back() {
    let sender = Sender::new(2);
    let SendError(value) = sender.send("a").unwrap_err();
    assert_eq!(value, "a");
    let mut receiver = sender.subscribe();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(sender.send("b").unwrap(), 1);
    drop(receiver);
    assert!(sender.send("c").is_err());
    assert_eq!(sender.receiver_count(), 0);
}

#[test]
fn the_ring_is_a_power_of_two() {
    for (asked, given) in [(1, 1), (2, 2), (3, 4), (5, 8), (10, 16)] {
        let (sender, mut receiver) = channel(asked);
        for n in 0..=given {
            sender.send(n).unwrap();
        }
        assert_eq!(receiver.len(), given + 1);
        assert_eq!(sender.len(), given);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Lagged(1)));
        assert_eq!(receiver.len(), given);
        for n in 1..=given {
            assert_eq!(receiver.try_recv(), Ok(n));
        }
        assert!(receiver.is_empty() && sender.is_empty());
    }
}

#[test]
fn bad_capacities_are_refused_at_the_callers_line() {
    assert!(catch_unwind(|| channel::<u8>(0)).is_err());
    assert!(catch_unwind(|| channel::<u8>(usize::MAX / 2 + 1)).is_err());
    assert!(catch_unwind(|| Sender::<u8>::new(0)).is_err());
}

#[test]
fn a_lagging_receiver_goes_on_with_the_oldest_value() {
    let (sender, mut slow) = channel(2);
    let mut fast = sender.subscribe();
    for n in 0..5_u64 {
        sender.send(n).unwrap();
        assert_eq!(fast.try_recv(), Ok(n));
    }
    assert_eq!(slow.try_recv(), Err(TryRecvError::Lagged(3)));
    sender.send(5).unwrap();
    assert_eq!(
        slow.try_recv(),
        Err(TryRecvError::Lagged(1)),
        "overtaken again"
    );
    assert_eq!(slow.try_recv(), Ok(4));
    assert_eq!(slow.try_recv(), Ok(5));
    assert_eq!(slow.try_recv(), Err(TryRecvError::Empty));
}

#[test]
fn a_receiver_that_waits_learns_that_it_lags() {
    let (sender, mut receiver) = channel(1);
    let mut wait = Hand::pending(receiver.recv());
    sender.send(1).unwrap();
    sender.send(2).unwrap();
    assert!(wait.woken());
    assert_eq!(wait.expect_ready(), Err(RecvError::Lagged(1)));
    drop(wait);
    assert_eq!(Hand::new(receiver.recv()).expect_ready(), Ok(2));
}

#[test]
fn the_ring_is_emptied_after_the_last_sender_then_comes_the_end() {
    let (sender, mut receiver) = channel(2);
    let other = sender.clone();
    for n in 0..3 {
        sender.send(n).unwrap();
    }
    drop(sender);
    assert!(!receiver.is_closed());
    drop(other);
    assert!(receiver.is_closed());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Lagged(1)));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(Hand::new(receiver.recv()).expect_ready(), Ok(2));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(
        Hand::new(receiver.recv()).expect_ready(),
        Err(RecvError::Closed)
    );
    let mut late = receiver.resubscribe();
    assert_eq!(late.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn the_last_sender_wakes_all_who_wait() {
    let (sender, receiver) = channel::<u8>(1);
    let mut receivers: Vec<_> = (0..100).map(|_| receiver.resubscribe()).collect();
    let mut waits: Vec<_> = receivers
        .iter_mut()
        .map(|receiver| Hand::pending(receiver.recv()))
        .collect();
    drop(sender);
    for wait in &mut waits {
        assert!(wait.woken());
        assert_eq!(wait.expect_ready(), Err(RecvError::Closed));
    }
}

#[test]
fn a_value_wakes_all_who_wait_in_order() {
    struct Note(usize, Arc<Mutex<Vec<usize>>>);
    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let (sender, receiver) = channel(1);
    let mut receivers: Vec<_> = (0..100).map(|_| receiver.resubscribe()).collect();
    let mut waits: Vec<_> = receivers
        .iter_mut()
        .map(|receiver| Hand::new(receiver.recv()))
        .collect();
    for (number, wait) in waits.iter_mut().enumerate() {
        let waker = Waker::from(Arc::new(Note(number, order.clone())));
        assert!(wait.poll_with(&waker).is_pending());
    }
    sender.send(1).unwrap();
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    for wait in &mut waits {
        assert_eq!(wait.expect_ready(), Ok(1));
    }
}

#[test]
fn a_wait_dropped_at_any_poll_has_received_nothing() {
    for polls in 0..=2 {
        for sent in [false, true] {
            let (sender, mut receiver) = channel(2);
            let mut other = sender.subscribe();
            let mut other_wait = Hand::pending(other.recv());
            let mut wait = Hand::new(receiver.recv());
            for _ in 0..polls {
                wait.expect_pending();
            }
            if sent {
                sender.send(1).unwrap();
                assert_eq!(wait.woken(), polls > 0);
            }
            drop(wait);
            if !sent {
                sender.send(1).unwrap();
            }
            assert!(other_wait.woken());
            assert_eq!(other_wait.expect_ready(), Ok(1));
            assert_eq!(receiver.try_recv(), Ok(1));
        }
    }
}

#[test]
fn the_latest_waker_is_woken_and_old_ones_are_dropped() {
    let (sender, mut receiver) = channel(2);
    let (old, new) = (Count::new(), Count::new());
    let mut wait = Hand::new(receiver.recv());
    for count in [&old, &new, &new] {
        assert!(wait.poll_with(&Waker::from(count.clone())).is_pending());
    }
    assert_eq!(Arc::strong_count(&old), 1);
    sender.send(1).unwrap();
    assert_eq!((old.take(), new.take()), (0, 1));
    assert_eq!(wait.expect_ready(), Ok(1));
    assert_eq!(Arc::strong_count(&new), 1);
}

#[test]
fn values_are_released_when_the_last_receiver_has_them() {
    let value = Arc::new(());
    let (sender, mut one) = channel(4);
    let mut two = sender.subscribe();
    sender.send(value.clone()).unwrap();
    drop(one.try_recv().unwrap());
    assert_eq!(Arc::strong_count(&value), 2, "`two` has yet to come");
    assert_eq!(sender.len(), 1);
    drop(two.try_recv().unwrap());
    assert_eq!(Arc::strong_count(&value), 1);
    assert!(sender.is_empty());

    sender.send(value.clone()).unwrap();
    sender.send(value.clone()).unwrap();
    drop(one);
    assert_eq!(Arc::strong_count(&value), 3);
    drop(two.try_recv().unwrap());
    assert_eq!(Arc::strong_count(&value), 2);
    drop(two);
    assert_eq!(
        Arc::strong_count(&value),
        1,
        "a dropped receiver passes over the rest"
    );
}

#[test]
fn overwritten_values_and_those_left_at_the_end_are_dropped() {
    let value = Arc::new(());
    let (sender, receiver) = channel(2);
    for _ in 0..5 {
        sender.send(value.clone()).unwrap();
    }
    assert_eq!(Arc::strong_count(&value), 3);
    drop(sender);
    assert_eq!(Arc::strong_count(&value), 3);
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 1);
}

/// Random sends, receives, new and dropped receivers against a naive model.
#[test]
fn it_agrees_with_a_naive_model() {
    const RING: usize = 4;
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    for _ in 0..200 {
        let sender = Sender::new(RING - 1);
        // Each receiver beside all that it has to receive.
        let mut receivers: Vec<(Receiver<u64>, VecDeque<u64>)> = Vec::new();
        for n in 0..300 {
            match draw(8) {
                0 if receivers.len() < 5 => receivers.push((sender.subscribe(), VecDeque::new())),
                1 if !receivers.is_empty() => {
                    let gone = draw(receivers.len() as u64) as usize;
                    drop(receivers.swap_remove(gone));
                }
                2..=4 => {
                    assert_eq!(
                        sender.send(n).ok(),
                        match receivers.len() {
                            0 => None,
                            count => Some(count),
                        }
                    );
                    receivers
                        .iter_mut()
                        .for_each(|(_, model)| model.push_back(n));
                }
                _ if !receivers.is_empty() => {
                    let index = draw(receivers.len() as u64) as usize;
                    let (receiver, model) = &mut receivers[index];
                    let lag = model.len().saturating_sub(RING);
                    let expected = if lag > 0 {
                        model.drain(..lag);
                        Err(TryRecvError::Lagged(lag as u64))
                    } else {
                        model.pop_front().ok_or(TryRecvError::Empty)
                    };
                    assert_eq!(receiver.try_recv(), expected);
                }
                _ => {}
            }
            let longest = receivers.iter().map(|(_, model)| model.len()).max();
            assert_eq!(sender.len(), longest.unwrap_or(0).min(RING));
            assert_eq!(sender.receiver_count(), receivers.len());
            for (receiver, model) in &receivers {
                assert_eq!(
                    (receiver.len(), receiver.is_empty()),
                    (model.len(), model.is_empty())
                );
            }
        }
    }
}

/// A clone that panics when it is told to.
struct Brittle(u32, Arc<AtomicUsize>);

impl Clone for Brittle {
    fn clone(&self) -> Self {
        if self.1.fetch_add(1, Ordering::SeqCst) == 0 {
            panic!("a clone's panic");
        }
        Self(self.0, self.1.clone())
    }
}

#[test]
fn a_clone_that_panics_counts_as_received_and_harms_nobody() {
    let clones = Arc::new(AtomicUsize::new(0));
    let (sender, mut one) = channel(4);
    let mut two = sender.subscribe();
    for n in 1..=2 {
        sender.send(Brittle(n, clones.clone())).ok().unwrap();
    }
    assert!(catch_unwind(AssertUnwindSafe(|| one.try_recv().is_ok())).is_err());
    assert_eq!(one.len(), 1);
    assert_eq!(one.try_recv().ok().unwrap().0, 2);
    assert_eq!(sender.len(), 2, "`two` still wants both");
    assert_eq!(two.try_recv().ok().unwrap().0, 1);
    assert_eq!(two.try_recv().ok().unwrap().0, 2);
    assert!(sender.is_empty());

    // The same while it is awaited: the wait leaves the line.
    clones.store(0, Ordering::SeqCst);
    let _third = sender.subscribe();
    let mut wait = Hand::new(one.recv());
    assert!(wait.poll().is_pending());
    sender.send(Brittle(3, clones.clone())).ok().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| wait.poll().is_ready())).is_err());
    drop(wait);
    sender.send(Brittle(4, clones.clone())).ok().unwrap();
    assert_eq!(one.try_recv().ok().unwrap().0, 4);
}

#[test]
fn the_last_receiver_gets_the_value_itself() {
    let clones = Arc::new(AtomicUsize::new(1));
    let (sender, mut one) = channel(4);
    sender.send(Brittle(1, clones.clone())).ok().unwrap();
    assert_eq!(one.try_recv().ok().unwrap().0, 1);
    assert_eq!(clones.load(Ordering::SeqCst), 1, "not cloned");
}

/// A drop that panics when it is told to, and counts.
#[derive(Clone)]
struct Loud(bool, Arc<AtomicUsize>);

impl Drop for Loud {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
        if self.0 {
            panic!("a drop's panic");
        }
    }
}

#[test]
fn a_drop_that_panics_does_not_keep_the_others() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = channel(4);
    for loud in [false, true, false, false] {
        sender.send(Loud(loud, dropped.clone())).ok().unwrap();
    }
    let mut closed = Hand::pending(sender.closed());
    assert!(catch_unwind(AssertUnwindSafe(|| drop(receiver))).is_err());
    assert_eq!(dropped.load(Ordering::SeqCst), 4);
    assert!(closed.woken());
    closed.expect_ready();

    // Overwritten: the sender gets the panic, everybody is woken before.
    let mut receiver = sender.subscribe();
    let mut late = sender.subscribe();
    sender.send(Loud(true, dropped.clone())).ok().unwrap();
    for _ in 0..3 {
        sender.send(Loud(false, dropped.clone())).ok().unwrap();
    }
    while late.try_recv().is_ok_and(|value| {
        std::mem::forget(value);
        true
    }) {}
    let mut wait = Hand::new(late.recv());
    assert!(wait.poll().is_pending());
    let sent = catch_unwind(AssertUnwindSafe(|| {
        sender.send(Loud(false, dropped.clone())).is_ok()
    }));
    assert!(sent.is_err() && wait.woken());
    assert!(wait.expect_ready().is_ok());
    assert_eq!(receiver.try_recv().err(), Some(TryRecvError::Lagged(1)));
}

#[test]
fn a_value_is_dropped_after_unlocking() {
    /// Asks its channel when it is dropped.
    #[derive(Clone)]
    struct Nosy(Option<Sender<Nosy>>);
    impl Drop for Nosy {
        fn drop(&mut self) {
            if let Some(sender) = &self.0 {
                let _ = (sender.len(), sender.receiver_count());
            }
        }
    }
    let (sender, receiver) = channel(1);
    sender.send(Nosy(Some(sender.clone()))).ok().unwrap();
    sender.send(Nosy(Some(sender.clone()))).ok().unwrap();
    drop(receiver);
    assert_eq!(sender.strong_count(), 1);
}

#[test]
fn weak_senders_do_not_keep_it_open() {
    let (sender, mut receiver) = channel(2);
    let weak = sender.downgrade();
    let weak2 = weak.clone();
    assert_eq!((sender.strong_count(), sender.weak_count()), (1, 2));
    let full = weak.upgrade().unwrap();
    assert!(full.same_channel(&sender));
    assert_eq!((weak.strong_count(), weak.weak_count()), (2, 2));
    assert_eq!(
        (receiver.sender_strong_count(), receiver.sender_weak_count()),
        (2, 2)
    );
    drop(weak2);
    assert_eq!(receiver.sender_weak_count(), 1);
    full.send(1).unwrap();
    let mut wait_for_end = sender.subscribe();
    let mut wait = Hand::pending(wait_for_end.recv());
    drop((sender, full));
    assert!(wait.woken());
    assert_eq!(wait.expect_ready(), Err(RecvError::Closed));
    assert!(weak.upgrade().is_none());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn closed_waits_for_the_last_receiver() {
    let (sender, receiver) = channel::<u8>(1);
    let other = receiver.resubscribe();
    let mut one = Hand::pending(sender.closed());
    let mut two = Hand::pending(sender.closed());
    drop(Hand::pending(sender.closed()));
    drop(receiver);
    assert!(!one.woken());
    drop(other);
    assert!(one.woken() && two.woken());
    one.expect_ready();
    let again = sender.subscribe();
    two.expect_pending();
    drop(again);
    two.expect_ready();
    Hand::new(Sender::<u8>::new(1).closed()).expect_ready();
}

#[test]
fn panicking_wakers_reach_the_sender_and_harm_nobody_else() {
    let (sender, receiver) = channel(1);
    let bomb = Waker::from(Arc::new(Bomb));
    let mut receivers: Vec<_> = (0..80).map(|_| receiver.resubscribe()).collect();
    let mut bombs: Vec<_> = receivers
        .iter_mut()
        .map(|receiver| Hand::new(receiver.recv()))
        .collect();
    for wait in &mut bombs {
        assert!(wait.poll_with(&bomb).is_pending());
    }
    let mut last = receiver.resubscribe();
    let mut last = Hand::pending(last.recv());
    assert!(catch_unwind(AssertUnwindSafe(|| sender.send(1))).is_err());
    assert!(last.woken());
    assert_eq!(last.expect_ready(), Ok(1));
    for wait in &mut bombs {
        assert_eq!(wait.expect_ready(), Ok(1));
    }
}

/// Sends when it is dropped, as a task that is thrown away may do.
struct SendsOnDrop(Sender<u32>);

impl Drop for SendsOnDrop {
    fn drop(&mut self) {
        let _ = self.0.send(7);
    }
}

impl Wake for SendsOnDrop {
    fn wake(self: Arc<Self>) {
        let _ = self.0.send(8);
    }
}

#[test]
fn a_waker_may_send_when_it_is_woken_or_dropped() {
    let (sender, mut receiver) = channel(8);
    let waker = Waker::from(Arc::new(SendsOnDrop(sender.clone())));
    let mut wait = Hand::new(receiver.recv());
    assert!(wait.poll_with(&waker).is_pending());
    drop(waker);
    drop(wait);
    assert_eq!(receiver.try_recv(), Ok(7), "the line's copy was the last");

    let mut wait = Hand::new(receiver.recv());
    let waker = Waker::from(Arc::new(SendsOnDrop(sender.clone())));
    assert!(wait.poll_with(&waker).is_pending());
    drop(waker);
    sender.send(1).unwrap();
    assert_eq!(wait.expect_ready(), Ok(1));
    drop(wait);
    assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(8), Ok(7)));
}

#[test]
fn a_waker_may_drop_the_last_sender() {
    struct Keeps(Mutex<Option<Sender<u32>>>);
    impl Wake for Keeps {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
        }
    }
    let (sender, receiver) = channel(8);
    let weak = sender.downgrade();
    let waker = Waker::from(Arc::new(Keeps(Mutex::new(Some(sender.clone())))));
    let mut receivers: Vec<_> = (0..40).map(|_| receiver.resubscribe()).collect();
    let mut waits: Vec<_> = receivers
        .iter_mut()
        .map(|receiver| Hand::new(receiver.recv()))
        .collect();
    assert!(waits[0].poll_with(&waker).is_pending());
    for wait in &mut waits[1..] {
        wait.expect_pending();
    }
    sender.send(1).unwrap();
    drop(sender);
    assert_eq!(weak.strong_count(), 0);
    for wait in &mut waits {
        assert_eq!(wait.expect_ready(), Ok(1));
    }
}

#[test]
fn threads_receive_blocking() {
    let (sender, receiver) = channel(4096);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let mut receiver = receiver.resubscribe();
            std::thread::spawn(move || {
                let mut sum = 0_u64;
                loop {
                    match receiver.blocking_recv() {
                        Ok(n) => sum += n,
                        Err(RecvError::Closed) => return sum,
                        Err(RecvError::Lagged(_)) => panic!("the ring holds all"),
                    }
                }
            })
        })
        .collect();
    (1..=2000).for_each(|n| drop(sender.send(n)));
    drop(sender);
    for thread in threads {
        assert_eq!(thread.join().unwrap(), 2000 * 2001 / 2);
    }
}

#[test]
fn blocking_inside_of_a_runtime_is_refused() {
    let runtime = trefoil::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (_sender, mut receiver) = channel::<u8>(1);
    let result = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async { receiver.blocking_recv() })
    }));
    let payload = result.unwrap_err();
    let text = payload.downcast_ref::<String>().unwrap();
    assert!(text.contains("Cannot block the current thread"), "{text}");
}

#[test]
fn tasks_on_two_workers_count_all_values() {
    let runtime = trefoil::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (sender, receiver) = channel(8);
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let mut receiver = receiver.resubscribe();
                trefoil::spawn(async move {
                    let mut count = 0;
                    loop {
                        match receiver.recv().await {
                            Ok(_) => count += 1,
                            Err(RecvError::Lagged(n)) => count += n,
                            Err(RecvError::Closed) => return count,
                        }
                    }
                })
            })
            .collect();
        drop(receiver);
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let sender = sender.clone();
                trefoil::spawn(async move {
                    for n in 0..3000 {
                        sender.send(n).unwrap();
                        if n % 16 == 0 {
                            trefoil::task::yield_now().await;
                        }
                    }
                })
            })
            .collect();
        drop(sender);
        for sender in senders {
            sender.await.unwrap();
        }
        for reader in readers {
            assert_eq!(reader.await.unwrap(), 9000);
        }
    });
}

#[test]
fn a_loop_of_receives_gives_way() {
    let runtime = trefoil::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (sender, mut receiver) = channel(512);
        for n in 0..512 {
            sender.send(n).unwrap();
        }
        let turns = Arc::new(AtomicUsize::new(0));
        let count = turns.clone();
        let hog = trefoil::spawn(async move {
            for _ in 0..512 {
                receiver.recv().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let other = trefoil::spawn(async move { turns.load(Ordering::SeqCst) });
        assert_eq!(other.await.unwrap(), 128, "one budget");
        hog.await.unwrap();
    });
}

#[test]
fn it_can_be_printed() {
    let (sender, receiver) = channel::<u8>(1);
    assert_eq!(format!("{sender:?}"), "broadcast::Sender");
    assert_eq!(format!("{receiver:?}"), "broadcast::Receiver");
    assert_eq!(format!("{:?}", sender.downgrade()), "broadcast::WeakSender");
    assert_eq!(SendError(1).to_string(), "channel closed");
    assert_eq!(RecvError::Closed.to_string(), "channel closed");
    assert_eq!(RecvError::Lagged(3).to_string(), "channel lagged by 3");
    assert_eq!(TryRecvError::Empty.to_string(), "channel empty");
    assert_eq!(TryRecvError::Closed.to_string(), "channel closed");
    assert_eq!(TryRecvError::Lagged(3).to_string(), "channel lagged by 3");
}
