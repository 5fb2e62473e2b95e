//! What the halves of a watch channel share: the value, its version, who is left, and two bells.
//!
//! ```text
//!   send      lock value, write, version + 1, unlock ──► ring `changed`
//!   last sender gone          closed = 1 ───────────────► ring `changed`
//!   last receiver gone        receivers = 0 ────────────► ring `gone`
//!
//!   a receiver      take a place at the bell ──► look: another version? closed? ──► wait, again
//! ```
//!
//! Version and closed are one word, so a receiver that reads "closed" knows that the version beside
//! it is the last one. The version changes under the value's write lock only: who reads both under
//! the read lock has a matching pair.
//! Whoever rings has changed the word before; a waiter takes its place before it looks
//! (`Notify::poll_until`). So it sees the change, or is woken.
//!
//! Why a lock round the value and not one `Arc` a version: a reader would touch a count that all
//! readers share, and `send_modify` could not change in place.
//! Read next: `sync/watch_wait.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::ops::Deref;
use std::sync::PoisonError;

use crate::shim::atomic::AtomicUsize;
use crate::shim::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::shim::{RwLock, RwLockReadGuard};
use crate::sync::notify::Notify;

/// Bit of the word: all senders are gone.
const CLOSED: usize = 1;

/// One version, above that bit. The count may wrap: it is only compared for equality.
const STEP: usize = 2;

/// What both halves share.
pub(crate) struct Channel<T> {
    /// The latest value.
    value: RwLock<T>,
    /// Version and [`CLOSED`]. The version changes under the write lock of `value`.
    word: AtomicUsize,
    /// How many senders there are; the last one closes.
    senders: AtomicUsize,
    /// How many receivers there are. Rises from 0 again by `subscribe`.
    receivers: AtomicUsize,
    /// Rings when there is another version, and at the close.
    pub(crate) changed: Notify,
    /// Rings when the last receiver goes.
    pub(crate) gone: Notify,
}

/// Which value it is, and whether it is the last one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word(usize);

/// Which value it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Version(usize);

impl Word {
    /// Which value it is.
    pub(crate) fn version(self) -> Version {
        Version(self.0 & !CLOSED)
    }

    /// True when there will be no other.
    pub(crate) fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }
}

impl Version {
    /// Another version: what a receiver has seen that is to be told of the current one again.
    pub(crate) fn before(self) -> Self {
        Self(self.0.wrapping_sub(STEP))
    }
}

impl<T> Channel<T> {
    /// A channel with one sender and no receiver.
    pub(crate) fn new(value: T) -> Self {
        Self {
            value: RwLock::new(value),
            word: AtomicUsize::new(0),
            senders: AtomicUsize::new(1),
            receivers: AtomicUsize::new(0),
            changed: Notify::new(),
            gone: Notify::new(),
        }
    }

    /// The word as it is now.
    #[inline]
    pub(crate) fn word(&self) -> Word {
        // Acquire: pairs with the Release in `modify` and `leave_sender`. Who sees a version sees
        // what its sender did before; the value itself comes with the lock.
        Word(self.word.load(Acquire))
    }

    /// Locks the value for reading. A panic under the write lock leaves a value all the same.
    #[inline]
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.value.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the value, and says which it is.
    #[inline]
    pub(crate) fn borrow(&self, seen: Version) -> (Ref<'_, T>, Version) {
        let value = self.read();
        let version = self.word().version();
        let has_changed = version != seen;
        (Ref { value, has_changed }, version)
    }

    /// Lets `change` at the value, and tells all receivers if it says true.
    ///
    /// A panic of `change` goes on; nobody is told then.
    #[inline]
    pub(crate) fn modify(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        {
            let mut value = self.value.write().unwrap_or_else(PoisonError::into_inner);
            if !change(&mut value) {
                return false;
            }
            // Release: pairs with the Acquire in `word`. Under the lock, so that version and value
            // stay a pair.
            self.word.fetch_add(STEP, Release);
        }
        // After unlocking: a waker may look at the value at once.
        self.changed.notify_waiters();
        true
    }

    /// Counts a new sender. The caller has one.
    pub(crate) fn add_sender(&self) {
        self.senders.fetch_add(1, Relaxed);
    }

    /// Counts a sender off; the last one closes.
    pub(crate) fn leave_sender(&self) {
        // AcqRel: what all senders did comes before the close; pairs with itself.
        if self.senders.fetch_sub(1, AcqRel) == 1 {
            // Release: pairs with the Acquire in `word`.
            self.word.fetch_or(CLOSED, Release);
            self.changed.notify_waiters();
        }
    }

