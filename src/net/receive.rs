//! recv(2) into a `ReadBuf`, whose memory need not be initialised.
//!
//! std's `Read` wants initialised memory: a fresh 64 KiB buffer would be zeroed and then written,
//! at about half the price of the copy out of the kernel. So socket2 is asked, and the proof that
//! the bytes it reports are there stands here, once for all sockets.
//! Read next: `net/stream_io.rs`.

#![allow(unsafe_code, reason = "recv(2) fills memory that was not initialised")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use socket2::{SockAddr, SockRef};

use crate::io::read_buf::ReadBuf;

/// Runs `call`, which is one of socket2's, on the unfilled part of `buf`.
///
/// Private, and given such calls only: the number they report is trusted.
fn fill<R>(
    buf: &mut ReadBuf<'_>,
    call: impl FnOnce(&mut [MaybeUninit<u8>]) -> io::Result<(usize, R)>,
) -> io::Result<(usize, R)> {
    // SAFETY: the slice goes to `recv` or `recv_from` of socket2 only, which write bytes, never
    // make one uninitialised, and do not keep it.
    let room = unsafe { buf.unfilled_mut() };
    let (n, rest) = call(room)?;
    // SAFETY: recv(2) has written the first `n` bytes of `room`, which is what is unfilled.
    unsafe { buf.assume_init(n) };
    buf.advance(n);
    Ok((n, rest))
}

/// Receives into the unfilled part of `buf`, and gives the number of bytes.
///
/// # Errors
///
/// What recv(2) says.
pub(crate) fn receive(socket: &impl AsFd, buf: &mut ReadBuf<'_>) -> io::Result<usize> {
    let socket = SockRef::from(socket);
    fill(buf, |room| Ok((socket.recv(room)?, ()))).map(|(n, ())| n)
}

/// Receives a datagram into the unfilled part of `buf`, and gives its sender too.
///
/// # Errors
///
/// What recvfrom(2) says.
pub(crate) fn receive_from(
    socket: &impl AsFd,
    buf: &mut ReadBuf<'_>,
) -> io::Result<(usize, SockAddr)> {
    let socket = SockRef::from(socket);
    fill(buf, |room| socket.recv_from(room))
}

/// As [`receive_from`], and leaves the datagram where it is.
///
/// # Errors
///
/// What recvfrom(2) says.
pub(crate) fn peek_from(
    socket: &impl AsFd,
    buf: &mut ReadBuf<'_>,
) -> io::Result<(usize, SockAddr)> {
    let socket = SockRef::from(socket);
    fill(buf, |room| socket.peek_from(room))
}
