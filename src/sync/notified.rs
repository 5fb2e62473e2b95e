//! The futures that wait for a [`Notify`]: one that borrows it, one that keeps it alive.
//!
//! Both are a reference, a place in the line and the caller's line of code; their poll asks the
//! notify, their drop gives the place up, and with it a notification that nobody looked at.
//! Why not part of `sync/notify.rs`: that file is the protocol, which barriers and cancellation
//! tokens use without these futures.
//! Read next: `sync/barrier.rs`.

#![forbid(unsafe_code)]

use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::sync::notify::{Notify, Place};

impl Notify {
    /// Waits for a notification.
    ///
    /// The future takes part in `notify_waiters` from this call on, before it is polled. Its place
    /// for `notify_one` it gets when it is polled first, or by [`Notified::enable`].
    ///
    /// # Cancel safety
    ///
    /// A notification that it got and did not return goes to the next. Its place in line is lost.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures_util::FutureExt::now_or_never(async {
    /// use trefoil::sync::Notify;
    ///
    /// let changed = Notify::new();
    /// let notified = changed.notified();
    /// changed.notify_waiters(); // wakes those whose `notified` was called before
    /// notified.await;
    /// # }).unwrap();
    /// ```
    #[track_caller]
    pub fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            place: self.place(),
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }

    /// Waits for a notification, with a future that keeps the notify alive.
    ///
    /// # Cancel safety
    ///
    /// As [`notified`](Self::notified).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use trefoil::sync::Notify;
    ///
    /// let notify = Arc::new(Notify::new());
    /// let waiting = notify.clone().notified_owned(); // may go into a struct or a task
    /// notify.notify_one();
    /// assert!(futures_util::FutureExt::now_or_never(waiting).is_some());
    /// ```
    #[track_caller]
    pub fn notified_owned(self: Arc<Self>) -> OwnedNotified {
        OwnedNotified {
            place: self.place(),
            notify: self,
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }
}

pin_project! {
    /// The future of [`Notify::notified`].
    #[project(!Unpin)]
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Notified<'a> {
        // What it waits for.
        notify: &'a Notify,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, so that a node of the line could move in here one day.
        #[pin]
        pinned: PhantomPinned,
    }

    impl PinnedDrop for Notified<'_> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.notify.give_up(this.place);
        }
    }
}

impl Notified<'_> {
    /// Takes a place in line now, before the first poll; true if it is notified already.
    ///
    /// After it no `notify_one` is missed. For the pattern "look, then wait": make the future,
    /// enable it, look whether there is something to do, and only then await.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use trefoil::sync::Notify;
    ///
    /// let notify = Notify::new();
    /// let mut notified = pin!(notify.notified());
    /// assert!(!notified.as_mut().enable());
    /// notify.notify_one();
    /// assert!(notified.enable());
    /// ```
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        this.notify.poll_place(this.place, None).is_ready()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.notify.poll_leaf(this.place, this.location, cx)
    }
}

pin_project! {
    /// The future of [`Notify::notified_owned`].
    #[project(!Unpin)]
    #[derive(Debug)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct OwnedNotified {
        // What it waits for.
        notify: Arc<Notify>,
        // Where it stands in line.
        place: Place,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, as `Notified`.
        #[pin]
        pinned: PhantomPinned,
    }

    impl PinnedDrop for OwnedNotified {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            this.notify.give_up(this.place);
        }
    }
}

impl OwnedNotified {
    /// Takes a place in line now, before the first poll; true if it is notified already.
    ///
    /// As [`Notified::enable`].
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let this = self.project();
        this.notify.poll_place(this.place, None).is_ready()
    }
}

impl Future for OwnedNotified {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.notify.poll_leaf(this.place, this.location, cx)
    }
}
