//! What an operation waits for, and on whose line; the reactor's bits and `io::Interest`.
//!
//! Read next: `io/evented.rs`.

#![forbid(unsafe_code)]

use std::panic::Location;

use crate::io::interest::{Interest, Ready};
use crate::parts::wait_site::Kind;
use crate::reactor::bits::{Bits, Direction};
use crate::reactor::readiness::Seen;

/// What an operation waits for, and on whose line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wait {
    /// Any of these makes it worth a try.
    pub(super) wanted: Bits,
    /// What the wait site says.
    pub(super) kind: Kind,
    /// The user's line.
    pub(super) line: &'static Location<'static>,
}

impl Wait {
    /// For an operation of ours in `direction`.
    pub(crate) fn of(direction: Direction, kind: Kind, line: &'static Location<'static>) -> Self {
        Self {
            wanted: direction.wanted(),
            kind,
            line,
        }
    }

    /// For whatever the user does with `interest`. An error ends each wait on a socket: epoll may
    /// report it alone, and only the operation can fetch it.
    pub(crate) fn interest(interest: Interest, line: &'static Location<'static>) -> Self {
        Self {
            wanted: bits_of(interest).with(Bits::ERROR),
            kind: kind_of(interest),
            line,
        }
    }

    /// As [`Self::interest`], but exactly what was asked for.
    pub(crate) fn exactly(interest: Interest, line: &'static Location<'static>) -> Self {
        Self {
            wanted: bits_of(interest),
            kind: kind_of(interest),
            line,
        }
    }
}

/// What ends a wait for `interest`.
pub(super) fn bits_of(interest: Interest) -> Bits {
    Bits::from_u8(Ready::of(interest).bits())
}

/// What a task dump says of a wait for `interest`.
fn kind_of(interest: Interest) -> Kind {
    if interest.is_writable() && !interest.is_readable() {
        Kind::Write
    } else {
        Kind::Read
    }
}

/// What is ready, without what nobody asked for; an error shows when it alone ended the wait.
pub(crate) fn ready_of(seen: Seen, interest: Interest) -> Ready {
    let ready = Ready::from_bits(seen.bits().to_u8());
    match ready & Ready::of(interest) {
        Ready::EMPTY => ready & Ready::ERROR,
        asked => asked,
    }
}
