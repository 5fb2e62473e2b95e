//! What `sync::oneshot` promises: one value, delivered once or given back, whatever is dropped when.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use futures_util::FutureExt;
use static_assertions::{assert_impl_all, assert_not_impl_any};
use trefoil as rt;

use rt::sync::oneshot;
use rt::sync::oneshot::error::TryRecvError;

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// Polls once with a waker that does nothing.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn auto_traits_are_as_listed() {
    assert_impl_all!(oneshot::Sender<Cell<u8>>: Send, Sync, Unpin);
    assert_impl_all!(oneshot::Receiver<Cell<u8>>: Send, Sync, Unpin);
    assert_not_impl_any!(oneshot::Sender<Rc<u8>>: Send, Sync);
    assert_not_impl_any!(oneshot::Receiver<Rc<u8>>: Send, Sync);
    assert_impl_all!(oneshot::Sender<Rc<u8>>: Unpin);
    assert_impl_all!(oneshot::Closed<'_, Cell<u8>>: Send, Sync);
    assert_not_impl_any!(oneshot::Closed<'_, Rc<u8>>: Send, Sync);
    assert_not_impl_any!(oneshot::Closed<'_, u8>: Unpin);
}

#[test]
fn a_value_sent_before_the_await_is_there_at_once() {
    let (sender, receiver) = oneshot::channel();
    assert_eq!(sender.send(7), Ok(()));
    assert!(!receiver.is_empty());
    assert_eq!(receiver.now_or_never(), Some(Ok(7)));
}

#[test]
fn send_wakes_the_receiver_once_and_with_its_last_waker() {
    let (sender, mut receiver) = oneshot::channel();
    let (first, last) = (Arc::new(Count::default()), Arc::new(Count::default()));
    for count in [&first, &first, &last] {
        let waker = Waker::from(count.clone());
        assert!(
            receiver
                .poll_unpin(&mut Context::from_waker(&waker))
                .is_pending()
        );
    }
    sender.send("value").unwrap();
    assert_eq!((first.get(), last.get()), (0, 1));
    assert_eq!(receiver.now_or_never(), Some(Ok("value")));
}

#[test]
fn a_dropped_sender_wakes_the_receiver_with_an_error() {
    let (sender, mut receiver) = oneshot::channel::<u8>();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    assert!(
        receiver
            .poll_unpin(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(sender);
    assert_eq!(count.get(), 1);
    let error = receiver.now_or_never().unwrap().unwrap_err();
    assert!(error.to_string().contains("closed"));
}

#[test]
fn a_value_for_a_dropped_receiver_comes_back() {
    let (sender, receiver) = oneshot::channel();
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send(7), Err(7));
}

#[test]
fn after_close_only_an_earlier_value_is_received() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(7).unwrap();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));

    let (sender, mut receiver) = oneshot::channel();
    receiver.close();
    assert_eq!(sender.send(7), Err(7));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert!(receiver.is_terminated());

    let (_sender, mut receiver) = oneshot::channel::<u8>();
    receiver.close();
    assert!((&mut receiver).now_or_never().unwrap().is_err());
    assert!(receiver.is_terminated());
}

#[test]
fn try_recv_tells_not_yet_from_never() {
    let (sender, mut receiver) = oneshot::channel::<u8>();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert!(receiver.is_empty() && !receiver.is_terminated());
    drop(sender);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert!(receiver.is_empty() && receiver.is_terminated());
}

#[test]
fn closed_is_ready_when_the_receiver_closes_or_goes() {
    for close in [true, false] {
        let (mut sender, receiver) = oneshot::channel::<u8>();
        let mut receiver = Some(receiver);
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        {
            let mut closed = pin!(sender.closed());
            assert!(
                closed
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
            match close {
                true => receiver.as_mut().unwrap().close(),
                false => drop(receiver.take()),
            }
            assert_eq!(count.get(), 1);
            assert!(poll(closed).is_ready());
        }
        assert!(sender.is_closed());
        assert!(
            sender
                .poll_closed(&mut Context::from_waker(Waker::noop()))
                .is_ready()
        );
    }
}

#[test]
fn a_dropped_wait_loses_nothing() {
    for polls in 0..4 {
        let (sender, mut receiver) = oneshot::channel();
        for _ in 0..polls {
            assert!(poll(pin!(&mut receiver)).is_pending());
        }
        sender.send(polls).unwrap();
        assert_eq!(receiver.now_or_never(), Some(Ok(polls)));
    }
}

#[test]
fn each_value_is_dropped_exactly_once() {
    let alive = Arc::new(());
    for taken in [true, false] {
        let (sender, receiver) = oneshot::channel();
        sender.send(alive.clone()).unwrap();
        if taken {
            drop(receiver.now_or_never());
        } else {
            drop(receiver);
        }
        assert_eq!(Arc::strong_count(&alive), 1);
    }
    let (sender, mut receiver) = oneshot::channel();
    receiver.close();
    drop(sender.send(alive.clone()));
    drop(receiver);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
#[should_panic(expected = "is_terminated")]
fn polling_after_the_end_panics_with_the_remedy() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(7).unwrap();
    assert_eq!((&mut receiver).now_or_never(), Some(Ok(7)));
    let _ = receiver.now_or_never();
}

#[test]
fn a_waker_that_panics_leaves_the_value_with_the_receiver() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("bad waker");
        }
    }
    let (sender, mut receiver) = oneshot::channel();
    let bad = Waker::from(Arc::new(Bad));
    assert!(
        receiver
            .poll_unpin(&mut Context::from_waker(&bad))
            .is_pending()
    );
    assert!(std::panic::catch_unwind(move || sender.send(7)).is_err());
    assert_eq!(receiver.now_or_never(), Some(Ok(7)));
}

#[test]
fn blocking_recv_waits_for_another_thread() {
    let (sender, receiver) = oneshot::channel();
    let thread = thread::spawn(move || receiver.blocking_recv());
    sender.send(7).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(7));

    let (sender, receiver) = oneshot::channel::<u8>();
    let thread = thread::spawn(move || receiver.blocking_recv());
    drop(sender);
    assert!(thread.join().unwrap().is_err());
}

#[test]
#[should_panic(expected = "Cannot block the current thread")]
fn blocking_recv_in_a_runtime_panics() {
    let runtime = rt::runtime::Builder::new_current_thread().build().unwrap();
    let (_sender, receiver) = oneshot::channel::<u8>();
    runtime.block_on(async move { _ = receiver.blocking_recv() });
}

#[test]
fn races_of_send_with_drop_and_close_keep_every_value() {
    let alive = Arc::new(());
    for round in 0..2000 {
        let (sender, mut receiver) = oneshot::channel();
        let value = alive.clone();
        let thread = thread::spawn(move || sender.send(value).is_ok());
        match round % 4 {
            0 => drop(receiver),
            1 => {
                receiver.close();
                let got = receiver.try_recv().is_ok();
                assert_eq!(got, thread.join().unwrap());
                continue;
            }
            2 => assert!(receiver.blocking_recv().is_ok()),
            _ => {
                let _ = poll(pin!(&mut receiver));
                drop(receiver);
            }
        }
        thread.join().unwrap();
    }
    assert_eq!(Arc::strong_count(&alive), 1);
}
