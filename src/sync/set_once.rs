//! A value set once, from anywhere; who needs it waits until it is there.
//!
//! ```text
//!   set ──► the value ──► ring: all who wait wake
//!   wait:   a place at the bell ──► look: there? ──► wait, look again
//! ```
//!
//! An event with a value, where `sync/once_cell.rs` is a value made on demand.
//! Read next: `sync/watch.rs`, for a value that changes.

#![forbid(unsafe_code)]

use std::error::Error;
use std::fmt;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{Kind, WaitSite, poll_leaf};
use crate::shim::const_fn;
use crate::sync::notified::Place;
use crate::sync::notify::Notify;
use crate::sync::once_value::OnceValue;

/// A value that is set once and waited for.
///
/// # Examples
///
/// ```
/// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use trefoil::sync::SetOnce;
///
/// static READY: SetOnce<&str> = SetOnce::const_new();
///
/// let task = trefoil::spawn(async { READY.wait().await.len() });
/// READY.set("port 80").unwrap();
/// assert_eq!(task.await.unwrap(), 7);
/// assert!(READY.set("port 81").is_err());
/// # });
/// ```
pub struct SetOnce<T> {
    /// The value, perhaps.
    value: OnceValue<T>,
    /// Rings when it is there.
    there: Notify,
}

impl<T> SetOnce<T> {
    /// Without a value.
    pub fn new() -> Self {
        Self::const_new()
    }

    const_fn! {
        /// The same as [`new`](Self::new), for a `static`.
        pub const fn const_new() -> Self {
            Self {
                value: OnceValue::new(),
                there: Notify::const_new(),
            }
        }
    }

    /// With this value, if there is one.
    pub fn new_with(value: Option<T>) -> Self {
        Self {
            value: OnceValue::from_option(value),
            there: Notify::const_new(),
        }
    }

    const_fn! {
        /// With this value, for a `static`.
        pub const fn const_new_with(value: T) -> Self {
            Self {
                value: OnceValue::Given(value),
                there: Notify::const_new(),
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

    /// Sets the value, and wakes all who wait for it.
    ///
    /// # Errors
    ///
    /// The value comes back when one is there.
    pub fn set(&self, value: T) -> Result<(), SetOnceError<T>> {
        self.value.set(value).map_err(SetOnceError)?;
        self.there.notify_waiters();
        Ok(())
    }

    /// The value, if it is there; this is used up.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Waits until the value is there.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: nothing happens but waiting.
    #[track_caller]
    pub fn wait(&self) -> SetOnceWait<'_, T> {
        SetOnceWait {
            once: self,
            place: None,
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }
}

pin_project! {
    /// The future of [`SetOnce::wait`].
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct SetOnceWait<'a, T> {
        // What it waits for.
        once: &'a SetOnce<T>,
        // Where it stands in line.
        place: Option<Place>,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, so that a node of the line could move in here one day.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T> PinnedDrop for SetOnceWait<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(place) = this.place {
                this.once.there.give_up(place);
            }
        }
    }
}

impl<'a, T> Future for SetOnceWait<'a, T> {
    type Output = &'a T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        let this = self.project();
        let once: &'a SetOnce<T> = this.once;
        let site = WaitSite {
            kind: Kind::Notify,
            location: this.location,
            resource: std::ptr::from_ref(once).addr() as u64,
        };
        poll_leaf(cx, site, |cx| {
            once.there.poll_until(this.place, cx.waker(), || once.get())
        })
    }
}

impl<T> Default for SetOnce<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for SetOnce<T> {
    fn from(value: T) -> Self {
        Self::new_with(Some(value))
    }
}

impl<T: Clone> Clone for SetOnce<T> {
    fn clone(&self) -> Self {
        Self::new_with(self.get().cloned())
    }
}

impl<T: PartialEq> PartialEq for SetOnce<T> {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for SetOnce<T> {}

impl<T: fmt::Debug> fmt::Debug for SetOnce<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetOnce")
            .field("value", &self.get())
            .finish()
    }
}

impl<T> fmt::Debug for SetOnceWait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SetOnceWait").finish_non_exhaustive()
    }
}

/// What [`SetOnce::set`] says when there is a value already; the other one is in it.
#[derive(Debug, PartialEq, Eq)]
pub struct SetOnceError<T>(pub T);

impl<T> fmt::Display for SetOnceError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("value was set already")
    }
}

impl<T: fmt::Debug> Error for SetOnceError<T> {}
