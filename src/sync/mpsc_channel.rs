//! What the halves of a channel share: the queue, the room in it, who is left, and the end.
//!
//! ```text
//!                 bounded                              unbounded
//!   room          a semaphore; a permit is taken       none
//!                 before a push, given back by pop
//!   Receiver::    closes the semaphore: no new         ends the queue
//!   close         permits, those out stay good
//!   last sender   ends the queue                       ends the queue
//!   no receiver   both: a late push fails              ends the queue
//!
//!   over (recv gives None):   the queue is ended and empty
//!                        or   the semaphore is closed and all its permits are back
//! ```
//!
//! A message keeps its permit until it is popped, so "all permits are back" also says that no
//! message is left and that nobody holds a permit who could still send one.
//! Whatever brings the end nearer calls `Queue::wake_receiver` *after* it changed its word; the
//! receiver leaves its waker *before* it looks (`Rx::poll_recv`). So it sees the end or is woken.
//!
//! Count of locked operations for a message through a bounded channel: permit, claim, publish;
//! permit back. Unbounded: claim, publish (the rows `mpsc_b_local` and `mpsc_u_1to1` pay for it).
//! Read next: `sync/mpsc_rx.rs`, the receiving half.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::{Arc, PoisonError};

use crate::shim::Mutex;
use crate::shim::atomic::AtomicUsize;
use crate::shim::atomic::Ordering::{AcqRel, Relaxed};
use crate::sync::mpsc_queue::{Queue, SLOTS};
use crate::sync::semaphore::Semaphore;
use crate::sync::wait::{More, WaitQueue, wake_in_batches};

/// What both halves share.
pub(crate) struct Channel<T> {
    /// The messages.
    pub(super) queue: Queue<T, SLOTS>,
    /// How many more may be sent; `None` when there is no limit.
    pub(super) room: Option<Room>,
    /// How many senders there are; the last one that goes ends the queue.
    senders: AtomicUsize,
    /// How many weak senders there are. Only counted.
    weak: AtomicUsize,
    /// Who waits for the receiver's end.
    pub(super) closing: Mutex<WaitQueue<()>>,
}

/// The limit of a bounded channel.
pub(crate) struct Room {
    /// A permit for each message that is not sent yet.
    pub(crate) permits: Semaphore,
    /// How many permits there are in all.
    pub(crate) capacity: usize,
}

/// A sending half: counted, so that the receiver learns of the last one's end.
pub(crate) struct Tx<T> {
    /// Shared.
    channel: Arc<Channel<T>>,
}

/// A sending half that does not count.
pub(crate) struct WeakTx<T> {
    /// Shared.
    channel: Arc<Channel<T>>,
}

impl<T> Channel<T> {
    /// Puts a message into the queue. In a bounded channel the caller has a permit, which goes
    /// with the message. Gives the message back when the queue is ended.
    #[inline]
    pub(crate) fn push(&self, value: T) -> Result<(), T> {
        self.queue.push(value)
    }

    /// The limit of a channel that is known to be bounded.
    #[inline]
    pub(crate) fn room(&self) -> &Room {
        match &self.room {
            Some(room) => room,
            None => unreachable!("only bounded halves ask for the room"),
        }
    }

    /// Gives `n` permits back that will not be used, which may have been what the end waited for.
    pub(crate) fn give_back(&self, n: usize) {
        self.room().permits.release(n);
        self.wake_if_over();
    }

    /// Wakes the receiver if the last permit is back after a close. To be called after permits
    /// came back in another way than by a pop: a permit dropped, a waiter gone.
    pub(crate) fn wake_if_over(&self) {
        if self.is_drained() {
            self.queue.wake_receiver();
        }
    }

    /// True when the room is closed and all permits are back.
    pub(super) fn is_drained(&self) -> bool {
        // In this order: after the close the number of permits only grows.
        self.room.as_ref().is_some_and(|room| {
            room.permits.is_closed() && room.permits.available_permits() == room.capacity
        })
    }

    /// True when a sender cannot send any more, except with a permit that it has.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.room {
            Some(room) => room.permits.is_closed(),
            None => self.queue.is_ended(),
        }
    }

    /// Lets nobody send any more, except with permits that are out; wakes who waits for it.
    pub(super) fn close(&self) {
        match &self.room {
            Some(room) => room.permits.close(),
            None => self.queue.end(),
        }
        wake_in_batches(|wakers| {
            // After the close above: who finds it open under the lock is found here.
            let mut line = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(first) = line.front()
                && !wakers.is_full()
            {
                line.call(first)
                    .into_iter()
                    .for_each(|waker| wakers.push(waker));
            }
            if line.is_empty() { More::No } else { More::Yes }
        });
    }

    /// How many senders there are.
    pub(crate) fn sender_count(&self) -> usize {
        self.senders.load(Relaxed)
    }

    /// How many weak senders there are.
    pub(crate) fn weak_count(&self) -> usize {
        self.weak.load(Relaxed)
    }

    /// A number that tells this channel from others, for the wait site.
    pub(crate) fn address(&self) -> u64 {
        std::ptr::from_ref(self) as u64
    }
}

impl<T> Tx<T> {
    /// A channel's first sending half, around its queue.
    #[track_caller]
    pub(super) fn first(queue: Queue<T, SLOTS>, capacity: Option<usize>) -> Self {
        let channel = Arc::new(Channel {
            queue,
            room: capacity.map(|capacity| Room {
                permits: Semaphore::new(capacity),
                capacity,
            }),
            senders: AtomicUsize::new(1),
            weak: AtomicUsize::new(0),
            closing: Mutex::new(WaitQueue::new()),
        });
        Self { channel }
    }

