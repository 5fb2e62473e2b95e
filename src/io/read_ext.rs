//! `AsyncReadExt`: what a program calls on a reader.
//!
//! Each method makes a future that does nothing before its first poll, and notes the line of the
//! call, for task dumps. The futures are in the files that `use` names.
//! Read next: `io/read.rs`.

#![forbid(unsafe_code)]

use std::panic::Location;

use bytes::BufMut;

use crate::io::async_read::AsyncRead;
use crate::io::chain::Chain;
use crate::io::read::{Read, ReadExact, ReadIntoBuf};
use crate::io::read_number::ReadNumber;
use crate::io::read_to_end::{ReadToEnd, ReadToString};
use crate::io::take::Take;

/// The methods of every [`AsyncRead`].
///
/// # Numbers
///
/// `read_u8` to `read_f64_le` read as many bytes as the number has.
///
/// Errors: as [`read_exact`](Self::read_exact). Cancel safety: none; bytes of an unfinished number
/// are lost.
///
/// ```
/// use trefoil::io::AsyncReadExt;
///
/// # futures_util::FutureExt::now_or_never(async {
/// let mut reader: &[u8] = &[0x01, 0x02, 0x03, 0x04];
/// assert_eq!(reader.read_u16().await?, 0x0102);
/// assert_eq!(reader.read_u16_le().await?, 0x0403);
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
pub trait AsyncReadExt: AsyncRead {
    /// Reads some bytes to the front of `buf`, and gives their number.
    ///
    /// 0 means that the stream has ended, or that `buf` is empty.
    ///
    /// # Errors
    ///
    /// The stream's own; then nothing was read.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped before it is done, it has read nothing.
    ///
    /// ```
    /// use trefoil::io::AsyncReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut reader: &[u8] = b"hello";
    /// let mut buf = [0; 3];
    /// assert_eq!(reader.read(&mut buf).await?, 3);
    /// assert_eq!(&buf, b"hel");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn read<'a>(&'a mut self, buf: &'a mut [u8]) -> Read<'a, Self>
    where
        Self: Unpin,
    {
        Read::new(self, buf, Location::caller())
    }

    /// Reads some bytes to the end of `buf`, and gives their number.
    ///
    /// A `Vec` or `BytesMut` without room grows first, so 0 means the end for them. For a buffer
    /// that cannot grow it may also mean that it is full.
    ///
    /// # Errors
    ///
    /// The stream's own; then nothing was read.
    ///
    /// # Cancel safety
    ///
    /// Safe: dropped before it is done, it has read nothing.
    ///
    /// ```
    /// use trefoil::io::AsyncReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut reader: &[u8] = b"hello";
    /// let mut buf = Vec::with_capacity(16);
    /// while reader.read_buf(&mut buf).await? != 0 {}
    /// assert_eq!(buf, b"hello");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn read_buf<'a, B>(&'a mut self, buf: &'a mut B) -> ReadIntoBuf<'a, Self, B>
    where
        Self: Unpin,
        B: BufMut + ?Sized,
    {
        ReadIntoBuf::new(self, buf, Location::caller())
    }

    /// Reads until `buf` is full, and gives its length.
    ///
    /// # Errors
    ///
    /// `UnexpectedEof` when the stream ends before; else the stream's own, but `Interrupted`: that
    /// read is made again. What `buf` then holds is left open, and the bytes that were read are
    /// lost.
    ///
    /// # Cancel safety
    ///
    /// None: dropped early, it has read some bytes into `buf`, and does not say how many.
    ///
    /// ```
    /// use trefoil::io::{AsyncReadExt, ErrorKind};
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut reader: &[u8] = b"hello";
    /// let mut buf = [0; 4];
    /// reader.read_exact(&mut buf).await?;
    /// assert_eq!(&buf, b"hell");
    /// let error = reader.read_exact(&mut buf).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn read_exact<'a>(&'a mut self, buf: &'a mut [u8]) -> ReadExact<'a, Self>
    where
        Self: Unpin,
    {
        ReadExact::new(self, buf, Location::caller())
    }

    /// Reads until the end of the stream, appends to `bytes`, and gives the number of bytes read.
    ///
    /// # Errors
    ///
    /// The stream's own, but `Interrupted`: that read is made again. What came before is in
    /// `bytes`.
    ///
    /// # Cancel safety
    ///
    /// None: what was read stays in `bytes`, but a second call gives the number of its own only.
    ///
    /// ```
    /// use trefoil::io::AsyncReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut reader: &[u8] = b" world";
    /// let mut bytes = b"hello".to_vec();
    /// assert_eq!(reader.read_to_end(&mut bytes).await?, 6);
    /// assert_eq!(bytes, b"hello world");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn read_to_end<'a>(&'a mut self, bytes: &'a mut Vec<u8>) -> ReadToEnd<'a, Self>
    where
        Self: Unpin,
    {
        ReadToEnd::new(self, bytes, Location::caller())
    }

