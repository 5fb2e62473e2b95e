//! Unix signals: which ones there are, and a stream of one kind.
//!
//! ```text
//!   signal(SignalKind::terminate())? ──► Signal ──► recv().await ──► Some(())
//! ```
//!
//! The first call for a kind installs a handler, and it stays: from then on the signal no longer
//! does what it did by default (SIGTERM no longer ends the program), also when nobody listens.
//! Read next: `signal/ctrl_c.rs`.

#![forbid(unsafe_code)]

use std::ffi::c_int;
use std::io;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::parts::budget;
use crate::parts::wait_site::{self, Kind};
use crate::runtime::context;
use crate::signal::registry::Listener;
use crate::sys::signal as sys;

/// A kind of signal: its number, with names for the common ones.
///
/// ```
/// use trefoil::signal::unix::SignalKind;
///
/// assert_eq!(SignalKind::from_raw(15), SignalKind::terminate());
/// assert_eq!(SignalKind::interrupt().as_raw_value(), 2);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SignalKind(c_int);

impl SignalKind {
    /// The kind with this number, also of a real-time signal. [`signal`] tells whether there is
    /// one.
    #[must_use]
    pub const fn from_raw(number: c_int) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn as_raw_value(&self) -> c_int {
        self.0
    }

    /// SIGALRM: a timer of alarm(2) has run out. By default it ends the process.
    #[must_use]
    pub const fn alarm() -> Self {
        Self(sys::SIGALRM)
    }

    /// SIGCHLD: a child has ended or stopped. By default it does nothing.
    #[must_use]
    pub const fn child() -> Self {
        Self(sys::SIGCHLD)
    }

    /// SIGHUP: the terminal is gone; to a daemon it says: read your configuration again. By
    /// default it ends the process.
    #[must_use]
    pub const fn hangup() -> Self {
        Self(sys::SIGHUP)
    }

    /// SIGINT: Ctrl-C. By default it ends the process.
    #[must_use]
    pub const fn interrupt() -> Self {
        Self(sys::SIGINT)
    }

    /// SIGIO: a descriptor in O_ASYNC mode is ready. By default it ends the process.
    #[must_use]
    pub const fn io() -> Self {
        Self(sys::SIGIO)
    }

    /// SIGPIPE: written to a pipe that nobody reads. By default it ends the process, but Rust's
    /// start-up code has it ignored.
    #[must_use]
    pub const fn pipe() -> Self {
        Self(sys::SIGPIPE)
    }

    /// SIGQUIT: Ctrl-\\. By default it ends the process and dumps core.
    #[must_use]
    pub const fn quit() -> Self {
        Self(sys::SIGQUIT)
    }

    /// SIGTERM: please end. By default it does so.
    #[must_use]
    pub const fn terminate() -> Self {
        Self(sys::SIGTERM)
    }

    /// SIGUSR1: whatever the program makes of it. By default it ends the process.
    #[must_use]
    pub const fn user_defined1() -> Self {
        Self(sys::SIGUSR1)
    }

    /// SIGUSR2: whatever the program makes of it. By default it ends the process.
    #[must_use]
    pub const fn user_defined2() -> Self {
        Self(sys::SIGUSR2)
    }

    /// SIGWINCH: the terminal has another size. By default it does nothing.
    #[must_use]
    pub const fn window_change() -> Self {
        Self(sys::SIGWINCH)
    }
}

impl From<c_int> for SignalKind {
    fn from(number: c_int) -> Self {
        Self::from_raw(number)
    }
}

impl From<SignalKind> for c_int {
    fn from(kind: SignalKind) -> Self {
        kind.as_raw_value()
    }
}

/// Listens to a kind of signal from now on.
///
/// The first call for a kind installs a handler, which stays until the process ends: dropping the
/// [`Signal`] does not bring the default action back. A handler that other code had installed is
/// replaced. Any number of listeners, in any number of runtimes, see each signal.
///
/// Signals come in as long as a runtime that this was called in is running.
///
/// tokio differs: it goes on calling a handler that was there before.
///
/// # Errors
///
/// When `kind` is no signal or must not be caught (SIGKILL, SIGSTOP, SIGILL, SIGFPE, SIGSEGV); when
/// the process has no file descriptors left; in a process forked from one that listens.
///
/// # Panics
///
/// Outside of a runtime, and in one without I/O.
///
/// # Examples
///
/// ```no_run
/// use trefoil::signal::unix::{SignalKind, signal};
///
/// # #[trefoil::main]
/// # async fn main() -> std::io::Result<()> {
/// let mut hangups = signal(SignalKind::hangup())?;
/// while let Some(()) = hangups.recv().await {
///     println!("reading the configuration again");
/// }
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn signal(kind: SignalKind) -> io::Result<Signal> {
    let handle = context::expect("signal");
    if handle.driver().is_copy() {
        return Err(io::Error::other(
            "signal: this process is a fork of the runtime's; build a new runtime in it",
        ));
    }
    handle.driver().watch_signals("signal")?;
    Ok(Signal {
        listener: Listener::new(kind.0)?,
    })
}

/// A stream of one kind of signal: what [`signal`] returns.
///
/// Signals that come while nobody looks count as one (they do so in the kernel as well): a
/// `Signal` says that some have come since it last said so, not how many. The last one is never
/// lost.
#[derive(Debug)]
#[must_use = "a signal is noticed by awaiting `recv`"]
pub struct Signal {
    listener: Listener,
}

impl Signal {
    /// Waits for the next signal. Always `Some`: the stream has no end.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: a signal that no `recv` has returned is there for the next one.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use trefoil::signal::unix::{SignalKind, signal};
    ///
    /// # #[trefoil::main]
    /// # async fn main() -> std::io::Result<()> {
    /// let mut terminate = signal(SignalKind::terminate())?;
    /// trefoil::select! {
    ///     _ = terminate.recv() => println!("asked to end"),
    ///     _ = trefoil::signal::ctrl_c() => println!("Ctrl-C"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn recv(&mut self) -> Recv<'_> {
        Recv {
            signal: self,
            location: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// [`recv`](Self::recv) for use in a `poll`: the task of the last call is woken.
    #[track_caller]
    pub fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.poll_at(cx, Location::caller())
    }

    /// Polls for a wait that began at `location`.
    pub(crate) fn poll_at(
        &mut self,
        cx: &mut Context<'_>,
        location: &'static Location<'static>,
    ) -> Poll<Option<()>> {
        let spent = std::task::ready!(budget::spend(cx));
        if self.listener.poll(cx).is_ready() {
            spent.made_progress();
            return Poll::Ready(Some(()));
        }
        let number = self.listener.signal().unsigned_abs();
        wait_site::leave(Kind::Signal, location, number.into());
        Poll::Pending
    }
}

pin_project! {
    /// The future of [`Signal::recv`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited"]
    pub struct Recv<'a> {
        signal: &'a mut Signal,
        location: &'static Location<'static>,
        #[pin]
        _pinned: PhantomPinned,
    }
}

impl Future for Recv<'_> {
    type Output = Option<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.signal.poll_at(cx, this.location)
    }
}
