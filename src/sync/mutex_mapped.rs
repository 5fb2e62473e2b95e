//! Mutex guards that show only a part of the value: one field, one element, one case of an enum.
//!
//! ```text
//!   MutexGuard ──── map ───► MappedMutexGuard        the permit, and a pointer to the part
//!   OwnedMutexGuard ─ map ─► OwnedMappedMutexGuard   the same with the Arc
//! ```
//!
//! The closure sees the value once, exclusively; what it returns becomes a pointer, and the guard
//! it came from is used up, so no reference to the whole is left.
//! Why not a guard that runs the closure at each use: it could give a different part each time.
//! Read next: `sync/notify.rs`.

#![allow(
    unsafe_code,
    reason = "a pointer into a value, lent to the one who holds the permit"
)]

use std::marker::PhantomData;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::ptr;

use crate::sync::guard_fmt::shown_as_value;
use crate::sync::mutex::MutexGuard;
use crate::sync::mutex_owned::{Locked, OwnedMutexGuard};
use crate::sync::semaphore::Semaphore;

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    /// Narrows the guard to the part that `f` picks.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::{Mutex, MutexGuard};
    ///
    /// let pair = Mutex::new((1, "one"));
    /// let mut number = MutexGuard::map(pair.try_lock().unwrap(), |pair| &mut pair.0);
    /// *number += 1;
    /// drop(number);
    /// assert_eq!(pair.into_inner(), (2, "one"));
    /// ```
    pub fn map<U: ?Sized, F>(mut this: Self, f: F) -> MappedMutexGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        let part = ptr::from_mut(f(&mut *this));
        MappedMutexGuard::new(Held::from_guard(this), part)
    }

    /// Narrows the guard to the part that `f` picks, if it picks one.
    ///
    /// # Errors
    ///
    /// The guard itself when `f` gives `None`.
    pub fn try_map<U: ?Sized, F>(mut this: Self, f: F) -> Result<MappedMutexGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        match f(&mut *this).map(ptr::from_mut) {
            Some(part) => Ok(MappedMutexGuard::new(Held::from_guard(this), part)),
            None => Err(this),
        }
    }
}

/// The permit of a mutex whose value's type is forgotten; dropped, the permit goes on.
struct Held<'a>(&'a Semaphore);

impl<'a> Held<'a> {
    /// Takes the permit over from `guard`.
    fn from_guard<T: ?Sized>(guard: MutexGuard<'a, T>) -> Self {
        let held = Self(MutexGuard::mutex(&guard).semaphore());
        // The guard's `Drop` would give the permit back.
        mem::forget(guard);
        held
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release(1);
    }
}

/// The right to use a part of a [`Mutex`](crate::sync::Mutex)'s value; see [`MutexGuard::map`].
#[must_use = "dropped at once the mutex is free again"]
#[clippy::has_significant_drop]
pub struct MappedMutexGuard<'a, T: ?Sized> {
    /// The part. Its owner is the mutex, borrowed for `'a`.
    part: *mut T,
    /// The permit.
    held: Held<'a>,
    /// Stands for the exclusive borrow.
    marker: PhantomData<&'a mut T>,
}

// SAFETY: the guard is an exclusive borrow of the part (see `deref`), which may go to another
// thread when `T: Send`; the permit may be given back from any thread.
unsafe impl<T: ?Sized + Send> Send for MappedMutexGuard<'_, T> {}

// SAFETY: a shared guard gives shared references to the part, so `T: Sync` is needed; `T: Send`
// is asked for as `MutexGuard` does.
unsafe impl<T: ?Sized + Send + Sync> Sync for MappedMutexGuard<'_, T> {}

impl<'a, T: ?Sized> MappedMutexGuard<'a, T> {
    /// The guard of `part`, which lies in the value that `held` gives the right to.
    fn new(held: Held<'a>, part: *mut T) -> Self {
        Self {
            part,
            held,
            marker: PhantomData,
        }
    }

    /// Narrows the guard further.
    pub fn map<U: ?Sized, F>(mut this: Self, f: F) -> MappedMutexGuard<'a, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        let part = ptr::from_mut(f(&mut *this));
        MappedMutexGuard::new(this.held, part)
    }

    /// Narrows the guard further, if `f` picks a part.
    ///
    /// # Errors
    ///
    /// The guard itself when `f` gives `None`.
    pub fn try_map<U: ?Sized, F>(mut this: Self, f: F) -> Result<MappedMutexGuard<'a, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        match f(&mut *this).map(ptr::from_mut) {
            Some(part) => Ok(MappedMutexGuard::new(this.held, part)),
            None => Err(this),
        }
    }
}

