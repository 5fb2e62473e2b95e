//! What is still to be written to one worker: the driver never waits for a socket.
//!
//! ```text
//!   put ──► small messages: copied together into `tail` ──┐
//!     └───► large payloads: shared, not copied, `ready` ──┴──► sendmsg, what fits
//! ```
//!
//! Bounded by what the state machine sends to one worker: the jobs of its line.
//! Read next: `processes/core.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

use bytes::{Buf, Bytes, BytesMut};

use crate::processes::frame::{Header, MAX_LEN, header_of_part};
use crate::sys::passing;

/// Payloads up to here are copied behind their header.
///
/// Unit: bytes. Effect: one piece instead of three for a small message. Not tuned.
const COPIED: usize = 4 << 10;
/// Pieces that one system call takes. Unit: pieces; the kernel's limit is 1024.
const PIECES: usize = 16;

/// Bytes on their way to a worker.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// In order, before `tail`.
    ready: VecDeque<Bytes>,
    /// Small messages, together.
    tail: BytesMut,
}

impl Outbox {
    /// True when everything is written.
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.tail.is_empty()
    }

    /// Adds a message.
    pub(crate) fn put(&mut self, header: Header, payload: &Bytes) {
        if payload.len() <= COPIED {
            let head = header_of_part(header, payload.len(), false);
            self.tail.extend_from_slice(&head);
            self.tail.extend_from_slice(payload);
            return;
        }
        let mut rest = payload.clone();
        while !rest.is_empty() {
            let now = rest.split_to(rest.len().min(MAX_LEN as usize));
            let head = header_of_part(header, now.len(), !rest.is_empty());
            self.tail.extend_from_slice(&head);
            self.ready.push_back(self.tail.split().freeze());
            self.ready.push_back(now);
        }
    }

    /// Writes what the socket takes. True when all is written.
    ///
    /// # Errors
    ///
    /// What sendmsg(2) says, besides that the socket is full.
    pub(crate) fn flush(&mut self, socket: BorrowedFd<'_>) -> io::Result<bool> {
        while !self.is_empty() {
            let mut parts = [IoSlice::new(&[]); PIECES];
            let mut used = 0;
            let tail = [&self.tail[..]];
            let pieces = self.ready.iter().map(|piece| &piece[..]).chain(tail);
            for (part, piece) in parts.iter_mut().zip(pieces) {
                *part = IoSlice::new(piece);
                used += 1;
            }
            match passing::send(socket, &parts[..used], &[], false) {
                Ok(sent) => self.advance(sent),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Forgets what is written.
    fn advance(&mut self, mut sent: usize) {
        while let Some(first) = self.ready.front_mut() {
            if sent < first.len() {
                first.advance(sent);
                return;
            }
            sent -= first.len();
            self.ready.pop_front();
        }
        self.tail.advance(sent);
    }
}
