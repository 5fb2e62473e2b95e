//! What a file must be to become an end of a pipe.
//!
//! Read next: `net/pipe_io.rs`.

#![forbid(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

use socket2::SockRef;

use crate::sys::pipe::access;

/// True for pipes, with a name or without.
pub(super) fn is_pipe(file: &File) -> io::Result<bool> {
    Ok(file.metadata()?.file_type().is_fifo())
}

/// What a file must be opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// To read from.
    Read,
    /// To write to.
    Write,
}

/// A file that is to become an end of a pipe: checked, and made non-blocking.
///
/// # Errors
///
/// `InvalidInput` when it is no pipe, or was opened for the other direction only.
pub(super) fn checked(file: File, wanted: Use) -> io::Result<File> {
    if !is_pipe(&file)? {
        return Err(refused("not a pipe"));
    }
    let access = access(file.as_fd())?;
    match wanted {
        Use::Read if !access.read => return Err(refused("not opened for reading")),
        Use::Write if !access.write => return Err(refused("not opened for writing")),
        _ => {}
    }
    set_nonblocking(&file, true)?;
    Ok(file)
}

/// Sets or clears O_NONBLOCK: fcntl(2), which works for every kind of file.
pub(super) fn set_nonblocking(file: &File, on: bool) -> io::Result<()> {
    SockRef::from(file).set_nonblocking(on)
}

/// The error for a file that cannot become an end of a pipe.
pub(super) fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