    /// Reads until the end of the stream, appends to `text`, and gives the number of bytes read.
    ///
    /// # Errors
    ///
    /// `InvalidData` when the bytes are not UTF-8; else the stream's own. What was read is lost
    /// then, and `text` is what it was before.
    ///
    /// # Cancel safety
    ///
    /// None: dropped early, what was read is lost, and `text` is what it was before.
    ///
    /// tokio differs: dropped early, it leaves the string empty.
    ///
    /// ```
    /// use trefoil::io::AsyncReadExt;
    ///
    /// # futures_util::FutureExt::now_or_never(async {
    /// let mut reader = "grüße".as_bytes();
    /// let mut text = String::new();
    /// assert_eq!(reader.read_to_string(&mut text).await?, 7);
    /// assert_eq!(text, "grüße");
    /// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
    /// ```
    #[track_caller]
    fn read_to_string<'a>(&'a mut self, text: &'a mut String) -> ReadToString<'a, Self>
    where
        Self: Unpin,
    {
        ReadToString::new(self, text, Location::caller())
    }

    /// A reader that gives at most `limit` bytes of this one, then ends.
    fn take(self, limit: u64) -> Take<Self>
    where
        Self: Sized,
    {
        Take::new(self, limit)
    }

    /// A reader that gives the bytes of this one, then those of `next`.
    fn chain<R: AsyncRead>(self, next: R) -> Chain<Self, R>
    where
        Self: Sized,
    {
        Chain::new(self, next)
    }

    /// Reads an unsigned 8-bit number; see [above](#numbers).
    #[track_caller]
    fn read_u8(&mut self) -> ReadNumber<'_, Self, u8, [u8; 1]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 1], u8::from_be_bytes, Location::caller())
    }

    /// Reads a signed 8-bit number; see [above](#numbers).
    #[track_caller]
    fn read_i8(&mut self) -> ReadNumber<'_, Self, i8, [u8; 1]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 1], i8::from_be_bytes, Location::caller())
    }

    /// Reads an unsigned 16-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_u16(&mut self) -> ReadNumber<'_, Self, u16, [u8; 2]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 2], u16::from_be_bytes, Location::caller())
    }

    /// Reads a signed 16-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_i16(&mut self) -> ReadNumber<'_, Self, i16, [u8; 2]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 2], i16::from_be_bytes, Location::caller())
    }

    /// Reads an unsigned 32-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_u32(&mut self) -> ReadNumber<'_, Self, u32, [u8; 4]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 4], u32::from_be_bytes, Location::caller())
    }

    /// Reads a signed 32-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_i32(&mut self) -> ReadNumber<'_, Self, i32, [u8; 4]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 4], i32::from_be_bytes, Location::caller())
    }

    /// Reads an unsigned 64-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_u64(&mut self) -> ReadNumber<'_, Self, u64, [u8; 8]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 8], u64::from_be_bytes, Location::caller())
    }

    /// Reads a signed 64-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_i64(&mut self) -> ReadNumber<'_, Self, i64, [u8; 8]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 8], i64::from_be_bytes, Location::caller())
    }

    /// Reads an unsigned 128-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_u128(&mut self) -> ReadNumber<'_, Self, u128, [u8; 16]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 16], u128::from_be_bytes, Location::caller())
    }

    /// Reads a signed 128-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_i128(&mut self) -> ReadNumber<'_, Self, i128, [u8; 16]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 16], i128::from_be_bytes, Location::caller())
    }

    /// Reads a floating-point 32-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_f32(&mut self) -> ReadNumber<'_, Self, f32, [u8; 4]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 4], f32::from_be_bytes, Location::caller())
    }

    /// Reads a floating-point 64-bit number, most significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_f64(&mut self) -> ReadNumber<'_, Self, f64, [u8; 8]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 8], f64::from_be_bytes, Location::caller())
    }

    /// Reads an unsigned 16-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_u16_le(&mut self) -> ReadNumber<'_, Self, u16, [u8; 2]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 2], u16::from_le_bytes, Location::caller())
    }

    /// Reads a signed 16-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_i16_le(&mut self) -> ReadNumber<'_, Self, i16, [u8; 2]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 2], i16::from_le_bytes, Location::caller())
    }

    /// Reads an unsigned 32-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_u32_le(&mut self) -> ReadNumber<'_, Self, u32, [u8; 4]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 4], u32::from_le_bytes, Location::caller())
    }

    /// Reads a signed 32-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_i32_le(&mut self) -> ReadNumber<'_, Self, i32, [u8; 4]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 4], i32::from_le_bytes, Location::caller())
    }

    /// Reads an unsigned 64-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_u64_le(&mut self) -> ReadNumber<'_, Self, u64, [u8; 8]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 8], u64::from_le_bytes, Location::caller())
    }

    /// Reads a signed 64-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_i64_le(&mut self) -> ReadNumber<'_, Self, i64, [u8; 8]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 8], i64::from_le_bytes, Location::caller())
    }

    /// Reads an unsigned 128-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_u128_le(&mut self) -> ReadNumber<'_, Self, u128, [u8; 16]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 16], u128::from_le_bytes, Location::caller())
    }

    /// Reads a signed 128-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_i128_le(&mut self) -> ReadNumber<'_, Self, i128, [u8; 16]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 16], i128::from_le_bytes, Location::caller())
    }

    /// Reads a floating-point 32-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_f32_le(&mut self) -> ReadNumber<'_, Self, f32, [u8; 4]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 4], f32::from_le_bytes, Location::caller())
    }

    /// Reads a floating-point 64-bit number, least significant byte first; see [above](#numbers).
    #[track_caller]
    fn read_f64_le(&mut self) -> ReadNumber<'_, Self, f64, [u8; 8]>
    where
        Self: Unpin,
    {
        ReadNumber::new(self, [0; 8], f64::from_le_bytes, Location::caller())
    }
}

impl<R: AsyncRead + ?Sized> AsyncReadExt for R {}
