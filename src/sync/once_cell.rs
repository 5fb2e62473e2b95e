//! A value made by the first task that needs it; all others wait for that one.
//!
//! ```text
//!   get_or_init:  there? ──► &T
//!                   │ no
//!                   ▼          got it                 done
//!                the permit ──────────► run `init` ──────────► set, close ──► &T
//!                   │ ▲                    │ error, panic, dropped
//!                   │ └────────────────────┘ the permit goes to the next in line
//!                   └─► closed: it is there ──► &T
//! ```
//!
//! The semaphore has one permit: the right to make the value. It is closed when the value is there,
//! which wakes all in line at once.
//! Why not a `Mutex<Option<T>>`: a reference to the value could not outlive the guard.
//! Read next: `sync/once_init.rs`, the future that runs `init`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::mem;

use crate::shim::const_fn;
use crate::sync::once_value::OnceValue;
use crate::sync::semaphore::Semaphore;
use crate::sync::semaphore_error::TryAcquireError;
use crate::sync::semaphore_permit::SemaphorePermit;

/// A value that is made once, by an async function, when it is needed first.
///
/// # Examples
///
/// ```
/// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use trefoil::sync::OnceCell;
///
/// static ADDRESS: OnceCell<String> = OnceCell::const_new();
///
/// async fn address() -> &'static str {
///     ADDRESS
///         .get_or_init(|| async {
///             trefoil::task::yield_now().await; // look it up …
///             "10.0.0.1".to_owned()
///         })
///         .await
/// }
/// assert_eq!(address().await, "10.0.0.1");
/// assert!(ADDRESS.initialized());
/// # });
/// ```
pub struct OnceCell<T> {
    /// Set by who holds the permit.
    value: OnceValue<T>,
    /// One permit: the right to set the value. Closed when it is there.
    semaphore: Semaphore,
}

impl<T> OnceCell<T> {
    /// An empty cell.
    pub fn new() -> Self {
        Self::const_new()
    }

    const_fn! {
        /// The same as [`new`](Self::new), for a `static`.
        pub const fn const_new() -> Self {
            Self {
                value: OnceValue::new(),
                semaphore: Semaphore::const_new(1),
            }
        }
    }

    /// A cell with this value, if there is one.
    pub fn new_with(value: Option<T>) -> Self {
        Self {
            value: OnceValue::from_option(value),
            semaphore: Semaphore::const_new(1),
        }
    }

    const_fn! {
        /// A cell with this value, for a `static`.
        ///
        /// # Examples
        ///
        /// ```
        /// use trefoil::sync::OnceCell;
        ///
        /// static LIMIT: OnceCell<u32> = OnceCell::const_new_with(10);
        /// assert_eq!(LIMIT.get(), Some(&10));
        /// ```
        pub const fn const_new_with(value: T) -> Self {
            Self {
                value: OnceValue::Given(value),
                semaphore: Semaphore::const_new(1),
            }
        }
    }

    /// True when the value is there.
    pub fn initialized(&self) -> bool {
        self.get().is_some()
    }

