//! `repeat`: one byte without end.
//!
//! Read next: `io/chain.rs`.

#![forbid(unsafe_code)]

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::io::async_read::AsyncRead;
use crate::io::read_buf::ReadBuf;
use crate::io::sink::poll_always;

/// A reader that gives `byte` for ever.
///
/// ```
/// use trefoil::io::AsyncReadExt;
///
/// # futures_util::FutureExt::now_or_never(async {
/// let mut buf = [0; 3];
/// trefoil::io::repeat(b'x').read_exact(&mut buf).await?;
/// assert_eq!(&buf, b"xxx");
/// # trefoil::io::Result::Ok(()) }).unwrap().unwrap();
/// ```
pub fn repeat(byte: u8) -> Repeat {
    Repeat { byte }
}

/// The reader that [`repeat`] makes.
#[derive(Debug)]
pub struct Repeat {
    byte: u8,
}

/// Fills all the room there is; each read spends a unit of budget.
impl AsyncRead for Repeat {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(poll_always(cx))?;
        let room = buf.remaining();
        bytes::BufMut::put_bytes(buf, self.byte, room);
        Poll::Ready(Ok(()))
    }
}
