//! A queue of waiting wakers: first in, first out, and each waiter can leave from the middle.
//!
//! ```text
//!               enter                     call
//!   (nowhere) ─────────► in line ───────────────────► called
//!                          │  front ⇄ … ⇄ back          │     out of the line; the waker is gone,
//!                          │                            │     the value waits to be looked at
//!                          │ leave                      │ leave
//!                          └────────► (nowhere) ◄───────┘
//! ```
//!
//! The owner (a semaphore, a `Notify`, a channel) keeps one in its mutex. Whoever lets a waiter go
//! *calls* it; the waiter itself *leaves*, when it is polled or dropped. A called waiter stays in
//! the slab until then, so its key never goes stale under it, and what was given to it (permits,
//! a notification) can be taken back when it is dropped.
//!
//! Nothing here wakes, clones or drops a waker: wakers come in and go out by value, and the caller
//! does such things when it has unlocked ([`wake_in_batches`]).
//! Why not nodes inside the waiting futures: they would be reached from other threads by pointer,
//! which takes unsafe code and a pin.
//! Read next: `sync/semaphore.rs`, which waits here.

#![forbid(unsafe_code)]

use std::task::Waker;

use crate::parts::block_on::{block_on, in_executor};
use crate::parts::list::{List, Node};
use crate::parts::slab::{Key, Slab};
use crate::parts::wakers::Wakers;

/// Waiters, each with a value of the owner's choice. To be kept under the owner's mutex.
#[derive(Debug)]
pub(crate) struct WaitQueue<T> {
    /// All waiters, in line and called.
    waiters: Slab<Node<Waiter<T>>>,
    /// Those that were not called yet, oldest first.
    line: List,
}

/// One waiter.
#[derive(Debug)]
struct Waiter<T> {
    /// Whom to wake. `None` when called, or when it entered without one.
    waker: Option<Waker>,
    /// True when it is out of the line.
    called: bool,
    /// What the owner knows about it.
    value: T,
}

/// What a waiter was when it left. Drop it only after unlocking.
#[derive(Debug)]
pub(crate) struct Left<T> {
    /// Its waker, if nobody took it.
    #[expect(
        dead_code,
        reason = "only here to be dropped when the caller has unlocked"
    )]
    waker: Option<Waker>,
    /// The owner's value.
    pub(crate) value: T,
}

impl<T> WaitQueue<T> {
    /// An empty queue; allocates nothing.
    pub(crate) const fn new() -> Self {
        Self {
            waiters: Slab::new(),
            line: List::new(),
        }
    }

    /// True when nobody is in line. Called waiters that have not left do not count.
    pub(crate) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    /// Joins the end of the line.
    ///
    /// Clone the waker before locking. Without a waker the waiter has its place, but is not woken.
    pub(crate) fn enter(&mut self, waker: Option<Waker>, value: T) -> Key {
        let key = self.waiters.insert(Node::new(Waiter {
            waker,
            called: false,
            value,
        }));
        self.line.push_back(&mut self.waiters, key);
        key
    }

    /// Who is in line longest.
    pub(crate) fn front(&self) -> Option<Key> {
        self.line.front()
    }

    /// Who came last.
    pub(crate) fn back(&self) -> Option<Key> {
        self.line.back()
    }

    /// The value of a waiter that has not left.
    pub(crate) fn value(&self, key: Key) -> Option<&T> {
        self.waiters.get(key).map(|node| &node.value.value)
    }

    /// The value of a waiter that has not left, to change it.
    pub(crate) fn value_mut(&mut self, key: Key) -> Option<&mut T> {
        self.waiters.get_mut(key).map(|node| &mut node.value.value)
    }

    /// True when the waiter was called and has not left.
    pub(crate) fn is_called(&self, key: Key) -> bool {
        self.waiters.get(key).is_some_and(|node| node.value.called)
    }

