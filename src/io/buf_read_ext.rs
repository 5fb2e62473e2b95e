//! `AsyncBufReadExt`: what a program calls on a buffered reader.
//!
//! Read next: `io/read_until.rs`.

#![forbid(unsafe_code)]

use std::panic::Location;
use std::pin::Pin;

use crate::io::async_buf_read::AsyncBufRead;
use crate::io::lines::{Lines, Split};
use crate::io::read_until::{FillBuf, ReadLine, ReadUntil};

/// The methods of every [`AsyncBufRead`].
pub trait AsyncBufReadExt: AsyncBufRead {
    /// Appends to `bytes` up to and with `delimiter`, or to the end of the stream; gives the
    /// number of bytes, 0 at the end.
    ///
    /// # Errors
    ///
    /// The stream's own, but `Interrupted`: that read is made again. What came before is in
    /// `bytes`.
    ///
    /// # Cancel safety
    ///
    /// Safe for the bytes: what was read is in `bytes`, and a second call goes on. Its number
    /// counts from there.
    ///
    /// ```
    /// use trefoil::io::AsyncBufReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut reader = &b"key=value"[..];
    /// let mut bytes = Vec::new();
    /// assert_eq!(reader.read_until(b'=', &mut bytes).await?, 4);
    /// assert_eq!(bytes, b"key=");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn read_until<'a>(&'a mut self, delimiter: u8, bytes: &'a mut Vec<u8>) -> ReadUntil<'a, Self>
    where
        Self: Unpin,
    {
        ReadUntil::new(self, delimiter, bytes, Location::caller())
    }

    /// Appends to `text` up to and with the next `\n`, or to the end of the stream; gives the
    /// number of bytes, 0 at the end.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the line is not UTF-8: `text` is what it was before, the line is lost.
    /// Else the stream's own: what came before is in `text`, if it is UTF-8.
    ///
    /// # Cancel safety
    ///
    /// None: dropped early, what was read of the line is lost, and `text` is what it was before.
    /// Safe are [`read_until`](Self::read_until) and
    /// [`Lines::next_line`](crate::io::Lines::next_line).
    ///
    /// tokio differs: dropped early, it leaves the string empty.
    ///
    /// ```
    /// use trefoil::io::AsyncBufReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut reader = &b"one\ntwo"[..];
    /// let mut text = String::new();
    /// assert_eq!(reader.read_line(&mut text).await?, 4);
    /// assert_eq!(text, "one\n");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn read_line<'a>(&'a mut self, text: &'a mut String) -> ReadLine<'a, Self>
    where
        Self: Unpin,
    {
        ReadLine::new(self, text, Location::caller())
    }

    /// The pieces of this reader between one `delimiter` and the next.
    fn split(self, delimiter: u8) -> Split<Self>
    where
        Self: Sized,
    {
        Split::new(self, delimiter)
    }

    /// Waits until there are bytes, and shows them; an empty slice is the end of the stream.
    ///
    /// They stay in the buffer until [`consume`](Self::consume).
    ///
    /// # Errors
    ///
    /// The stream's own.
    ///
    /// # Cancel safety
    ///
    /// Safe: what was read is in the reader's buffer.
    ///
    /// ```
    /// use trefoil::io::AsyncBufReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut reader = &b"hello"[..];
    /// assert_eq!(reader.fill_buf().await?, b"hello");
    /// reader.consume(2);
    /// assert_eq!(reader.fill_buf().await?, b"llo");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn fill_buf(&mut self) -> FillBuf<'_, Self>
    where
        Self: Unpin,
    {
        FillBuf::new(self, Location::caller())
    }

    /// Marks the first `n` bytes that [`fill_buf`](Self::fill_buf) showed as used.
    fn consume(&mut self, n: usize)
    where
        Self: Unpin,
    {
        Pin::new(self).consume(n);
    }

    /// The lines of this reader.
    fn lines(self) -> Lines<Self>
    where
        Self: Sized,
    {
        Lines::new(self)
    }
}

impl<R: AsyncBufRead + ?Sized> AsyncBufReadExt for R {}
