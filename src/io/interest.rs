//! What a caller wants to wait for (`Interest`), and what has come (`Ready`).
//!
//! ```text
//!   Interest   READABLE       WRITABLE        PRIORITY      ERROR
//!                 │               │               │           │      Ready::of
//!   Ready      READABLE       WRITABLE        PRIORITY      ERROR
//!              READ_CLOSED    WRITE_CLOSED    READ_CLOSED
//! ```
//!
//! Two types, because one cannot ask for a close: epoll(7) reports it unasked, and it ends a wait
//! for bytes just as bytes do. An `Interest` is never empty: waiting for nothing has no end.
//! No word of epoll here: `io/evented.rs` and the reactor translate.
//! Read next: `io/evented.rs`.

#![forbid(unsafe_code)]

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};

/// The bit of "may be read", in [`Interest`] and [`Ready`] alike.
const READABLE: u8 = 1;
/// The bit of "may be written".
const WRITABLE: u8 = 1 << 1;
/// The bit of "the other side sends no more".
const READ_CLOSED: u8 = 1 << 2;
/// The bit of "the other side takes no more".
const WRITE_CLOSED: u8 = 1 << 3;
/// The bit of "out-of-band data, or a state change of that kind" (`EPOLLPRI`).
const PRIORITY: u8 = 1 << 4;
/// The bit of "an error waits to be fetched" (`EPOLLERR`).
const ERROR: u8 = 1 << 5;

/// What to wait for on an OS object: one or several of reading, writing, priority, errors.
///
/// ```
/// use trefoil::io::Interest;
///
/// let both = Interest::READABLE | Interest::WRITABLE;
/// assert!(both.is_readable() && both.is_writable());
/// assert_eq!(both.remove(Interest::WRITABLE), Some(Interest::READABLE));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Interest(u8);

impl Interest {
    /// Bytes to read, or the end of them.
    pub const READABLE: Self = Self(READABLE);
    /// Room to write, or nobody who reads any more.
    pub const WRITABLE: Self = Self(WRITABLE);
    /// Priority events, such as out-of-band data of TCP (`EPOLLPRI` in epoll_ctl(2)).
    pub const PRIORITY: Self = Self(PRIORITY);
    /// Errors. The kernel reports them unasked; alone it waits for nothing else.
    pub const ERROR: Self = Self(ERROR);

    /// True when it contains [`READABLE`](Self::READABLE).
    pub const fn is_readable(self) -> bool {
        self.0 & READABLE != 0
    }

    /// True when it contains [`WRITABLE`](Self::WRITABLE).
    pub const fn is_writable(self) -> bool {
        self.0 & WRITABLE != 0
    }

    /// True when it contains [`PRIORITY`](Self::PRIORITY).
    pub const fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// True when it contains [`ERROR`](Self::ERROR).
    pub const fn is_error(self) -> bool {
        self.0 & ERROR != 0
    }

    /// Both together; the same as `self | other`, but usable in a `const`.
    #[must_use = "gives a new interest and leaves this one as it is"]
    pub const fn add(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// `self` without `other`; `None` when nothing is left.
    #[must_use = "gives a new interest and leaves this one as it is"]
    pub const fn remove(self, other: Self) -> Option<Self> {
        match self.0 & !other.0 {
            0 => None,
            left => Some(Self(left)),
        }
    }
}

impl BitOr for Interest {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.add(other)
    }
}

impl BitOrAssign for Interest {
    fn bitor_assign(&mut self, other: Self) {
        *self = self.add(other);
    }
}

/// What an OS object is ready for, as far as is known.
///
/// Always a hint: an operation may still be told to wait.
///
/// ```
/// use trefoil::io::Ready;
///
/// let ready = Ready::READABLE | Ready::READ_CLOSED;
/// assert!(ready.is_readable() && ready.is_read_closed());
/// assert!(!ready.is_writable());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ready(u8);

impl Ready {
    /// Ready for nothing.
    pub const EMPTY: Self = Self(0);
    /// Bytes to read.
    pub const READABLE: Self = Self(READABLE);
    /// Room to write.
    pub const WRITABLE: Self = Self(WRITABLE);
    /// No more bytes will come after those that are there.
    pub const READ_CLOSED: Self = Self(READ_CLOSED);
    /// Nobody reads what is written any more.
    pub const WRITE_CLOSED: Self = Self(WRITE_CLOSED);
    /// A priority event.
    pub const PRIORITY: Self = Self(PRIORITY);
    /// An error that the next operation will report.
    pub const ERROR: Self = Self(ERROR);
    /// All of the above.
    pub const ALL: Self = Self(READABLE | WRITABLE | READ_CLOSED | WRITE_CLOSED | PRIORITY | ERROR);

    /// Everything that ends a wait for `interest`: the drawing in the file's head.
    pub(crate) const fn of(interest: Interest) -> Self {
        let mut bits = interest.0;
        // A peer that is gone ends the wait too: the read then gives 0, the write an error.
        if bits & (READABLE | PRIORITY) != 0 {
            bits |= READ_CLOSED;
        }
        if bits & WRITABLE != 0 {
            bits |= WRITE_CLOSED;
        }
        Self(bits)
    }

    /// The bare bits, for a word that holds them.
    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    /// The readiness behind [`bits`](Self::bits); unknown bits are dropped.
    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// True when it is [`EMPTY`](Self::EMPTY).
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True when a read would not wait: bytes, or the end of them.
    pub const fn is_readable(self) -> bool {
        self.0 & (READABLE | READ_CLOSED) != 0
    }

    /// True when a write would not wait: room, or nobody who reads.
    pub const fn is_writable(self) -> bool {
        self.0 & (WRITABLE | WRITE_CLOSED) != 0
    }

    /// True when the other side sends no more.
    pub const fn is_read_closed(self) -> bool {
        self.0 & READ_CLOSED != 0
    }

    /// True when the other side takes no more.
    pub const fn is_write_closed(self) -> bool {
        self.0 & WRITE_CLOSED != 0
    }

    /// True when there is a priority event.
    pub const fn is_priority(self) -> bool {
        self.0 & PRIORITY != 0
    }

    /// True when there is an error.
    pub const fn is_error(self) -> bool {
        self.0 & ERROR != 0
    }
}

impl BitOr for Ready {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Ready {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Ready {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Sub for Ready {
    type Output = Self;

    /// `self` without what is in `other`.
    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Writes the names of the bits that are set, with ` | ` between them.
fn write_names(bits: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const NAMES: [(u8, &str); 6] = [
        (READABLE, "READABLE"),
        (WRITABLE, "WRITABLE"),
        (READ_CLOSED, "READ_CLOSED"),
        (WRITE_CLOSED, "WRITE_CLOSED"),
        (PRIORITY, "PRIORITY"),
        (ERROR, "ERROR"),
    ];
    let mut separator = "";
    for (bit, name) in NAMES {
        if bits & bit != 0 {
            write!(f, "{separator}{name}")?;
            separator = " | ";
        }
    }
    Ok(())
}

impl fmt::Debug for Interest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_names(self.0, f)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ready(")?;
        if self.is_empty() {
            f.write_str("EMPTY")
        } else {
            write_names(self.0, f)
        }?;
        f.write_str(")")
    }
}