    /// Counts a new receiver.
    pub(crate) fn add_receiver(&self) {
        self.receivers.fetch_add(1, Relaxed);
    }

    /// Counts a receiver off; the last one tells who waits for that.
    pub(crate) fn leave_receiver(&self) {
        // AcqRel: who finds 0 sees what the receivers did; pairs with itself and `receiver_count`.
        if self.receivers.fetch_sub(1, AcqRel) == 1 {
            self.gone.notify_waiters();
        }
    }

    /// How many senders there are.
    pub(crate) fn sender_count(&self) -> usize {
        self.senders.load(Relaxed)
    }

    /// How many receivers there are.
    pub(crate) fn receiver_count(&self) -> usize {
        // Acquire: pairs with `leave_receiver`.
        self.receivers.load(Acquire)
    }

    /// A number that tells this channel from others, for the wait site.
    pub(crate) fn address(&self) -> u64 {
        std::ptr::from_ref(self).addr() as u64
    }
}

/// The value of a channel, locked for reading.
///
/// While it lives a sender blocks its thread in `send`. So keep it short, never across an
/// `.await`, and do not take a second one on the same thread: a sender that waits in between may
/// block the second for ever.
#[derive(Debug)]
#[clippy::has_significant_drop]
pub struct Ref<'a, T> {
    /// The lock.
    value: RwLockReadGuard<'a, T>,
    /// Whether the receiver had not seen it.
    has_changed: bool,
}

impl<'a, T> Ref<'a, T> {
    /// The reference of who has locked the value.
    pub(crate) fn new(value: RwLockReadGuard<'a, T>, has_changed: bool) -> Self {
        Self { value, has_changed }
    }

    /// True when the receiver that gave this had not seen the value before. Of a sender: false.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::watch;
    ///
    /// let (sender, mut receiver) = watch::channel(1);
    /// assert!(!receiver.borrow_and_update().has_changed());
    /// sender.send(2).unwrap();
    /// assert!(receiver.borrow_and_update().has_changed());
    /// assert!(!receiver.borrow_and_update().has_changed());
    /// ```
    pub fn has_changed(&self) -> bool {
        self.has_changed
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("senders", &self.sender_count())
            .field("receivers", &self.receiver_count())
            .field("closed", &self.word().is_closed())
            .finish_non_exhaustive()
    }
}

/// A change, a close and a last receiver meet somebody who waits. Liveness by `block_on`, which
/// loom reports as a deadlock when a wake-up is lost. Mutations that fail: the bell before the
/// change (in `modify`, `leave_sender`, `leave_receiver`); the look before the place in
/// `Notify::poll_until`; `Notify::generation` with Relaxed.
#[cfg(all(test, trefoil_loom))]
mod watch_models {
    use crate::sync::watch;
    use loom::future::block_on;
    use loom::thread;

    #[test]
    fn a_change_meets_a_receiver() {
        loom::model(|| {
            let (sender, mut receiver) = watch::channel(0);
            let thread = thread::spawn(move || {
                block_on(receiver.changed()).unwrap();
                assert_eq!(*receiver.borrow(), 1);
                receiver
            });
            sender.send(1).unwrap();
            let receiver = thread.join().unwrap();
            assert!(!receiver.has_changed().unwrap());
            drop(sender);
        });
    }

    #[test]
    fn the_last_value_and_the_close_are_both_seen() {
        loom::model(|| {
            let (sender, mut receiver) = watch::channel(0);
            let thread = thread::spawn(move || {
                sender.send(1).unwrap();
                drop(sender);
            });
            block_on(receiver.changed()).unwrap();
            assert_eq!(*receiver.borrow_and_update(), 1);
            assert!(block_on(receiver.changed()).is_err());
            thread.join().unwrap();
        });
    }

    #[test]
    fn two_senders_close_once() {
        loom::model(|| {
            let (sender, mut receiver) = watch::channel(0);
            let other = sender.clone();
            let one = thread::spawn(move || drop(sender));
            let two = thread::spawn(move || drop(other));
            assert!(block_on(receiver.changed()).is_err());
            one.join().unwrap();
            two.join().unwrap();
        });
    }

    #[test]
    fn the_last_receiver_ends_the_wait_for_it() {
        loom::model(|| {
            let (sender, receiver) = watch::channel(0);
            let other = receiver.clone();
            let one = thread::spawn(move || drop(receiver));
            let two = thread::spawn(move || drop(other));
            block_on(sender.closed());
            one.join().unwrap();
            two.join().unwrap();
        });
    }
}
