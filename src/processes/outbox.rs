//! What is still to be written to one worker: the driver never waits for a socket.
//!
//! ```text
//!   put ──► small messages: copied together into `tail` ──┐
//!     └───► large payloads: shared, not copied, `ready` ──┴──► sendmsg, what fits
//!   put_file ──► a frame with a descriptor, `ready` ─────────► begins a sendmsg of its own
//! ```
//!
//! Bounded by what the state machine sends to one worker: the jobs of its line.
//! Read next: `processes/core.rs`.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use crate::processes::frame::{Header, MAX_LEN, header_of_part};
use crate::sys::passing;

/// Payloads up to here are copied behind their header.
///
/// Unit: bytes. Effect: one piece instead of three for a small message. Not tuned.
const COPIED: usize = 4 << 10;
/// Pieces that one system call takes. Unit: pieces; the kernel's limit is 1024.
const PIECES: usize = 16;

/// Bytes in one piece.
#[derive(Debug)]
struct Piece {
    bytes: Bytes,
    /// What travels with its first byte.
    file: Option<Arc<File>>,
}

/// Bytes on their way to a worker.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    /// In order, before `tail`.
    ready: VecDeque<Piece>,
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
            self.settle_tail();
            self.ready.push_back(Piece {
                bytes: now,
                file: None,
            });
        }
    }

    /// Adds a frame without payload, with a descriptor.
    pub(crate) fn put_file(&mut self, header: Header, file: Arc<File>) {
        self.settle_tail();
        self.ready.push_back(Piece {
            bytes: Bytes::copy_from_slice(&header.encode()),
            file: Some(file),
        });
    }

    /// What comes next does not go into the tail, but behind it.
    fn settle_tail(&mut self) {
        if !self.tail.is_empty() {
            self.ready.push_back(Piece {
                bytes: self.tail.split().freeze(),
                file: None,
            });
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
            let mut pieces = self.ready.iter().take(PIECES);
            let mut fds = Vec::new();
            if let Some(first) = pieces.next() {
                parts[0] = IoSlice::new(&first.bytes);
                used = 1;
                fds.extend(first.file.as_ref().map(|file| file.as_fd()));
            }
            // A descriptor goes with the first byte of a call: the next one has to wait.
            for piece in pieces.take_while(|piece| piece.file.is_none()) {
                parts[used] = IoSlice::new(&piece.bytes);
                used += 1;
            }
            if used == self.ready.len() && used < PIECES {
                parts[used] = IoSlice::new(&self.tail);
                used += 1;
            }
            match passing::send(socket, &parts[..used], &fds, false) {
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
            if sent < first.bytes.len() {
                first.bytes.advance(sent);
                if sent > 0 {
                    first.file = None;
                }
                return;
            }
            sent -= first.bytes.len();
            self.ready.pop_front();
        }
        self.tail.advance(sent);
    }
}
