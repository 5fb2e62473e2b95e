//! Frames: how a message between parent and worker looks, byte by byte. No I/O here.
//!
//! ```text
//!   0      2  3     4      6     7     8     12         16        24      32
//!   ├──────┼──┼─────┼──────┼─────┼─────┼─────┼──────────┼─────────┼───────┼── payload ──►
//!    magic  v  kind  flags  nfds  zero   len   job kind   job id     aux     `len` bytes
//! ```
//!
//! Little endian. The length is checked before anybody takes memory for it. A payload above
//! [`MAX_LEN`] travels in several frames of one kind and id; all but the last carry [`MORE`].
//!
//! | kind | from | job kind | job | aux | payload |
//! |---|---|---|---|---|---|
//! | HELLO | worker | | its pid | hash of the table | names it serves, a line each |
//! | INIT | parent | initializer, or none | ns to spin | depth of nesting | its argument |
//! | READY | worker | | | | with FAILED: why |
//! | JOB | parent | index in the table | id | items of a chunk, or credit | argument |
//! | DONE | worker | | id | | result; with FAILED: which failure, and its text |
//! | EVENT | worker | | id | | progress |
//! | ITEM | worker | | id | items in it | values; with FAILED: one failure |
//! | CREDIT | parent | | id | items more | |
//! | REVOKE, REVOKED | both | | id | 1: will not start | |
//! | SLAB | parent | | id of a JOB to come | number of the slab | none; its descriptor comes along |
//! | PING, PONG, SHUTDOWN, BYE | both | | | | |
//!
//! Why not postcard for the header, too: a worker in another language reads it with `struct.unpack`.
//! Read next: `processes/inbox.rs`, which puts frames together from what arrives.

#![forbid(unsafe_code)]

use crate::processes::error::Violation;

/// What a frame begins with.
pub(crate) const MAGIC: u16 = 0x3F7E;
/// The version of the protocol; compared in HELLO and in each frame.
pub(crate) const VERSION: u8 = 1;
/// Bytes of a header.
pub(crate) const HEADER: usize = 32;
/// The most that one frame carries.
///
/// Unit: bytes. Effect: what a broken worker can make the parent allocate at once.
pub(crate) const MAX_LEN: u32 = 16 << 20;
/// Flag: the payload goes on in the next frame of this kind and id.
pub(crate) const MORE: u16 = 1;
/// Flag of READY, DONE, ITEM: it failed, the payload says how.
pub(crate) const FAILED: u16 = 2;

/// Flag of DONE: the job has kept a buffer, so none of its buffers may be used again before the
/// worker is dead.
pub(crate) const KEPT: u16 = 16;

/// What a frame means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Worker: here I am, with this table.
    Hello = 1,
    /// Parent: the initializer's argument.
    Init,
    /// Worker: ready for jobs, or not.
    Ready,
    /// Parent: a call.
    Job,
    /// Worker: its result, or its failure.
    Done,
    /// Worker: progress.
    Event,
    /// Worker: one item of a stream.
    Item,
    /// Parent: the right to send more items.
    Credit,
    /// Parent: do not start this job.
    Revoke,
    /// Worker: the job of a REVOKE will not start (`aux` 1), or has begun (0).
    Revoked,
    /// Parent: are you there?
    Ping,
    /// Worker: I am.
    Pong,
    /// Parent: finish and leave.
    Shutdown,
    /// Worker: farewell.
    Bye,
    /// Parent: a buffer for a job that comes next; its descriptor travels along.
    Slab,
}

