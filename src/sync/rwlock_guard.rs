//! The guards of a read-write lock: to read, to write, and to write a part of the value.
//!
//! ```text
//!   RwLockWriteGuard ── map ──► RwLockMappedWriteGuard      all permits, a pointer to the part
//!        │ downgrade, downgrade_map: all permits but one go back
//!        ▼
//!   RwLockReadGuard ── map ──► RwLockReadGuard              one permit, a pointer to the part
//! ```
//!
//! Each guard is permits and a pointer. A field gives the permits back ([`Held`]), not a `Drop` of
//! the guard, so a guard can be taken apart and another one made of its fields.
//! Why a pointer and no reference: the guard is dropped *after* it has let others change the value;
//! a reference in it would claim the opposite.
//! A mapped write guard cannot be downgraded: its part may have been reached through `&mut` only,
//! as the inside of a `Cell` is, and others that share it would reach it through `&`.
//! Read next: `sync/rwlock_owned.rs`.

#![allow(
    unsafe_code,
    reason = "a pointer into a value, lent to those who hold permits"
)]

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr;

use crate::sync::guard_fmt::shown_as_value;
use crate::sync::semaphore::Semaphore;

/// Permits of a lock whose value's type is forgotten; dropped, they go back.
pub(crate) struct Held<'a> {
    /// Where they go back to.
    semaphore: &'a Semaphore,
    /// How many.
    permits: u32,
}

impl<'a> Held<'a> {
    /// The permits that the caller has just taken.
    #[inline]
    pub(crate) fn new(semaphore: &'a Semaphore, permits: u32) -> Self {
        Self { semaphore, permits }
    }

    /// Gives back all but one.
    fn keep_one(mut self) -> Self {
        // Counted first: if a waker panics, only the one is left to give back.
        let rest = std::mem::replace(&mut self.permits, 1) - 1;
        self.semaphore.release(rest as usize);
        self
    }
}

impl Drop for Held<'_> {
    #[inline]
    fn drop(&mut self) {
        self.semaphore.release(self.permits as usize);
    }
}

/// The right to read the value of a [`RwLock`](crate::sync::RwLock), or a part of it.
#[must_use = "dropped at once the lock is free again"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'a, T: ?Sized> {
    /// The part. Its owner is the lock, borrowed for `'a`.
    part: *const T,
    /// One permit.
    held: Held<'a>,
    /// Stands for the shared borrow.
    marker: PhantomData<&'a T>,
}

// SAFETY: the guard is a shared borrow of the part (see `deref`), which may go to another thread
// when `T: Sync`; the permit may be given back from any thread.
unsafe impl<T: ?Sized + Sync> Send for RwLockReadGuard<'_, T> {}

// SAFETY: a shared guard gives shared references to the part, hence `T: Sync`; `T: Send` is asked
// for as tokio does.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLockReadGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockReadGuard<'a, T> {
    /// The guard of `part`, which lies in the value that `held` gives the right to read.
    #[inline]
    pub(crate) fn new(held: Held<'a>, part: *const T) -> Self {
        Self {
            part,
            held,
            marker: PhantomData,
        }
    }

    /// Narrows the guard to the part that `f` picks.
    ///
    /// Called as `RwLockReadGuard::map(guard, f)`, so that no method of the value is hidden.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::{RwLock, RwLockReadGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// let name = RwLockReadGuard::map(pair.try_read().unwrap(), |pair| pair.1);
    /// assert_eq!(&*name, "one");
    /// ```
    pub fn map<F, U: ?Sized>(this: Self, f: F) -> RwLockReadGuard<'a, U>
    where
        F: FnOnce(&T) -> &U,
    {
        let part = ptr::from_ref(f(&*this));
        RwLockReadGuard::new(this.held, part)
    }

    /// Narrows the guard to the part that `f` picks, if it picks one.
    ///
    /// # Errors
    ///
    /// The guard itself when `f` gives `None`.
    pub fn try_map<F, U: ?Sized>(this: Self, f: F) -> Result<RwLockReadGuard<'a, U>, Self>
    where
        F: FnOnce(&T) -> Option<&U>,
    {
        match f(&*this).map(ptr::from_ref) {
            Some(part) => Ok(RwLockReadGuard::new(this.held, part)),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `part` is the lock's value or came from a shared reference into it (`map`).
        // `held` has a permit until this guard's drop, so nobody has all of them and a reference
        // that could change the value; the lock is borrowed for as long.
        unsafe { &*self.part }
    }
}

/// The right to change the value of a [`RwLock`](crate::sync::RwLock).
#[must_use = "dropped at once the lock is free again"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'a, T: ?Sized> {
    /// The value. Its owner is the lock, borrowed for `'a`.
    value: *mut T,
    /// All permits.
    held: Held<'a>,
    /// Stands for the exclusive borrow.
    marker: PhantomData<&'a mut T>,
}

// SAFETY: the guard is an exclusive borrow of the value (see `deref`), which may go to another
// thread when `T: Send`. There it may be downgraded, and shared with those who read elsewhere:
// hence `T: Sync`. The permits may be given back from any thread.
unsafe impl<T: ?Sized + Send + Sync> Send for RwLockWriteGuard<'_, T> {}

