//! The waiter's side of a [`Notify`]: a place in its line, and the two futures that keep one.
//!
//! ```text
//!              poll: no permit                    poll: called, or the generation is over
//!     Start ───────────────────────► InLine(key) ─────────────────────────► Done
//!       └──────────────── poll: the permit, or the generation is over ───────►
//! ```
//!
//! A place dropped in line leaves it, and passes on the note that it was called with and did not
//! look at. Barriers and cancellation tokens keep places of their own, without the futures.
//! Why not part of `sync/notify.rs`: that file is the protocol of the word; nothing here touches it.
//! Read next: `sync/barrier.rs`.

#![forbid(unsafe_code)]

use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;

use crate::parts::budget;
use crate::parts::slab::Key;
use crate::parts::wait_site::{self, Kind};
use crate::sync::notify::{Ask, Join, Notify};

/// One waiter's side, kept by the future that waits.
///
/// Whoever owns it calls [`Notify::give_up`] before throwing it away.
#[derive(Debug)]
pub(crate) struct Place {
    /// The generation at the call of `notified`.
    generation: usize,
    /// How far it is.
    stage: Stage,
}

/// How far a waiter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Not polled yet.
    Start,
    /// In line, or called and not polled since.
    InLine(Key),
    /// It was notified.
    Done,
}

impl Notify {
    /// A waiter that is not in line yet, and that gets the next `notify_waiters`.
    pub(crate) fn place(&self) -> Place {
        Place {
            generation: self.generation(),
            stage: Stage::Start,
        }
    }

    /// Polls a waiter; without a waker it gets its place and is not woken.
    #[inline]
    pub(crate) fn poll_place(&self, place: &mut Place, waker: Option<&Waker>) -> Poll<()> {
        let polled = match place.stage {
            Stage::Start if self.take_permit(place.generation) => Poll::Ready(()),
            Stage::Start => self.get_in_line(place, waker),
            Stage::InLine(key) => self.poll_in_line(place, key, waker),
            Stage::Done => Poll::Ready(()),
        };
        if polled.is_ready() {
            place.stage = Stage::Done;
        }
        polled
    }

    /// Polls a waiter for a future that is a leaf: spends budget, leaves the wait site.
    #[inline]
    pub(crate) fn poll_leaf(
        &self,
        place: &mut Place,
        location: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if let Poll::Ready(spent) = budget::spend(cx)
            && self.poll_place(place, Some(cx.waker())).is_ready()
        {
            spent.made_progress();
            return Poll::Ready(());
        }
        let address = std::ptr::from_ref(self).addr();
        wait_site::leave(Kind::Notify, location, address as u64);
        Poll::Pending
    }

    /// Looks until `look` finds what it wants, and waits for a `notify_waiters` between two looks.
    ///
    /// Whoever changes what `look` looks at calls `notify_waiters` after it. The place is taken
    /// before the look, so a change is either seen or ends the wait. `place` begins as `None`; its
    /// owner gives it up when it ends early.
    #[inline]
    pub(crate) fn poll_until<R>(
        &self,
        place: &mut Option<Place>,
        waker: &Waker,
        mut look: impl FnMut() -> Option<R>,
    ) -> Poll<R> {
        loop {
            let here = place.get_or_insert_with(|| self.place());
            if let Some(found) = look() {
                self.give_up(here);
                *place = None;
                return Poll::Ready(found);
            }
            ready!(self.poll_place(here, Some(waker)));
            *place = None;
        }
    }

    /// The first poll of a waiter that found no permit.
    #[cold]
    fn get_in_line(&self, place: &mut Place, waker: Option<&Waker>) -> Poll<()> {
        let waker = waker.cloned();
        let mut line = self.lock();
        if self.join(place.generation) == Join::Notified {
            return Poll::Ready(());
        }
        let ask = Ask {
            generation: place.generation,
            note: None,
        };
        place.stage = Stage::InLine(line.enter(waker, ask));
        Poll::Pending
    }

    /// A later poll: was it called, or is its generation over?
    #[cold]
    fn poll_in_line(&self, place: &Place, key: Key, waker: Option<&Waker>) -> Poll<()> {
        // Before the lock in this order, so that a waker left in it is dropped after unlocking.
        let mut spare = None;
        loop {
            let mut line = self.lock();
            if line.is_called(key) || self.generation() != place.generation {
                let left = line.leave(key);
                self.settle(&line);
                drop(line);
                // Here, since it may still hold a waker.
                drop(left);
                return Poll::Ready(());
            }
            let Some(waker) = waker else {
                return Poll::Pending;
            };
            if line.refresh(key, waker, &mut spare) {
                return Poll::Pending;
            }
            drop(line);
            spare = Some(waker.clone());
        }
    }

    /// Leaves the line, if `place` is in it, and passes on a note that it did not look at.
    #[inline]
    pub(crate) fn give_up(&self, place: &mut Place) {
        if let Stage::InLine(key) = std::mem::replace(&mut place.stage, Stage::Done) {
            self.leave_line(key);
        }
    }

    /// The rare half of [`give_up`](Self::give_up).
    #[cold]
    fn leave_line(&self, key: Key) {
        let mut line = self.lock();
        let left = line.leave(key);
        self.settle(&line);
        drop(line);
        if let Some(note) = left.as_ref().and_then(|left| left.value.note) {
            self.notify(note);
        }
    }
}

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
    /// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use trefoil::sync::Notify;
    ///
    /// let changed = Notify::new();
    /// let notified = changed.notified();
    /// changed.notify_waiters(); // wakes those whose `notified` was called before
    /// notified.await;
    /// # });
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
    /// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// use std::sync::Arc;
    /// use trefoil::sync::Notify;
    ///
    /// let notify = Arc::new(Notify::new());
    /// let waiting = notify.clone().notified_owned(); // may go into a struct or a task
    /// notify.notify_one();
    /// waiting.await;
    /// # });
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
