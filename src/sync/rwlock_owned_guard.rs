//! The guards of a read-write lock that keep it alive: `sync/rwlock_guard.rs` over an `Arc`.
//!
//! `OwnedRwLockReadGuard<T, U>` reads a part `U` of the value `T` of its lock. The same drawing,
//! the same rules; what is dropped last is the `Arc`, with the permits in one field ([`Held`]).
//! Why not one generic type for both: the borrowed guards would carry the `Arc`'s count, or both
//! a type argument that only documentation sees.
//! Read next: `sync/once_cell.rs`.

#![allow(
    unsafe_code,
    reason = "a pointer into a value behind an Arc, lent to those who hold permits"
)]

use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::Arc;

use crate::sync::guard_fmt::shown_as_value;
use crate::sync::rwlock::RwLock;

/// A lock and permits of it; dropped, they go back.
struct Held<T: ?Sized> {
    /// Kept alive; where they go back to.
    lock: Arc<RwLock<T>>,
    /// How many.
    permits: u32,
}

impl<T: ?Sized> Held<T> {
    /// Gives back all but one.
    fn keep_one(mut self) -> Self {
        // Counted first: if a waker panics, only the one is left to give back.
        let rest = std::mem::replace(&mut self.permits, 1) - 1;
        self.lock.semaphore().release(rest as usize);
        self
    }
}

impl<T: ?Sized> Drop for Held<T> {
    fn drop(&mut self) {
        self.lock.semaphore().release(self.permits as usize);
    }
}

/// The right to read a part `U` of a [`RwLock`]'s value `T`, with the lock kept alive.
#[must_use = "dropped at once the lock is free again"]
#[clippy::has_significant_drop]
pub struct OwnedRwLockReadGuard<T: ?Sized, U: ?Sized = T> {
    /// The part. Its owner is the lock in `held`.
    part: *const U,
    /// The lock and one permit.
    held: Held<T>,
}

// SAFETY: the guard is a shared borrow of the part, which may go to another thread when `U: Sync`;
// the last guard may drop the whole value there, hence `T: Send`, and share the lock, hence
// `T: Sync`.
unsafe impl<T: ?Sized + Send + Sync, U: ?Sized + Sync> Send for OwnedRwLockReadGuard<T, U> {}

// SAFETY: a shared guard gives shared references to the part, hence `U: Sync`, and to the lock,
// hence `T: Send + Sync`.
unsafe impl<T, U> Sync for OwnedRwLockReadGuard<T, U>
where
    T: ?Sized + Send + Sync,
    U: ?Sized + Send + Sync,
{
}

impl<T: ?Sized> OwnedRwLockReadGuard<T> {
    /// The guard of who has just taken one permit.
    pub(crate) fn whole(lock: Arc<RwLock<T>>) -> Self {
        let part = lock.value().cast_const();
        let held = Held { lock, permits: 1 };
        Self { part, held }
    }
}

impl<T: ?Sized, U: ?Sized> OwnedRwLockReadGuard<T, U> {
    /// Narrows the guard to the part that `f` picks.
    ///
    /// Called as `OwnedRwLockReadGuard::map(guard, f)`, so that no method of the value is hidden.
    pub fn map<F, V: ?Sized>(this: Self, f: F) -> OwnedRwLockReadGuard<T, V>
    where
        F: FnOnce(&U) -> &V,
    {
        let part = ptr::from_ref(f(&*this));
        OwnedRwLockReadGuard {
            part,
            held: this.held,
        }
    }

    /// Narrows the guard to the part that `f` picks, if it picks one.
    ///
    /// # Errors
    ///
    /// The guard itself when `f` gives `None`.
    pub fn try_map<F, V: ?Sized>(this: Self, f: F) -> Result<OwnedRwLockReadGuard<T, V>, Self>
    where
        F: FnOnce(&U) -> Option<&V>,
    {
        match f(&*this).map(ptr::from_ref) {
            Some(part) => Ok(OwnedRwLockReadGuard {
                part,
                held: this.held,
            }),
            None => Err(this),
        }
    }