// SAFETY: a shared guard gives shared references to the value, hence `T: Sync`; `T: Send` is asked
// for as tokio does.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockWriteGuard<'a, T> {
    /// The guard of a lock's `value`, which `held` gives the right to change.
    #[inline]
    pub(crate) fn new(held: Held<'a>, value: *mut T) -> Self {
        Self {
            value,
            held,
            marker: PhantomData,
        }
    }

    /// Makes it a read guard; no writer comes in between.
    ///
    /// Readers that wait may come in now, unless a writer is in line before them.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// let mut writer = lock.try_write().unwrap();
    /// *writer += 1;
    /// let reader = writer.downgrade();
    /// assert_eq!(*reader + *lock.try_read().unwrap(), 4);
    /// ```
    pub fn downgrade(self) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard::new(self.held.keep_one(), self.value)
    }

    /// Narrows the guard to the part that `f` picks.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let pair = RwLock::new((1, "one"));
    /// let mut number = RwLockWriteGuard::map(pair.try_write().unwrap(), |pair| &mut pair.0);
    /// *number += 1;
    /// drop(number);
    /// assert_eq!(pair.into_inner(), (2, "one"));
    /// ```
    pub fn map<F, U: ?Sized>(this: Self, f: F) -> RwLockMappedWriteGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        RwLockMappedWriteGuard::map(Self::into_mapped(this), f)
    }

    /// Narrows the guard to the part that `f` picks, if it picks one.
    ///
    /// # Errors
    ///
    /// The guard itself when `f` gives `None`.
    pub fn try_map<F, U: ?Sized>(
        mut this: Self,
        f: F,
    ) -> Result<RwLockMappedWriteGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        match f(&mut *this).map(ptr::from_mut) {
            Some(part) => Ok(RwLockMappedWriteGuard::new(this.held, part)),
            None => Err(this),
        }
    }

    /// Makes it a read guard of the part that `f` picks. While `f` runs nobody else reads.
    pub fn downgrade_map<F, U: ?Sized>(this: Self, f: F) -> RwLockReadGuard<'a, U>
    where
        F: FnOnce(&T) -> &U,
    {
        let part = ptr::from_ref(f(&*this));
        RwLockReadGuard::new(this.held.keep_one(), part)
    }

    /// Makes it a read guard of the part that `f` picks, if it picks one.
    ///
    /// # Errors
    ///
    /// The guard itself, which nobody came in beside, when `f` gives `None`.
    pub fn try_downgrade_map<F, U: ?Sized>(this: Self, f: F) -> Result<RwLockReadGuard<'a, U>, Self>
    where
        F: FnOnce(&T) -> Option<&U>,
    {
        match f(&*this).map(ptr::from_ref) {
            Some(part) => Ok(RwLockReadGuard::new(this.held.keep_one(), part)),
            None => Err(this),
        }
    }

    /// The same right as a [`RwLockMappedWriteGuard`], for a place that wants one.
    pub fn into_mapped(this: Self) -> RwLockMappedWriteGuard<'a, T> {
        RwLockMappedWriteGuard::new(this.held, this.value)
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `held` has all permits until this guard's drop, so nobody else has a reference
        // to the value; the lock is borrowed for as long. This reference is shared as this borrow
        // is.
        unsafe { &*self.value }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the guard is borrowed mutably, so no other reference came from it.
        unsafe { &mut *self.value }
    }
}

/// The right to change a part of a [`RwLock`](crate::sync::RwLock)'s value; see
/// [`RwLockWriteGuard::map`].
#[must_use = "dropped at once the lock is free again"]
#[clippy::has_significant_drop]
pub struct RwLockMappedWriteGuard<'a, T: ?Sized> {
    /// The part. Its owner is the lock, borrowed for `'a`.
    part: *mut T,
    /// All permits.
    held: Held<'a>,
    /// Stands for the exclusive borrow.
    marker: PhantomData<&'a mut T>,
}

// SAFETY: the guard is an exclusive borrow of the part, which may go to another thread when
// `T: Send`; `T: Sync` is asked for as tokio does. The permits may be given back from any thread.
unsafe impl<T: ?Sized + Send + Sync> Send for RwLockMappedWriteGuard<'_, T> {}

// SAFETY: a shared guard gives shared references to the part, hence `T: Sync`; `T: Send` is asked
// for as tokio does.
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLockMappedWriteGuard<'_, T> {}

impl<'a, T: ?Sized> RwLockMappedWriteGuard<'a, T> {
    /// The guard of `part`, which lies in the value that `held` gives the right to change.
    fn new(held: Held<'a>, part: *mut T) -> Self {
        Self {
            part,
            held,
            marker: PhantomData,
        }
    }

    /// Narrows the guard further.
    pub fn map<F, U: ?Sized>(mut this: Self, f: F) -> RwLockMappedWriteGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        let part = ptr::from_mut(f(&mut *this));
        RwLockMappedWriteGuard::new(this.held, part)
    }

    /// Narrows the guard further, if `f` picks a part.
    ///
    /// # Errors
    ///
    /// The guard itself when `f` gives `None`.
    pub fn try_map<F, U: ?Sized>(
        mut this: Self,
        f: F,
    ) -> Result<RwLockMappedWriteGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        match f(&mut *this).map(ptr::from_mut) {
            Some(part) => Ok(RwLockMappedWriteGuard::new(this.held, part)),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for RwLockMappedWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: `part` came from an exclusive reference into the lock's value, whose guard was
        // used up by that (`map`, `into_mapped`); `held` keeps everybody else out until this
        // guard's drop, and the lock is borrowed for as long.
        unsafe { &*self.part }
    }
}

impl<T: ?Sized> DerefMut for RwLockMappedWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the guard is borrowed mutably, so no other reference came from it.
        unsafe { &mut *self.part }
    }
}

shown_as_value! {
    [T: ?Sized] RwLockReadGuard<'_, T> => T;
    [T: ?Sized] RwLockWriteGuard<'_, T> => T;
    [T: ?Sized] RwLockMappedWriteGuard<'_, T> => T;
}
