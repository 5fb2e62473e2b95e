//! `AsyncWriteExt`: what a program calls on a writer.
//!
//! Each method makes a future that does nothing before its first poll, and notes the line of the
//! call, for task dumps. The futures are in the files that `use` names.
//! Read next: `io/write.rs`.

#![forbid(unsafe_code)]

use std::io::IoSlice;
use std::panic::Location;

use bytes::Buf;

use crate::io::async_write::AsyncWrite;
use crate::io::flush::{Flush, Shutdown};
use crate::io::write::{Write, WriteAll, WriteAllBuf, WriteBuf, WriteVectored};
use crate::io::write_number::WriteNumber;

/// The methods of every [`AsyncWrite`].
///
/// # Numbers
///
/// `write_u8` to `write_f64_le` write all bytes of the number.
///
/// Errors: as [`write_all`](Self::write_all). Cancel safety: none; some bytes may be written and
/// others not.
///
/// ```
/// use trefoil::io::AsyncWriteExt;
///
/// # futures_util::FutureExt::now_or_never(async {
/// let mut bytes = Vec::new();
/// bytes.write_u16(0x0102).await?;
/// bytes.write_u16_le(0x0403).await?;
/// assert_eq!(bytes, [1, 2, 3, 4]);
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
pub trait AsyncWriteExt: AsyncWrite {
    /// Writes some bytes from the front of `bytes`, and gives their number.
    ///
    /// 0 means that the writer takes no more, or that `bytes` is empty.
    ///
    /// # Errors
    ///
    /// The stream's own; then nothing was written.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped before it is done, it has written nothing.
    ///
    /// ```
    /// use trefoil::io::AsyncWriteExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let (mut end, _other) = trefoil::io::duplex(3);
    /// assert_eq!(end.write(b"hello").await?, 3);
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Write<'a, Self>
    where
        Self: Unpin,
    {
        Write::new(self, bytes, Location::caller())
    }

