//! What can be true of an fd, as a set of bits, and the two directions that they speak for.
//!
//! ```text
//!              READABLE  READ_CLOSED  PRIORITY │ ERROR  SHUTDOWN │ WRITABLE  WRITE_CLOSED
//!   Read       ├───────────────────────────────────────────────┤
//!   Write                                      ├───────────────────────────────────────────┤
//! ```
//!
//! Not mio's event: that one speaks of one moment, these bits of all events so far.
//! Not `io::Ready`: that one is public, and knows no shutdown.
//! Read next: `reactor/readiness.rs`, which keeps one such set an fd.

#![forbid(unsafe_code)]

/// A set of facts about an fd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bits(u8);

impl Bits {
    /// None of them.
    pub(crate) const EMPTY: Self = Self(0);
    /// Bytes, a datagram or a connection can be taken.
    pub(crate) const READABLE: Self = Self(1);
    /// There is room for bytes, or a connect has ended.
    pub(crate) const WRITABLE: Self = Self(2);
    /// Nothing more will come than what is there.
    pub(crate) const READ_CLOSED: Self = Self(4);
    /// Nothing more can be sent.
    pub(crate) const WRITE_CLOSED: Self = Self(8);
    /// Urgent data (EPOLLPRI).
    pub(crate) const PRIORITY: Self = Self(16);
    /// An error waits to be fetched (EPOLLERR).
    pub(crate) const ERROR: Self = Self(32);
    /// The runtime has ended: nobody will ever set a bit again.
    pub(crate) const SHUTDOWN: Self = Self(64);

    /// What [`Readiness::clear`] leaves alone: the end of a stream never goes away.
    pub(super) const STICKY: Self = Self(4 | 8 | 64);
    /// What concerns whoever reads. An error belongs to both directions.
    const READ_SIDE: Self = Self(1 | 4 | 16 | 32 | 64);
    /// What concerns whoever writes.
    const WRITE_SIDE: Self = Self(2 | 8 | 32 | 64);

    /// The set with these bits; the first six are those of `io::Ready` (`io/interest.rs`).
    pub(crate) const fn from_u8(bits: u8) -> Self {
        Self(bits)
    }

    /// Its bits, for [`from_u8`](Self::from_u8).
    pub(crate) const fn to_u8(self) -> u8 {
        self.0
    }

    /// Both sets together.
    pub(crate) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    pub(crate) const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// This set without `other`.
    pub(crate) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// True when the sets have something in common.
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// The two things one can do with an fd; they wait and tick apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Read, receive, accept.
    Read,
    /// Write, send, connect.
    Write,
}

impl Direction {
    /// What concerns this direction: an event with any of it moves its tick.
    pub(crate) const fn side(self) -> Bits {
        match self {
            Self::Read => Bits::READ_SIDE,
            Self::Write => Bits::WRITE_SIDE,
        }
    }

    /// What makes a read or a write worth a try. Urgent data does not: it is fetched apart.
    pub(crate) const fn wanted(self) -> Bits {
        self.side().without(Bits::PRIORITY)
    }

    /// The direction that a wait for `wanted` belongs to; reading when it could be either.
    pub(crate) const fn of(wanted: Bits) -> Self {
        if wanted.meets(Bits::READ_SIDE.without(Bits::WRITE_SIDE)) || !wanted.meets(Bits::WRITABLE)
        {
            Self::Read
        } else {
            Self::Write
        }
    }
}