impl<T: ?Sized> Deref for MappedMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `part` came from an exclusive reference into the mutex's value (`map`), whose
        // guard was used up by that; `held` keeps everybody else out until this guard's drop, and
        // the mutex is borrowed for as long. The new reference is shared as this borrow is.
        unsafe { &*self.part }
    }
}

impl<T: ?Sized> DerefMut for MappedMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; the guard is borrowed mutably, so no other reference came from it.
        unsafe { &mut *self.part }
    }
}

impl<T: ?Sized> OwnedMutexGuard<T> {
    /// Narrows the guard to the part that `f` picks.
    pub fn map<U: ?Sized, F>(mut this: Self, f: F) -> OwnedMappedMutexGuard<T, U>
    where
        F: FnOnce(&mut T) -> &mut U,
    {
        let part = ptr::from_mut(f(&mut *this));
        OwnedMappedMutexGuard::new(this.into_locked(), part)
    }

    /// Narrows the guard to the part that `f` picks, if it picks one.
    ///
    /// # Errors
    ///
    /// The guard itself when `f` gives `None`.
    pub fn try_map<U: ?Sized, F>(mut this: Self, f: F) -> Result<OwnedMappedMutexGuard<T, U>, Self>
    where
        F: FnOnce(&mut T) -> Option<&mut U>,
    {
        match f(&mut *this).map(ptr::from_mut) {
            Some(part) => Ok(OwnedMappedMutexGuard::new(this.into_locked(), part)),
            None => Err(this),
        }
    }
}

/// The right to use a part `U` of a [`Mutex`](crate::sync::Mutex)'s value `T`, with the mutex kept
/// alive; see [`OwnedMutexGuard::map`].
#[must_use = "dropped at once the mutex is free again"]
#[clippy::has_significant_drop]
pub struct OwnedMappedMutexGuard<T: ?Sized, U: ?Sized = T> {
    /// The part. Its owner is the mutex in `locked`.
    part: *mut U,
    /// The mutex and its permit.
    locked: Locked<T>,
}

// SAFETY: as for `MappedMutexGuard`; besides, the last guard may drop the whole value on another
// thread, hence `T: Send`.
unsafe impl<T: ?Sized + Send, U: ?Sized + Send> Send for OwnedMappedMutexGuard<T, U> {}

// SAFETY: a shared guard gives shared references to the part, hence `U: Sync`; the rest is asked
// for as `OwnedMutexGuard` does.
unsafe impl<T, U> Sync for OwnedMappedMutexGuard<T, U>
where
    T: ?Sized + Send + Sync,
    U: ?Sized + Send + Sync,
{
}

impl<T: ?Sized, U: ?Sized> OwnedMappedMutexGuard<T, U> {
    /// The guard of `part`, which lies in the value of `locked`.
    fn new(locked: Locked<T>, part: *mut U) -> Self {
        Self { part, locked }
    }

    /// Narrows the guard further.
    pub fn map<V: ?Sized, F>(mut this: Self, f: F) -> OwnedMappedMutexGuard<T, V>
    where
        F: FnOnce(&mut U) -> &mut V,
    {
        let part = ptr::from_mut(f(&mut *this));
        OwnedMappedMutexGuard::new(this.locked, part)
    }

    /// Narrows the guard further, if `f` picks a part.
    ///
    /// # Errors
    ///
    /// The guard itself when `f` gives `None`.
    pub fn try_map<V: ?Sized, F>(mut this: Self, f: F) -> Result<OwnedMappedMutexGuard<T, V>, Self>
    where
        F: FnOnce(&mut U) -> Option<&mut V>,
    {
        match f(&mut *this).map(ptr::from_mut) {
            Some(part) => Ok(OwnedMappedMutexGuard::new(this.locked, part)),
            None => Err(this),
        }
    }
}

impl<T: ?Sized, U: ?Sized> Deref for OwnedMappedMutexGuard<T, U> {
    type Target = U;

    fn deref(&self) -> &U {
        // SAFETY: as for `MappedMutexGuard`; that the value lives is the doing of the `Arc` in
        // `locked`, which does not move it.
        unsafe { &*self.part }
    }
}

impl<T: ?Sized, U: ?Sized> DerefMut for OwnedMappedMutexGuard<T, U> {
    fn deref_mut(&mut self) -> &mut U {
        // SAFETY: as in `deref`; the guard is borrowed mutably, so no other reference came from it.
        unsafe { &mut *self.part }
    }
}

shown_as_value! {
    [T: ?Sized] MappedMutexGuard<'_, T> => T;
    [T: ?Sized, U: ?Sized] OwnedMappedMutexGuard<T, U> => U;
}
