//! Reading and writing: traits, adaptors, and the one place where an OS object waits.

pub(crate) mod async_buf_read;
pub(crate) mod async_read;
pub(crate) mod async_write;
pub(crate) mod buf_read_ext;
pub(crate) mod buf_reader;
pub(crate) mod buf_writer;
pub(crate) mod copy;
pub(crate) mod duplex;
pub(crate) mod evented;
pub(crate) mod interest;
pub(crate) mod read_buf;
pub(crate) mod read_ext;
pub(crate) mod split;
pub mod unix;
pub(crate) mod write_ext;

pub use std::io::{Error, ErrorKind, Result, SeekFrom};

pub use self::async_buf_read::AsyncBufRead;
pub use self::async_read::AsyncRead;
pub use self::async_write::AsyncWrite;
pub use self::interest::{Interest, Ready};
pub use self::read_buf::ReadBuf;
