//! Ctrl-C as a future: SIGINT, once.
//!
//! Read next: `signal/registry.rs`, if you came here first.

#![forbid(unsafe_code)]

use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::signal::unix::{Signal, SignalKind, signal};

/// Waits until the user presses Ctrl-C.
///
/// Listens to SIGINT from the first poll on, and from then on Ctrl-C no longer ends the program by
/// itself, also when this has been dropped: see [`signal`](crate::signal::unix::signal).
///
/// # Errors
///
/// When listening to SIGINT fails: no file descriptors left, or a forked process.
///
/// # Panics
///
/// The first poll panics outside of a runtime, and in one without I/O.
///
/// # Cancel safety
///
/// A Ctrl-C between dropping this and the first poll of the next one is seen by nobody. To miss
/// none, keep a `signal(SignalKind::interrupt())`.
///
/// # Examples
///
/// ```no_run
/// # #[trefoil::main]
/// # async fn main() -> std::io::Result<()> {
/// trefoil::signal::ctrl_c().await?;
/// println!("ending");
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn ctrl_c() -> CtrlC {
    CtrlC {
        signal: None,
        location: Location::caller(),
        _pinned: PhantomPinned,
    }
}

pin_project! {
    /// The future of [`ctrl_c`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct CtrlC {
        // None before the first poll.
        signal: Option<Signal>,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl Future for CtrlC {
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let listening = match this.signal {
            Some(listening) => listening,
            None => this.signal.insert(signal(SignalKind::interrupt())?),
        };
        listening.poll_at(cx, this.location).map(|_| Ok(()))
    }
}