    /// The lock that is read.
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.held.lock
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedRwLockReadGuard<T, U> {
    type Target = U;

    fn deref(&self) -> &U {
        // SAFETY: `part` is the lock's value or came from a shared reference into it (`map`);
        // `held` keeps the lock, which does not move in its `Arc`, and a permit until this guard's
        // drop, so nobody has all of them and a reference that could change the value.
        unsafe { &*self.part }
    }
}

/// The right to change the value of a [`RwLock`], with the lock kept alive.
#[must_use = "dropped at once the lock is free again"]
#[clippy::has_significant_drop]
pub struct OwnedRwLockWriteGuard<T: ?Sized> {
    /// The value. Its owner is the lock in `held`.
    value: *mut T,
    /// The lock and all permits.
    held: Held<T>,
}

// SAFETY: the guard is an exclusive borrow of the value, and may be the last owner of it: hence
// `T: Send`. It may be downgraded elsewhere and shared with those who read: hence `T: Sync`.
unsafe impl<T: ?Sized + Send + Sync> Send for OwnedRwLockWriteGuard<T> {}

// SAFETY: a shared guard gives shared references to the value, hence `T: Sync`, and to the lock,
// hence `T: Send`, too.
unsafe impl<T: ?Sized + Send + Sync> Sync for OwnedRwLockWriteGuard<T> {}

impl<T: ?Sized> OwnedRwLockWriteGuard<T> {
    /// The guard of who has just taken all permits.
    pub(crate) fn whole(lock: Arc<RwLock<T>>) -> Self {
        let (value, permits) = (lock.value(), lock.readers());
        let held = Held { lock, permits };
        Self { value, held }
    }

    /// Makes it a read guard; no writer comes in between.
    ///
    /// Readers that wait may come in now, unless a writer is in line before them.
    pub fn downgrade(self) -> OwnedRwLockReadGuard<T> {
        OwnedRwLockReadGuard {
            part: self.value,
            held: self.held.keep_one(),
        }
    }

    /// Narrows the guard to the part that `f` picks.
    pub fn map<F, U: ?Sized>(this: Self, f: F) -> OwnedRwLockMappedWriteGuard<T, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        OwnedRwLockMappedWriteGuard::map(Self::into_mapped(this), f)
    }

    /// Narrows the guard to the part that `f` picks, if it picks one.
    ///
    /// # Errors
    ///
    /// The guard itself when `f` gives `None`.
    pub fn try_map<F, U: ?Sized>(
        mut this: Self,
        f: F,
    ) -> Result<OwnedRwLockMappedWriteGuard<T, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        match f(&mut *this).map(ptr::from_mut) {
            Some(part) => Ok(OwnedRwLockMappedWriteGuard {
                part,
                held: this.held,
            }),
            None => Err(this),
        }
    }

    /// Makes it a read guard of the part that `f` picks. While `f` runs nobody else reads.
    pub fn downgrade_map<F, U: ?Sized>(this: Self, f: F) -> OwnedRwLockReadGuard<T, U>
    where
        F: FnOnce(&T) -> &U,
    {
        let part = ptr::from_ref(f(&*this));
        OwnedRwLockReadGuard {
            part,
            held: this.held.keep_one(),
        }
    }

    /// Makes it a read guard of the part that `f` picks, if it picks one.
    ///
    /// # Errors
    ///
    /// The guard itself, which nobody came in beside, when `f` gives `None`.
    pub fn try_downgrade_map<F, U: ?Sized>(
        this: Self,
        f: F,
    ) -> Result<OwnedRwLockReadGuard<T, U>, Self>
    where
        F: FnOnce(&T) -> Option<&U>,
    {
        match f(&*this).map(ptr::from_ref) {
            Some(part) => Ok(OwnedRwLockReadGuard {
                part,
                held: this.held.keep_one(),
            }),
            None => Err(this),
        }
    }

    /// The same right as an [`OwnedRwLockMappedWriteGuard`], for a place that wants one.
    pub fn into_mapped(this: Self) -> OwnedRwLockMappedWriteGuard<T> {
        OwnedRwLockMappedWriteGuard {
            part: this.value,
            held: this.held,
        }
    }

    /// The lock that is written.
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.held.lock
    }
}

