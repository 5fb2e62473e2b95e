//! Bytes on their way into a caller's `String`: shown only when they are whole characters.
//!
//! ```text
//!   caller's String ──(empty: its memory is lent)──► bytes ──► finish: all valid, appended
//!                                                      │
//!                                                      └─────► dropped or failed:
//!                                                              the whole characters are appended
//! ```
//!
//! Why not read into the `String`: a read may end amid a character, and a `String` never holds
//! half of one. Only what was read is checked, so many lines read into one `String` take linear
//! time.
//! Read next: `io/read_to_end.rs`, `io/read_until.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::mem;

/// Bytes read so far, and where they go.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    /// The caller's; holds what it held, until the end.
    target: &'a mut String,
    /// What was read, not yet checked.
    bytes: Vec<u8>,
}

impl<'a> Text<'a> {
    /// Nothing read; `target` is not touched yet.
    pub(crate) fn new(target: &'a mut String) -> Self {
        Self {
            target,
            bytes: Vec::new(),
        }
    }

    /// Where to read to.
    pub(crate) fn bytes(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 && self.target.is_empty() {
            self.bytes = mem::take(self.target).into_bytes();
        }
        &mut self.bytes
    }

    /// Appends what was read to the caller's string.
    ///
    /// # Errors
    ///
    /// `InvalidData` when it is not UTF-8; then the string is what it was before.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        match String::from_utf8(mem::take(&mut self.bytes)) {
            Ok(text) => {
                self.append(text);
                Ok(())
            }
            Err(error) => Err(not_utf8(error)),
        }
    }

    /// Appends the whole characters that were read: the stream failed, or nobody waits any more.
    pub(crate) fn keep_whole_characters(&mut self) {
        let text = String::from_utf8(mem::take(&mut self.bytes)).unwrap_or_else(|error| {
            let whole = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(whole);
            String::from_utf8(bytes).unwrap_or_default()
        });
        self.append(text);
    }

    /// Adds `text`; an empty target takes over its memory (which was its own, as a rule).
    fn append(&mut self, text: String) {
        if self.target.is_empty() && text.capacity() != 0 {
            *self.target = text;
        } else {
            self.target.push_str(&text);
        }
    }
}

impl Drop for Text<'_> {
    fn drop(&mut self) {
        self.keep_whole_characters();
    }
}

/// The error for bytes that are no text.
pub(crate) fn not_utf8(error: std::string::FromUtf8Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
