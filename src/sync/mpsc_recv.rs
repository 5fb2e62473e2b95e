//! The futures of `recv` and `recv_many`, for either kind of receiver.
//!
//! Both only ask `Rx` (`sync/mpsc_rx.rs`) and leave the wait site.
//! Read next: `sync/mpsc_receiver.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::wait_site::{Kind, leave};
use crate::sync::mpsc_rx::Rx;

pin_project! {
    /// The future of `Receiver::recv` and `UnboundedReceiver::recv`.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Recv<'a, T> {
        rx: &'a mut Rx<T>,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<'a, T> Recv<'a, T> {
    /// Waits for a message; the caller's line is the line of the user's call.
    #[track_caller]
    #[inline]
    pub(super) fn new(rx: &'a mut Rx<T>) -> Self {
        Self {
            rx,
            called_at: Location::caller(),
            _pinned: PhantomPinned,
        }
    }
}

impl<T> Future for Recv<'_, T> {
    type Output = Option<T>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.project();
        let message = this.rx.poll_recv(cx);
        if message.is_pending() {
            leave(
                Kind::ChannelRecv,
                this.called_at,
                this.rx.channel().address(),
            );
        }
        message
    }
}

pin_project! {
    /// The future of `Receiver::recv_many` and `UnboundedReceiver::recv_many`.
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct RecvMany<'a, T> {
        rx: &'a mut Rx<T>,
        buffer: &'a mut Vec<T>,
        limit: usize,
        called_at: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl<'a, T> RecvMany<'a, T> {
    /// Waits for messages; the caller's line is the line of the user's call.
    #[track_caller]
    pub(super) fn new(rx: &'a mut Rx<T>, buffer: &'a mut Vec<T>, limit: usize) -> Self {
        Self {
            rx,
            buffer,
            limit,
            called_at: Location::caller(),
            _pinned: PhantomPinned,
        }
    }
}

impl<T> Future for RecvMany<'_, T> {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = self.project();
        let count = this.rx.poll_recv_many(cx, this.buffer, *this.limit);
        if count.is_pending() {
            leave(
                Kind::ChannelRecv,
                this.called_at,
                this.rx.channel().address(),
            );
        }
        count
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for RecvMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvMany")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}
