//! A lock that is free for the one thread that takes it all the time.
//!
//! A worker lists each task it spawns, and takes it off the list when the task ends. A dump, or
//! the runtime's end, looks at the list from another thread, once a minute. A mutex costs the
//! worker 11 ns each time, almost all of it for two locked operations that guard against somebody
//! who is not there.
//!
//! ```text
//!   owner                                    strangers, one at a time (a mutex)
//!   inside = 1                               called = 1
//!   light barrier                            heavy barrier: the price of both
//!   called == 0?                             wait while inside == 1
//!     yes: work; inside = 0                  work
//!     no:  inside = 0; mutex like a stranger called = 0
//! ```
//!
//! **Why not both are in.** Each writes its word, then reads the other's, with the two barriers in
//! between (`sys/barrier.rs`): at least one sees the other's write. If the owner sees `called` it
//! goes to the mutex; if it does not, the stranger sees `inside` and waits for the owner's last
//! store. The owner stays for a few instructions only, so strangers spin.
//! **Why nobody waits for ever.** An owner that waits for the mutex has taken `inside` back first;
//! a stranger that waits for `inside` waits for code that does not block.
//!
//! Where the system has no such barrier `called` stays 1: a plain mutex. The idea is that of biased
//! locking (Kawachiya, Koseki, Onodera, *Lock reservation*, 2002), with the asymmetric fence of
//! Dice, Huang and Yang (*Asymmetric Dekker synchronization*, 2001).
//! Why not always a mutex: rows `spawn_join`, `spawn_64`.
//! Read next: `task/owned.rs`, which keeps the live tasks under it.

#![allow(unsafe_code, reason = "a cell whose lock is for two plain stores")]

use std::sync::PoisonError;

use crate::shim::atomic::{AtomicU32, Ordering};
use crate::shim::{self, Mutex, MutexGuard, UnsafeCell, barrier};

/// A value and its lock.
#[derive(Debug)]
pub(crate) struct Biased<T> {
    /// 1 while the owner works on the value. Written by the owner only.
    inside: AtomicU32,
    /// 1 while a stranger works on the value or wants to; always, when nothing is biased.
    called: AtomicU32,
    /// One stranger at a time.
    strangers: Mutex<()>,
    /// There is an owner, and the barrier.
    biased: bool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached from one thread at a time, by the protocol of the head (checked by
// the models below and by loom's cell), so a value that may be sent may be shared like this.
unsafe impl<T: Send> Sync for Biased<T> {}

/// The owner is out again, also after a panic.
struct Out<'a>(&'a AtomicU32);

impl Drop for Out<'_> {
    #[inline]
    fn drop(&mut self) {
        // Release: what the owner did reaches the stranger's Acquire load in `by_stranger`.
        self.0.store(0, Ordering::Release);
    }
}

impl<T> Biased<T> {
    /// A value that one thread at a time owns, as [`by_owner`](Self::by_owner) asks.
    pub(crate) fn new(value: T) -> Self {
        Self::with(value, barrier::available())
    }

    /// A value without an owner: a mutex with the same face.
    pub(crate) fn unbiased(value: T) -> Self {
        Self::with(value, false)
    }

    /// Both.
    fn with(value: T, biased: bool) -> Self {
        Self {
            inside: AtomicU32::new(0),
            called: AtomicU32::new(u32::from(!biased)),
            strangers: Mutex::new(()),
            biased,
            value: UnsafeCell::new(value),
        }
    }

    /// Works on the value as its owner.
    ///
    /// # Safety
    ///
    /// Two calls never overlap (neither on two threads nor inside `f`), and each happens before
    /// the next one.
    #[inline]
    pub(crate) unsafe fn by_owner<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // Relaxed: `light` and the stranger's `heavy` order it with the load below.
        self.inside.store(1, Ordering::Relaxed);
        let out = Out(&self.inside);
        barrier::light();
        // Acquire: pairs with the Release at the end of `by_stranger`: sees what a stranger did.
        if self.called.load(Ordering::Acquire) != 0 {
            drop(out);
            return self.by_mutex(f);
        }
        self.value.with_mut(|value| {
            // SAFETY: no other owner is here, by contract; a stranger waits until `inside` is 0.
            f(unsafe { &mut *value })
        })
    }

    /// The owner's way when the door is not open to it.
    #[cold]
    fn by_mutex<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let _guard = self.lock();
        self.value.with_mut(|value| {
            // SAFETY: strangers work under the mutex only, and this is the one owner.
            f(unsafe { &mut *value })
        })
    }

    /// Works on the value from any thread; waits for whoever works on it now.
    pub(crate) fn by_stranger<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        let _guard = self.lock();
        if self.biased {
            // Relaxed: `heavy` and the owner's `light` order it with the loads below.
            self.called.store(1, Ordering::Relaxed);
            barrier::heavy();
            // Acquire: pairs with the Release in `Out`: sees what the owner did.
            while self.inside.load(Ordering::Acquire) != 0 {
                shim::give_way();
            }
        }
        let result = self.value.with_mut(|value| {
            // SAFETY: we hold the mutex, so no other stranger is here; the owner has left, and
            // finds `called` when it comes back.
            f(unsafe { &mut *value })
        });
        if self.biased {
            // Release: what we did reaches the owner's Acquire load in `by_owner`.
            self.called.store(0, Ordering::Release);
        }
        result
    }

    /// The strangers' mutex.
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    #[test]
    fn owner_and_strangers_lose_no_addition() {
        let value = Arc::new(Biased::new(0_u64));
        let strangers: Vec<_> = (0..2)
            .map(|_| {
                let value = value.clone();
                thread::spawn(move || {
                    for _ in 0..2_000 {
                        value.by_stranger(|value| *value += 1);
                    }
                })
            })
            .collect();
        for _ in 0..200_000 {
            // SAFETY: only this thread calls it, one call after the other.
            unsafe { value.by_owner(|value| *value += 1) };
        }
        for stranger in strangers {
            stranger.join().unwrap();
        }
        assert_eq!(value.by_stranger(|value| *value), 204_000);
    }
}

/// Caught mutations: no `light`, no `heavy`, the owner not looking at `called`, strangers not
/// waiting for `inside`, `Out` Relaxed, the last store of a stranger Relaxed or missing, the owner
/// keeping `inside` while it waits for the mutex.
#[cfg(all(test, trefoil_loom))]
mod models {
    use super::*;
    use crate::shim::Arc;

    /// Safety: loom's cell finds two at once; the sum finds what one did not see of the other.
    /// Liveness: a model that cannot end is an error.
    #[test]
    fn one_at_a_time_and_each_sees_the_last() {
        loom::model(|| {
            let value = Arc::new(Biased::new(0));
            let v = value.clone();
            let owner = loom::thread::spawn(move || {
                for _ in 0..2 {
                    // SAFETY: only this thread calls it, one call after the other.
                    unsafe { v.by_owner(|value| *value += 1) };
                }
            });
            value.by_stranger(|value| *value += 1);
            owner.join().unwrap();
            assert_eq!(value.by_stranger(|value| *value), 3);
        });
    }

    /// Two strangers beside the owner.
    #[test]
    fn strangers_exclude_each_other() {
        loom::model(|| {
            let value = Arc::new(Biased::new(0));
            let v = value.clone();
            let stranger = loom::thread::spawn(move || v.by_stranger(|value| *value += 1));
            // SAFETY: only this thread calls it.
            unsafe { value.by_owner(|value| *value += 1) };
            value.by_stranger(|value| *value += 1);
            stranger.join().unwrap();
            assert_eq!(value.by_stranger(|value| *value), 3);
        });
    }
}
