//! Waiting for the receiver's end: the future of `closed` on either kind of sender.
//!
//! Who waits stands in `Channel::closing`, a line under a mutex. `Channel::close` changes the
//! channel first and locks second; a waiter locks first and looks second. So it sees the close or
//! is called.
//! Read next: `sync/mpsc_sender.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;

use crate::parts::budget;
use crate::parts::slab::Key;
use crate::parts::wait_site::{Kind, leave};
use crate::sync::mpsc_channel::Channel;

pin_project! {
    /// The future of `Sender::closed` and `UnboundedSender::closed`.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Closed<'a, T> {
        channel: &'a Channel<T>,
        key: Key,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }

    impl<T> PinnedDrop for Closed<'_, T> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if *this.key != Key::NONE {
                let mut line = this.channel.closing.lock().unwrap_or_else(PoisonError::into_inner);
                let left = line.leave(*this.key);
                drop(line);
                // Its waker is dropped here, after unlocking.
                drop(left);
            }
        }
    }
}

impl<'a, T> Closed<'a, T> {
    /// Waits for the receiver's end; the caller's line is the line of the user's call.
    pub(crate) fn new(channel: &'a Channel<T>, called_at: &'static Location<'static>) -> Self {
        Self {
            channel,
            key: Key::NONE,
            called_at,
            _pinned: PhantomPinned,
        }
    }
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let spent = ready!(budget::spend(cx));
        if this.channel.is_closed() || this.channel.wait_closed(this.key, cx.waker()) {
            spent.made_progress();
            return Poll::Ready(());
        }
        leave(Kind::ChannelSend, this.called_at, this.channel.address());
        Poll::Pending
    }
}

impl<T> Channel<T> {
    /// Waits in line for the close, with the newest waker; true when it has come.
    fn wait_closed(&self, key: &mut Key, waker: &Waker) -> bool {
        // Declared before the guard, so that an old waker is dropped after unlocking.
        let mut spare = Some(waker.clone());
        let mut line = self.closing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_closed() {
            return true;
        }
        if *key == Key::NONE {
            *key = line.enter(spare.take(), ());
        } else {
            let _kept = line.refresh(*key, waker, &mut spare);
        }
        false
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}
