//! `task_local!`: values that belong to a task, as `thread_local!` values belong to a thread.
//!
//! ```text
//!            ┌ TaskLocalFuture ─┐     poll starts: swap      ┌ thread's slot ┐
//!            │ value: Some(7)   │ ◄────────────────────────► │ None          │
//!            │ future           │     poll ends: swap back   └───────────────┘
//!            └──────────────────┘     (also when it panics)    KEY.with reads here
//! ```
//!
//! The value travels with the future and lies in a thread-local slot only while the future is
//! polled, so it is right on whatever thread that happens. A scope inside of a scope swaps too:
//! the outer value waits in the inner future. While the future is dropped the value is in the
//! slot as well, so that destructors may look at it.
//! Why not a map in the task's header: this works in any executor and knows no task at all.
//! Read next: `task/mod.rs`.

#![forbid(unsafe_code)]

use std::cell::RefCell;
use std::error;
use std::fmt;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use pin_project_lite::pin_project;

/// Declares values that belong to a task: each becomes a [`task::LocalKey`](crate::task::LocalKey).
///
/// Any number of `[attributes] [pub] static NAME: Type;`. There is no initial value: each
/// [`scope`](crate::task::LocalKey::scope) brings its own.
///
/// # Examples
///
/// ```
/// trefoil::task_local! {
///     /// Who asks.
///     static USER: String;
///     pub static REQUEST: u32;
/// }
///
/// async fn who() -> String {
///     USER.with(|user| format!("{user} in request {}", REQUEST.get()))
/// }
///
/// # futures_util::FutureExt::now_or_never(async {
/// let text = USER.scope("ada".into(), REQUEST.scope(7, who())).await;
/// assert_eq!(text, "ada in request 7");
/// # }).unwrap();
/// ```
#[macro_export]
macro_rules! task_local {
    () => {};
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty; $($rest:tt)*) => {
        $crate::task_local!($(#[$attribute])* $visibility static $name: $type);
        $crate::task_local!($($rest)*);
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty) => {
        $(#[$attribute])*
        $visibility static $name: $crate::task::LocalKey<$type> = {
            ::std::thread_local! {
                static SLOT: ::std::cell::RefCell<::core::option::Option<$type>> =
                    const { ::std::cell::RefCell::new(::core::option::Option::None) };
            }
            $crate::task::LocalKey::__new(::core::stringify!($name), &SLOT)
        };
    };
}

/// The name of a value that each task has its own of. Made by [`task_local!`](crate::task_local).
pub struct LocalKey<T: 'static> {
    /// As written in `task_local!`, for messages.
    name: &'static str,
    /// Where the value of the running scope lies.
    slot: &'static thread::LocalKey<RefCell<Option<T>>>,
}

impl<T: 'static> LocalKey<T> {
    /// For the expansion of `task_local!` only.
    #[doc(hidden)]
    pub const fn __new(
        name: &'static str,
        slot: &'static thread::LocalKey<RefCell<Option<T>>>,
    ) -> Self {
        Self { name, slot }
    }

    /// Gives `future` a value that it finds under this key while it is polled.
    ///
    /// Tasks that it spawns do not inherit the value. A scope inside of a scope hides the outer
    /// value.
    ///
    /// # Panics
    ///
    /// The polls panic inside of [`with`](Self::with) on the same key: there the value is
    /// borrowed, and cannot be replaced.
    ///
    /// # Cancel safety
    ///
    /// That of `future`. It is dropped with the value in place.
    ///
    /// # Examples
    ///
    /// ```
    /// trefoil::task_local!(static DEPTH: u32);
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let sum = DEPTH.scope(1, async { DEPTH.get() + DEPTH.scope(2, async { DEPTH.get() }).await });
    /// assert_eq!(sum.await, 3);
    /// # }).unwrap();
    /// ```
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> TaskLocalFuture<T, F> {
        TaskLocalFuture {
            value: Some(value),
            future: Some(future),
            key: self,
            _pinned: PhantomPinned,
        }
    }

    /// Runs `f` with a value under this key.
    ///
    /// # Panics
    ///
    /// Inside of [`with`](Self::with) on the same key. A panic of `f` passes on, after the value
    /// has been taken out.
    #[track_caller]
    pub fn sync_scope<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        let mut value = Some(value);
        match self.enter(&mut value, f) {
            Ok(result) => result,
            Err(refused) => refused.panic(self.name),
        }
    }

    /// Shows the value to `f`.
    ///
    /// # Panics
    ///
    /// Outside of a scope. [`try_with`](Self::try_with) does not.
    #[track_caller]
    pub fn with<R>(&'static self, f: impl FnOnce(&T) -> R) -> R {
        match self.try_with(f) {
            Ok(result) => result,
            Err(AccessError { .. }) => panic!(
                "task-local {name}: no value here; call this inside {name}.scope(value, future)",
                name = self.name
            ),
        }
    }

    /// Shows the value to `f`.
    ///
    /// # Errors
    ///
    /// [`AccessError`] outside of a scope; `f` has not been called then.
    pub fn try_with<R>(&'static self, f: impl FnOnce(&T) -> R) -> Result<R, AccessError> {
        // Err: the thread is ending and its slots are gone. There is no value then either.
        self.slot
            .try_with(|slot| slot.borrow().as_ref().map(f))
            .ok()
            .flatten()
            .ok_or(AccessError { _private: () })
    }

    /// Puts `value` in for the length of `f` and takes it out again, also when `f` panics.
    fn enter<R>(
        &'static self,
        value: &mut Option<T>,
        f: impl FnOnce() -> R,
    ) -> Result<R, CannotEnter> {
        struct SwapBack<'a, T: 'static> {
            key: &'static LocalKey<T>,
            value: &'a mut Option<T>,
        }
        impl<T: 'static> Drop for SwapBack<'_, T> {
            fn drop(&mut self) {
                // It cannot fail: the way in has shown that the slot lives, and each borrow ends
                // with the `with` that made it, which cannot have begun before us.
                let _swapped = self.key.swap(self.value);
            }
        }
        self.swap(value)?;
        let _swap_back = SwapBack { key: self, value };
        Ok(f())
    }

    /// Exchanges the value in the slot for the one in `value`.
    fn swap(&'static self, value: &mut Option<T>) -> Result<(), CannotEnter> {
        let swapped = self.slot.try_with(|slot| match slot.try_borrow_mut() {
            Ok(mut inside) => {
                std::mem::swap(&mut *inside, value);
                Ok(())
            }
            Err(_) => Err(CannotEnter::Borrowed),
        });
        swapped.unwrap_or(Err(CannotEnter::ThreadEnds))
    }
}