impl<T: ?Sized> Deref for OwnedRwLockWriteGuard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `held` keeps the lock, which does not move in its `Arc`, and all permits until
        // this guard's drop, so nobody else has a reference to the value.
        unsafe { &*self.value }
    }
}

impl<T: ?Sized> DerefMut for OwnedRwLockWriteGuard<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the guard is borrowed mutably, so no other reference came from it.
        unsafe { &mut *self.value }
    }
}

/// The right to change a part `U` of a [`RwLock`]'s value `T`, with the lock kept alive; see
/// [`OwnedRwLockWriteGuard::map`].
#[must_use = "dropped at once the lock is free again"]
#[clippy::has_significant_drop]
pub struct OwnedRwLockMappedWriteGuard<T: ?Sized, U: ?Sized = T> {
    /// The part. Its owner is the lock in `held`.
    part: *mut U,
    /// The lock and all permits.
    held: Held<T>,
}

// SAFETY: the guard is an exclusive borrow of the part, hence `U: Send`, and may be the last owner
// of the whole, hence `T: Send`; `Sync` of both is asked for as tokio does.
unsafe impl<T, U> Send for OwnedRwLockMappedWriteGuard<T, U>
where
    T: ?Sized + Send + Sync,
    U: ?Sized + Send + Sync,
{
}

// SAFETY: a shared guard gives shared references to the part, hence `U: Sync`, and to the lock,
// hence `T: Send + Sync`.
unsafe impl<T, U> Sync for OwnedRwLockMappedWriteGuard<T, U>
where
    T: ?Sized + Send + Sync,
    U: ?Sized + Send + Sync,
{
}

impl<T: ?Sized, U: ?Sized> OwnedRwLockMappedWriteGuard<T, U> {
    /// Narrows the guard further.
    pub fn map<F, V: ?Sized>(mut this: Self, f: F) -> OwnedRwLockMappedWriteGuard<T, V>
    where
        F: FnOnce(&mut U) -> &mut V,
    {
        let part = ptr::from_mut(f(&mut *this));
        OwnedRwLockMappedWriteGuard {
            part,
            held: this.held,
        }
    }

    /// Narrows the guard further, if `f` picks a part.
    ///
    /// # Errors
    ///
    /// The guard itself when `f` gives `None`.
    pub fn try_map<F, V: ?Sized>(
        mut this: Self,
        f: F,
    ) -> Result<OwnedRwLockMappedWriteGuard<T, V>, Self>
    where
        F: FnOnce(&mut U) -> Option<&mut V>,
    {
        match f(&mut *this).map(ptr::from_mut) {
            Some(part) => Ok(OwnedRwLockMappedWriteGuard {
                part,
                held: this.held,
            }),
            None => Err(this),
        }
    }

    /// The lock that is written.
    pub fn rwlock(this: &Self) -> &Arc<RwLock<T>> {
        &this.held.lock
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedRwLockMappedWriteGuard<T, U> {
    type Target = U;

    fn deref(&self) -> &U {
        // SAFETY: `part` came from an exclusive reference into the lock's value, whose guard was
        // used up by that (`map`, `into_mapped`); `held` keeps the lock, which does not move in
        // its `Arc`, and everybody else out of it until this guard's drop.
        unsafe { &*self.part }
    }
}

impl<T: ?Sized, U: ?Sized> DerefMut for OwnedRwLockMappedWriteGuard<T, U> {
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: as in `deref`; the guard is borrowed mutably, so no other reference came from it.
        unsafe { &mut *self.part }
    }
}

shown_as_value! {
    [T: ?Sized, U: ?Sized] OwnedRwLockReadGuard<T, U> => U;
    [T: ?Sized] OwnedRwLockWriteGuard<T> => T;
    [T: ?Sized, U: ?Sized] OwnedRwLockMappedWriteGuard<T, U> => U;
}
