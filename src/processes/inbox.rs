//! Puts messages together from the bytes that arrive, however they are cut.
//!
//! ```text
//!   bytes ──► header complete? ──no──► keep, wait
//!                  │ yes: checked before any memory is taken for its payload
//!                  ▼
//!             payload complete? ──no──► keep, wait
//!                  │ yes                                        MORE set: the next frame goes on
//!                  └──► a message: header and whole payload ◄── with this payload
//! ```
//!
//! Why bytes are copied once more here instead of read in place: one read brings many small frames,
//! or a part of a large one; neither lies where it is wanted.
//! Read next: `processes/job.rs`.

#![forbid(unsafe_code)]

use crate::processes::error::Violation;
use crate::processes::frame::{HEADER, Header, MORE};
use crate::processes::spare;

/// A message: the header of its last frame, and the payload of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Without [`MORE`]; `len` is that of the last frame.
    pub(crate) header: Header,
    /// All of it.
    pub(crate) payload: Vec<u8>,
}

/// What has arrived and is not complete.
#[derive(Debug)]
pub(crate) struct Inbox {
    /// Bytes of the next header.
    head: [u8; HEADER],
    /// How many of them are there.
    have: usize,
    /// The frame whose payload is arriving.
    frame: Option<Header>,
    /// Bytes of its payload still to come.
    left: usize,
    /// The payload so far, of all frames of the message.
    payload: Vec<u8>,
    /// True when the last frame said MORE.
    continued: Option<Header>,
    /// The longest message. Unit: bytes.
    cap: u64,
}

impl Inbox {
    /// An empty one, for messages of at most `cap` bytes.
    pub(crate) fn new(cap: u64) -> Self {
        Self {
            head: [0; HEADER],
            have: 0,
            frame: None,
            left: 0,
            payload: Vec::new(),
            continued: None,
            cap,
        }
    }

    /// Takes bytes, and gives each message that they complete to `found`.
    ///
    /// # Errors
    ///
    /// What was wrong; the rest of the bytes means nothing then.
    pub(crate) fn feed(
        &mut self,
        mut bytes: &[u8],
        mut found: impl FnMut(Message),
    ) -> Result<(), Violation> {
        loop {
            let Some(header) = self.frame else {
                let wanted = (HEADER - self.have).min(bytes.len());
                let (now, later) = bytes.split_at(wanted);
                self.head[self.have..self.have + wanted].copy_from_slice(now);
                self.have += wanted;
                bytes = later;
                if self.have < HEADER {
                    return Ok(());
                }
                self.begin(Header::decode(&self.head)?)?;
                continue;
            };
            let (now, later) = bytes.split_at(self.left.min(bytes.len()));
            self.payload.extend_from_slice(now);
            self.left -= now.len();
            bytes = later;
            if self.left > 0 {
                return Ok(());
            }
            self.frame = None;
            if header.flags & MORE != 0 {
                self.continued = Some(header);
            } else {
                found(Message {
                    header,
                    payload: std::mem::take(&mut self.payload),
                });
            }
        }
    }

    /// A header is complete.
    fn begin(&mut self, header: Header) -> Result<(), Violation> {
        self.have = 0;
        if let Some(before) = self.continued.take()
            && (before.kind, before.job) != (header.kind, header.job)
        {
            return Err(Violation::Interrupted);
        }
        if self.payload.len() as u64 + u64::from(header.len) > self.cap {
            return Err(Violation::MessageTooLong(self.cap));
        }
        self.left = header.len as usize;
        if self.payload.capacity() == 0 {
            self.payload = spare::take(self.left);
        }
        self.payload.reserve(self.left);
        self.frame = Some(header);
        Ok(())
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use crate::processes::frame::{Kind, MAX_LEN, put};

    #[test]
    fn messages_survive_every_cut() {
        let mut bytes = Vec::new();
        put(&mut bytes, Header::of(Kind::Done), b"first");
        put(&mut bytes, Header::of(Kind::Bye), b"");
        for cut in 0..=bytes.len() {
            let (mut inbox, mut found) = (Inbox::new(100), Vec::new());
            for part in [&bytes[..cut], &bytes[cut..]] {
                inbox.feed(part, |message| found.push(message)).unwrap();
            }
            assert_eq!(found.len(), 2, "cut at {cut}");
            assert_eq!(found[0].payload, b"first");
        }
    }

    #[test]
    fn a_long_payload_comes_in_parts_and_is_capped() {
        let long = vec![7; MAX_LEN as usize + 1];
        let mut bytes = Vec::new();
        put(&mut bytes, Header::of(Kind::Done), &long);
        let mut found = Vec::new();
        let mut inbox = Inbox::new(u64::from(MAX_LEN) + 1);
        inbox.feed(&bytes, |message| found.push(message)).unwrap();
        assert_eq!(found[0].payload, long);
        let refused = Inbox::new(u64::from(MAX_LEN)).feed(&bytes, |_| ());
        assert_eq!(refused, Err(Violation::MessageTooLong(u64::from(MAX_LEN))));
    }
}