    /// What all halves share.
    pub(super) fn shared(&self) -> Arc<Channel<T>> {
        self.channel.clone()
    }

    /// True when both belong to the same channel.
    pub(crate) fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }

    /// A half that does not count.
    pub(crate) fn downgrade(&self) -> WeakTx<T> {
        WeakTx::new(&self.channel)
    }
}

impl<T> std::ops::Deref for Tx<T> {
    type Target = Channel<T>;

    #[inline]
    fn deref(&self) -> &Channel<T> {
        &self.channel
    }
}

impl<T> Clone for Tx<T> {
    fn clone(&self) -> Self {
        // First, since it aborts on overflow: so `senders` cannot overflow.
        let channel = self.channel.clone();
        // Relaxed: the one who clones keeps the count above zero.
        channel.senders.fetch_add(1, Relaxed);
        Self { channel }
    }
}

impl<T> Drop for Tx<T> {
    fn drop(&mut self) {
        // AcqRel: what all senders did comes before the end; pairs with itself.
        if self.channel.senders.fetch_sub(1, AcqRel) == 1 {
            self.channel.queue.end();
            self.channel.queue.wake_receiver();
        }
    }
}

impl<T> WeakTx<T> {
    /// Another weak half of a channel.
    fn new(channel: &Arc<Channel<T>>) -> Self {
        channel.weak.fetch_add(1, Relaxed);
        Self {
            channel: channel.clone(),
        }
    }

    /// A half that counts, unless the last of those is gone.
    pub(crate) fn upgrade(&self) -> Option<Tx<T>> {
        let channel = self.channel.clone();
        // Relaxed: nothing but the count; from zero it never comes back.
        let more = |count| (count > 0).then_some(count + 1);
        channel.senders.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(Tx { channel })
    }
}

impl<T> std::ops::Deref for WeakTx<T> {
    type Target = Channel<T>;

    fn deref(&self) -> &Channel<T> {
        &self.channel
    }
}

impl<T> Clone for WeakTx<T> {
    fn clone(&self) -> Self {
        Self::new(&self.channel)
    }
}

impl<T> Drop for WeakTx<T> {
    fn drop(&mut self) {
        self.channel.weak.fetch_sub(1, Relaxed);
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("capacity", &self.room.as_ref().map(|room| room.capacity))
            .field("senders", &self.sender_count())
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The end of a channel from either side. Safety by the `Arc` in the values, which loom counts;
/// liveness by `block_on`, which loom reports as a deadlock when a wake-up is lost.
#[cfg(all(test, trefoil_loom))]
mod models {
    use crate::sync::mpsc;
    use loom::future::block_on;
    use loom::sync::Arc as Checked;
    use loom::thread;

    #[test]
    fn the_last_sender_ends_the_wait() {
        loom::model(|| {
            let (sender, mut receiver) = mpsc::unbounded_channel();
            let other = sender.clone();
            let one = thread::spawn(move || drop(sender));
            let two = thread::spawn(move || other.send(Checked::new(1)).unwrap());
            assert_eq!(*block_on(receiver.recv()).unwrap(), 1);
            assert!(block_on(receiver.recv()).is_none());
            one.join().unwrap();
            two.join().unwrap();
        });
    }

    #[test]
    fn the_last_permit_ends_a_closed_channel() {
        for send in [true, false] {
            loom::model(move || {
                let (sender, mut receiver) = mpsc::channel(2);
                let permit = sender.clone().try_reserve_owned().unwrap();
                let thread = thread::spawn(move || match send {
                    true => drop(permit.send(Checked::new(1))),
                    false => drop(permit),
                });
                receiver.close();
                let received = block_on(receiver.recv());
                assert_eq!(received.is_some(), send);
                assert!(!send || block_on(receiver.recv()).is_none());
                thread.join().unwrap();
                drop(sender);
            });
        }
    }

    #[test]
    fn a_dropped_receiver_leaves_no_message_behind() {
        loom::model(|| {
            let (sender, receiver) = mpsc::channel(1);
            let permit = sender.try_reserve_owned().unwrap();
            let thread = thread::spawn(move || permit.send(Checked::new(1)));
            drop(receiver);
            let sender = thread.join().unwrap();
            assert_eq!(sender.capacity(), 1);
            assert!(sender.is_closed());
        });
    }

    #[test]
    fn close_wakes_who_waits_for_it() {
        loom::model(|| {
            let (sender, receiver) = mpsc::channel::<u8>(1);
            let thread = thread::spawn(move || drop(receiver));
            block_on(sender.closed());
            thread.join().unwrap();
        });
    }

    #[test]
    fn a_send_that_waits_for_room_gets_it_or_an_error() {
        loom::model(|| {
            let (sender, mut receiver) = mpsc::channel(1);
            sender.try_send(Checked::new(1)).unwrap();
            let thread = thread::spawn(move || block_on(sender.send(Checked::new(2))).is_ok());
            assert_eq!(*block_on(receiver.recv()).unwrap(), 1);
            receiver.close();
            let second = block_on(receiver.recv()).is_some();
            assert_eq!(thread.join().unwrap(), second);
        });
    }
}