impl Kind {
    /// The kind with this number.
    fn from_u8(number: u8) -> Option<Self> {
        const ALL: [Kind; 15] = [
            Kind::Hello,
            Kind::Init,
            Kind::Ready,
            Kind::Job,
            Kind::Done,
            Kind::Event,
            Kind::Item,
            Kind::Credit,
            Kind::Revoke,
            Kind::Revoked,
            Kind::Ping,
            Kind::Pong,
            Kind::Shutdown,
            Kind::Bye,
            Kind::Slab,
        ];
        ALL.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// A frame without its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// What it means.
    pub(crate) kind: Kind,
    /// [`MORE`], [`FAILED`].
    pub(crate) flags: u16,
    /// Descriptors that travel with it.
    pub(crate) nfds: u8,
    /// Bytes of payload, at most [`MAX_LEN`].
    pub(crate) len: u32,
    /// Index in the job table.
    pub(crate) job_kind: u32,
    /// Which job.
    pub(crate) job: u64,
    /// What the kind says.
    pub(crate) aux: u64,
}

impl Header {
    /// A frame of this kind without payload.
    pub(crate) fn of(kind: Kind) -> Self {
        Self {
            kind,
            flags: 0,
            nfds: 0,
            len: 0,
            job_kind: 0,
            job: 0,
            aux: 0,
        }
    }

    /// Its bytes.
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[0..2].copy_from_slice(&MAGIC.to_le_bytes());
        bytes[2] = VERSION;
        bytes[3] = self.kind as u8;
        bytes[4..6].copy_from_slice(&self.flags.to_le_bytes());
        bytes[6] = self.nfds;
        bytes[8..12].copy_from_slice(&self.len.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.job_kind.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.job.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.aux.to_le_bytes());
        bytes
    }

    /// The header that these bytes are.
    ///
    /// # Errors
    ///
    /// When they are none; nothing was allocated.
    pub(crate) fn decode(bytes: &[u8; HEADER]) -> Result<Self, Violation> {
        let [m0, m1, version, kind, f0, f1, nfds, _zero, rest @ ..] = *bytes;
        let magic = u16::from_le_bytes([m0, m1]);
        if magic != MAGIC {
            return Err(Violation::Magic(magic));
        }
        if version != VERSION {
            return Err(Violation::Version(version));
        }
        let kind = Kind::from_u8(kind).ok_or(Violation::Kind(kind))?;
        let [l0, l1, l2, l3, k0, k1, k2, k3, ids @ ..] = rest;
        let len = u32::from_le_bytes([l0, l1, l2, l3]);
        if len > MAX_LEN {
            return Err(Violation::TooLong(len));
        }
        let [j0, j1, j2, j3, j4, j5, j6, j7, aux @ ..] = ids;
        Ok(Self {
            kind,
            flags: u16::from_le_bytes([f0, f1]),
            nfds,
            len,
            job_kind: u32::from_le_bytes([k0, k1, k2, k3]),
            job: u64::from_le_bytes([j0, j1, j2, j3, j4, j5, j6, j7]),
            aux: u64::from_le_bytes(aux),
        })
    }
}

/// Appends a message to `out`: one frame, or several when the payload is long.
#[cfg(test)]
pub(crate) fn put(out: &mut Vec<u8>, header: Header, payload: &[u8]) {
    let mut rest = payload;
    loop {
        let (now, later) = rest.split_at(rest.len().min(MAX_LEN as usize));
        out.extend_from_slice(&header_of_part(header, now.len(), !later.is_empty()));
        out.extend_from_slice(now);
        rest = later;
        if rest.is_empty() {
            return;
        }
    }
}

/// The header of one frame of a message.
pub(crate) fn header_of_part(header: Header, len: usize, more: bool) -> [u8; HEADER] {
    Header {
        len: u32::try_from(len).unwrap_or(MAX_LEN),
        flags: header.flags | if more { MORE } else { 0 },
        ..header
    }
    .encode()
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_header_survives_the_way() {
        let header = Header {
            flags: MORE,
            len: MAX_LEN,
            job_kind: 7,
            job: u64::MAX,
            aux: 3,
            ..Header::of(Kind::Done)
        };
        assert_eq!(Header::decode(&header.encode()), Ok(header));
    }

    #[test]
    fn a_length_above_the_cap_is_refused() {
        let mut bytes = Header::of(Kind::Done).encode();
        bytes[8..12].copy_from_slice(&(MAX_LEN + 1).to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(Violation::TooLong(MAX_LEN + 1)));
    }
}
