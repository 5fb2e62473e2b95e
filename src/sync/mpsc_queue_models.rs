//! Loom models of `sync/mpsc_queue.rs`.
//!
//! Pushes against pops, sleeps and the end, with blocks of one or two slots so that few messages
//! cross them. Safety by loom's cells and the `Arc` in the values; liveness by `block_on`, which
//! loom reports as a deadlock when a wake-up is lost.
//!
//! Mutations tried, each caught:
//! - `push`: the swap Relaxed; no look for WAITED; a look and a store instead of the swap; the
//!   first load of `tail` Relaxed; no look at ENDED
//! - `wait_for`: marks the slot before it leaves the waker; no look for FULL; keeps an old waker
//! - `pop`: the load Relaxed; does not write EMPTY. `pop_claimed`: gives up at a slot under way
//! - `add_block`: the index before the block; its fetch_add Relaxed. `make_room`: no second look
//! - `next_block`: adds none where the chain is empty; keeps the old block
//!
//! Not caught: `block` stored or loaded Relaxed. loom never lets a load sink below a later
//! operation, which is what its Acquire forbids. Nor `end`, `is_ended` and `len` Relaxed: they
//! publish nothing inside this file, their orders are for the callers.

#![forbid(unsafe_code)]

use super::*;
use loom::future::block_on;
use loom::sync::Arc as Checked;
use loom::thread;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// As `Rx::poll_recv`.
fn poll_pop<T, const SLOTS: usize>(
    queue: &Queue<T, SLOTS>,
    head: &mut Head<T>,
    cx: &mut Context<'_>,
) -> Poll<Option<T>> {
    if let Some(value) = queue.pop(head) {
        return Poll::Ready(Some(value));
    }
    if queue.wait_for(head, cx.waker()) {
        return Poll::Ready(queue.pop(head));
    }
    match queue.is_ended() && queue.is_empty(head) {
        true => Poll::Ready(None),
        false => Poll::Pending,
    }
}

/// Waits for the next value.
fn wait_pop<T, const SLOTS: usize>(queue: &Queue<T, SLOTS>, head: &mut Head<T>) -> Option<T> {
    block_on(poll_fn(|cx| poll_pop(queue, head, cx)))
}

/// Pushes `values` in a thread of its own.
fn pusher<const SLOTS: usize>(
    queue: &Arc<Queue<Checked<u8>, SLOTS>>,
    values: &'static [u8],
) -> thread::JoinHandle<()> {
    let queue = queue.clone();
    thread::spawn(move || {
        for value in values {
            queue.push(Checked::new(*value)).unwrap();
        }
    })
}

#[test]
fn two_senders_wake_a_sleeping_receiver() {
    loom::model(|| {
        let (queue, mut head) = queue::<_, 2>();
        let queue = Arc::new(queue);
        let threads = [pusher(&queue, &[1]), pusher(&queue, &[2])];
        let (one, two) = (wait_pop(&queue, &mut head), wait_pop(&queue, &mut head));
        assert_eq!(*one.unwrap() + *two.unwrap(), 3);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn values_cross_blocks_in_order() {
    loom::model(|| {
        let (queue, mut head) = queue::<_, 1>();
        let queue = Arc::new(queue);
        let thread = pusher(&queue, &[1, 2, 3]);
        for value in 1..=3 {
            assert_eq!(*wait_pop(&queue, &mut head).unwrap(), value);
        }
        thread.join().unwrap();
    });
}

#[test]
fn two_senders_meet_at_a_full_block() {
    loom::model(|| {
        let (queue, mut head) = queue::<_, 1>();
        let queue = Arc::new(queue);
        let threads = [pusher(&queue, &[1, 2]), pusher(&queue, &[4])];
        let mut sum = 0;
        for _ in 0..3 {
            sum += *wait_pop(&queue, &mut head).unwrap();
        }
        assert_eq!(sum, 7);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    loom::model(|| {
        let (queue, mut head) = queue::<_, 2>();
        let queue = Arc::new(queue);
        let thread = pusher(&queue, &[1]);
        let mut cx = Context::from_waker(Waker::noop());
        let value = match poll_pop(&queue, &mut head, &mut cx) {
            Poll::Ready(value) => value,
            Poll::Pending => wait_pop(&queue, &mut head),
        };
        assert_eq!(*value.unwrap(), 1);
        thread.join().unwrap();
    });
}

#[test]
fn the_end_wakes_and_comes_last() {
    loom::model(|| {
        let (queue, mut head) = queue::<_, 1>();
        let queue = Arc::new(queue);
        let sender = queue.clone();
        let thread = thread::spawn(move || {
            sender.push(Checked::new(1)).unwrap();
            sender.end();
            sender.wake_receiver();
        });
        assert_eq!(*wait_pop(&queue, &mut head).unwrap(), 1);
        assert!(wait_pop(&queue, &mut head).is_none());
        thread.join().unwrap();
    });
}

#[test]
fn a_push_that_races_with_the_end_is_refused_or_comes_out() {
    loom::model(|| {
        let (queue, mut head) = queue::<_, 1>();
        let queue = Arc::new(queue);
        let sender = queue.clone();
        let thread = thread::spawn(move || {
            let first = sender.push(Checked::new(1)).is_ok();
            first as usize + sender.push(Checked::new(1)).is_ok() as usize
        });
        queue.end();
        let mut popped = 0;
        while queue.pop_claimed(&mut head).is_some() {
            popped += 1;
        }
        assert_eq!(popped, thread.join().unwrap());
    });
}

#[test]
fn a_finished_push_is_seen_behind_one_under_way() {
    loom::model(|| {
        let (queue, mut head) = queue::<_, 2>();
        let queue = Arc::new(queue);
        let thread = pusher(&queue, &[1]);
        queue.push(Checked::new(2)).unwrap();
        let mut seen = false;
        while let Some(value) = queue.pop_claimed(&mut head) {
            seen |= *value == 2;
        }
        assert!(seen);
        thread.join().unwrap();
        drop(queue.pop_claimed(&mut head));
    });
}