    /// Takes a waiter out of the line and gives its waker: wake it after unlocking.
    ///
    /// The waiter stays known until it leaves. A second call does nothing.
    #[must_use = "the waiter sleeps on unless its waker is woken"]
    pub(crate) fn call(&mut self, key: Key) -> Option<Waker> {
        let waiter = &mut self.waiters.get_mut(key)?.value;
        if std::mem::replace(&mut waiter.called, true) {
            return None;
        }
        let waker = waiter.waker.take();
        self.line.unlink(&mut self.waiters, key);
        waker
    }

    /// Forgets a waiter, called or not; its key finds nothing from now on.
    pub(crate) fn leave(&mut self, key: Key) -> Option<Left<T>> {
        if !self.waiters.get(key)?.value.called {
            self.line.unlink(&mut self.waiters, key);
        }
        let Waiter { waker, value, .. } = self.waiters.remove(key)?.value;
        Some(Left { waker, value })
    }

    /// Makes sure that the waiter's waker wakes the task of `waker`.
    ///
    /// False when that takes a clone and `spare` has none: unlock, clone into `spare`, lock, look
    /// again, call again. After true, `spare` may hold the old waker: drop it when unlocked.
    #[must_use = "on false the waiter still has the old waker"]
    pub(crate) fn refresh(&mut self, key: Key, waker: &Waker, spare: &mut Option<Waker>) -> bool {
        let Some(node) = self.waiters.get_mut(key) else {
            return true;
        };
        let old = &mut node.value.waker;
        if node.value.called || old.as_ref().is_some_and(|old| old.will_wake(waker)) {
            return true;
        }
        if spare.is_none() {
            return false;
        }
        std::mem::swap(old, spare);
        true
    }
}

/// Whether a batch was the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    /// The batch was full: fill another.
    Yes,
    /// Nobody is left.
    No,
}

/// Wakes many: `fill` locks, moves wakers into the batch, unlocks; then they are woken.
///
/// When a waker panics, the panic goes on, but only after all the others were woken: the batches
/// still missing are filled while it passes.
pub(crate) fn wake_in_batches(fill: impl FnMut(&mut Wakers) -> More) {
    /// Continues on drop.
    struct Batches<F: FnMut(&mut Wakers) -> More> {
        fill: F,
        more: More,
    }

    impl<F: FnMut(&mut Wakers) -> More> Batches<F> {
        fn run(&mut self) {
            while self.more == More::Yes {
                let mut wakers = Wakers::new();
                self.more = (self.fill)(&mut wakers);
                wakers.wake_all();
            }
        }
    }

    impl<F: FnMut(&mut Wakers) -> More> Drop for Batches<F> {
        fn drop(&mut self) {
            self.run();
        }
    }

    Batches {
        fill,
        more: More::Yes,
    }
    .run();
}

/// Runs `future` to its end on this thread, for the `blocking_*` methods.
///
/// `method` is the caller's name, `instead` what to await where blocking is wrong.
///
/// # Panics
///
/// Inside a task or a `block_on`: it would hold up everything else on this thread.
#[track_caller]
pub(crate) fn block<F: Future>(method: &str, instead: &str, future: F) -> F::Output {
    assert!(
        !in_executor(),
        "{method}: Cannot block the current thread, which runs async tasks; \
         await `{instead}` instead, or call this in spawn_blocking"
    );
    block_on(future)
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn waiters_are_called_in_order_and_leave_from_anywhere() {
        let mut queue = WaitQueue::new();
        let keys = ["a", "b", "c"].map(|name| queue.enter(None, name));
        assert_eq!(queue.leave(keys[1]).unwrap().value, "b");

        let first = queue.front().unwrap();
        assert_eq!(queue.value(first), Some(&"a"));
        assert!(queue.call(first).is_none(), "entered without a waker");
        assert!(queue.is_called(first));
        assert_eq!(queue.front(), Some(keys[2]));
        assert_eq!(queue.back(), Some(keys[2]));

        assert_eq!(queue.leave(first).unwrap().value, "a");
        assert!(queue.leave(first).is_none(), "a key is good once");
        assert!(queue.leave(keys[2]).is_some() && queue.is_empty());
    }
}
