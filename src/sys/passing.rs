//! sendmsg(2) and recvmsg(2) on a stream socket: bytes, and descriptors beside them.
//!
//! Every receive has room for descriptors and lets exec close them. A peer may send some at any
//! time, announced or not: without room the kernel would drop them and say so (MSG_CTRUNC), and
//! without the flag they would leak into the next child.
//! Read next: `processes/frame.rs`.

#![allow(
    unsafe_code,
    reason = "msghdr and its control messages; std has them only on nightly"
)]

use std::ffi::c_void;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::sys::call::retry;

/// Descriptors that one message may carry here.
///
/// Unit: descriptors. Effect: more of them arrive cut off, which is an error of the message.
pub(crate) const MAX_FDS: usize = 8;

/// Room for the control message, aligned as `cmsghdr` wants it.
///
/// Unit: words of 8 bytes: 16 of the header, 4 a descriptor.
const CONTROL_WORDS: usize = 2 + MAX_FDS / 2;

/// What one receive brought.
#[derive(Debug)]
pub(crate) struct Received {
    /// Bytes written to the buffer; 0 says that the peer has ended.
    pub(crate) len: usize,
    /// Descriptors that came along.
    pub(crate) fds: Vec<OwnedFd>,
    /// Some did not fit, or this process has no room for more (EMFILE).
    pub(crate) cut: bool,
}

/// Receives what is there; with `wait` it waits until something is.
///
/// # Errors
///
/// `WouldBlock` when nothing is there and `wait` is false; what recvmsg(2) says.
pub(crate) fn receive(fd: BorrowedFd<'_>, buffer: &mut [u8], wait: bool) -> io::Result<Received> {
    let mut control = [0_u64; CONTROL_WORDS];
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    // SAFETY: integers and pointers: zeros are valid.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    let flags = libc::MSG_CMSG_CLOEXEC | if wait { 0 } else { libc::MSG_DONTWAIT };
    let len = retry(|| {
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: the message describes a buffer and a control buffer that outlive the call.
        unsafe { libc::recvmsg(fd.as_raw_fd(), &raw mut message, flags) }
    })?;
    Ok(Received {
        len: len.unsigned_abs(),
        fds: taken(&message),
        cut: message.msg_flags & libc::MSG_CTRUNC != 0,
    })
}

/// Looks at bytes that stay to be received; waits until the buffer is full, or the peer has ended.
///
/// # Errors
///
/// What recv(2) says.
pub(crate) fn peek(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = libc::MSG_PEEK | libc::MSG_WAITALL;
    let (place, len): (*mut c_void, _) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: `place` has room for `len` bytes.
    retry(|| unsafe { libc::recv(fd.as_raw_fd(), place, len, flags) }).map(isize::unsigned_abs)
}

/// The descriptors of a message that was received.
fn taken(message: &libc::msghdr) -> Vec<OwnedFd> {
    let mut fds = Vec::new();
    // SAFETY: `message` was filled by recvmsg, its control buffer lives in the caller.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give pointers to whole headers only.
        let cmsghdr = unsafe { header.read() };
        if cmsghdr.cmsg_level == libc::SOL_SOCKET && cmsghdr.cmsg_type == libc::SCM_RIGHTS {
            // SAFETY: the header is followed by its data.
            let data: *const RawFd = unsafe { libc::CMSG_DATA(header) }.cast();
            // SAFETY: arithmetic only.
            let head = unsafe { libc::CMSG_LEN(0) } as usize;
            for index in 0..(cmsghdr.cmsg_len as usize - head) / size_of::<RawFd>() {
                // SAFETY: `index` is below the number of descriptors that the length states.
                let raw = unsafe { data.wrapping_add(index).read_unaligned() };
                // SAFETY: the kernel has just opened it for us; nobody else owns it.
                fds.push(unsafe { OwnedFd::from_raw_fd(raw) });
            }
        }
        // SAFETY: as for the first.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    fds
}

/// Sends what fits of `parts`, and all of `fds` with the first byte. Without `wait` it never
/// blocks. A peer that is gone gives EPIPE and no signal.
///
/// # Errors
///
/// `WouldBlock` when nothing fits and `wait` is false; what sendmsg(2) says.
///
/// # Panics
///
/// With more than [`MAX_FDS`] descriptors.
pub(crate) fn send(
    fd: BorrowedFd<'_>,
    parts: &[IoSlice<'_>],
    fds: &[BorrowedFd<'_>],
    wait: bool,
) -> io::Result<usize> {
    assert!(fds.len() <= MAX_FDS, "passing: too many descriptors");
    let mut control = [0_u64; CONTROL_WORDS];
    // SAFETY: integers and pointers: zeros are valid.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    // An `IoSlice` has the layout of an iovec (std promises it), and sendmsg only reads them.
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len();
    if !fds.is_empty() {
        let bytes = u32::try_from(size_of_val(fds)).unwrap_or(0);
        message.msg_control = (&raw mut control).cast::<c_void>();
        // SAFETY: arithmetic only.
        message.msg_controllen = unsafe { libc::CMSG_SPACE(bytes) } as usize;
        // SAFETY: the control buffer has room for one header.
        let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
        let cmsghdr = libc::cmsghdr {
            // SAFETY: arithmetic only.
            cmsg_len: unsafe { libc::CMSG_LEN(bytes) } as usize,
            cmsg_level: libc::SOL_SOCKET,
            cmsg_type: libc::SCM_RIGHTS,
        };
        // SAFETY: as above.
        unsafe { header.write(cmsghdr) };
        // SAFETY: the header is followed by room for its data.
        let data: *mut RawFd = unsafe { libc::CMSG_DATA(header) }.cast();
        for (index, fd) in fds.iter().enumerate() {
            // SAFETY: `CONTROL_WORDS` has room for MAX_FDS of them.
            unsafe { data.wrapping_add(index).write_unaligned(fd.as_raw_fd()) };
        }
    }
    let flags = libc::MSG_NOSIGNAL | if wait { 0 } else { libc::MSG_DONTWAIT };
    // SAFETY: the message describes parts and a control buffer that outlive the call.
    retry(|| unsafe { libc::sendmsg(fd.as_raw_fd(), &raw const message, flags) })
        .map(isize::unsigned_abs)
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_descriptor_travels_with_its_bytes() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (_read, write) = io::pipe().unwrap();
        let parts = [IoSlice::new(b"he"), IoSlice::new(b"llo")];
        assert_eq!(
            send(ours.as_fd(), &parts, &[write.as_fd()], false).unwrap(),
            5
        );
        let mut buffer = [0; 16];
        let received = receive(theirs.as_fd(), &mut buffer, false).unwrap();
        assert_eq!(&buffer[..received.len], b"hello");
        assert_eq!((received.fds.len(), received.cut), (1, false));
        let error = receive(theirs.as_fd(), &mut buffer, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