    /// The value, if it is there.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.value.get()
    }

    /// The value, to be changed, if it is there.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.get_mut()
    }

    /// Puts a value in.
    ///
    /// # Errors
    ///
    /// The value comes back in [`SetError::AlreadyInitializedError`] when one is there, and in
    /// [`SetError::InitializingError`] while a task is making one.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::{OnceCell, SetError};
    ///
    /// let cell = OnceCell::new();
    /// cell.set(1).unwrap();
    /// assert_eq!(cell.set(2), Err(SetError::AlreadyInitializedError(2)));
    /// ```
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        if self.initialized() {
            return Err(SetError::AlreadyInitializedError(value));
        }
        match self.semaphore.try_acquire() {
            Ok(permit) => {
                self.put(value, permit);
                Ok(())
            }
            Err(TryAcquireError::NoPermits) => Err(SetError::InitializingError(value)),
            Err(TryAcquireError::Closed) => Err(SetError::AlreadyInitializedError(value)),
        }
    }

    /// Takes the value out; the cell is empty again.
    pub fn take(&mut self) -> Option<T> {
        mem::take(self).into_inner()
    }

    /// The value, if it is there; the cell is used up.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Puts the value in with the right to do so, and wakes all who wait for it.
    pub(crate) fn put(&self, value: T, permit: SemaphorePermit<'_>) -> &T {
        if self.value.set(value).is_err() {
            unreachable!("once_cell: set twice, with one permit");
        }
        // After the value: who finds it closed finds the value.
        self.semaphore.close();
        permit.forget();
        self.made()
    }

    /// The value after the semaphore was found closed.
    pub(crate) fn made(&self) -> &T {
        match self.value.get() {
            Some(value) => value,
            None => unreachable!("once_cell: closed without a value"),
        }
    }

    /// The right to make the value is its permit.
    pub(crate) fn semaphore(&self) -> &Semaphore {
        &self.semaphore
    }
}

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self::new_with(Some(value))
    }
}

impl<T: Clone> Clone for OnceCell<T> {
    fn clone(&self) -> Self {
        Self::new_with(self.get().cloned())
    }
}

impl<T: PartialEq> PartialEq for OnceCell<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceCell<T> {}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceCell")
            .field("value", &self.get())
            .finish()
    }
}

/// Why [`OnceCell::set`] failed; the value is in it.
#[derive(Debug, PartialEq, Eq)]
pub enum SetError<T> {
    /// There is a value already.
    AlreadyInitializedError(T),
    /// A task is making one.
    InitializingError(T),
}

impl<T> SetError<T> {
    /// True when there is a value already.
    pub fn is_already_init_err(&self) -> bool {
        matches!(self, Self::AlreadyInitializedError(_))
    }

    /// True when a task is making one.
    pub fn is_initializing_err(&self) -> bool {
        matches!(self, Self::InitializingError(_))
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AlreadyInitializedError(_) => "cell has a value already",
            Self::InitializingError(_) => "cell is being given a value by a task",
        })
    }
}

impl<T: fmt::Debug> Error for SetError<T> {}

/// One makes it, the others wait. Liveness by `block_on`, which loom reports as a deadlock when a
/// wake-up is lost. Mutations that fail: no close in `put`; the close before the value; the permit
/// kept after an error.
#[cfg(all(test, trefoil_loom))]
mod once_models {
    use super::OnceCell;
    use crate::shim::Arc;
    use loom::future::block_on;
    use loom::thread;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[test]
    fn it_is_made_once() {
        loom::model(|| {
            let shared = Arc::new((OnceCell::new(), AtomicUsize::new(0)));
            let make = |shared: Arc<(OnceCell<usize>, AtomicUsize)>| {
                // The value is std's, which loom does not see: without an access of loom's before
                // the first look it would take all orders of these threads for the same.
                let _open = shared.0.semaphore().is_closed();
                let made = || async { shared.1.fetch_add(1, Relaxed) };
                assert_eq!(*block_on(shared.0.get_or_init(made)), 0);
            };
            let others =
                [shared.clone(), shared.clone()].map(|shared| thread::spawn(move || make(shared)));
            make(shared);
            for other in others {
                other.join().unwrap();
            }
        });
    }

    #[test]
    fn a_failure_lets_the_next_one_try() {
        loom::model(|| {
            let cell = Arc::new(OnceCell::new());
            let other = cell.clone();
            let thread = thread::spawn(move || {
                let _open = other.semaphore().is_closed(); // as in the model above
                let failed = block_on(other.get_or_try_init(|| async { Err::<u8, _>(()) }));
                failed.is_err()
            });
            let _open = cell.semaphore().is_closed();
            assert_eq!(*block_on(cell.get_or_init(|| async { 7 })), 7);
            // It failed before, or came too late to.
            thread.join().unwrap();
        });
    }
}