impl<T: Copy + 'static> LocalKey<T> {
    /// A copy of the value.
    ///
    /// # Panics
    ///
    /// Outside of a scope. [`try_get`](Self::try_get) does not.
    #[track_caller]
    pub fn get(&'static self) -> T {
        self.with(|value| *value)
    }

    /// A copy of the value.
    ///
    /// # Errors
    ///
    /// [`AccessError`] outside of a scope.
    pub fn try_get(&'static self) -> Result<T, AccessError> {
        self.try_with(|value| *value)
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why a scope cannot begin.
#[derive(Debug, Clone, Copy)]
enum CannotEnter {
    /// Inside of `with`.
    Borrowed,
    /// The thread's slots are gone already.
    ThreadEnds,
}

impl CannotEnter {
    /// The panic for it, at the caller's line.
    #[track_caller]
    fn panic(self, name: &str) -> ! {
        match self {
            Self::Borrowed => panic!(
                "task-local {name}: a scope cannot begin inside {name}.with(..); \
                 copy the value out first"
            ),
            Self::ThreadEnds => panic!(
                "task-local {name}: a scope cannot begin while the thread ends; \
                 do not use it in a destructor of a thread-local"
            ),
        }
    }
}

pin_project! {
    /// A future with a task-local value: what [`LocalKey::scope`] returns.
    ///
    /// # Panics
    ///
    /// When it is polled after it was done.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct TaskLocalFuture<T: 'static, F> {
        // None while it is in the slot, and after `take_value`.
        value: Option<T>,
        // None when it is done.
        #[pin]
        future: Option<F>,
        key: &'static LocalKey<T>,
        #[pin]
        _pinned: PhantomPinned,
    }

    impl<T: 'static, F> PinnedDrop for TaskLocalFuture<T, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let mut future = this.future;
            if future.is_some() {
                // Where no scope can begin, the future is dropped without its value, below.
                let _entered = this.key.enter(this.value, || future.set(None));
            }
        }
    }
}

impl<T: 'static, F> TaskLocalFuture<T, F> {
    /// Takes the value out; it stays out, so later polls find none.
    ///
    /// None if it was taken before, or while the future is being polled.
    ///
    /// # Examples
    ///
    /// ```
    /// trefoil::task_local!(static WORDS: std::cell::RefCell<Vec<&'static str>>);
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut future = Box::pin(WORDS.scope(Vec::new().into(), async {
    ///     WORDS.with(|words| words.borrow_mut().push("written inside"));
    /// }));
    /// future.as_mut().await;
    /// let words = future.as_mut().take_value().unwrap();
    /// assert_eq!(words.into_inner(), ["written inside"]);
    /// # }).unwrap();
    /// ```
    pub fn take_value(self: Pin<&mut Self>) -> Option<T> {
        self.project().value.take()
    }
}

impl<T: 'static, F: Future> Future for TaskLocalFuture<T, F> {
    type Output = F::Output;

    #[track_caller]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut future = this.future;
        let polled = this.key.enter(this.value, || {
            let polled = match future.as_mut().as_pin_mut() {
                Some(running) => running.poll(cx),
                None => panic!("LocalKey::scope: polled after it was done; await it once"),
            };
            if polled.is_ready() {
                // Inside of the scope: its destructors may look at the value.
                future.set(None);
            }
            polled
        });
        match polled {
            Ok(polled) => polled,
            Err(refused) => refused.panic(this.key.name),
        }
    }
}

impl<T: fmt::Debug + 'static, F> fmt::Debug for TaskLocalFuture<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskLocalFuture")
            .field("key", &self.key.name)
            .field("value", &self.value)
            .field("done", &self.future.is_none())
            .finish()
    }
}

/// There is no value here: [`LocalKey::try_with`] outside of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessError {
    /// Only this crate makes one.
    _private: (),
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the task-local has no value here: outside of its scope")
    }
}

impl error::Error for AccessError {}
