//! What `sync::mpsc` promises: order, room, the end, and that a cancelled wait loses nothing.

use std::cell::Cell;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures_util::FutureExt;
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil as rt;

use rt::sync::mpsc::error::{SendError, SendTimeoutError, TryRecvError, TrySendError};
use rt::sync::mpsc::{self, futures};

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn new() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (count.clone(), Waker::from(count))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls once with a waker that does nothing.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

/// Polls once.
fn poll_with<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// What the future gives at its first poll.
fn now<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("ready at once")
}

#[test]
fn auto_traits_are_as_listed() {
    assert_impl_all!(mpsc::Sender<Cell<u8>>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(mpsc::Receiver<Cell<u8>>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(mpsc::UnboundedSender<Cell<u8>>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(mpsc::UnboundedReceiver<Cell<u8>>: Send, Sync, Unpin, UnwindSafe, RefUnwindSafe);
    assert_impl_all!(mpsc::WeakSender<Cell<u8>>: Send, Sync, Unpin);
    assert_impl_all!(mpsc::WeakUnboundedSender<Cell<u8>>: Send, Sync, Unpin);
    assert_impl_all!(mpsc::Permit<'_, Cell<u8>>: Send, Sync, Unpin);
    assert_impl_all!(mpsc::OwnedPermit<Cell<u8>>: Send, Sync, Unpin);
    assert_not_impl_any!(mpsc::Sender<Rc<u8>>: Send, Sync);
    assert_not_impl_any!(mpsc::Receiver<Rc<u8>>: Send, Sync);
    assert_not_impl_any!(mpsc::UnboundedSender<Rc<u8>>: Send, Sync);
    assert_not_impl_any!(mpsc::UnboundedReceiver<Rc<u8>>: Send, Sync);
    assert_not_impl_any!(mpsc::WeakSender<Rc<u8>>: Send, Sync);
    assert_not_impl_any!(mpsc::Permit<'_, Rc<u8>>: Send, Sync);
    assert_not_impl_any!(mpsc::OwnedPermit<Rc<u8>>: Send, Sync);
    assert_impl_all!(mpsc::Receiver<Rc<u8>>: Unpin);

    assert_impl_all!(SendError<Cell<u8>>: Send, Unpin);
    assert_not_impl_any!(SendError<Cell<u8>>: Sync);
    assert_not_impl_any!(TrySendError<Rc<u8>>: Send, Sync);

    assert_impl_all!(futures::Recv<'_, Cell<u8>>: Send, Sync);
    assert_impl_all!(futures::Closed<'_, Cell<u8>>: Send, Sync);
    assert_impl_all!(futures::Reserve<'_, Cell<u8>>: Send, Sync);
    assert_impl_all!(futures::ReserveOwned<Cell<u8>>: Send, Sync);
    assert_impl_all!(futures::Send<'_, u8>: Send, Sync);
    assert_impl_all!(futures::Send<'_, Cell<u8>>: Send);
    assert_not_impl_any!(futures::Send<'_, Cell<u8>>: Sync);
    assert_not_impl_any!(futures::Send<'_, u8>: Unpin);
    assert_not_impl_any!(futures::Recv<'_, u8>: Unpin);
    assert_not_impl_any!(futures::RecvMany<'_, u8>: Unpin);
    assert_not_impl_any!(futures::Reserve<'_, u8>: Unpin);
    assert_not_impl_any!(futures::ReserveOwned<u8>: Unpin);
    assert_not_impl_any!(futures::Closed<'_, u8>: Unpin);
    assert_not_impl_any!(futures::Recv<'_, Rc<u8>>: Send, Sync);
}

#[test]
fn messages_come_in_order_through_many_blocks() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    for round in 0..3 {
        for i in 0..200 {
            sender.send((round, i)).unwrap();
        }
        assert_eq!(receiver.len(), 200);
        for i in 0..200 {
            assert_eq!(now(receiver.recv()), Some((round, i)));
        }
        assert!(receiver.is_empty());
    }
    let (sender, mut receiver) = mpsc::channel(3);
    for i in 0..1000 {
        now(sender.send(i)).unwrap();
        assert_eq!(receiver.try_recv(), Ok(i));
    }
}

#[test]
#[should_panic(expected = "give at least 1")]
fn a_channel_without_room_is_refused() {
    let _ = mpsc::channel::<u8>(0);
}

#[test]
fn a_full_channel_makes_senders_wait_in_line() {
    let (sender, mut receiver) = mpsc::channel(1);
    now(sender.send(0)).unwrap();
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
    let (count, waker) = Count::new();
    let (mut first, mut second) = (Box::pin(sender.send(1)), Box::pin(sender.send(2)));
    assert!(poll_with(first.as_mut(), &waker).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());

    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!(count.get(), 1, "room for one wakes one");
    assert_eq!(
        sender.try_send(9),
        Err(TrySendError::Full(9)),
        "nobody overtakes"
    );
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(poll(first.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(poll(second.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(sender.capacity(), 1);
}

#[test]
fn a_dropped_send_gives_its_room_to_the_next() {
    for polls in 0..4 {
        let (sender, mut receiver) = mpsc::channel(1);
        now(sender.send(0)).unwrap();
        let mut cancelled = Box::pin(sender.send(1));
        for _ in 0..polls {
            assert!(poll(cancelled.as_mut()).is_pending());
        }
        let mut next = Box::pin(sender.send(2));
        assert!(poll(next.as_mut()).is_pending());
        assert_eq!(receiver.try_recv(), Ok(0));
        drop(cancelled);
        assert_eq!(poll(next.as_mut()), Poll::Ready(Ok(())));
        assert_eq!(receiver.try_recv(), Ok(2));
        assert_eq!((sender.capacity(), sender.max_capacity()), (1, 1));
    }
}

#[test]
fn a_dropped_recv_loses_no_message() {
    for polls in 0..4 {
        let (sender, mut receiver) = mpsc::channel(4);
        {
            let mut recv = pin!(receiver.recv());
            for _ in 0..polls {
                assert!(poll(recv.as_mut()).is_pending());
            }
            sender.try_send(polls).unwrap();
        }
        let (count, waker) = Count::new();
        assert_eq!(
            poll_with(pin!(receiver.recv()), &waker),
            Poll::Ready(Some(polls))
        );
        assert!(poll_with(pin!(receiver.recv()), &waker).is_pending());
        sender.try_send(9).unwrap();
        assert_eq!(count.get(), 1);
    }
}

#[test]
fn the_end_comes_after_the_last_message() {
    let (sender, mut receiver) = mpsc::channel(4);
    let other = sender.clone();
    sender.try_send(1).unwrap();
    drop(sender);
    assert!(!receiver.is_closed());
    assert_eq!(now(receiver.recv()), Some(1));
    let (count, waker) = Count::new();
    assert!(poll_with(pin!(receiver.recv()), &waker).is_pending());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    drop(other);
    assert_eq!(count.get(), 1);
    assert!(receiver.is_closed());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    assert_eq!(now(receiver.recv()), None);
    assert_eq!(now(receiver.recv()), None);
}

#[test]
fn after_close_what_was_sent_is_still_received() {
    let (sender, mut receiver) = mpsc::channel(4);
    sender.try_send(1).unwrap();
    receiver.close();
    assert!(sender.is_closed() && receiver.is_closed());
    assert_eq!(sender.try_send(2), Err(TrySendError::Closed(2)));
    assert_eq!(now(sender.send(2)), Err(SendError(2)));
    assert_eq!(now(receiver.recv()), Some(1));
    assert_eq!(now(receiver.recv()), None);

    let (sender, mut receiver) = mpsc::unbounded_channel();
    sender.send(1).unwrap();
    receiver.close();
    assert!(sender.is_closed() && receiver.is_closed());
    assert_eq!(sender.send(2), Err(SendError(2)));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
}

#[test]
fn a_permit_keeps_a_closed_channel_open() {
    for send in [true, false] {
        let (sender, mut receiver) = mpsc::channel(2);
        let permit = sender.try_reserve().unwrap();
        let owned = sender.clone().try_reserve_owned().unwrap();
        receiver.close();
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        let (count, waker) = Count::new();
        assert!(poll_with(pin!(receiver.recv()), &waker).is_pending());
        if send {
            permit.send(1);
            assert_eq!(count.get(), 1);
            assert_eq!(
                poll_with(pin!(receiver.recv()), &waker),
                Poll::Ready(Some(1))
            );
            assert!(poll_with(pin!(receiver.recv()), &waker).is_pending());
        } else {
            drop(permit);
        }
        let before = count.get();
        drop(owned.release());
        assert_eq!(count.get(), before + 1);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
        assert_eq!(now(receiver.recv()), None);
    }
}

#[test]
fn a_waiter_with_a_part_of_its_permits_delays_the_end_until_it_goes() {
    let (sender, mut receiver) = mpsc::channel::<u8>(2);
    let held = sender.try_reserve().unwrap();
    let mut many = Box::pin(sender.reserve_many(2));
    assert!(poll(many.as_mut()).is_pending());
    receiver.close();
    drop(held);
    let (count, waker) = Count::new();
    assert!(poll_with(pin!(receiver.recv()), &waker).is_pending());
    drop(many);
    assert_eq!(count.get(), 1);
    assert_eq!(now(receiver.recv()), None);
}

#[test]
fn a_dropped_receiver_drops_its_messages_and_fails_the_senders() {
    let alive = Arc::new(());
    let (sender, receiver) = mpsc::channel(2);
    sender.try_send(alive.clone()).unwrap();
    let permit = sender.try_reserve().unwrap();
    let (count, waker) = Count::new();
    let mut waiting = Box::pin(sender.send(alive.clone()));
    assert!(poll_with(waiting.as_mut(), &waker).is_pending());
    let mut closed = Box::pin(sender.closed());
    assert!(poll_with(closed.as_mut(), &waker).is_pending());
    drop(receiver);
    assert_eq!(count.get(), 2);
    assert!(poll(closed.as_mut()).is_ready());
    assert!(matches!(
        poll(waiting.as_mut()),
        Poll::Ready(Err(SendError(_)))
    ));
    permit.send(alive.clone());
    assert_eq!(Arc::strong_count(&alive), 1);

    let (sender, receiver) = mpsc::unbounded_channel();
    (0..100).for_each(|_| sender.send(alive.clone()).unwrap());
    drop(receiver);
    assert!(sender.send(alive.clone()).is_err());
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn a_message_that_panics_when_dropped_does_not_keep_the_others() {
    struct Bomb(#[expect(dead_code, reason = "counted")] Arc<()>, bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            if self.1 {
                panic!("bomb");
            }
        }
    }
    let alive = Arc::new(());
    let (sender, receiver) = mpsc::unbounded_channel();
    for i in 0..5 {
        sender.send(Bomb(alive.clone(), i == 2)).unwrap();
    }
    assert!(std::panic::catch_unwind(move || drop(receiver)).is_err());
    assert_eq!(Arc::strong_count(&alive), 1);
    assert!(sender.is_closed());
}

#[test]
fn permits_hold_room_and_give_it_back() {
    let (sender, mut receiver) = mpsc::channel(5);
    let permit = now(sender.reserve()).unwrap();
    let mut many = now(sender.reserve_many(3)).unwrap();
    assert_eq!(
        (many.len(), sender.capacity(), receiver.capacity()),
        (3, 1, 1)
    );
    many.next().unwrap().send(1);
    assert_eq!(many.size_hint(), (2, Some(2)));
    drop(many);
    assert_eq!(sender.capacity(), 3);
    permit.send(2);
    drop(sender.try_reserve_many(3).unwrap());
    assert_eq!(
        sender.try_reserve_many(4).unwrap_err(),
        TrySendError::Full(())
    );
    assert_eq!(
        now(sender.reserve_many(6)).unwrap_err(),
        SendError(()),
        "never possible"
    );
    assert_eq!(now(receiver.recv()), Some(1));
    assert_eq!(now(receiver.recv()), Some(2));
    assert_eq!((receiver.capacity(), receiver.max_capacity()), (5, 5));
}

#[test]
fn owned_permits_carry_their_sender() {
    let (sender, mut receiver) = mpsc::channel(1);
    let permit = now(sender.clone().reserve_owned()).unwrap();
    assert!(permit.same_channel_as_sender(&sender));
    let sender = match sender.try_reserve_owned() {
        Err(TrySendError::Full(sender)) => sender,
        other => panic!("{other:?}"),
    };
    let other = permit.send(1);
    assert!(sender.same_channel(&other));
    assert_eq!(now(receiver.recv()), Some(1));
    drop((sender, other.try_reserve_owned().unwrap()));
    assert_eq!(now(receiver.recv()), None);
}

#[test]
fn recv_many_takes_what_is_there_up_to_the_limit() {
    let (sender, mut receiver) = mpsc::channel(100);
    let mut buffer = vec![0];
    assert_eq!(now(receiver.recv_many(&mut buffer, 0)), 0);
    assert!(poll(pin!(receiver.recv_many(&mut buffer, 5))).is_pending());
    (1..=70).for_each(|i| sender.try_send(i).unwrap());
    assert_eq!(now(receiver.recv_many(&mut buffer, 40)), 40);
    assert_eq!(sender.capacity(), 70);
    drop(sender);
    assert_eq!(now(receiver.recv_many(&mut buffer, 40)), 30);
    assert_eq!(buffer, (0..=70).collect::<Vec<_>>());
    assert_eq!(now(receiver.recv_many(&mut buffer, 40)), 0);
}

#[test]
fn weak_senders_do_not_keep_the_channel_open() {
    let (sender, mut receiver) = mpsc::channel::<u8>(1);
    let weak = sender.downgrade();
    let again = weak.clone();
    assert_eq!((sender.strong_count(), sender.weak_count()), (1, 2));
    let strong = weak.upgrade().unwrap();
    assert_eq!(
        (receiver.sender_strong_count(), receiver.sender_weak_count()),
        (2, 2)
    );
    drop((sender, strong, again));
    assert_eq!((weak.strong_count(), weak.weak_count()), (0, 1));
    assert!(weak.upgrade().is_none());
    assert_eq!(now(receiver.recv()), None);

    let (sender, receiver) = mpsc::unbounded_channel::<u8>();
    let weak = sender.downgrade();
    assert!(weak.upgrade().unwrap().same_channel(&sender));
    drop(sender);
    assert!(weak.upgrade().is_none() && receiver.is_closed());
}

#[test]
fn closed_waits_for_the_receiver_on_both_kinds() {
    let (sender, mut receiver) = mpsc::unbounded_channel::<u8>();
    let (count, waker) = Count::new();
    let mut waits: Vec<_> = (0..40).map(|_| Box::pin(sender.closed())).collect();
    for wait in &mut waits {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    drop(waits.pop());
    receiver.close();
    assert_eq!(count.get(), 39);
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_ready());
    }
    now(sender.closed());
}

#[test]
fn a_waker_that_panics_leaves_the_channel_usable() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("bad waker");
        }
    }
    let (sender, mut receiver) = mpsc::channel(1);
    assert!(poll_with(pin!(receiver.recv()), &Waker::from(Arc::new(Bad))).is_pending());
    assert!(std::panic::catch_unwind(|| sender.try_send(1)).is_err());
    assert_eq!(now(receiver.recv()), Some(1), "sent before it was woken");
    now(sender.send(2)).unwrap();
    assert_eq!(now(receiver.recv()), Some(2));
}

#[test]
fn a_task_that_always_finds_messages_runs_out_of_budget() {
    let runtime = rt::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let task = rt::spawn(async {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let mut polls = 0;
            std::future::poll_fn(|cx| {
                polls += 1;
                for _ in 0..1000 {
                    sender.send(()).unwrap();
                    if receiver.poll_recv(cx).is_pending() {
                        return Poll::Pending;
                    }
                    if polls > 1 {
                        return Poll::Ready(());
                    }
                }
                panic!("1000 messages in one poll");
            })
            .await;
        });
        task.await.unwrap();
    });
}

#[test]
fn send_timeout_gives_the_message_back_in_time() {
    assert_impl_all!(rt::time::awaitables::SendTimeout<'_, u8>: Send, Sync);
    assert_impl_all!(rt::time::awaitables::SendTimeout<'_, Cell<u8>>: Send);
    assert_not_impl_any!(rt::time::awaitables::SendTimeout<'_, Cell<u8>>: Sync);
    assert_not_impl_any!(rt::time::awaitables::SendTimeout<'_, u8>: Unpin);
    let runtime = rt::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (sender, mut receiver) = mpsc::channel(1);
        let limit = rt::time::Duration::from_secs(60);
        sender
            .send_timeout(1, rt::time::Duration::ZERO)
            .await
            .unwrap();
        let start = rt::time::Instant::now();
        let late = sender.send_timeout(2, limit).await;
        assert_eq!(late, Err(SendTimeoutError::Timeout(2)));
        assert!(start.elapsed() >= limit);

        let (count, waker) = Count::new();
        let mut waiting = Box::pin(sender.send_timeout(3, limit));
        assert!(poll_with(waiting.as_mut(), &waker).is_pending());
        assert_eq!(receiver.recv().await, Some(1));
        assert_eq!(count.get(), 1);
        assert_eq!(waiting.await, Ok(()));
        receiver.close();
        assert_eq!(
            sender.send_timeout(4, limit).await,
            Err(SendTimeoutError::Closed(4))
        );
    });
}

#[test]
#[should_panic(expected = "Cannot block the current thread")]
fn blocking_in_a_runtime_panics() {
    let runtime = rt::runtime::Builder::new_current_thread().build().unwrap();
    let (_sender, mut receiver) = mpsc::channel::<u8>(1);
    runtime.block_on(async move { _ = receiver.blocking_recv() });
}

#[test]
fn threads_may_block_on_both_ends() {
    let (sender, mut receiver) = mpsc::channel(2);
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let sender = sender.clone();
            thread::spawn(move || (0..500).for_each(|i| sender.blocking_send(i).unwrap()))
        })
        .collect();
    drop(sender);
    let mut sum = 0;
    while let Some(i) = receiver.blocking_recv() {
        sum += i;
    }
    assert_eq!(sum, 3 * 499 * 500 / 2);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());

    let (sender, mut receiver) = mpsc::unbounded_channel();
    let thread = thread::spawn(move || (0..1000).for_each(|i| sender.send(i).unwrap()));
    let mut all = Vec::new();
    while receiver.blocking_recv_many(&mut all, 7) > 0 {}
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
    thread.join().unwrap();
}

#[test]
fn a_message_sent_before_try_recv_is_always_seen() {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let noise = sender.clone();
    let thread = thread::spawn(move || (0..20_000).for_each(|_| noise.send(0).unwrap()));
    for _ in 0..2000 {
        sender.send(1).unwrap();
        // Behind any number of the other thread's, some of them half way in.
        loop {
            match receiver.try_recv() {
                Ok(1) => break,
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    thread.join().unwrap();
}

#[test]
fn each_message_arrives_once_from_many_tasks_to_one() {
    for workers in [1, 2] {
        let runtime = rt::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .build()
            .unwrap();
        runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel(3);
            for task in 0..4 {
                let sender = sender.clone();
                rt::spawn(async move {
                    for i in 0..500 {
                        sender.send((task, i)).await.unwrap();
                    }
                });
            }
            drop(sender);
            let mut next = [0; 4];
            while let Some((task, i)) = receiver.recv().await {
                assert_eq!(i, next[task], "one sender's messages stay in order");
                next[task] += 1;
            }
            assert_eq!(next, [500; 4]);
        });
    }
}
