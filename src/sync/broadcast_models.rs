//! Loom models of `sync/broadcast_ring.rs`: values, the end from either side, and lag.
//!
//! Safety by the `Arc` in the values, which loom counts; liveness by `block_on`, which loom reports
//! as a deadlock when a wake-up is lost. Mutations that fail:
//! - `send` calls the line before the position rises, or not at all: `a_value_meets_two_receivers`
//! - `leave_sender` calls the line before it counts: `the_last_sender_ends_the_wait`
//! - `leave_receiver` does not pass over: `a_dropped_receiver_leaves_no_value_behind`
//! - `wait` does not look again under the lock: `a_value_meets_two_receivers`

#![forbid(unsafe_code)]

use crate::sync::broadcast;
use crate::sync::broadcast::error::RecvError;
use loom::future::block_on;
use loom::sync::Arc;
use loom::thread;

#[test]
fn a_value_meets_two_receivers() {
    loom::model(|| {
        let (sender, mut one) = broadcast::channel::<Arc<i32>>(2);
        let mut two = sender.subscribe();
        let first = thread::spawn(move || *block_on(one.recv()).unwrap());
        let second = thread::spawn(move || *block_on(two.recv()).unwrap());
        sender.send(Arc::new(7)).unwrap();
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (7, 7));
        assert!(sender.is_empty());
    });
}

#[test]
fn two_senders_meet_one_receiver() {
    loom::model(|| {
        let (sender, mut receiver) = broadcast::channel(2);
        let other = sender.clone();
        let one = thread::spawn(move || sender.send(Arc::new(1)).unwrap());
        let two = thread::spawn(move || other.send(Arc::new(2)).unwrap());
        let sum = *block_on(receiver.recv()).unwrap() + *block_on(receiver.recv()).unwrap();
        assert_eq!(sum, 3);
        assert!(matches!(block_on(receiver.recv()), Err(RecvError::Closed)));
        one.join().unwrap();
        two.join().unwrap();
    });
}

#[test]
fn the_last_sender_ends_the_wait() {
    loom::model(|| {
        let (sender, mut receiver) = broadcast::channel::<u8>(1);
        let other = sender.clone();
        let one = thread::spawn(move || drop(sender));
        let two = thread::spawn(move || drop(other));
        assert_eq!(block_on(receiver.recv()), Err(RecvError::Closed));
        one.join().unwrap();
        two.join().unwrap();
    });
}

#[test]
fn a_receiver_that_is_overtaken_learns_by_how_much() {
    loom::model(|| {
        let (sender, mut receiver) = broadcast::channel(1);
        let thread = thread::spawn(move || {
            for n in 1..=2_u64 {
                sender.send(Arc::new(n)).unwrap();
            }
        });
        let (mut received, mut missed) = (0, 0);
        loop {
            match block_on(receiver.recv()) {
                Ok(value) => {
                    received += 1;
                    assert_eq!(*value, received + missed);
                }
                Err(RecvError::Lagged(n)) => missed += n,
                Err(RecvError::Closed) => break,
            }
        }
        assert_eq!(received + missed, 2);
        thread.join().unwrap();
    });
}

#[test]
fn a_dropped_receiver_leaves_no_value_behind() {
    loom::model(|| {
        let (sender, receiver) = broadcast::channel(2);
        let mut other = sender.subscribe();
        let thread = thread::spawn(move || drop(receiver));
        sender.send(Arc::new(1)).unwrap();
        assert_eq!(*other.try_recv().unwrap(), 1);
        thread.join().unwrap();
        assert!(sender.is_empty());
    });
}

#[test]
fn the_last_receiver_ends_the_wait_for_it() {
    loom::model(|| {
        let (sender, receiver) = broadcast::channel::<u8>(1);
        let other = sender.subscribe();
        let one = thread::spawn(move || drop(receiver));
        let two = thread::spawn(move || drop(other));
        block_on(sender.closed());
        one.join().unwrap();
        two.join().unwrap();
    });
}
