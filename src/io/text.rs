//! Bytes on their way into a caller's `String`: shown only when they are whole characters.
//!
//! ```text
//!   caller's String ──(empty: its memory is taken)──► bytes
//!         ▲                                             │
//!         └── finish: all valid, appended ──────────────┤
//!                                                       └──► dropped: lost
//! ```
//!
//! Why not read into the `String`: a read may end amid a character, and a `String` never holds
//! half of one. Only what was read is checked, so many lines read into one `String` take linear
//! time.
//!
//! Why not save the bytes in `Drop`: a future with a `Drop` keeps its borrow of the `String` to the
//! end of the block, and a program that looks at the text while the finished future is still in
//! scope would not compile.
//! Read next: `io/read_to_end.rs`, `io/read_until.rs`.

#![forbid(unsafe_code)]

use std::io;

use crate::io::growing::Growing;

/// Bytes read so far, and where they go.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    /// The caller's; holds what it held, until the end.
    target: &'a mut String,
    /// What was read, not yet checked.
    bytes: Growing<Vec<u8>>,
}

impl<'a> Text<'a> {
    /// Nothing read; `target` is not touched yet.
    pub(crate) fn new(target: &'a mut String) -> Self {
        Self {
            target,
            bytes: Growing::owned(Vec::new()),
        }
    }

    /// Where to read to.
    pub(crate) fn bytes(&mut self) -> &mut Growing<Vec<u8>> {
        if self.bytes.capacity() == 0 && self.target.is_empty() {
            let memory = std::mem::take(self.target).into_bytes();
            self.bytes = Growing::owned(memory);
        }
        &mut self.bytes
    }

    /// Appends what was read to the caller's string.
    ///
    /// # Errors
    ///
    /// `InvalidData` when it is not UTF-8; then the string is what it was before.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let text = String::from_utf8(self.bytes.take()).map_err(|_| not_utf8())?;
        if self.target.is_empty() {
            *self.target = text;
        } else {
            self.target.push_str(&text);
        }
        Ok(())
    }
}

/// The error for bytes that are no text, in the words of std's readers.
pub(crate) fn not_utf8() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "stream did not contain valid UTF-8",
    )
}
