//! What can go wrong with time: a time-out that ended, and the timer's own errors.
//!
//! Two types because a caller does two things with them: [`Elapsed`] is an everyday outcome of
//! [`timeout`](crate::time::timeout()); [`Error`] is here because programs name tokio's type of
//! that name. No function of this crate gives one: timers of an ended runtime panic.
//! Read next: `time/timeout.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;

/// The time of a [`timeout`](crate::time::timeout()) ended before its future did.
///
/// # Examples
///
/// It turns into an [`io::Error`], so `?` works in functions that do I/O:
///
/// ```
/// use trefoil::time::error::Elapsed;
///
/// fn as_io(late: Elapsed) -> std::io::Error {
///     late.into()
/// }
/// # let rt = trefoil::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # rt.block_on(async {
/// let limit = std::time::Duration::from_millis(1);
/// let late = trefoil::time::timeout(limit, std::future::pending::<()>()).await.unwrap_err();
/// assert_eq!(as_io(late).kind(), std::io::ErrorKind::TimedOut);
/// # });
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl Elapsed {
    /// The one value.
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl std::error::Error for Elapsed {}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time-out ended before the future was done")
    }
}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> Self {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}

/// What a timer could complain of.
///
/// tokio differs: it is given out by poll functions of other crates only; here, too, nothing
/// returns it.
///
/// ```
/// use trefoil::time::error::Error;
///
/// assert!(Error::shutdown().is_shutdown());
/// assert!(!Error::shutdown().is_invalid());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error(Kind);

/// The cases of [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shutdown,
    AtCapacity,
    Invalid,
}

impl Error {
    /// The runtime that the timer belongs to has ended.
    pub fn shutdown() -> Self {
        Self(Kind::Shutdown)
    }

    /// True for [`shutdown`](Self::shutdown).
    pub fn is_shutdown(&self) -> bool {
        self.0 == Kind::Shutdown
    }

    /// There are too many timers.
    pub fn at_capacity() -> Self {
        Self(Kind::AtCapacity)
    }

    /// True for [`at_capacity`](Self::at_capacity).
    pub fn is_at_capacity(&self) -> bool {
        self.0 == Kind::AtCapacity
    }

    /// The deadline cannot be kept.
    pub fn invalid() -> Self {
        Self(Kind::Invalid)
    }

    /// True for [`invalid`](Self::invalid).
    pub fn is_invalid(&self) -> bool {
        self.0 == Kind::Invalid
    }
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Shutdown => "the timer's runtime has ended",
            Kind::AtCapacity => "too many timers",
            Kind::Invalid => "the timer's deadline cannot be kept",
        })
    }
}
