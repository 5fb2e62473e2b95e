//! Reading and writing: traits, adaptors, and the one place where an OS object waits.
//!
//! A stream implements [`AsyncRead`] and [`AsyncWrite`], which are polled; a program calls the
//! methods of [`AsyncReadExt`] and [`AsyncWriteExt`], which give futures. None of it needs a
//! runtime, except what waits for the OS.
//!
//! | to | use |
//! |---|---|
//! | read or write in larger pieces | [`BufReader`], [`BufWriter`], [`BufStream`] |
//! | read lines | [`AsyncBufReadExt::lines`] |
//! | set a position | [`AsyncSeekExt`] |
//! | copy one stream to another | [`copy`](copy()), [`copy_bidirectional`](copy_bidirectional()) |
//! | read and write in two tasks | [`split`](split()); back again: [`join`](join()) |
//! | test without sockets | [`duplex`](duplex()), [`simplex`](simplex()), [`empty`](empty()) |

pub(crate) mod read_buf;

pub(crate) mod async_read;
pub(crate) mod async_write;

pub(crate) mod async_seek;

pub(crate) mod wait_line;

pub(crate) mod read_ext;

pub(crate) mod interrupted;

pub(crate) mod read;
pub(crate) mod read_number;

pub(crate) mod growing;
pub(crate) mod text;

pub(crate) mod read_to_end;

pub(crate) mod sink;

pub(crate) mod empty;
pub(crate) mod repeat;

pub(crate) mod chain;
pub(crate) mod take;

pub(crate) mod write_ext;

pub(crate) mod write;
pub(crate) mod write_number;

pub(crate) mod flush;

pub(crate) mod async_buf_read;

pub(crate) mod buf_read_ext;

pub(crate) mod read_until;

pub(crate) mod lines;

pub(crate) mod seek_ext;

pub(crate) mod buf_reader;
pub(crate) mod buf_writer;

pub(crate) mod buf_stream;

pub(crate) mod copy;

pub(crate) mod copy_bidirectional;
pub(crate) mod copy_buf;

pub(crate) mod pipe;

pub(crate) mod duplex;
pub(crate) mod simplex;
pub(crate) mod split;

pub(crate) mod join;

pub(crate) mod interest;

pub(crate) mod wait;

pub(crate) mod evented;
pub(crate) mod evented_try;

pub(crate) mod waiting;

pub(crate) mod async_fd;
pub(crate) mod async_fd_guard;
pub(crate) mod async_fd_wait;

pub mod unix;

pub use std::io::{Error, ErrorKind, Result, SeekFrom};

pub use self::async_buf_read::AsyncBufRead;
pub use self::async_read::AsyncRead;
pub use self::async_seek::AsyncSeek;
pub use self::async_write::AsyncWrite;
pub use self::buf_read_ext::AsyncBufReadExt;
pub use self::buf_reader::BufReader;
pub use self::buf_stream::BufStream;
pub use self::buf_writer::BufWriter;
pub use self::chain::Chain;
pub use self::copy::copy;
pub use self::copy_bidirectional::{copy_bidirectional, copy_bidirectional_with_sizes};
pub use self::copy_buf::copy_buf;
pub use self::duplex::{DuplexStream, duplex};
pub use self::empty::{Empty, empty};
pub use self::interest::{Interest, Ready};
pub use self::join::{Join, join};
pub use self::lines::{Lines, Split};
pub use self::read_buf::ReadBuf;
pub use self::read_ext::AsyncReadExt;
pub use self::repeat::{Repeat, repeat};
pub use self::seek_ext::AsyncSeekExt;
pub use self::simplex::{SimplexStream, simplex};
pub use self::sink::{Sink, sink};
pub use self::split::{ReadHalf, WriteHalf, split};
pub use self::take::Take;
pub use self::write_ext::AsyncWriteExt;

/// The futures that the methods and functions of [`io`](crate::io) return.
pub mod futures {
    pub use crate::io::copy::Copy;
    pub use crate::io::copy_bidirectional::CopyBidirectional;
    pub use crate::io::copy_buf::CopyBuf;
    pub use crate::io::flush::{Flush, Shutdown};
    pub use crate::io::lines::{NextLine, NextSegment};
    pub use crate::io::read::{Read, ReadExact, ReadIntoBuf};
    pub use crate::io::read_number::ReadNumber;
    pub use crate::io::read_to_end::{ReadToEnd, ReadToString};
    pub use crate::io::read_until::{FillBuf, ReadLine, ReadUntil};
    pub use crate::io::seek_ext::Seek;
    pub use crate::io::write::{Write, WriteAll, WriteAllBuf, WriteBuf, WriteVectored};
    pub use crate::io::write_number::WriteNumber;
}
