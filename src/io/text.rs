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
use std::string::FromUtf8Error;

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
    /// `InvalidData` when it is not UTF-8; then the string is what it was before. Inside is the
    /// `Utf8Error`, whose place counts from the string's beginning.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        let text = String::from_utf8(self.bytes.take()).map_err(|error| self.not_utf8(&error))?;
        if self.target.is_empty() {
            *self.target = text;
        } else {
            self.target.push_str(&text);
        }
        Ok(())
    }

    /// The error for bytes that are no text.
    #[cold]
    fn not_utf8(&self, error: &FromUtf8Error) -> io::Error {
        let whole = [self.target.as_bytes(), error.as_bytes()].concat();
        let inner = str::from_utf8(&whole).expect_err("a text and no text are no text");
        io::Error::new(io::ErrorKind::InvalidData, inner)
    }
}
