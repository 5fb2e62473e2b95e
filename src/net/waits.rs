//! The futures that only wait for readiness, of all sockets: `readable`, `writable`, `ready`,
//! `async_io`.
//!
//! Readiness is a hint: what follows may still be told to wait. Any number of these futures may
//! wait on one socket; an event wakes all whose direction it concerns.
//! Read next: `net/tcp_stream.rs`.

#![forbid(unsafe_code)]

use std::future::Future;
use std::io;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::io::evented::Registration;
use crate::io::interest::{Interest, Ready};
use crate::io::wait::{Wait, ready_of};
use crate::io::waiting::Waiting;

pin_project! {
    /// Future of the sockets' `readable`: done when a read is worth a try.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Readable<'a> {
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl<'a> Readable<'a> {
    /// Has not begun.
    pub(crate) fn new(registration: &'a Registration, line: &'static Location<'static>) -> Self {
        let wait = Wait::interest(Interest::READABLE, line);
        Self {
            waiting: Waiting::new(registration, wait),
        }
    }
}

impl Future for Readable<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().waiting.poll_ready(cx).map_ok(|_| ())
    }
}

pin_project! {
    /// Future of the sockets' `writable`: done when a write is worth a try.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct Writable<'a> {
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl<'a> Writable<'a> {
    /// Has not begun.
    pub(crate) fn new(registration: &'a Registration, line: &'static Location<'static>) -> Self {
        let wait = Wait::interest(Interest::WRITABLE, line);
        Self {
            waiting: Waiting::new(registration, wait),
        }
    }
}

impl Future for Writable<'_> {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().waiting.poll_ready(cx).map_ok(|_| ())
    }
}

pin_project! {
    /// Future of the sockets' `ready`: gives what is ready of what was asked for.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct ReadyFor<'a> {
        interest: Interest,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl<'a> ReadyFor<'a> {
    /// Has not begun.
    pub(crate) fn new(
        registration: &'a Registration,
        interest: Interest,
        line: &'static Location<'static>,
    ) -> Self {
        Self {
            interest,
            waiting: Waiting::new(registration, Wait::interest(interest, line)),
        }
    }
}

impl Future for ReadyFor<'_> {
    type Output = io::Result<Ready>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        let this = self.project();
        let interest = *this.interest;
        this.waiting
            .poll_ready(cx)
            .map_ok(|seen| ready_of(seen, interest))
    }
}

pin_project! {
    /// Future of the sockets' `async_io`: runs a closure each time the socket is ready, until it
    /// does not give WouldBlock.
    #[derive(Debug)]
    #[must_use = "a future does nothing until it is awaited"]
    pub struct AsyncIo<'a, F> {
        attempt: F,
        #[pin]
        waiting: Waiting<'a>,
    }
}

impl<'a, F> AsyncIo<'a, F> {
    /// Has not begun.
    pub(crate) fn new(
        registration: &'a Registration,
        interest: Interest,
        line: &'static Location<'static>,
        attempt: F,
    ) -> Self {
        Self {
            attempt,
            waiting: Waiting::new(registration, Wait::interest(interest, line)),
        }
    }
}

impl<R, F: FnMut() -> io::Result<R>> Future for AsyncIo<'_, F> {
    type Output = io::Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let this = self.project();
        this.waiting.poll_io(cx, this.attempt)
    }
}