    /// Writes some bytes from several slices in turn, and gives their number.
    ///
    /// # Errors
    ///
    /// The stream's own; then nothing was written.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped before it is done, it has written nothing.
    #[track_caller]
    fn write_vectored<'a, 'b>(
        &'a mut self,
        slices: &'a [IoSlice<'b>],
    ) -> WriteVectored<'a, 'b, Self>
    where
        Self: Unpin,
    {
        WriteVectored::new(self, slices, Location::caller())
    }

    /// Writes some bytes of `buf`, takes them off it, and gives their number.
    ///
    /// # Errors
    ///
    /// The stream's own; then nothing was written.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped before it is done, it has written nothing, and `buf` is as it was.
    #[track_caller]
    fn write_buf<'a, B: Buf + ?Sized>(&'a mut self, buf: &'a mut B) -> WriteBuf<'a, Self, B>
    where
        Self: Unpin,
    {
        WriteBuf::new(self, buf, Location::caller())
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// `WriteZero` when the writer takes no more; else the stream's own, but `Interrupted`: that
    /// write is made again. How much was written by then is not known.
    ///
    /// # Cancel safety
    ///
    /// None: dropped early, some bytes may be written, and it does not say how many. See
    /// [`write_all_buf`](Self::write_all_buf).
    ///
    /// ```
    /// use trefoil::io::AsyncWriteExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut sink = Vec::new();
    /// sink.write_all(b"hello").await?;
    /// assert_eq!(sink, b"hello");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn write_all<'a>(&'a mut self, bytes: &'a [u8]) -> WriteAll<'a, Self>
    where
        Self: Unpin,
    {
        WriteAll::new(self, bytes, Location::caller())
    }

    /// Writes all of `buf`; takes off it what is written.
    ///
    /// # Errors
    ///
    /// `WriteZero` when the writer takes no more; else the stream's own, but `Interrupted`: that
    /// write is made again. What `buf` still holds was not written.
    ///
    /// # Cancel safety
    ///
    /// Safe, if the call is repeated with the same `buf`: it holds what was not written.
    ///
    /// ```
    /// use trefoil::io::AsyncWriteExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let (mut sink, mut bytes) = (Vec::new(), &b"hello"[..]);
    /// sink.write_all_buf(&mut bytes).await?;
    /// assert!(bytes.is_empty());
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn write_all_buf<'a, B: Buf + ?Sized>(&'a mut self, buf: &'a mut B) -> WriteAllBuf<'a, Self, B>
    where
        Self: Unpin,
    {
        WriteAllBuf::new(self, buf, Location::caller())
    }

    /// Hands everything written so far on to where it goes.
    ///
    /// # Errors
    ///
    /// The stream's own.
    ///
    /// # Cancel safety
    ///
    /// Safe: what is not handed on yet stays in the writer, and a second call goes on.
    #[track_caller]
    fn flush(&mut self) -> Flush<'_, Self>
    where
        Self: Unpin,
    {
        Flush::new(self, Location::caller())
    }

    /// Flushes, then ends the stream; the other side reads the end after the last byte.
    ///
    /// # Errors
    ///
    /// The stream's own.
    ///
    /// # Cancel safety
    ///
    /// Safe: a second call goes on.
    ///
    /// ```
    /// use trefoil::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let (mut end, mut other) = trefoil::io::duplex(16);
    /// end.write_all(b"bye").await?;
    /// end.shutdown().await?;
    /// let mut text = String::new();
    /// other.read_to_string(&mut text).await?;
    /// assert_eq!(text, "bye");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn shutdown(&mut self) -> Shutdown<'_, Self>
    where
        Self: Unpin,
    {
        Shutdown::new(self, Location::caller())
    }

    /// Writes an unsigned 8-bit number; see [above](#numbers).
    #[track_caller]
    fn write_u8(&mut self, n: u8) -> WriteNumber<'_, Self, [u8; 1]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes a signed 8-bit number; see [above](#numbers).
    #[track_caller]
    fn write_i8(&mut self, n: i8) -> WriteNumber<'_, Self, [u8; 1]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes an unsigned 16-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_u16(&mut self, n: u16) -> WriteNumber<'_, Self, [u8; 2]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes a signed 16-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_i16(&mut self, n: i16) -> WriteNumber<'_, Self, [u8; 2]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes an unsigned 32-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_u32(&mut self, n: u32) -> WriteNumber<'_, Self, [u8; 4]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes a signed 32-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_i32(&mut self, n: i32) -> WriteNumber<'_, Self, [u8; 4]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes an unsigned 64-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_u64(&mut self, n: u64) -> WriteNumber<'_, Self, [u8; 8]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes a signed 64-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_i64(&mut self, n: i64) -> WriteNumber<'_, Self, [u8; 8]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes an unsigned 128-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_u128(&mut self, n: u128) -> WriteNumber<'_, Self, [u8; 16]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes a signed 128-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_i128(&mut self, n: i128) -> WriteNumber<'_, Self, [u8; 16]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes a floating-point 32-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_f32(&mut self, n: f32) -> WriteNumber<'_, Self, [u8; 4]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes a floating-point 64-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_f64(&mut self, n: f64) -> WriteNumber<'_, Self, [u8; 8]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_be_bytes(), Location::caller())
    }

    /// Writes an unsigned 16-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_u16_le(&mut self, n: u16) -> WriteNumber<'_, Self, [u8; 2]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_le_bytes(), Location::caller())
    }

    /// Writes a signed 16-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_i16_le(&mut self, n: i16) -> WriteNumber<'_, Self, [u8; 2]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_le_bytes(), Location::caller())
    }

    /// Writes an unsigned 32-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_u32_le(&mut self, n: u32) -> WriteNumber<'_, Self, [u8; 4]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_le_bytes(), Location::caller())
    }

    /// Writes a signed 32-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_i32_le(&mut self, n: i32) -> WriteNumber<'_, Self, [u8; 4]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_le_bytes(), Location::caller())
    }

    /// Writes an unsigned 64-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_u64_le(&mut self, n: u64) -> WriteNumber<'_, Self, [u8; 8]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_le_bytes(), Location::caller())
    }

    /// Writes a signed 64-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_i64_le(&mut self, n: i64) -> WriteNumber<'_, Self, [u8; 8]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_le_bytes(), Location::caller())
    }

    /// Writes an unsigned 128-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_u128_le(&mut self, n: u128) -> WriteNumber<'_, Self, [u8; 16]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_le_bytes(), Location::caller())
    }

    /// Writes a signed 128-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_i128_le(&mut self, n: i128) -> WriteNumber<'_, Self, [u8; 16]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_le_bytes(), Location::caller())
    }

    /// Writes a floating-point 32-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_f32_le(&mut self, n: f32) -> WriteNumber<'_, Self, [u8; 4]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_le_bytes(), Location::caller())
    }

    /// Writes a floating-point 64-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn write_f64_le(&mut self, n: f64) -> WriteNumber<'_, Self, [u8; 8]>
    where
        Self: Unpin,
    {
        WriteNumber::new(self, n.to_le_bytes(), Location::caller())
    }
}

impl<W: AsyncWrite + ?Sized> AsyncWriteExt for W {}
