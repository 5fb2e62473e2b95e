//! What a file must be to become an end of a pipe, and what both ends have, word for word.
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

/// From a file or descriptor to an end of a pipe, and back: for a type with a field `io`, what its
/// file must be opened for, that in words, and an example.
macro_rules! pipe_end {
    ($End:ident, $Use:ident, $Interest:ident, $opened:literal, $(#[doc = $example:literal])+) => {
        impl $End {
            #[doc = concat!(
                "Takes over a file that is a pipe opened for ", $opened, "; makes it non-blocking."
            )]
            ///
            /// # Errors
            ///
            #[doc = concat!(
                "`InvalidInput` when it is no pipe, or not opened for ", $opened,
                "; what fcntl(2) or epoll_ctl(2) says."
            )]
            ///
            /// # Panics
            ///
            /// Outside of a runtime, or in one without I/O.
            #[track_caller]
            pub fn from_file(file: ::std::fs::File) -> ::std::io::Result<Self> {
                Self::new($crate::net::pipe_file::checked(
                    file,
                    $crate::net::pipe_file::Use::$Use,
                )?)
            }

            /// As [`from_file`](Self::from_file), of a descriptor.
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Panics
            ///
            /// As there.
            ///
            $(#[doc = $example])+
            #[track_caller]
            pub fn from_owned_fd(fd: ::std::os::fd::OwnedFd) -> ::std::io::Result<Self> {
                Self::from_file(fd.into())
            }

            #[doc = concat!(
                "Takes over a file as it is: it must be a non-blocking pipe opened for ", $opened,
                "."
            )]
            ///
            /// # Errors
            ///
            /// What epoll_ctl(2) says.
            ///
            /// # Panics
            ///
            /// Outside of a runtime, or in one without I/O.
            #[track_caller]
            pub fn from_file_unchecked(file: ::std::fs::File) -> ::std::io::Result<Self> {
                Self::new(file)
            }

            /// As [`from_file_unchecked`](Self::from_file_unchecked), of a descriptor.
            ///
            /// # Errors
            ///
            /// As there.
            ///
            /// # Panics
            ///
            /// As there.
            #[track_caller]
            pub fn from_owned_fd_unchecked(fd: ::std::os::fd::OwnedFd) -> ::std::io::Result<Self> {
                Self::new(fd.into())
            }

            /// Registers it.
            #[track_caller]
            pub(super) fn new(file: ::std::fs::File) -> ::std::io::Result<Self> {
                let interest = $crate::io::Interest::$Interest;
                let what = concat!("pipe::", stringify!($End));
                let io = $crate::io::evented::Evented::with_interest(file, interest, what);
                let io = io.map_err(|(_, error)| error)?;
                Ok(Self { io })
            }

            /// Gives the descriptor away, and makes it block: for a child process, for example.
            ///
            /// The other descriptors of this end block too: that is a property of the open file.
            ///
            /// # Errors
            ///
            /// What fcntl(2) says.
            pub fn into_blocking_fd(self) -> ::std::io::Result<::std::os::fd::OwnedFd> {
                let file = self.io.into_io();
                $crate::net::pipe_file::set_nonblocking(&file, false)?;
                Ok(file.into())
            }

            /// Gives the descriptor away; it stays non-blocking.
            ///
            /// # Errors
            ///
            /// None today.
            pub fn into_nonblocking_fd(self) -> ::std::io::Result<::std::os::fd::OwnedFd> {
                Ok(self.io.into_io().into())
            }
        }

        $crate::net::socket_methods::descriptor!($End);

        impl ::std::fmt::Debug for $End {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.debug_tuple(stringify!($End)).field(&self.io).finish()
            }
        }
    };
}

pub(super) use pipe_end;
