//! Waiting in a watch channel: for another version, for one that fits, for the last receiver's end.
//!
//! ```text
//!   Changed    look: version ≠ seen ──► seen = version, Ready     else closed ──► error
//!   WaitFor    look: lock, ask the closure once a version ──► Ready with the lock still held
//!   Closed     look: no receiver ──► Ready
//! ```
//!
//! All three are one loop, `Notify::poll_until`: take a place, look, wait. They borrow the two
//! fields of a receiver apart (the channel, and what it has seen), so that the lock that `WaitFor`
//! gives out may outlive the future.
//! Read next: `sync/watch_receiver.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{Kind, WaitSite, poll_leaf};
use crate::sync::notified::Place;
use crate::sync::watch_channel::{Channel, Ref, Version};
use crate::sync::watch_error::RecvError;

pin_project! {
    /// The future of `Receiver::changed`.
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Changed<'a, T> {
        // What it waits for.
        channel: &'a Channel<T>,
        // What the receiver has seen.
        seen: &'a mut Version,
        // Where it stands in line.
        place: Option<Place>,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, so that a node of the line could move in here one day.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T> PinnedDrop for Changed<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(place) = this.place {
                this.channel.changed.give_up(place);
            }
        }
    }
}

impl<'a, T> Changed<'a, T> {
    /// Waits for a version other than `seen`; the caller's line is the line of the user's call.
    #[track_caller]
    pub(crate) fn new(channel: &'a Channel<T>, seen: &'a mut Version) -> Self {
        Self {
            channel,
            seen,
            place: None,
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<(), RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let channel = *this.channel;
        let look = || {
            let word = channel.word();
            if word.version() != **this.seen {
                **this.seen = word.version();
                return Some(Ok(()));
            }
            word.is_closed().then_some(Err(RecvError::CLOSED))
        };
        poll_leaf(cx, site(channel, this.location), |cx| {
            channel.changed.poll_until(this.place, cx.waker(), look)
        })
    }
}

pin_project! {
    /// The future of `Receiver::wait_for`.
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct WaitFor<'a, T, F> {
        // What it waits for.
        channel: &'a Channel<T>,
        // What the receiver has seen; after the first question also what `fits` was asked about.
        seen: &'a mut Version,
        // The question.
        fits: F,
        // Whether it was asked at all.
        asked: bool,
        // Where it stands in line.
        place: Option<Place>,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, as `Changed`.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T, F> PinnedDrop for WaitFor<'_, T, F> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(place) = this.place {
                this.channel.changed.give_up(place);
            }
        }
    }
}

impl<'a, T, F> WaitFor<'a, T, F> {
    /// Waits for a value that fits; the caller's line is the line of the user's call.
    #[track_caller]
    pub(crate) fn new(channel: &'a Channel<T>, seen: &'a mut Version, fits: F) -> Self {
        Self {
            channel,
            seen,
            fits,
            asked: false,
            place: None,
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }
}

impl<'a, T, F: FnMut(&T) -> bool> Future for WaitFor<'a, T, F> {
    type Output = Result<Ref<'a, T>, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let channel: &'a Channel<T> = this.channel;
        poll_leaf(cx, site(channel, this.location), |cx| {
            loop {
                let seen = **this.seen;
                let look = || {
                    let word = channel.word();
                    (!*this.asked || word.version() != seen || word.is_closed()).then_some(())
                };
                ready!(channel.changed.poll_until(this.place, cx.waker(), look));
                // Not in `look`: leaving the line may drop a waker, which must not find the lock.
                let value = channel.read();
                // Under the lock: the version is that of this value.
                let word = channel.word();
                let has_changed = word.version() != seen;
                if has_changed || !*this.asked {
                    *this.asked = true;
                    **this.seen = word.version();
                    if (this.fits)(&value) {
                        return Poll::Ready(Ok(Ref::new(value, has_changed)));
                    }
                }
                if word.is_closed() {
                    return Poll::Ready(Err(RecvError::CLOSED));
                }
            }
        })
    }
}

/// What a waiting receiver leaves for a dump.
fn site<T>(channel: &Channel<T>, location: &'static Location<'static>) -> WaitSite {
    WaitSite {
        kind: Kind::ChannelRecv,
        location,
        resource: channel.address(),
    }
}

pin_project! {
    /// The future of `Sender::closed`.
    #[project(!Unpin)]
    #[must_use = "futures do nothing unless awaited"]
    pub struct Closed<'a, T> {
        // Whose receivers.
        channel: &'a Channel<T>,
        // Where it stands in line.
        place: Option<Place>,
        // The line of the call.
        location: &'static Location<'static>,
        // Not `Unpin`, as `Changed`.
        #[pin]
        pinned: PhantomPinned,
    }

    impl<T> PinnedDrop for Closed<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(place) = this.place {
                this.channel.gone.give_up(place);
            }
        }
    }
}

impl<'a, T> Closed<'a, T> {
    /// Waits for the last receiver's end; the caller's line is the line of the user's call.
    #[track_caller]
    pub(crate) fn new(channel: &'a Channel<T>) -> Self {
        Self {
            channel,
            place: None,
            location: Location::caller(),
            pinned: PhantomPinned,
        }
    }
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let channel = *this.channel;
        let site = WaitSite {
            kind: Kind::ChannelSend,
            location: this.location,
            resource: channel.address(),
        };
        let look = || (channel.receiver_count() == 0).then_some(());
        poll_leaf(cx, site, |cx| {
            channel.gone.poll_until(this.place, cx.waker(), look)
        })
    }
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").finish_non_exhaustive()
    }
}

impl<T, F> fmt::Debug for WaitFor<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitFor").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}
